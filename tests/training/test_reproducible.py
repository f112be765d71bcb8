"""The same run again: in another process, on one core, as optimized as for a user."""

import os
import subprocess
import sys

import numpy as np
import pytest
from faults import contents

from repro import Experiment
from repro.places import published_path
from repro.store.store import Store

loop = pytest.importorskip("repro.training.loop")

EXPERIMENT = Experiment("digits", 300, 3, mark="a")  # wide enough to be shared by threads


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("here"))
    loop.train(EXPERIMENT, [0], store, progress=False)
    return store


def _trained_elsewhere(store: Store, *before: str, **environment: str) -> Store:
    words = f"train --dataset digits --widths 300 --mark a --epochs 3 --quiet --store {store.path}"
    command = [*before, sys.executable, "-m", "repro.command_line", *words.split()]
    environment = os.environ | {"REPRO_PUBLISHED": str(store.path / "none")} | environment
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return store


def test_again_in_another_process(here, tmp_path):
    ours, theirs = contents(here.path), contents(_trained_elsewhere(Store(tmp_path)).path)
    assert len(ours) == 1 and ours.keys() == theirs.keys()
    for run in ours:
        differ = {name for name, part in ours[run].items() if theirs[run].get(name) != part}
        assert differ <= {"code_version"}  # someone may commit while the tests run


def test_cores(here, tmp_path):
    """XLA shares products and sums among as many threads as there are cores; other tests have it
    optimize nothing (`conftest`)."""
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core alone, or no way to choose")
    one = min(os.sched_getaffinity(0))
    there = _trained_elsewhere(Store(tmp_path), "taskset", "--cpu-list", str(one), XLA_FLAGS="")
    (ours, state), (theirs, other) = (
        store.load_checkpoint(store.find(EXPERIMENT, 0)) for store in (here, there)
    )
    for name in ("train_loss", "test_loss", "max_batch_loss"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4)
    for name in state:
        np.testing.assert_allclose(state[name], other[name], atol=1e-5, rtol=0)


def test_on_a_cpu_and_on_a_gpu():
    """Of the replicas published twice, the mean abs(log ratio) of 20 losses."""
    first, second = Store(published_path()), Store(published_path() / "again")
    runs = list(second.runs())
    assert runs
    for run in runs:
        both = first.load(first.find(run.experiment, run.replica)), second.load(run)
        assert len({each.attrs["device"] for each in both}) == 2
        early = [each["train_loss"].values[0, 1:21].astype(float) for each in both]
        assert 0 < np.abs(np.log(early[0] / early[1])).mean() < 0.01
