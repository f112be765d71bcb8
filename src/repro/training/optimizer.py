"""The optimizers: how parameters follow from their gradient, as Keras computes it.

Each keeps arrays shaped like the parameters, zero at the start, and may count its steps. They are
part of a run's state, so a run that was stopped goes on as if it had not.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from repro.training.backend import ops

_MOMENTUM = 0.9
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7


class Optimizer(NamedTuple):
    """One way to train.

    ``kept`` names the arrays that it keeps for every parameter, ``counts`` whether steps are
    counted. ``update(rate, steps, parameter, gradient, *kept)`` returns the parameter and what is
    kept of it after the step; ``steps`` (...) is the number of those before, None if not counted.
    """

    kept: tuple[str, ...]
    update: Callable[..., tuple]
    counts: bool = False


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
    return parameter - mean * scale / (ops.sqrt(square) + _EPSILON), mean, square


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer((), _sgd),
    "momentum": Optimizer(("velocity",), _momentum),
    "adam": Optimizer(("mean", "square"), _adam, counts=True),
}


def state_names(name: str, parameters: Sequence[str]) -> tuple[str, ...]:
    """Names of what a network is trained with: its parameters, and what is kept of them."""
    optimizer = OPTIMIZERS[name]
    kept = tuple(f"{kept}_{parameter}" for kept in optimizer.kept for parameter in parameters)
    return (*parameters, *kept, *(("steps",) if optimizer.counts else ()))


def started(name: str, parameters: tuple, networks: tuple[int, ...]) -> tuple:
    """The state before the first step, in the order of `state_names`.

    ``networks`` is the leading axis of replicas, or nothing.
    """
    optimizer = OPTIMIZERS[name]
    kept = tuple(ops.zeros_like(each) for _ in optimizer.kept for each in parameters)
    steps = (ops.zeros(networks, dtype="int32"),) if optimizer.counts else ()
    return (*parameters, *kept, *steps)


def step(name: str, rate: float, state: tuple, gradients: Sequence[Any]) -> tuple:
    """The state after a step along the gradients of its parameters."""
    optimizer, size = OPTIMIZERS[name], len(gradients)
    steps = state[-1] if optimizer.counts else None
    starts = range(0, size * (1 + len(optimizer.kept)), size)
    parameters, *kept = (state[start : start + size] for start in starts)
    stepped = [
        optimizer.update(rate, steps, parameter, gradient, *of_it)
        for parameter, gradient, *of_it in zip(parameters, gradients, *kept, strict=True)
    ]
    ordered = tuple(part for group in zip(*stepped, strict=True) for part in group)
    return (*ordered, steps + 1) if optimizer.counts else ordered
