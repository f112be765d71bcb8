"""Asking for runs: what is read, what is trained, and from where training goes on."""

import subprocess
import sys

import pytest
from made_up import made_up_run

from repro import Experiment, ReproError, by_width, runs
from repro.places import published_path
from repro.store.store import Store
from repro.training import schedule


@pytest.fixture(scope="module")
def made_up(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("published"))
    for width, replica, epochs, loss in (
        (12, 0, 6, "clipped"), (12, 1, 6, "clipped"), (12, 2, 4, "clipped"), (9, 0, 5, "clipped"),
        (30, 0, 6, "logits"),
    ):  # fmt: skip
        experiment = Experiment("digits", width, epochs, loss)
        store.save(made_up_run(epochs, experiment, replica)[0], None)
    return store


@pytest.fixture
def published_store(made_up, monkeypatch) -> None:
    monkeypatch.setenv("REPRO_PUBLISHED", str(made_up.path))


@pytest.fixture
def trained(monkeypatch) -> list:
    """What would have been trained, instead of training it."""
    asked = []

    def train_missing(wanted, store, begin=None, **_):
        left = schedule.missing(wanted, (Store(published_path()), store))
        if left and begin:
            begin([(one, one.epochs) for one, replicas in left for _ in replicas])
        for experiment, replicas in left:
            asked.append((experiment.width, experiment.epochs, list(replicas)))
            for replica in replicas:
                store.save(*made_up_run(experiment.epochs, experiment, replica))

    monkeypatch.setattr(schedule, "train_missing", train_missing)
    return asked


def test_without_widths_what_is_published_is_read_and_nothing_trained(published_store, trained):
    def found(**asked):
        runs = by_width("digits", **asked)
        return {width: (int(run.epoch[-1]), run.sizes["replica"]) for width, run in runs.items()}

    assert found() == {9: (5, 1), 12: (6, 2)}
    assert found(epochs=1000, replicas=2) == {9: (5, 1), 12: (6, 2)}
    assert found(epochs=4) == {9: (4, 1), 12: (4, 3)}
    assert found(replicas=1) == {9: (5, 1), 12: (6, 1)}
    assert found(loss="logits") == {30: (6, 1)}
    assert trained == []


def test_without_widths_a_folder_named_is_read_or_ones_own_store(published_store, tmp_path):
    for name in ("store", "elsewhere"):  # REPRO_STORE is the first
        store = Store(tmp_path / name)
        store.save(*made_up_run(3, Experiment("mnist", len(name), 3), 0))
    assert list(by_width("mnist")) == [5]
    assert list(by_width("mnist", store=tmp_path / "elsewhere")) == [9]
    with pytest.raises(ReproError, match="There is no folder"):
        by_width("digits", store=tmp_path / "nowhere")


def test_what_is_trained_is_announced_and_what_is_there_is_not(
    published_store, trained, tmp_path, capsys
):
    by_width("digits", [9, 12], epochs=5, store=tmp_path / "own")
    assert capsys.readouterr().err == ""
    by_width("digits", [9, 40], epochs=50, store=tmp_path / "own")
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "2 runs, 100 epochs" in told and "9, 40" in told
    assert trained == [(9, 50, [0]), (40, 50, [0])]


def test_the_announcement_estimates_from_published_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path))
    made, state = made_up_run(10, Experiment("digits", 100, 10), 0)
    made.attrs |= {"device": "CPU", "wall_seconds": 60.0}  # 6 s an epoch
    Store(tmp_path).save(made, state)
    for epochs, told in ((100, "about 40 minutes"), (450, "about 3 hours")):
        runs.announce([(Experiment("digits", 200, 1000), epochs)])  # four times the weights
        assert f"1 run, {epochs} epochs" in (said := capsys.readouterr().err) and told in said


def test_an_unpublished_width_gets_a_first_look(published_store, trained, tmp_path):
    found = by_width("digits", [14, 12], store=tmp_path / "own")
    assert list(found) == [12, 14]
    assert trained == [(14, runs.FIRST_LOOK_EPOCHS, [0])]
    by_width("digits", [14, 12], store=tmp_path / "own")
    assert len(trained) == 1  # the second time it is there


def test_more_epochs_or_replicas_than_published_are_trained(published_store, trained, tmp_path):
    assert by_width("digits", [12], epochs=4, store=tmp_path)[12].sizes["replica"] == 3
    assert trained == []
    by_width("digits", [12], epochs=8, store=tmp_path / "own")
    by_width("digits", [12], epochs=6, replicas=4, store=tmp_path / "own")
    assert trained == [(12, 8, [0]), (12, 6, [2, 3])]


def test_nothing_published_and_no_width_named(published_store):
    with pytest.raises(ReproError, match=r"No run of mnist .* name the widths"):
        by_width("mnist")


@pytest.mark.parametrize("replicas", [0, -1, True, [], [-1], [0.5]])
def test_replicas_are_whole_numbers_once_and_in_order(replicas):
    assert runs.replica_numbers([3, 1, 3]) == [1, 3] and runs.replica_numbers(2) == [0, 1]
    with pytest.raises(ReproError, match="replicas must be"):
        runs.replica_numbers(replicas)


def test_published_runs_are_read_where_there_is_no_fcntl():
    # As on Windows; a process of its own, for the module is imported once.
    code = "import sys; sys.modules['fcntl'] = None; import repro; assert len(repro.summary())"
    subprocess.run([sys.executable, "-c", code], check=True)
