"""This project's engine, as `repro bench` measures it."""

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from repro.bench.worker import Workload
from repro.training import backend, program
from repro.training.backend import device, ops, peak_memory, versions

__all__ = ["Engine", "device", "peak_memory", "products", "versions"]


class Engine:
    """The training part of the epoch program; replicas are shared out as `schedule` does it."""

    def __init__(self, work: Workload) -> None:
        size = min(work.replicas, backend.replicas_together())
        self._groups = [slice(start, start + size) for start in range(0, work.replicas, size)]
        start, data = work.initial_parameters(), work.data
        self._shapes = [part.shape for part in start]
        self._parameters = [
            tuple(ops.convert_to_tensor(program.together(part[group])) for part in start)
            for group in self._groups
        ]
        self._initial = [parameters[: len(start) // 2] for parameters in self._parameters]
        arrays = data.x_train, data.y_train, data.x_test, data.y_test
        self._data = tuple(map(ops.convert_to_tensor, arrays))
        self._lanes = ThreadPoolExecutor(backend.lanes())
        self._train = backend.compiled(functools.partial(program.train, work.experiment))
        self._epoch = program.epoch_program(work.experiment)

    def run(self, order: np.ndarray, whole: bool = False) -> float:
        """Train in this order, ``whole`` with test set and statistics, as `repro train` does;
        returns the seconds."""

        def group(number: int) -> None:
            chosen = ops.convert_to_tensor(program.together(order[self._groups[number]]))
            given, initial = self._parameters[number], self._initial[number]
            self._parameters[number], *rest = (
                self._epoch(given, initial, chosen, *self._data)
                if whole else self._train(given, *self._data[:2], chosen)
            )  # fmt: skip
            ops.convert_to_numpy(rest[-1][0])  # waits for the device

        start = time.perf_counter()
        list(self._lanes.map(group, range(len(self._groups))))
        return time.perf_counter() - start

    run_epoch = functools.partialmethod(run, whole=True)

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
    return lambda: ops.convert_to_numpy(multiply(on_device)[-1][..., 0, 0])
