"""The same run again: in another process, in two lanes, on one core."""

import os
import subprocess
import sys

import numpy as np
import pytest

from repro import Experiment
from repro.store.store import Store
from repro.training import schedule

EXPERIMENT = Experiment("digits", 300, 3, mark="a")  # wide enough to be shared by threads
REPLICAS = [0, 1]
TIMES = ("wall_seconds", "started", "finished")
COMMIT = "code_version"  # of each process: someone may commit while the tests run


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Store:
    """Two replicas, trained one after the other in this process."""
    pytest.importorskip("keras")
    store = Store(tmp_path_factory.mktemp("here"))
    _train(store, lanes=1)
    return store


def _train(store: Store, lanes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_PUBLISHED", str(store.path / "none"))
        assert not schedule.train_missing(
            [(EXPERIMENT, REPLICAS)], store, progress=False, lanes=lanes, together=1
        )


def _train_elsewhere(store: Store, *before: str) -> None:
    """The same in a process of its own."""
    words = "train --dataset digits --widths 300 --mark a --epochs 3 --replicas 2 --quiet"
    words += " --lanes 1 --together 1 --store"
    command = [*before, sys.executable, "-m", "repro.command_line", *words.split()]
    environment = os.environ | {"REPRO_PUBLISHED": str(store.path / "none")}
    done = subprocess.run([*command, str(store.path)], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def _same(first: Store, second: Store, *apart: str) -> None:
    for replica in REPLICAS:
        runs = [store.find(EXPERIMENT, replica) for store in (first, second)]
        ours, theirs = (s.load(run) for s, run in zip((first, second), runs, strict=True))
        for name in (*TIMES, *apart):
            assert {ours.attrs.pop(name), theirs.attrs.pop(name)}
        assert ours.attrs == theirs.attrs
        assert list(ours.variables) == list(theirs.variables)
        for name in ours.variables:
            assert ours[name].dtype == theirs[name].dtype
            assert ours[name].values.tobytes() == theirs[name].values.tobytes(), name
        states = [s.load_state(run) for s, run in zip((first, second), runs, strict=True)]
        assert states[0].keys() == states[1].keys()
        for name in states[0]:
            assert states[0][name].tobytes() == states[1][name].tobytes(), name


def test_again_in_another_process(here, tmp_path):
    _train_elsewhere(Store(tmp_path))
    _same(here, Store(tmp_path), COMMIT)


def test_lanes(here, tmp_path):
    _train(Store(tmp_path), lanes=2)
    _same(here, Store(tmp_path))


def test_cores(here, tmp_path):
    """XLA shares products and sums among as many threads as there are cores."""
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core alone, or no way to choose")
    one = min(os.sched_getaffinity(0))
    _train_elsewhere(Store(tmp_path), "taskset", "--cpu-list", str(one))
    for replica in REPLICAS:
        (ours, state), (theirs, other) = (
            (store.load(run), store.load_state(run))
            for store in (here, Store(tmp_path))
            if (run := store.find(EXPERIMENT, replica))
        )
        for name in ("train_loss", "test_loss", "max_batch_loss"):
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4)
        for name in state:
            np.testing.assert_allclose(state[name], other[name], atol=1e-5, rtol=0)
