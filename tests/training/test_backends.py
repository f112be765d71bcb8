"""TensorFlow and JAX run the same program: the same trajectories to rounding."""

import os
import runpy
import subprocess
import sys

import numpy as np
import pytest

from repro import Experiment, ReproError
from repro.store.store import Store

EXPERIMENT = Experiment("digits", 24, 3)
IN_JAX = """
import sys
from repro import Experiment
from repro.store.store import Store
from repro.training import loop
loop.train(Experiment("digits", 24, 3), [0, 1], Store(sys.argv[1]), progress=False)
print(loop.backend.jax.config.jax_default_matmul_precision, loop.backend.precision())
"""


def test_backends_agree_and_multiply_with_tf32_only_where_asked(tmp_path):
    """JAX trains two replicas along a leading axis, as on an accelerator; TensorFlow one by one."""
    pytest.importorskip("jax")
    tensorflow = pytest.importorskip("tensorflow")
    from repro.training import loop

    stores = Store(tmp_path / "tensorflow"), Store(tmp_path / "jax")
    for replica in (0, 1):
        loop.train(EXPERIMENT, [replica], stores[0], progress=False)
    assert not tensorflow.config.experimental.tensor_float_32_execution_enabled()
    done = subprocess.run(
        [sys.executable, "-c", IN_JAX, str(stores[1].path)], capture_output=True, text=True,
        env=os.environ | {"KERAS_BACKEND": "jax", "REPRO_TF32": "1"},
    )  # fmt: skip
    # There is no accelerator to use it on.
    assert done.stdout.strip() == "tensorfloat32 float32", done.stderr
    for replica in (0, 1):
        (ours, state), (theirs, other) = (
            store.load_checkpoint(store.find(EXPERIMENT, replica)) for store in stores
        )
        assert (ours.attrs["backend"], theirs.attrs["backend"]) == ("tensorflow", "jax")
        for name, values in state.items():
            np.testing.assert_allclose(values, other[name], rtol=0, atol=5e-6, err_msg=name)
        for name, values in ours.data_vars.items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values, theirs[name], rtol=1e-4, atol=5e-6)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("KERAS_BACKEND", "theano", "KERAS_BACKEND must be one of tensorflow, jax"),
        ("REPRO_TF32", "yes", "REPRO_TF32 must be 0 or 1, not 'yes'"),
    ],
)
def test_an_unclear_wish_is_told(variable, value, told, monkeypatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ReproError, match=told):
        runpy.run_module("repro.training.backend")
