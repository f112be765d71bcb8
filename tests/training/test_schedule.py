"""What is trained in which order, side by side, and that nothing is lost or done twice."""

import shutil
import threading
from pathlib import Path

import pytest
from faults import contents
from hypothesis import given
from hypothesis import strategies as st
from made_up import made_up_run

from repro import Experiment, ReproError
from repro.errors import Mended
from repro.store.store import Store
from repro.training import schedule


@pytest.fixture(autouse=True)
def published_store(tmp_path, monkeypatch) -> Store:
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    return Store(tmp_path / "published")


def _experiment(width: int, epochs: int = 3) -> Experiment:
    return Experiment("digits", width, epochs)


WANTED = st.lists(
    st.tuples(st.builds(_experiment, st.integers(1, 4), st.integers(1, 3)),
              st.lists(st.integers(0, 6), min_size=1, max_size=5)),
    max_size=6,
)  # fmt: skip


@given(WANTED, st.integers(1, 4))
def test_every_run_is_in_one_group_and_first_replicas_come_first(wanted, together):
    once = schedule.merged(wanted)
    groups = schedule.groups(once, lambda _: together)
    trained = [(each.digest, number) for each, replicas in groups for number in replicas]
    asked = {(each.digest, number) for each, replicas in wanted for number in replicas}
    assert len(trained) == len(set(trained)) and set(trained) == asked
    assert all(1 <= len(replicas) <= together for _, replicas in groups)
    # The n-th group of an experiment comes before the n+1-th of any other.
    seen: dict[str, int] = {}
    turns = []
    for experiment, _ in groups:
        turns.append(seen.setdefault(experiment.digest, 0))
        seen[experiment.digest] += 1
    assert turns == sorted(turns)
    # An experiment asked for twice is trained for the longer.
    longest = {each.digest: max(e.epochs for e, _ in wanted if e.digest == each.digest)
               for each, _ in wanted}  # fmt: skip
    assert all(each.epochs == longest[each.digest] for each, _ in groups)


def test_what_any_store_has_for_as_long_is_not_missing(published_store, tmp_path):
    own, experiment = Store(tmp_path / "own"), _experiment(20, 9)
    published_store.save(made_up_run(9, experiment, 0)[0], None)
    own.save(*made_up_run(9, experiment, 1))
    own.save(*made_up_run(8, experiment, 2))
    left = schedule.missing([(experiment, range(4))], (published_store, own))
    assert left == [(experiment, [2, 3])]


def test_replicas_go_on_together_only_from_the_same_epoch(tmp_path):
    own, experiment = Store(tmp_path / "own"), _experiment(20, 9)
    for replica, epochs in ((0, 3), (1, 3), (2, 9), (3, 5)):
        own.save(*made_up_run(epochs, experiment, replica))
    starts = schedule._starts(experiment, range(6), own)
    assert [numbers for _, numbers in starts] == [[4, 5], [0, 1], [3]]


def test_training_goes_on_from_a_published_checkpoint(published_store, tmp_path, monkeypatch):
    own, experiment = Store(tmp_path / "own"), _experiment(20, 9)
    published_store.save(*made_up_run(7, experiment, 0))
    published_store.save(made_up_run(8, experiment, 1)[0], None)  # no state: cannot go on
    own.save(*made_up_run(3, experiment, 0))
    starts = schedule._starts(experiment, range(2), own)
    assert [(source.path, numbers) for source, numbers in starts] == [
        (own.path, [1]), (published_store.path, [0]),
    ]  # fmt: skip
    pytest.importorskip("keras")
    announced = []
    monkeypatch.setattr(schedule, "_work_off", lambda *_: None)
    schedule.train_missing([(experiment, range(2))], own, progress=False, begin=announced.append)
    assert announced == [[(experiment, 2), (experiment, 9)]]  # what is left of each


def _files(folder: Path) -> set[str]:
    return {path.suffix for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Store:
    """Two widths of two replicas, trained one after another."""
    pytest.importorskip("keras")
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_PUBLISHED", str(store.path / "none"))
        assert not schedule.train_missing(SWEEP, store, progress=False, lanes=1)
    return store


SWEEP = [(_experiment(8, 5), (0, 1)), (_experiment(9, 5), (0, 1))]


def test_side_by_side_is_the_same_as_one_after_another_bit_for_bit(undisturbed, tmp_path):
    finished = []
    store = Store(tmp_path / "store")
    assert not schedule.train_missing(
        SWEEP, store, progress=False, lanes=2, finished=finished.append
    )
    assert contents(store.path) == contents(undisturbed.path)
    names = {(experiment.width, *replicas) for experiment, replicas in finished}
    assert names == {(8, 0), (8, 1), (9, 0), (9, 1)}
    assert _files(store.path) == {".nc", ".lock"}


def test_damaged_runs_are_trained_again_bit_for_bit(undisturbed, tmp_path):
    store = Store(tmp_path / "store")
    shutil.copytree(undisturbed.path, store.path, ignore=shutil.ignore_patterns("none"))
    (first, _), (second, _) = SWEEP
    flipped = bytearray(store.file(first, 0).read_bytes())
    flipped[500] ^= 1
    store.file(first, 0).write_bytes(flipped)
    store.file(first, 1).write_bytes(store.file(second, 1).read_bytes())
    store.file(second, 0).write_bytes(b"")
    with pytest.warns(Mended, match="the run is made anew"):
        assert not schedule.train_missing(SWEEP, store, progress=False)
    assert contents(store.path) == contents(undisturbed.path)
    assert len(list(store.path.rglob("*.set-aside-1"))) == 3


def test_what_goes_wrong_in_one_lane_is_told_and_the_other_is_saved(tmp_path, monkeypatch):
    training = pytest.importorskip("repro.training.loop")
    save = Store.save

    def full(self, dataset, state):
        if dataset.attrs["width"] == 9 and int(dataset.epoch[-1]) > 3:
            raise ReproError("no space left")
        return save(self, dataset, state)

    monkeypatch.setattr(Store, "save", full)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    store = Store(tmp_path / "store")
    forever = [(_experiment(8, 100_000), (0,)), (_experiment(9, 100_000), (0,))]
    with pytest.raises(ReproError, match="no space left"):
        schedule.train_missing(forever, store, progress=False, lanes=2)
    assert store.find(_experiment(9), 0).epochs == 3
    assert store.find(_experiment(8), 0).epochs >= 1
    assert _files(store.path) == {".nc", ".lock"}


def test_a_run_that_another_trains_is_waited_for_and_taken_over(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "_LOOK_AGAIN_SECONDS", 0.1)
    store, experiment = Store(tmp_path / "store"), SWEEP[0][0]
    done = threading.Event()

    def train() -> None:
        assert not schedule.train_missing([(experiment, [0])], store, progress=False)
        done.set()

    with store.held(experiment, 0) as ours:
        assert ours
        with store.held(experiment, 0) as again:
            assert not again
        waiting = threading.Thread(target=train)
        waiting.start()
        assert not done.wait(1)
        assert store.find(experiment, 0) is None
    waiting.join(60)
    assert done.is_set()
    assert contents(store.path).items() <= contents(undisturbed.path).items()
