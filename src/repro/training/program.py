"""One epoch as one compiled program: all batches, the test set, the deviation's statistics.

All is written in `keras.ops` for one network, and a leading axis of replicas passes through:
``...`` in the shapes below is ``replica``, or nothing. Only small arrays come back.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from repro.experiment import Experiment
from repro.model import deviation
from repro.model.network import glorot_standard_deviation, layer_shapes
from repro.training import backend
from repro.training.backend import ops

Parameters = tuple  # weights (..., fan-in, fan-out) of every layer, then biases (..., fan-out)
State = tuple  # Parameters, then what the optimizer keeps of them (`state_names`)

_NARROW = 200  # columns, below which the weights are held turned: faster there, slower above
_MOMENTUM = 0.9
_BETA_1, _BETA_2, _ADAM_EPSILON = 0.9, 0.999, 1e-7
_EVALUATION_CHUNK = 2048  # samples at a time: fills the cores, stays small for many replicas


class Outcome(NamedTuple):
    """What came of each sample, each (..., sample): in an epoch, in the order of its batches."""

    exact: Any  # cross-entropy, float32
    correct: Any  # whether the true class has the largest output


class Tally(NamedTuple):
    """What an epoch adds up over its samples, each (...)."""

    loss: Any
    correct: Any
    dead: Any
    max_batch_loss: Any


def logits(parameters: Parameters, pixels: Any) -> Any:
    """Output before the softmax, (..., sample, class), for pixels (..., sample, pixel)."""
    layers = len(parameters) // 2
    for index in range(layers):
        pixels = ops.matmul(ops.relu(pixels) if index else pixels, parameters[index])
        pixels = pixels + ops.expand_dims(parameters[layers + index], -2)
    return pixels


def cross_entropy(outputs: Any, labels: Any) -> Outcome:
    """Of ``outputs`` (..., sample, class) with ``labels`` (..., sample) or (sample,)."""
    hit = ops.expand_dims(labels, -1) == ops.arange(outputs.shape[-1], dtype="int32")
    # Below the largest output, not as they are: float32 counts outputs near 50 in steps of 4e-6,
    # and a sample the network is sure of has a smaller loss than that.
    below = outputs - ops.stop_gradient(ops.max(outputs, axis=-1, keepdims=True))
    true_output = ops.sum(ops.where(hit, below, 0.0), axis=-1)
    exact = ops.log(ops.sum(ops.exp(below), axis=-1)) - true_output
    return Outcome(exact, true_output >= 0)


def sample_loss(exact: Any, loss: str, epsilon: float) -> Any:
    """The loss of each sample; ``clipped`` is -ln(clip(p, epsilon, 1 - epsilon)), as in Keras 2.2.

    -ln p is clipped here: it keeps float32 digits that p close to 1 does not have.
    """
    if loss == "logits":
        return exact
    low, high = -math.log1p(-epsilon), -math.log(epsilon)
    # `where`, not `clip`: backends differ in the gradient of `clip` at its edges.
    inside = ops.logical_and(exact >= low, exact <= high)
    edge = ops.where(exact > high, high, low)
    clipped = ops.where(inside, exact, ops.stop_gradient(edge))
    return ops.where(ops.isnan(exact), exact, clipped)  # a broken network must not look saturated


def step(experiment: Experiment, turned: State, pixels: Any, labels: Any) -> tuple[State, Outcome]:
    """One step on one batch per network, ``pixels`` (..., sample, pixel); the state is turned."""

    def batch_loss(parameters: Parameters) -> tuple[Any, Outcome]:
        outcome = cross_entropy(logits(_turned(experiment, parameters), pixels), labels)
        losses = sample_loss(outcome.exact, experiment.loss, experiment.epsilon)
        # Replicas share no parameter, so the gradient of the sum is each one's own.
        return ops.sum(ops.mean(losses, axis=-1)), outcome

    gradients, outcome = backend.gradient(batch_loss, parameters_of(experiment, turned))
    return _descended(experiment, turned, gradients), outcome


# The optimizers as Keras computes them: a parameter, and what is kept of it, after a step.
def _sgd(rate: float, _: Any, parameter: Any, gradient: Any) -> tuple:
    # Added, not subtracted: a GPU then adds the step while it multiplies the gradient, in place.
    return (parameter + (-rate) * gradient,)


def _momentum(rate: float, _: Any, parameter: Any, gradient: Any, velocity: Any) -> tuple:
    velocity = _MOMENTUM * velocity + (-rate) * gradient
    return parameter + velocity, velocity


def _adam(rate: float, steps: Any, parameter: Any, gradient: Any, mean: Any, square: Any) -> tuple:
    step = ops.cast(steps, "float32") + 1
    scale = rate * ops.sqrt(1 - _BETA_2**step) / (1 - _BETA_1**step)
    for _ in range(len(parameter.shape) - len(scale.shape)):
        scale = ops.expand_dims(scale, -1)
    mean = mean + (gradient - mean) * (1 - _BETA_1)
    square = square + (gradient**2 - square) * (1 - _BETA_2)
    return parameter - mean * scale / (ops.sqrt(square) + _ADAM_EPSILON), mean, square


_OPTIMIZERS: dict[str, tuple[Callable[..., tuple], tuple[str, ...]]] = {
    "sgd": (_sgd, ()),
    "momentum": (_momentum, ("velocity",)),
    "adam": (_adam, ("mean", "square")),  # which counts its steps, too
}


def state_names(name: str, parameters: Sequence[str]) -> tuple[str, ...]:
    """Of what a network is trained with: its parameters, and what the optimizer keeps of them."""
    kept = (f"{kept}_{parameter}" for kept in _OPTIMIZERS[name][1] for parameter in parameters)
    return (*parameters, *kept, *(("steps",) if name == "adam" else ()))


def started(name: str, parameters: tuple, networks: tuple[int, ...]) -> State:
    """The state before the first step; ``networks`` is the leading axis of replicas, or nothing."""
    kept = (ops.zeros_like(each) for _ in _OPTIMIZERS[name][1] for each in parameters)
    steps = (ops.zeros(networks, dtype="int32"),) if name == "adam" else ()
    return (*parameters, *kept, *steps)


def _descended(experiment: Experiment, state: State, gradients: Sequence[Any]) -> State:
    """The state after a step along the gradients of its parameters."""
    update, names = _OPTIMIZERS[experiment.optimizer]
    steps, size = state[-1] if experiment.optimizer == "adam" else None, len(gradients)
    parts = (state[start : start + size] for start in range(0, size * (1 + len(names)), size))
    stepped = [
        update(experiment.learning_rate, steps, parameter, gradient, *kept)
        for gradient, parameter, *kept in zip(gradients, *parts, strict=True)
    ]
    ordered = tuple(part for group in zip(*stepped, strict=True) for part in group)
    return ordered if steps is None else (*ordered, steps + 1)


def train(
    experiment: Experiment, state: State, pixels: Any, labels: Any, order: Any
) -> tuple[State, Tally]:
    """One epoch: every sample once, in ``order`` (..., sample)."""
    *leading, samples = order.shape
    size = min(experiment.batch_size, samples)

    def batch(start: Any, size: int, carry: tuple) -> tuple:
        turned, outcome = carry
        chosen = ops.slice(order, (*(0 for _ in leading), start), (*leading, size))
        inputs = scaled(ops.take(pixels, chosen, axis=0))
        turned, new = step(experiment, turned, inputs, ops.take(labels, chosen, axis=0))
        return turned, _put(outcome, new, start)

    # Only kept on the way and counted afterwards: on a GPU every count is a kernel of its own.
    carry = _turned(experiment, state), _nothing(*leading, samples)
    turned, outcome = _over(samples, size, batch, carry)
    return _turned(experiment, turned), _tally(experiment, outcome, size)


def evaluate(experiment: Experiment, parameters: Parameters, pixels: Any, labels: Any) -> Tally:
    """The tally over all samples with the parameters held; ``max_batch_loss`` is of all."""
    samples, inputs = pixels.shape

    def chunk(start: Any, size: int, outcome: Outcome) -> Outcome:
        images = scaled(ops.slice(pixels, (start, 0), (size, inputs)))
        truth = ops.slice(labels, (start,), (size,))
        return _put(outcome, cross_entropy(logits(parameters, images), truth), start)

    nothing = _nothing(*parameters[0].shape[:-2], samples)
    outcome = _over(samples, min(_EVALUATION_CHUNK, samples), chunk, nothing)
    return _tally(experiment, outcome, samples)


def _over(samples: int, size: int, body: Callable[[Any, int, Any], Any], carry: Any) -> Any:
    """``body(start, size, carry)`` for one batch after another, the last one smaller."""
    full, rest = divmod(samples, size)
    carry = ops.fori_loop(0, full, lambda index, carry: body(index * size, size, carry), carry)
    return body(full * size, rest, carry) if rest else carry


def statistics(
    experiment: Experiment, parameters: Parameters, initial: tuple, xp: ModuleType = ops
) -> tuple[Any, Any]:
    """The deviation's statistics (..., statistic, layer) and quantiles (..., layer, quantile)."""
    columns, ranks = [], []
    for index, shape in enumerate(layer_shapes(experiment).values()):
        pair = parameters[index], initial[index]
        values = deviation.statistics(*pair, glorot_standard_deviation(*shape), xp=xp)
        columns.append(xp.stack([values[name] for name in deviation.STATISTICS], axis=-1))
        ranks.append(deviation.quantiles(*pair, xp=xp))
    return xp.stack(columns, axis=-1), xp.stack(ranks, axis=-2)


def _shared(program: Callable[[Experiment], Callable]) -> Callable[[Experiment], Callable]:
    """One compiled program for all experiments that differ in what is drawn, or in epochs."""
    kept = functools.lru_cache(maxsize=8)(program)
    drawn = {"initializer": "glorot_uniform", "mark": None, "order": "fresh", "seed": 0}

    @functools.wraps(program)
    def found(experiment: Experiment) -> Callable:
        return kept(replace(experiment, epochs=1, **drawn))

    return found


@_shared
def epoch_program(experiment: Experiment) -> Callable:
    """The compiled epoch: the new state, the tallies of training and test, and `statistics`.

    Pixels are uint8 or float32, labels and order int32.
    """

    def epoch(state, initial, order, x_train, y_train, x_test, y_test):
        state, training = train(experiment, state, x_train, y_train, order)
        parameters = parameters_of(experiment, state)
        test = evaluate(experiment, parameters, x_test, y_test)
        return state, training, test, statistics(experiment, parameters, initial)

    return backend.compiled(epoch)


@_shared
def evaluation_program(experiment: Experiment) -> Callable:
    """The compiled evaluation, ``program(parameters, pixels, labels)``: a tally."""
    return backend.compiled(functools.partial(evaluate, experiment))


def parameters_of(experiment: Experiment, state: State) -> Parameters:
    """The weights and biases of a state, without what the optimizer keeps."""
    return tuple(state[: 2 * (experiment.hidden_layers + 1)])


def together(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """All replicas along a leading axis; one alone has none, which XLA multiplies faster."""
    return arrays[0] if len(arrays) == 1 else np.stack(arrays)


def scaled(pixels: Any) -> Any:
    """Images of uint8 as 0 to 1; one's own numbers of float32 as they are."""
    if ops.dtype(pixels) == "float32":
        return pixels
    return ops.cast(pixels, "float32") / np.float32(255)


def _turned(experiment: Experiment, state: State) -> State:
    """The state with the weights of narrow layers as (..., fan-out, fan-in), or back again.

    Their gradient is a product, and those of few columns and many rows are slow on a CPU.
    """
    turned, group = list(state), 2 * (experiment.hidden_layers + 1)
    for index, (fan_in, fan_out) in enumerate(layer_shapes(experiment).values()):
        if fan_out < min(fan_in, _NARROW):
            for place in range(index, len(state) // group * group, group):  # what is kept, too
                turned[place] = ops.swapaxes(turned[place], -1, -2)
    return tuple(turned)


def _nothing(*shape: int) -> Outcome:
    return Outcome(ops.zeros(shape, dtype="float32"), ops.zeros(shape, dtype="bool"))


def _put(outcome: Outcome, new: Outcome, start: Any) -> Outcome:
    """The outcome with that of some samples in its place, from sample ``start`` on."""
    place = (*(0 for _ in outcome.exact.shape[:-1]), start)
    pairs = zip(outcome, new, strict=True)
    return Outcome(*(ops.slice_update(whole, place, part) for whole, part in pairs))


def _tally(experiment: Experiment, outcome: Outcome, size: int) -> Tally:
    """The tally of samples that came in batches of ``size``, the last one smaller."""
    losses = sample_loss(outcome.exact, experiment.loss, experiment.epsilon)
    *leading, samples = losses.shape
    full, rest = divmod(samples, size)
    batches = ops.reshape(losses[..., : full * size], (*leading, full, size))
    worst = ops.max(ops.sum(batches, axis=-1) / size, axis=-1)
    if rest:
        worst = ops.maximum(worst, ops.sum(losses[..., full * size :], axis=-1) / rest)

    dead = outcome.exact > -math.log(experiment.epsilon)
    counts = (ops.sum(ops.cast(each, "float32"), axis=-1) for each in (outcome.correct, dead))
    return Tally(ops.sum(losses, axis=-1), *counts, worst)
