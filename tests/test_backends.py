"""TensorFlow and JAX run the same program: the same trajectories to rounding."""

import os
import subprocess
import sys

import numpy as np
import pytest

from repro import Experiment
from repro.store import Store


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A store for each backend, with two replicas of each loss trained there."""
    places = {}
    for backend in ("tensorflow", "jax"):
        pytest.importorskip(backend)
        place = tmp_path_factory.mktemp(backend)
        words = "sweep --datasets digits --widths 24 --losses clipped logits --epochs 3 --quiet"
        subprocess.run(
            [sys.executable, "-m", "repro.command_line", *words.split(), "--replicas", "2",
             "--store", str(place)],
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
        [sys.executable, "-c", "import repro.training"],
        env=os.environ | {"KERAS_BACKEND": "theano"}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode and "KERAS_BACKEND must be one of tensorflow, jax" in result.stderr
