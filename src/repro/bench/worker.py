"""A process that measures one engine, or one library's matrix products, as `benchmark` asks it to.

Each has its own, because KERAS_BACKEND can be chosen once in a process and because memory is
counted by process. Requests and answers are lines of JSON on standard input and output.
"""

import importlib
import json
import os
import resource
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
            module = importlib.import_module(f"repro.bench.{sys.argv[1]}")
        except (ImportError, ReproError) as error:
            answer(missing=str(error))
            return
    versions = {"numpy": np.__version__} if module is None else module.versions()
    answer(device="cpu" if module is None else module.device(), versions=versions)
    tasks: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        action = request.pop("action")
        if action == "prepare":
            tasks["engine"] = _EngineTask(module, **request)
            answer(**tasks["engine"].first())
        elif action == "products":
            multiply = _numpy_products if module is None else module.products
            answer(**_products(multiply, tasks, **request))
        else:
            answer(**getattr(tasks["engine"], action)(**request))


class _EngineTask:
    def __init__(self, module: Any, work: dict[str, Any]) -> None:
        self._work = Workload(**work)
        self._calls = 0
        self._module = module
        self._engine = module.Engine(self._work)

    def first(self) -> dict[str, Any]:
        """The first call, which compiles."""
        return self.measure()

    def measure(self) -> dict[str, Any]:
        """One call: its seconds."""
        return {"seconds": self._engine.run(self._next_order())}

    def measure_epoch(self) -> dict[str, Any]:
        """One call with all that an epoch of `repro train` does: its seconds, None for others."""
        if not hasattr(self._engine, "run_epoch"):
            return {"seconds": None}
        return {"seconds": self._engine.run_epoch(self._next_order()), **self.memory()}

    def memory(self) -> dict[str, Any]:
        """The most memory held so far, in bytes: of the accelerator, or else of the process."""
        on_device = getattr(self._module, "peak_memory", lambda: None)()
        return {"peak_memory_bytes": on_device or _peak_memory()}

    def losses(self) -> dict[str, Any]:
        """The loss of each replica after the calls so far."""
        return {"losses": self._work.losses(self._engine.parameters())}

    def _next_order(self) -> np.ndarray:
        self._calls += 1
        return self._work.order(self._calls - 1)


def _products(multiply: Callable, tasks: dict, work: dict[str, Any]) -> dict[str, Any]:
    """Rates, in operations a second: of a step's matrix products alone, and of a big square one."""
    workload = Workload(**work)
    if tasks.get("work") != work:
        generator = np.random.default_rng(0)
        pairs = [
            tuple(
                generator.random((workload.replicas, *shape), np.float32)
                for shape in ((rows, contracted), (contracted, columns))
            )
            for rows, contracted, columns in workload.products
        ]
        tasks["work"], tasks["step"] = work, multiply(pairs)
        tasks["step"]()
    if "square" not in tasks:
        tasks["square"] = _big_square(multiply)
    size, square = tasks["square"]
    return {
        "products": workload.operations_per_step / _seconds(tasks["step"]),
        "square": 2 * size**3 / _seconds(square),
        "square_size": size,
    }


def _big_square(multiply: Callable) -> tuple[int, Callable[[], None]]:
    size = 1024
    while True:
        pair = tuple(np.random.default_rng(0).random((2, 1, size, size), np.float32))
        once = multiply([pair])
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
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts a parent's memory into ru_maxrss
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
