"""This project's engine, as `repro bench` measures it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from repro.bench.workload import Workload
from repro.training import backend, program
from repro.training.backend import device, ops, peak_memory, versions

__all__ = ["Engine", "device", "peak_memory", "products", "versions"]


class Engine:
    """The training part of the epoch program: steps in one compiled loop.

    Replicas are shared out as `schedule` does it: on a CPU each in a program of its own, as many at
    a time as there are cores; on an accelerator all in one program.
    """

    def __init__(self, work: Workload) -> None:
        size = min(work.replicas, backend.replicas_together())
        self._groups = [slice(start, start + size) for start in range(0, work.replicas, size)]
        start = work.initial_parameters()
        self._shapes = [part.shape for part in start]
        self._parameters = [
            tuple(ops.convert_to_tensor(program.together(part[group])) for part in start)
            for group in self._groups
        ]
        self._initial = [parameters[: len(start) // 2] for parameters in self._parameters]
        data = work.data
        self._data = tuple(
            ops.convert_to_tensor(part)
            for part in (data.x_train, data.y_train, data.x_test, data.y_test)
        )
        self._lanes = ThreadPoolExecutor(backend.lanes())

        def train(parameters, order, pixels, labels):
            return program.train(work.experiment, parameters, pixels, labels, order)

        self._train = backend.compiled(train)
        self._epoch = program.epoch_program(work.experiment)

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
        return tuple(
            np.concatenate(list(map(ops.convert_to_numpy, parts))).reshape(shape)
            for parts, shape in zip(zip(*self._parameters, strict=True), self._shapes, strict=True)
        )


def products(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[], None]:
    """What multiplies the pairs of matrices once, and waits for it."""
    on_device = [tuple(map(ops.convert_to_tensor, pair)) for pair in pairs]
    multiply = backend.compiled(lambda pairs: [ops.matmul(*pair) for pair in pairs])

    def once() -> None:
        ops.convert_to_numpy(multiply(on_device)[-1][..., 0, 0])

    return once
