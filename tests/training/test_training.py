"""The engine against independent implementations: plain Keras, and NumPy from the formulas."""

import math

import numpy as np
import pytest
from by_hand import loss_and_gradient
from faults import contents

import repro
from repro import Experiment
from repro.data import datasets
from repro.model import network
from repro.store import publication
from repro.store.store import Store

keras = pytest.importorskip("keras")

from repro.training import backend, loop, program  # noqa: E402

LAYERS = network.layer_names()


def _experiment(**changes) -> Experiment:
    return Experiment(**({"dataset": "digits", "width": 24, "epochs": 1} | changes))


def _train(experiment: Experiment, store: Store, replicas=(0,), **options):
    """Train; the results and the state of the last replica."""
    loop.train(experiment, list(replicas), store, progress=False, **options)
    run = store.find(experiment, replicas[-1])
    return store.load_checkpoint(run)


def _start(experiment: Experiment, replica: int = 0):
    """Initial weights, and the training samples in the order of the first epoch."""
    data = datasets.load(experiment.dataset, experiment.split, experiment.seed)
    order = network.sample_order(experiment, replica, 1, len(data.y_train))
    pixels = data.x_train[order].astype(np.float32) / np.float32(255)
    return network.initial_weights(experiment, replica), pixels, data.y_train[order], data


def _epoch(experiment: Experiment) -> tuple[dict, float, program.Tally]:
    """The first epoch's training alone: the state by name, the mean loss, the tally."""
    weights, _, labels, data = _start(experiment)
    biases = network.initial_biases(experiment)
    parameters = tuple(map(keras.ops.convert_to_tensor, (*weights.values(), *biases.values())))
    names = [f"{kind}_{layer}" for kind in ("weights", "biases") for layer in weights]
    order = network.sample_order(experiment, 0, 1, len(labels))
    run = backend.compiled(lambda *arrays: program.train(experiment, *arrays))
    state, tally = run(
        program.started(experiment.optimizer, parameters, ()),
        *map(keras.ops.convert_to_tensor, (data.x_train, data.y_train, order)),
    )
    named = zip(program.state_names(experiment.optimizer, names), state, strict=True)
    return (
        {name: keras.ops.convert_to_numpy(values) for name, values in named},
        float(tally[0]) / len(labels),
        program.Tally(*map(float, tally)),
    )


def _written_out_loss(classes: int, epsilon: float):
    """Clipped cross-entropy as `keras.backend.categorical_crossentropy` of Keras 2.2 has it."""

    def loss(labels, outputs):
        ops = keras.ops
        truth = ops.one_hot(ops.cast(ops.reshape(labels, (-1,)), "int32"), classes)
        outputs = outputs / ops.sum(outputs, axis=-1, keepdims=True)
        outputs = ops.clip(outputs, epsilon, 1 - epsilon)
        return -ops.sum(truth * ops.log(outputs), axis=-1)

    return loss


def _in_keras(experiment: Experiment, weights: dict, data) -> "keras.Model":
    """The network and its training as a reader of Keras would write it."""
    clipped, rate = experiment.loss == "clipped", experiment.learning_rate
    hidden = [
        keras.layers.Dense(experiment.width, activation="relu")
        for _ in range(experiment.hidden_layers)
    ]
    output = keras.layers.Dense(data.classes, activation="softmax" if clipped else None)
    model = keras.Sequential([keras.Input((data.x_train.shape[1],)), *hidden, output])
    for layer, values in zip(model.layers, weights.values(), strict=True):
        layer.set_weights([values, np.zeros(values.shape[1], np.float32)])
    model.compile(
        optimizer={
            "sgd": keras.optimizers.SGD(rate),
            "momentum": keras.optimizers.SGD(rate, momentum=0.9),
            "adam": keras.optimizers.Adam(rate),
        }[experiment.optimizer],
        loss=_written_out_loss(data.classes, experiment.epsilon)
        if clipped
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


@pytest.mark.parametrize(
    "changes",
    [
        {},  # the last batch: 29 samples
        {"batch_size": 100, "loss": "logits", "initializer": "lecun_normal"},  # 37 samples
        {"optimizer": "momentum", "learning_rate": 0.02, "initializer": "glorot_normal"},
        {"hidden_layers": 1, "initializer": "he_uniform"},
        {"hidden_layers": 3, "initializer": "he_normal"},
        {"hidden_layers": 4, "optimizer": "adam", "learning_rate": 1e-3, "loss": "logits"},
    ],
    ids=str,
)
def test_an_epoch_equals_plain_keras(changes):
    experiment = _experiment(**changes)
    weights, pixels, labels, data = _start(experiment)
    model = _in_keras(experiment, weights, data)
    history = model.fit(
        pixels, labels, batch_size=experiment.batch_size, epochs=1, shuffle=False, verbose=0
    )
    state, loss, _ = _epoch(experiment)
    for layer, name in zip(model.layers, weights, strict=True):
        theirs, bias = layer.get_weights()
        np.testing.assert_allclose(state[f"weights_{name}"], theirs, rtol=0, atol=2e-6)
        np.testing.assert_allclose(state[f"biases_{name}"], bias, rtol=0, atol=2e-6)
    assert loss == pytest.approx(history.history["loss"][0], rel=2e-6)


def _numpy_epoch(experiment, weights, pixels, labels):
    """One epoch from the formulas, in float64."""
    layers = [weights[name].astype(float) for name in LAYERS]
    parameters = [*layers, *(np.zeros(each.shape[1]) for each in layers)]
    losses, size = [], experiment.batch_size
    for start in range(0, len(labels), size):
        batch = pixels[start : start + size].astype(float), labels[start : start + size]
        found, slopes = loss_and_gradient(parameters, *batch, experiment.loss, experiment.epsilon)
        losses.append(found)
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter -= experiment.learning_rate * slope
    means = [batch.mean() for batch in losses]
    return parameters, np.concatenate(losses).mean(), max(means)


@pytest.mark.parametrize(
    "changes",
    # With a large epsilon many samples are outside the clip, on both sides of it.
    [{"epsilon": 0.08}, {"loss": "logits"}],
    ids=str,
)
def test_an_epoch_equals_the_formulas_in_numpy(changes):
    experiment = _experiment(**changes)
    weights, pixels, labels, _ = _start(experiment)
    expected, mean_loss, worst = _numpy_epoch(experiment, weights, pixels, labels)
    state, loss_found, tally = _epoch(experiment)
    names = [f"{kind}_{layer}" for kind in ("weights", "biases") for layer in LAYERS]
    for name, values in zip(names, expected, strict=True):
        np.testing.assert_allclose(state[name], values, rtol=0, atol=2e-6, err_msg=name)
    assert loss_found == pytest.approx(mean_loss, rel=2e-6)
    assert tally.max_batch_loss == pytest.approx(worst, rel=2e-6)
    if "epsilon" in changes:
        assert 0.05 < tally.dead / len(labels) < 0.95  # the clip was really at work


def test_inverted_pixels_are_shown_inverted():
    plain, inverted = (loop.samples(_experiment(pixels=each)) for each in ("archived", "inverted"))
    for one, other in ((inverted.x_train, plain.x_train), (inverted.x_test, plain.x_test)):
        np.testing.assert_array_equal(one, 255 - np.asarray(other))


def _loss_and_gradient(outputs, loss: str):
    """Loss and gradient with respect to the outputs of one sample, whose class is the first."""

    def single(parameters):
        exact, _ = program.cross_entropy(parameters[0], np.asarray([[0]], np.int32))
        value = program.sample_loss(exact, loss, 1e-7)
        return keras.ops.sum(value), value

    given = keras.ops.convert_to_tensor(np.asarray(outputs, np.float32)[None, None])
    (slope,), value = backend.gradient(single, (given,))
    to_numpy = keras.ops.convert_to_numpy
    return float(to_numpy(value).item()), to_numpy(slope)[0, 0]


def _outputs_with_probability(p: float) -> list[float]:
    """Two outputs whose first has the probability p."""
    return [math.log(p) - math.log1p(-p), 0.0]


@pytest.mark.parametrize("p", [1e-12, 0.8e-7, 1e-30])
def test_below_its_edge_the_clipped_loss_is_constant_and_the_exact_one_is_not(p):
    loss, slope = _loss_and_gradient(_outputs_with_probability(p), "clipped")
    assert loss == pytest.approx(16.118, abs=5e-4)
    assert (slope == 0).all(), "the sample is dead"
    loss, slope = _loss_and_gradient(_outputs_with_probability(p), "logits")
    assert loss == pytest.approx(-math.log(p), rel=1e-6)
    np.testing.assert_allclose(slope, [-1, 1], atol=1e-6)


@pytest.mark.parametrize("p", [1.2e-7, 1e-3, 0.5, 0.999])
def test_inside_the_clip_both_losses_agree(p):
    clipped = _loss_and_gradient(_outputs_with_probability(p), "clipped")
    exact = _loss_and_gradient(_outputs_with_probability(p), "logits")
    assert clipped[0] == exact[0] == pytest.approx(-math.log(p), rel=1e-5, abs=1e-7)
    np.testing.assert_array_equal(clipped[1], exact[1])
    np.testing.assert_allclose(exact[1], [p - 1, 1 - p], atol=2e-6)


@pytest.mark.parametrize("loss", ["clipped", "logits"])
@pytest.mark.parametrize(("p", "common"), [(1.2e-7, 50.0), (0.5, 1000.0), (1 - 1e-6, -300.0)])
def test_what_all_outputs_have_in_common_changes_nothing(p, common, loss):
    """As with a softmax: a network that is sure of a sample still learns a little from it."""
    # As float32 holds them together with what they have in common.
    outputs = np.asarray(_outputs_with_probability(p), np.float32) + np.float32(common)
    low = (outputs - np.float32(common)).tolist()
    value, slope = _loss_and_gradient(outputs, loss)
    expected, expected_slope = _loss_and_gradient(low, loss)
    assert value == pytest.approx(expected, rel=1e-6) and value > 1e-7
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-6)
    assert slope[0] < 0


def test_a_certain_sample_has_the_smallest_loss_and_no_gradient_and_a_broken_one_no_loss():
    loss, slope = _loss_and_gradient([60.0, 0.0], "clipped")
    assert loss == pytest.approx(1e-7, rel=1e-3)
    assert (slope == 0).all()
    for kind in ("clipped", "logits"):
        assert math.isnan(_loss_and_gradient([float("nan"), 0.0], kind)[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"mark": "a"},
        {"order": "cycle:3"},
        {"optimizer": "adam", "learning_rate": 1e-3, "hidden_layers": 3, "order": "buffer:40"},
    ],
    ids=str,
)
def test_stopped_and_continued_equals_uninterrupted_bit_for_bit(changes, tmp_path):
    whole, halves = Store(tmp_path / "whole"), Store(tmp_path / "halves")
    experiment = _experiment(epochs=8, **changes)
    replicas = (0, 1) if "optimizer" in changes else (0,)
    _train(experiment, whole, replicas)
    for epochs in (5, 8):
        _train(experiment.with_epochs(epochs), halves, replicas)
    assert contents(whole.path) == contents(halves.path)


def test_a_time_limit_stops_at_a_checkpoint_and_loses_nothing(tmp_path):
    limited, straight = Store(tmp_path / "limited"), Store(tmp_path / "straight")
    experiment = _experiment(epochs=4)
    for epoch in range(1, 5):
        assert loop.train(experiment, [0], limited, deadline=0, progress=False) == epoch
    _train(experiment, straight)
    assert contents(limited.path) == contents(straight.path)


def test_a_replica_is_the_same_run_alone_or_in_company(tmp_path):
    alone, company = Store(tmp_path / "alone"), Store(tmp_path / "company")
    experiment = _experiment(epochs=3)
    result, single = _train(experiment, alone, (1,))
    result_among, among = _train(experiment, company, (0, 1))
    for name, values in single.items():
        np.testing.assert_allclose(values, among[name], rtol=0, atol=2e-6, err_msg=name)
    for name in ("train_loss", "deviation_std", "deviation_quantiles", "weight_correlation"):
        np.testing.assert_allclose(result[name], result_among[name], rtol=1e-4, atol=1e-6)
    other = company.load_checkpoint(company.find(experiment, 0))[1]
    assert np.abs(other["weights_hidden_hidden"] - among["weights_hidden_hidden"]).max() > 0.1


def test_test_loss_and_accuracy_are_those_of_the_network_after_the_epoch(tmp_path):
    experiment = _experiment(epochs=2)
    result, state = _train(experiment, Store(tmp_path))
    data = datasets.load("digits", None, 0)
    x = data.x_test / 255
    for name in LAYERS:
        x = x @ state[f"weights_{name}"].astype(float) + state[f"biases_{name}"]
        x = x if name == LAYERS[-1] else np.maximum(x, 0)
    exact = np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), data.y_test]
    assert float(result.test_loss[0, 2]) == pytest.approx(exact.mean(), rel=1e-5)
    accuracy = (x.argmax(axis=1) == data.y_test).mean()
    assert float(result.test_accuracy[0, 2]) == pytest.approx(accuracy, abs=1e-6)


def test_a_network_that_breaks_is_a_result_like_any_other_and_ends_quickly(tmp_path, monkeypatch):
    """It goes on, is published and read; epochs that could change nothing are not trained."""
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    own, published = Store(tmp_path / "own"), Store(tmp_path / "published")
    experiment = _experiment(learning_rate=1e12, loss="logits", epochs=30, mark="a")
    train, trained = program.epoch_program(experiment), []
    monkeypatch.setattr(
        program, "epoch_program", lambda _: lambda *given: trained.append(1) or train(*given)
    )
    _train(experiment.with_epochs(3), own)
    result, _ = _train(experiment, own)
    assert result.sizes["epoch"] == 31 and len(trained) < 30
    assert np.isnan(result.train_loss[0, 1:]).all() and np.isfinite(result.train_loss[0, 0])
    every = [math.prod(shape) for shape in network.layer_shapes(experiment).values()]
    counted = result.joint_histogram.sum(["initial_bin", "final_bin"])[0, -1].to_numpy()
    broken = np.isnan(result.deviation_mean[0, -1].to_numpy())
    assert (broken | (counted == every)).all() and (counted <= every).all()
    # As if every epoch had been trained.
    monkeypatch.setattr(loop.Record, "broken", False)
    _train(experiment, Store(tmp_path / "straight"))
    assert contents(own.path) == contents(tmp_path / "straight")
    assert len(publication.publish(own, published, 30, unfinished=False)) == 1
    np.testing.assert_array_equal(repro.published(experiment).train_loss, result.train_loss)
