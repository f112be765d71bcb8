"""A process that measures one engine, or one library's matrix products, as `benchmark` asks it to.

Each has its own, because KERAS_BACKEND can be chosen once in a process and because memory is
counted by process. Requests and answers are lines of JSON on standard input and output.
"""

import contextlib
import functools
import importlib
import json
import os
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from repro.bench.workload import Workload
from repro.errors import ReproError

_WINDOW_SECONDS = 0.1
_SQUARE_SECONDS = 0.02  # a product this long is big enough to show the device's rate


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print do not get between the answers

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    module = None
    if sys.argv[1] != "numpy":
        try:
            module = importlib.import_module(sys.argv[1])
        except (ImportError, ReproError) as error:
            answer(missing=str(error))
            return
    versions = {"numpy": np.__version__} if module is None else module.versions()
    answer(device="cpu" if module is None else module.device(), versions=versions)
    multiply = _numpy_products if module is None else getattr(module, "products", None)
    for line in sys.stdin:
        request = json.loads(line)
        action = request.pop("action")
        if action == "products":
            answer(**_rates(multiply, Workload(**request["work"])))
        elif action == "prepare":
            task = _EngineTask(module, Workload(**request["work"]))
            answer(**task.measure(), losses=task.losses())
        else:
            answer(**getattr(task, action)(**request))


class _EngineTask:
    def __init__(self, module: Any, work: Workload) -> None:
        self._work, self._module, self._calls = work, module, 0
        self._engine = module.Engine(work)

    def measure(self) -> dict[str, Any]:
        """One call: its seconds. The first compiles."""
        return {"seconds": self._engine.run(self._next_order())}

    def losses(self) -> list[float]:
        """The loss of each replica after the calls so far."""
        return self._work.losses(self._engine.parameters())

    def finish(self, repeats: int) -> dict[str, Any]:
        """Peak memory, and what all that `repro train` does besides costs in a call.

        Of engines that train only, None for that.
        """
        found = {"peak_memory_bytes": self._memory(), "extra_seconds": None,
                 "peak_memory_bytes_with_statistics": None}  # fmt: skip
        if not hasattr(self._engine, "run_epoch"):
            return found
        self._engine.run_epoch(self._next_order())  # compiles
        extra = [
            self._engine.run_epoch(self._next_order()) - self._engine.run(self._next_order())
            for _ in range(repeats)
        ]
        return found | {
            "extra_seconds": statistics.median(extra),
            "peak_memory_bytes_with_statistics": self._memory(),
        }

    def _memory(self) -> int:
        """The most bytes held so far: of the accelerator, or else of the process."""
        return getattr(self._module, "peak_memory", lambda: None)() or _peak_memory()

    def _next_order(self) -> np.ndarray:
        self._calls += 1
        return self._work.order(self._calls - 1)


def _rates(multiply: Callable, work: Workload) -> dict[str, float]:
    """In operations a second: of a step's matrix products alone, and of a big square one."""
    size, square = _big_square(multiply)
    return {
        "products": work.operations_per_step / _seconds(_step(multiply, work)),
        "square": 2 * size**3 / _seconds(square),
        "square_size": size,
    }


@functools.lru_cache(1)
def _step(multiply: Callable, work: Workload) -> Callable[[], None]:
    generator = np.random.default_rng(0)
    pairs = [
        tuple(generator.random((work.replicas, *shape), np.float32) for shape in shapes)
        for rows, contracted, columns in work.products
        for shapes in [((rows, contracted), (contracted, columns))]
    ]
    once = multiply(pairs)
    once()
    return once


@functools.cache
def _big_square(multiply: Callable) -> tuple[int, Callable[[], None]]:
    size = 1024
    while True:
        once = multiply([tuple(np.random.default_rng(0).random((2, 1, size, size), np.float32))])
        once()
        if size >= 16384 or _seconds(once) >= _SQUARE_SECONDS:
            return size, once
        size *= 2


def _numpy_products(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[], None]:
    results = [np.matmul(*pair) for pair in pairs]

    def once() -> None:
        for pair, result in zip(pairs, results, strict=True):
            np.matmul(*pair, out=result)

    return once


def _seconds(once: Callable[[], None]) -> float:
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < _WINDOW_SECONDS:
        once()
        calls += 1
    return elapsed / calls


def _peak_memory() -> int:
    with contextlib.suppress(OSError):  # Linux counts a parent's memory into ru_maxrss
        return 1024 * int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
