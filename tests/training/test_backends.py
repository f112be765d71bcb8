"""TensorFlow and JAX run the same program: the same trajectories to rounding."""

import os
import subprocess
import sys

import numpy as np
import pytest

from repro import Experiment
from repro.store.store import Store

EXPERIMENT = Experiment("digits", 24, 3)
TRAIN = """
import sys
from repro import Experiment
from repro.store.store import Store
from repro.training import loop
for replicas in {groups}:
    loop.train(Experiment("digits", 24, 3), replicas, Store(sys.argv[1]), progress=False)
print({asked}, loop.backend.precision())
"""


def _done(code: str, *words: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


def test_backends_agree_and_multiply_with_tf32_only_where_asked(tmp_path):
    """JAX trains two replicas along a leading axis, as on an accelerator; TensorFlow one by one."""
    found = {}
    for backend, groups, asked, tf32 in (
        ("tensorflow", [[0], [1]],
         "loop.backend.tensorflow.config.experimental.tensor_float_32_execution_enabled()", "1"),
        ("jax", [[0, 1]], "loop.backend.jax.config.jax_default_matmul_precision", "0"),
    ):  # fmt: skip
        pytest.importorskip(backend)
        code = TRAIN.format(groups=groups, asked=asked)
        store = Store(tmp_path / backend)
        done = _done(code, str(store.path), KERAS_BACKEND=backend, REPRO_TF32=tf32)
        # There is no accelerator to use it on.
        said = {"1": "True float32", "0": "highest float32"}[tf32]
        assert done.stdout.strip() == said, done.stderr
        runs = [store.find(EXPERIMENT, replica) for replica in (0, 1)]
        found[backend] = [store.load_checkpoint(run) for run in runs]
        assert {each.attrs["backend"] for each, _ in found[backend]} == {backend}
    for (ours, state), (theirs, other) in zip(*found.values(), strict=True):
        for name, values in state.items():
            np.testing.assert_allclose(values, other[name], rtol=0, atol=5e-6, err_msg=name)
        for name, values in ours.data_vars.items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values, theirs[name], rtol=1e-4, atol=5e-6)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"KERAS_BACKEND": "theano"}, "KERAS_BACKEND must be one of tensorflow, jax"),
        ({"REPRO_TF32": "yes"}, "REPRO_TF32 must be 0 or 1, not 'yes'"),
    ],
)
def test_an_unclear_wish_is_told(environment, said):
    done = _done("import repro.training.loop", **environment)
    assert done.returncode and said in done.stderr
