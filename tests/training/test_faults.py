"""A part of the harness of faults: two kinds once. Others are tried elsewhere, in one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import faults
import pytest
from made_up import made_up_run

from repro import Experiment
from repro.store.store import Store


def test_whatever_disturbs_a_sweep_the_same_command_finishes_it_as_if_nothing_had_been():
    pytest.importorskip("keras")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--times", "2", "--seed", "1"],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True,
        env=os.environ | {"KERAS_BACKEND": "tensorflow", "XLA_FLAGS": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads(done.stdout)
    assert counts["faults"] == 2 and counts["failed"] == []


@pytest.mark.parametrize(
    ("log", "twice"),
    [
        ("begin a/0 1 1.0\nend a/0 1 2.0\nbegin a/0 1 3.0\nbegin a/0 2 2.5\n", False),
        ("begin a/0 1 1.0\nbegin b/0 2 1.5\nepoch a/0 1 2.0\n", False),
        ("begin a/0 1 1.0\nbegin a/0 2 1.5\nepoch a/0 1 2.0\n", True),
    ],
)
def test_the_harness_notices_a_run_that_is_trained_twice_at_once(tmp_path, log, twice):
    scene = faults.Scene(tmp_path)
    scene.log.write_text(log)
    faults.check_alone(scene)
    assert bool(scene.problems) == twice


def test_the_harness_notices_what_is_left_half_written_missing_or_another(tmp_path):
    scene, experiment = faults.Scene(tmp_path), Experiment("digits", 8, 2)
    store = Store(scene.store)
    path = store.save(*made_up_run(2, experiment))
    whole = faults.contents(scene.store)
    faults.check_same(scene, whole)
    faults.check_left(scene)
    faults.check_whole(scene)
    assert scene.problems == []
    dataset, state = made_up_run(2, experiment)
    dataset.train_loss.values[0, 1] += 1e-6
    store.save(dataset, state)
    faults.check_same(scene, whole)
    assert scene.problems.pop().endswith("differs in ['train_loss']")
    path.write_bytes(path.read_bytes()[:-99])
    faults.check_whole(scene)
    assert "is damaged" in scene.problems.pop()
    path.rename(path.with_suffix(".part"))
    faults.check_left(scene)
    faults.check_same(scene, whole)
    assert scene.problems == ["replica-0000.part was left behind", "there are []"]
