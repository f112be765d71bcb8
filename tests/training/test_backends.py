"""TensorFlow and JAX run the same program: the same trajectories to rounding."""

import os
import subprocess
import sys

import numpy as np
import pytest

from repro import Experiment
from repro.store.store import Store


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A store for each backend, with two replicas of each loss trained there.

    JAX trains them along a leading axis, as on an accelerator; TensorFlow each in its own program.
    """
    places = {}
    for backend in ("tensorflow", "jax"):
        pytest.importorskip(backend)
        place = tmp_path_factory.mktemp(backend)
        words = "sweep --datasets digits --widths 24 --losses clipped logits --epochs 3 --quiet"
        subprocess.run(
            [sys.executable, "-m", "repro.command_line", *words.split(), "--replicas", "2",
             "--together", "2" if backend == "jax" else "1", "--store", str(place)],
            env=os.environ | {"KERAS_BACKEND": backend, "REPRO_PUBLISHED": str(place / "none")},
            check=True, capture_output=True,
        )  # fmt: skip
        places[backend] = Store(place)
    return places


@pytest.mark.parametrize("loss", ["clipped", "logits"])
@pytest.mark.parametrize("replica", [0, 1])
def test_backends_agree(stores, loss, replica):
    experiment = Experiment("digits", 24, 3, loss=loss)
    results, states = {}, {}
    for backend, store in stores.items():
        run = store.find(experiment, replica)
        results[backend], states[backend] = store.load(run), store.load_state(run)
        assert results[backend].attrs["backend"] == backend
        assert results[backend].attrs["trained_together"] == (2 if backend == "jax" else 1)
    for name in states["jax"]:
        np.testing.assert_allclose(
            states["jax"][name], states["tensorflow"][name], rtol=0, atol=5e-6, err_msg=name
        )
    for name in results["jax"].data_vars:
        if results["jax"][name].dtype.kind == "f":
            np.testing.assert_allclose(
                results["jax"][name], results["tensorflow"][name], rtol=1e-4, atol=5e-6,
                err_msg=str(name),
            )  # fmt: skip


def test_an_unknown_backend_is_told():
    result = subprocess.run(
        [sys.executable, "-c", "import repro.training.loop"],
        env=os.environ | {"KERAS_BACKEND": "theano"}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode and "KERAS_BACKEND must be one of tensorflow, jax" in result.stderr


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_tf32_is_used_only_where_it_is_asked_for(backend):
    pytest.importorskip(backend)
    asked = {
        "tensorflow": "tensorflow.config.experimental.tensor_float_32_execution_enabled()",
        "jax": "jax.config.jax_default_matmul_precision == 'tensorfloat32'",
    }
    code = (
        f"from repro import backend\nimport {backend}\nprint({asked[backend]}, backend.precision())"
    )
    for choice, expected in ((None, "False float32"), ("1", "True float32")):
        environment = os.environ | {"KERAS_BACKEND": backend}
        environment |= {"REPRO_TF32": choice} if choice else {}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        # There is no accelerator to use it on.
        assert done.stdout.split() == expected.split()


def test_an_unclear_wish_for_tf32_is_told():
    done = subprocess.run(
        [sys.executable, "-c", "import repro.training.backend"],
        env=os.environ | {"REPRO_TF32": "yes"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode and "REPRO_TF32 must be 0 or 1, not 'yes'" in done.stderr
