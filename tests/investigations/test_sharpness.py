"""The sharpness: against a Hessian written out, the same however often it is stopped."""

import numpy as np
import pytest
from by_hand import loss_and_gradient

from repro import Experiment, ReproError
from repro.data import datasets
from repro.investigations import stability
from repro.investigations.stability import SharpnessRecord
from repro.model import network
from repro.store.store import Store

pytest.importorskip("keras")

import sharpness

from repro.training import loop, program

SMALL = Experiment("digits", 4, 4)  # the same in all tests: compiled once


def _gradient(experiment, parameters, x, y):
    """Of the mean loss, by hand; ``parameters`` and the result in one vector each."""
    width = experiment.width
    shapes = ((64, width), (width, width), (width, 10), (width,), (width,), (10,))
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = zip(np.split(parameters, ends), shapes, strict=True)
    arrays = [part.reshape(shape) for part, shape in parts]
    _, found = loss_and_gradient(arrays, x, y, experiment.loss, experiment.epsilon)
    return np.concatenate([part.ravel() for part in found])


@pytest.mark.parametrize(("loss", "epsilon"), [("logits", 1e-7), ("clipped", 0.08)])
def test_sharpness_is_the_largest_eigenvalue_of_the_written_out_hessian(loss, epsilon):
    experiment = Experiment("digits", 4, 10, loss=loss, epsilon=epsilon)
    weights = {f"weights_{n}": 2 * w for n, w in network.initial_weights(experiment, 0).items()}
    biases = {f"biases_{n}": b + 0.1 for n, b in network.initial_biases(experiment).items()}
    state, images = weights | biases, loop.samples(experiment)
    value, residual, products = sharpness.largest_eigenvalue(
        experiment, state, images.x_train, images.y_train
    )

    data = datasets.load("digits", None)
    x, y = data.x_train.astype(float) / 255, data.y_train
    at = np.concatenate([part.ravel() for part in state.values()]).astype(float)
    step = 1e-6
    ahead, behind = (np.array([_gradient(experiment, at + way * unit, x, y)
                               for unit in np.eye(len(at))]) for way in (step, -step))  # fmt: skip
    hessian = (ahead - behind) / (2 * step)
    largest = np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]
    assert largest > 1, "a Hessian worth the comparison"
    assert value == pytest.approx(largest, rel=1e-4)
    assert residual < 1e-2
    assert 2 < products < 200


def test_a_measurement_interrupted_and_resumed_equals_an_undisturbed_one(tmp_path, monkeypatch):
    """Also one asked for an epoch that its checkpoint has passed; it is the run of `loop`."""

    def measured(name: str, *epochs: int) -> SharpnessRecord:
        place = tmp_path / name, Store(tmp_path / f"{name}-store")
        for last in epochs:
            record = sharpness.measure(SMALL.with_epochs(last), *place)
        return record

    monkeypatch.setattr(
        sharpness, "measuring_epochs", lambda last, _: {2: [0, 2]}.get(last, [0, 1, 4])
    )
    whole, resumed = measured("whole", 4), measured("resumed", 2, 4)
    resumed.measurements.pop(2)  # of epoch 2
    assert [one["epoch"] for one in whole.measurements] == [0, 1, 4]
    assert resumed.measurements == whole.measurements
    assert (resumed.train_loss, resumed.max_batch_loss) == (whole.train_loss, whole.max_batch_loss)
    assert stability.measured(tmp_path / "whole") == [whole]
    store = Store(tmp_path / "store")
    loop.train(SMALL, [0], store, progress=False)
    run = store.load(store.find(SMALL, 0)).isel(replica=0)
    np.testing.assert_array_equal(np.float32(whole.train_loss), run.train_loss.values)
    assert whole.max_batch_loss[0] is None
    assert whole.sample_size == 1437, "the whole of this small training set"
    assert whole.measurements[0]["sample_loss"] == pytest.approx(float(run.train_loss[0]), rel=1e-6)


def test_samples_are_drawn_from_their_seed_without_repetition():
    images = loop.samples(SMALL)
    one, again, other = (np.asarray(sharpness.sample(images, 100, seed)[0]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert one.shape == (100, 64) and (one != other).any()
    whole = [image.tobytes() for image in np.asarray(images.x_train)]
    assert {image.tobytes() for image in one} <= set(whole)


def test_epochs_are_even_in_their_logarithm_and_then_in_themselves():
    epochs = sharpness.measuring_epochs(300, 5)
    apart = np.diff(epochs)
    assert epochs[:4] == [0, 1, 2, 3] and epochs[-1] == 300
    assert (np.diff(apart[:-1]) >= 0).all() and apart.max() == 5
    assert sharpness.measuring_epochs(1) == [0, 1]


def test_a_network_without_a_loss_has_no_sharpness(tmp_path, monkeypatch):
    broken = program.Tally(*(np.float32("nan") for _ in program.Tally._fields))
    monkeypatch.setattr(program, "evaluation_program", lambda _: lambda *_: broken)
    monkeypatch.setattr(sharpness, "measuring_epochs", lambda *_: [0])
    record = sharpness.measure(SMALL, tmp_path / "out", Store(tmp_path / "store"))
    nothing = {"sharpness": None, "residual": None, "sample_loss": None}
    assert record.measurements == [{"epoch": 0, "products": 0} | nothing]


def test_a_run_that_another_is_at_is_left_alone(tmp_path):
    store = Store(tmp_path / "store")
    with store.held(SMALL, 0), pytest.raises(ReproError, match="Another process is at digits"):
        sharpness.measure(SMALL, tmp_path / "out", store)
