"""Damaged, foreign and swapped files: noticed wherever they are read, and what happens then."""

import shutil

import pytest
from damage import damage
from made_up import made_up_run

from repro import Experiment, command_line
from repro.errors import DamagedFile, Mended
from repro.store import publication
from repro.store.store import Store
from repro.training import schedule

FLIPS = 300
EXPERIMENT = Experiment("digits", 12, 5)


def test_no_damage_to_any_format_is_read_as_if_it_were_none(tmp_path):
    counts = damage(FLIPS, 0, tmp_path)
    assert counts["failed"] == []
    flips = [kinds["flipped bits"] for kinds in counts["formats"].values()]
    # What is harmless is so in what archives have besides their content.
    assert sum(row["caught"] for row in flips) > 0.8 * FLIPS


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("made"))
    for replica in range(3):
        store.save(*made_up_run(5, EXPERIMENT, replica))
    return store


@pytest.fixture
def own(made, tmp_path, monkeypatch) -> Store:
    """A store of three runs, to be damaged."""
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    shutil.copytree(made.path, tmp_path / "own")
    return Store(tmp_path / "own")


def _spoil(store: Store, replica: int = 1, experiment: Experiment = EXPERIMENT):
    path = store.file(experiment, replica)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


WAYS = {
    "flipped": (lambda path, store: _spoil(store), "is damaged"),
    "empty": (lambda path, store: path.write_bytes(b""), "is damaged"),
    "swapped": (
        lambda path, store: path.write_bytes(store.file(EXPERIMENT, 2).read_bytes()),
        r"holds another run \(digits-N12-\w+, replica 2\)",
    ),
}


@pytest.mark.parametrize(("way", "said"), WAYS.values(), ids=WAYS)
def test_a_damaged_run_is_set_aside_with_a_message_and_missing_then(own, way, said):
    path = own.file(EXPERIMENT, 1)
    way(path, own)
    with pytest.warns(Mended, match=f"{said}.* kept as replica-0001.nc.set-aside-1"):
        own.tidy(EXPERIMENT)
    assert schedule.missing([(EXPERIMENT, [0, 1, 2])], (own,)) == [(EXPERIMENT, [1])]
    assert {each.name for each in path.parent.glob("replica*")} == {
        "replica-0000.nc", "replica-0002.nc", "replica-0001.nc.set-aside-1",
    }  # fmt: skip
    path.write_bytes(b"")
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


def test_what_is_published_is_refused_and_never_moved(own, tmp_path, monkeypatch):
    path = _spoil(own)
    before = path.read_bytes()
    other = Store(tmp_path / "other")
    monkeypatch.setenv("REPRO_PUBLISHED", str(own.path))
    with pytest.raises(DamagedFile, match="is damaged"):
        schedule.train_missing([(EXPERIMENT, [0, 1])], other, progress=False)
    other.save(*made_up_run(6, EXPERIMENT, 1))
    for command in (["claims", "--json"], ["publish", "--store", str(other.path)]):
        assert command_line.main(command) == 2
    assert path.read_bytes() == before and not list(path.parent.glob("*set-aside*"))


def test_publishing_takes_the_sound_ones_and_ends_in_an_error(own, tmp_path):
    path = _spoil(own)
    target = Store(tmp_path / "target")
    with pytest.raises(DamagedFile, match=f"Published 2 runs, but not .*{path} is damaged"):
        publication.publish(own, target, 5, unfinished=False)
    assert target.replicas(EXPERIMENT) == [0, 2] and path.exists()
