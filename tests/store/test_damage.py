"""Damaged, foreign and swapped files: noticed wherever they are read, and what happens then."""

import json
import threading

import numpy as np
import pytest
from damage import FAILURE, damage
from made_up import made_up_run

from repro import Experiment, ReproError, command_line, sealed_json
from repro.data import datasets
from repro.errors import DamagedFile, Mended
from repro.store import publication
from repro.store.store import Store
from repro.training import schedule

FLIPS = 1000
EXPERIMENT = Experiment("digits", 12, 5)


def test_no_damage_to_any_format_is_read_as_if_it_were_none(tmp_path):
    counts = damage(FLIPS, 0, tmp_path)
    assert counts["failed"] == []
    rows = [row for kinds in counts["formats"].values() for row in kinds.values()]
    flips = [kinds["flipped bits"] for kinds in counts["formats"].values()]
    assert sum(sum(row.values()) for row in flips) == FLIPS
    assert all(row[FAILURE] == 0 for row in rows)
    # What is harmless is so in what archives have besides their content.
    assert sum(row["caught"] for row in flips) > 0.95 * FLIPS


@pytest.fixture
def own(tmp_path, monkeypatch) -> Store:
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    store = Store(tmp_path / "own")
    for replica in range(3):
        store.save(*made_up_run(5, EXPERIMENT, replica))
    return store


def _spoil(store: Store, replica: int = 1, experiment: Experiment = EXPERIMENT):
    path = store.file(experiment, replica)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


def _folder(path, store):
    path.unlink()
    path.mkdir()


def _link(path, store):
    path.unlink()
    path.symlink_to("nowhere")


WAYS = {
    "flipped": (lambda path, store: _spoil(store), "is damaged"),
    "empty": (lambda path, store: path.write_bytes(b""), "is damaged"),
    "swapped": (
        lambda path, store: path.write_bytes(store.file(EXPERIMENT, 2).read_bytes()),
        r"holds another run \(digits-N12-\w+, replica 2\)",
    ),
    "a folder": (_folder, "should be a file and is none"),
    "a link to nothing": (_link, "should be a file and is none"),
}


@pytest.mark.parametrize(("way", "said"), WAYS.values(), ids=WAYS)
def test_a_damaged_run_is_set_aside_with_a_message_and_missing_then(own, way, said):
    path = own.file(EXPERIMENT, 1)
    way(path, own)
    with pytest.warns(Mended, match=f"{said}.* kept as replica-0001.nc.set-aside-1"):
        own.tidy(EXPERIMENT)
    assert schedule.missing([(EXPERIMENT, [0, 1, 2])], (own,)) == [(EXPERIMENT, [1])]
    assert {each.name for each in path.parent.iterdir()} == {
        "replica-0000.nc", "replica-0002.nc", "replica-0001.nc.set-aside-1",
    }  # fmt: skip
    own.save(*made_up_run(5, EXPERIMENT, 1))
    _spoil(own)
    with pytest.warns(Mended, match="set-aside-2"):
        own.tidy(EXPERIMENT)
    assert len(list(own.runs())) == 2


def test_training_goes_on_from_the_published_checkpoint_of_a_damaged_run(own, tmp_path):
    published = Store(tmp_path / "published")
    published.save(*made_up_run(3, EXPERIMENT, 1))
    _spoil(own)
    with pytest.warns(Mended):
        own.tidy(EXPERIMENT)
    starts = schedule._starts(EXPERIMENT, [1], own)
    assert [(source.path, numbers) for source, numbers in starts] == [(published.path, [1])]


def test_a_damaged_run_that_another_process_holds_is_waited_for(own):
    with own.held(EXPERIMENT, 1):
        _spoil(own)
        waiting = threading.Thread(target=own.tidy, args=(EXPERIMENT,))
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive() and own.file(EXPERIMENT, 1).exists()
        own.save(*made_up_run(5, EXPERIMENT, 1))  # as its training does
    waiting.join(30)
    assert not waiting.is_alive()
    assert len(list(own.runs())) == 3


def test_files_that_only_look_like_runs_are_not_read(own):
    path = own.file(EXPERIMENT, 0)
    for name in ("replica-0007 (copy).nc", "replica-0001.nc.set-aside-1", "replica-12.nc"):
        (path.parent / name).write_bytes(path.read_bytes())
    (path.parent / ".replica-copy.nc.part").touch()
    own.tidy(EXPERIMENT)
    assert own.replicas(EXPERIMENT) == [0, 1, 2] and len(list(own.runs())) == 3


def test_a_sound_checksum_does_not_make_a_run(own):
    from repro.store.run_file import _trailer

    path = own.file(EXPERIMENT, 1)
    for content in (b"", b"text", own.file(EXPERIMENT, 0).read_bytes()[:3000]):
        path.write_bytes(content + _trailer(content))
        with pytest.raises(DamagedFile, match="is no run of this project"):
            own.find(EXPERIMENT, 1)


def test_a_run_without_permission_is_told_and_stays(own, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(ReproError, match="change its permissions"):
        own.tidy(EXPERIMENT)
    assert own.file(EXPERIMENT, 1).exists()


def test_what_is_published_is_refused_and_never_moved(own, tmp_path, monkeypatch):
    path = _spoil(own)
    before = path.read_bytes()
    other = Store(tmp_path / "other")
    monkeypatch.setenv("REPRO_PUBLISHED", str(own.path))
    with pytest.raises(DamagedFile, match="is damaged"):
        schedule.train_missing([(EXPERIMENT, [0, 1])], other, progress=False)
    for command in (["claims", "--json"], ["publish", "--store", str(other.path)]):
        Store(other.path).save(*made_up_run(6, EXPERIMENT, 1))
        assert command_line.main(command) == 2
    assert path.read_bytes() == before and not list(path.parent.glob("*set-aside*"))


def test_the_listing_has_the_others_and_names_the_damaged(own, capsys):
    path = _spoil(own)
    assert command_line.main(["results", "--store", str(own.path)]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert len(lines) == 3 and lines[-1] == f"own: 2 runs in {own.path}"
    assert str(path) not in shown.out
    assert shown.err.count("\n") == 1 and f"{path} is damaged" in shown.err
    assert command_line.main(["results", "--json", "--store", str(own.path)]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed["runs"]) == 2 and str(path) in listed["damaged"][0]


def test_publishing_takes_the_sound_ones_and_ends_in_an_error(own, tmp_path):
    path = _spoil(own)
    target = Store(tmp_path / "target")
    with pytest.raises(DamagedFile, match=f"Published 2 runs, but not .*{path} is damaged"):
        publication.publish(own, target, 5, unfinished=False)
    assert target.replicas(EXPERIMENT) == [0, 2] and path.exists()


def test_verdicts_are_not_given_on_some_of_the_runs(own, capsys):
    path = _spoil(own)
    assert command_line.main(["claims", "--store", str(own.path)]) == 2
    assert f"{path} is damaged" in capsys.readouterr().err


def test_a_sound_run_from_elsewhere_replaces_a_damaged_one(own):
    content = own.file(EXPERIMENT, 1).read_bytes()
    path = _spoil(own)
    with pytest.warns(Mended, match="set-aside-1"):
        assert own.adopt(content, "a run") == path
    assert path.read_bytes() == content


def test_a_run_in_training_is_not_replaced(own):
    content = own.file(EXPERIMENT, 1).read_bytes()
    own.save(*made_up_run(2, EXPERIMENT, 1))
    with own.held(EXPERIMENT, 1), pytest.raises(ReproError, match="is being trained by another"):
        own.adopt(content, "a run")


def test_the_command_line_tells_what_is_mended_in_one_line(own, capsys):
    _spoil(own)
    command_line.main(["results", "--json", "--store", str(own.path)])
    capsys.readouterr()
    with pytest.warns(Mended) as told:
        own.tidy(EXPERIMENT)
    message, *place = (getattr(told[0], name) for name in ("message", "category", "filename"))
    assert command_line._format_warning(message, *place, 1).count("\n") == 1


def test_digits_that_are_not_the_published_ones_are_refused(monkeypatch):
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    values = values.copy()
    values[7, 30] += 1
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda **_: (values, labels))
    with pytest.raises(ReproError, match="scikit-learn's digits are not"):
        datasets.load("digits")


def test_numbers_are_sealed_whatever_their_layout(tmp_path):
    path = tmp_path / "numbers.json"
    sealed_json.write(path, {"b": 0.1, "a": [float(np.float32(0.1)), "π"]})
    content = sealed_json.read(path)
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert sealed_json.read(path) == content
    path.write_text(path.read_text().replace("0.1,", "0.2,"))
    with pytest.raises(DamagedFile, match="is damaged"):
        sealed_json.read(path)
    sealed_json.main([str(path)])
    assert sealed_json.read(path)["b"] == 0.2
    with pytest.raises(ReproError, match="There is no"):
        sealed_json.read(tmp_path / "none.json")
