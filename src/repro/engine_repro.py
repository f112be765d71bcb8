"""This project's engine, as `repro bench` measures it."""

import time
from collections.abc import Callable

import numpy as np

from repro import backend, program
from repro.backend import ops
from repro.workload import Workload


class Engine:
    """The training part of the epoch program: steps in one compiled loop, replicas together."""

    def __init__(self, work: Workload) -> None:
        self._experiment = work.experiment
        self._initial = tuple(ops.convert_to_tensor(part) for part in work.initial_parameters())
        self._parameters = self._initial
        data = work.data
        self._data = tuple(
            ops.convert_to_tensor(part)
            for part in (data.x_train, data.y_train, data.x_test, data.y_test)
        )

        def train(parameters, order, pixels, labels):
            return program.train(self._experiment, parameters, pixels, labels, order)

        self._train = backend.compiled(train)
        self._epoch = program.epoch_program(self._experiment)

    def run(self, order: np.ndarray) -> float:
        """Train in this order; returns the seconds."""
        start = time.perf_counter()
        self._parameters, tally = self._train(
            self._parameters, ops.convert_to_tensor(order), *self._data[:2]
        )
        ops.convert_to_numpy(tally[0])  # waits for the device
        return time.perf_counter() - start

    def run_epoch(self, order: np.ndarray) -> float:
        """As `run`, with what an epoch of `repro train` does besides: test set and statistics."""
        start = time.perf_counter()
        self._parameters, *rest = self._epoch(
            self._parameters, self._initial[:3], ops.convert_to_tensor(order), *self._data
        )
        ops.convert_to_numpy(rest[-1][0])
        return time.perf_counter() - start

    def parameters(self) -> tuple[np.ndarray, ...]:
        """Weights, then biases, with the replica in front."""
        return tuple(ops.convert_to_numpy(part) for part in self._parameters)


def products(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[], None]:
    """What multiplies the pairs of matrices once, and waits for it."""
    on_device = [tuple(map(ops.convert_to_tensor, pair)) for pair in pairs]
    multiply = backend.compiled(lambda pairs: [ops.matmul(*pair) for pair in pairs])

    def once() -> None:
        ops.convert_to_numpy(multiply(on_device)[-1][..., 0, 0])

    return once


def device() -> str:
    """What it runs on."""
    return backend.device()


def versions() -> dict[str, str]:
    """Of the libraries used."""
    return backend.versions()
