"""One epoch as one compiled program, written in `keras.ops`.

Training over all batches, the test set, and the statistics of the deviation; only small arrays come
back. `backend` compiles and differentiates it. All is written for one network, and a leading axis
of replicas passes through: ``...`` in the shapes below is ``replica``, or nothing.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from repro import backend, deviation
from repro.backend import ops
from repro.experiment import Experiment
from repro.network import LAYERS, glorot_standard_deviation, layer_shapes

Parameters = tuple  # weights (..., fan-in, fan-out) of LAYERS, then biases (..., fan-out)

_EVALUATION_CHUNK = 2048  # samples at a time: fills the cores, stays small for many replicas


class Tally(NamedTuple):
    """What an epoch adds up over its samples, each (...)."""

    loss: Any
    correct: Any
    dead: Any
    max_batch_loss: Any


def logits(parameters: Parameters, pixels: Any) -> Any:
    """Output before the softmax: (..., sample, class).

    ``pixels`` is (..., sample, pixel), or (sample, pixel) where all replicas see the same.
    """
    first, second, third, *biases = parameters
    first_bias, second_bias, third_bias = (ops.expand_dims(bias, -2) for bias in biases)
    hidden = ops.relu(ops.matmul(pixels, first) + first_bias)
    hidden = ops.relu(ops.matmul(hidden, second) + second_bias)
    return ops.matmul(hidden, third) + third_bias


def cross_entropy(outputs: Any, labels: Any) -> tuple[Any, Any]:
    """Exact cross-entropy -ln p of the true class, and whether that class has the largest output.

    ``outputs`` (..., sample, class), ``labels`` (..., sample) or (sample,). Both results are
    (..., sample).
    """
    hit = ops.expand_dims(labels, -1) == ops.arange(outputs.shape[-1], dtype="int32")
    # Below the largest output, not as they are: float32 counts outputs near 50 in steps of 4e-6,
    # and a sample the network is sure of has a smaller loss than that.
    below = outputs - ops.stop_gradient(ops.max(outputs, axis=-1, keepdims=True))
    true_output = ops.sum(ops.where(hit, below, 0.0), axis=-1)
    exact = ops.log(ops.sum(ops.exp(below), axis=-1)) - true_output
    return exact, true_output >= 0


def sample_loss(exact: Any, loss: str, epsilon: float) -> Any:
    """The loss of each sample from its exact cross-entropy.

    ``clipped`` is -ln(clip(p, epsilon, 1 - epsilon)), as Keras 2.2 had it. Clipping -ln p instead
    of p is the same function and keeps float32 digits that p close to 1 does not have. Outside the
    clip the gradient is zero.
    """
    if loss == "logits":
        return exact
    low, high = -math.log1p(-epsilon), -math.log(epsilon)
    # `where`, not `clip`: backends differ in the gradient of `clip` at its edges.
    inside = ops.logical_and(exact >= low, exact <= high)
    edge = ops.where(exact > high, high, low)
    clipped = ops.where(inside, exact, ops.stop_gradient(edge))
    return ops.where(ops.isnan(exact), exact, clipped)  # a broken network must not look saturated


def step(
    experiment: Experiment, parameters: Parameters, pixels: Any, labels: Any, tally: Tally
) -> tuple[Parameters, Tally]:
    """One step of plain SGD on one batch per network: ``pixels`` (..., sample, pixel)."""
    size = labels.shape[-1]

    def batch_loss(parameters: Parameters) -> tuple[Any, tuple[Any, Any, Any]]:
        exact, correct = cross_entropy(logits(parameters, pixels), labels)
        losses = sample_loss(exact, experiment.loss, experiment.epsilon)
        # Replicas share no parameter, so the gradient of the sum is each one's own.
        return ops.sum(ops.mean(losses, axis=-1)), (losses, correct, exact)

    gradients, (losses, correct, exact) = backend.gradient(batch_loss, parameters)
    # Added, not subtracted: a GPU then adds the step while it multiplies the gradient, in place.
    parameters = tuple(
        parameter + (-experiment.learning_rate) * slope
        for parameter, slope in zip(parameters, gradients, strict=True)
    )
    added = _add(tally, losses, correct, exact, experiment.epsilon)
    worst = ops.maximum(tally.max_batch_loss, ops.sum(losses, axis=-1) / size)
    return parameters, added._replace(max_batch_loss=worst)


def train(
    experiment: Experiment, parameters: Parameters, pixels: Any, labels: Any, order: Any
) -> tuple[Parameters, Tally]:
    """One epoch: every sample once, in ``order`` (..., sample); the last batch is smaller."""
    *leading, samples = order.shape
    size = min(experiment.batch_size, samples)
    full, rest = divmod(samples, size)

    def batch(start: Any, size: int, parameters: Parameters, tally: Tally) -> tuple:
        chosen = ops.slice(order, (*(0 for _ in leading), start), (*leading, size))
        inputs = _scaled(ops.take(pixels, chosen, axis=0))
        return step(experiment, parameters, inputs, ops.take(labels, chosen, axis=0), tally)

    def body(index: Any, carry: tuple) -> tuple:
        parameters, tally = batch(index * size, size, carry[0], Tally(*carry[1]))
        return tuple(parameters), tuple(tally)

    parameters, tally = ops.fori_loop(0, full, body, (tuple(parameters), tuple(_zero(leading))))
    tally = Tally(*tally)
    if rest:
        parameters, tally = batch(full * size, rest, parameters, tally)
    return tuple(parameters), tally


def evaluate(experiment: Experiment, parameters: Parameters, pixels: Any, labels: Any) -> Tally:
    """The tally over all samples with the parameters held; ``max_batch_loss`` is not used."""
    samples, inputs = pixels.shape
    size = min(_EVALUATION_CHUNK, samples)
    full, rest = divmod(samples, size)

    def chunk(start: Any, size: int, tally: Tally) -> Tally:
        images = _scaled(ops.slice(pixels, (start, 0), (size, inputs)))
        truth = ops.slice(labels, (start,), (size,))
        exact, correct = cross_entropy(logits(parameters, images), truth)
        losses = sample_loss(exact, experiment.loss, experiment.epsilon)
        return _add(tally, losses, correct, exact, experiment.epsilon)

    def body(index: Any, carry: tuple) -> tuple:
        return tuple(chunk(index * size, size, Tally(*carry)))

    tally = Tally(*ops.fori_loop(0, full, body, tuple(_zero(parameters[0].shape[:-2]))))
    return chunk(full * size, rest, tally) if rest else tally


def statistics(
    experiment: Experiment, parameters: Parameters, initial: tuple, xp: ModuleType = ops
) -> tuple[Any, Any]:
    """The deviation's statistics: (..., statistic, layer) and quantiles (..., layer, quantile).

    ``xp`` is `numpy` where the parameters are NumPy's.
    """
    shapes = layer_shapes(experiment)
    columns, ranks = [], []
    for index, layer in enumerate(LAYERS):
        pair = parameters[index], initial[index]
        values = deviation.statistics(*pair, glorot_standard_deviation(*shapes[layer]), xp=xp)
        columns.append(xp.stack([values[name] for name in deviation.STATISTICS], axis=-1))
        ranks.append(deviation.quantiles(*pair, xp=xp))
    return xp.stack(columns, axis=-1), xp.stack(ranks, axis=-2)


def epoch_program(experiment: Experiment) -> Callable:
    """The compiled epoch.

    ``program(parameters, initial, order, x_train, y_train, x_test, y_test)`` returns the new
    parameters, the tallies of training and test, and `statistics`. Pixels are uint8 or float32,
    labels and order int32. Experiments that differ in their epochs, seed or mark share one program.
    """
    return _epoch_program(replace(experiment, epochs=1, seed=0, mark=None))


def evaluation_program(experiment: Experiment) -> Callable:
    """The compiled evaluation, ``program(parameters, pixels, labels)``: a tally."""
    return _evaluation_program(replace(experiment, epochs=1, seed=0, mark=None))


def forget() -> None:
    """Compile anew from now on: for who changes what the programs are made of."""
    _epoch_program.cache_clear()
    _evaluation_program.cache_clear()


@functools.lru_cache(maxsize=8)
def _epoch_program(experiment: Experiment) -> Callable:
    def epoch(parameters, initial, order, x_train, y_train, x_test, y_test):
        parameters, training = train(experiment, parameters, x_train, y_train, order)
        test = evaluate(experiment, parameters, x_test, y_test)
        return parameters, tuple(training), tuple(test), statistics(experiment, parameters, initial)

    return backend.compiled(epoch)


@functools.lru_cache(maxsize=8)
def _evaluation_program(experiment: Experiment) -> Callable:
    def evaluation(parameters, pixels, labels):
        return tuple(evaluate(experiment, parameters, pixels, labels))

    return backend.compiled(evaluation)


def together(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """One array of all replicas, along a leading axis; one replica alone has no such axis.

    Its products are then of plain matrices, which XLA multiplies faster than batches of one.
    """
    return arrays[0] if len(arrays) == 1 else np.stack(arrays)


def _scaled(pixels: Any) -> Any:
    """Images of uint8 as 0 to 1; one's own numbers of float32 as they are."""
    if ops.dtype(pixels) == "float32":
        return pixels
    return ops.cast(pixels, "float32") / np.float32(255)


def _zero(leading: Sequence[int]) -> Tally:
    zero = ops.zeros(tuple(leading), dtype="float32")
    return Tally(zero, zero, zero, zero)


def _add(tally: Tally, losses: Any, correct: Any, exact: Any, epsilon: float) -> Tally:
    def count(flags: Any) -> Any:
        return ops.sum(ops.cast(flags, "float32"), axis=-1)

    return Tally(
        tally.loss + ops.sum(losses, axis=-1),
        tally.correct + count(correct),
        tally.dead + count(exact > -math.log(epsilon)),
        tally.max_batch_loss,
    )
