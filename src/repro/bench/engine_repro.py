"""This project's engine, as `repro bench` measures it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from repro.bench.workload import Workload
from repro.training import backend, program
from repro.training.backend import ops


class Engine:
    """The training part of the epoch program: steps in one compiled loop.

    Replicas are shared out as `schedule` does it: on a CPU each in a program of its own, as many at
    a time as there are cores; on an accelerator all in one program.
    """

    def __init__(self, work: Workload) -> None:
        self._experiment = work.experiment
        size = min(work.replicas, backend.replicas_together())
        self._groups = [slice(start, start + size) for start in range(0, work.replicas, size)]
        start = work.initial_parameters()
        self._parameters = [self._on_device(start, group) for group in self._groups]
        self._initial = [parameters[:3] for parameters in self._parameters]
        data = work.data
        self._data = tuple(
            ops.convert_to_tensor(part)
            for part in (data.x_train, data.y_train, data.x_test, data.y_test)
        )
        self._lanes = ThreadPoolExecutor(backend.lanes())

        def train(parameters, order, pixels, labels):
            return program.train(self._experiment, parameters, pixels, labels, order)

        self._train = backend.compiled(train)
        self._epoch = program.epoch_program(self._experiment)

    def run(self, order: np.ndarray) -> float:
        """Train in this order; returns the seconds."""

        def steps(number: int, order: Any) -> None:
            self._parameters[number], tally = self._train(
                self._parameters[number], order, *self._data[:2]
            )
            ops.convert_to_numpy(tally[0])  # waits for the device

        return self._seconds(steps, order)

    def run_epoch(self, order: np.ndarray) -> float:
        """As `run`, with what an epoch of `repro train` does besides: test set and statistics."""

        def epoch(number: int, order: Any) -> None:
            self._parameters[number], *rest = self._epoch(
                self._parameters[number], self._initial[number], order, *self._data
            )
            ops.convert_to_numpy(rest[-1][0])

        return self._seconds(epoch, order)

    def _seconds(self, train: Callable[[int, Any], None], order: np.ndarray) -> float:
        def group(number: int) -> None:
            chosen = program.together(order[self._groups[number]])
            train(number, ops.convert_to_tensor(chosen))

        start = time.perf_counter()
        list(self._lanes.map(group, range(len(self._groups))))
        return time.perf_counter() - start

    def parameters(self) -> tuple[np.ndarray, ...]:
        """Weights, then biases, with the replica in front."""
        parts = zip(*self._parameters, strict=True)
        return tuple(
            np.concatenate([self._by_replica(part, rank) for part in group])
            for group, rank in zip(parts, (3, 3, 3, 2, 2, 2), strict=True)
        )

    def _on_device(self, start: tuple[np.ndarray, ...], group: slice) -> tuple:
        return tuple(ops.convert_to_tensor(program.together(part[group])) for part in start)

    @staticmethod
    def _by_replica(part: Any, rank: int) -> np.ndarray:
        array = ops.convert_to_numpy(part)
        return array if array.ndim == rank else array[None]


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


def peak_memory() -> int | None:
    """The most bytes of an accelerator's memory that were in use; None on a CPU."""
    return backend.peak_memory()


def versions() -> dict[str, str]:
    """Of the libraries used."""
    return backend.versions()
