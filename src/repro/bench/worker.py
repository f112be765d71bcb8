"""A process that measures one engine, or one library's matrix products, and the work that all get.

A process each: KERAS_BACKEND can be chosen once in a process, which also is what memory is counted
by. Requests and answers are lines of JSON on standard input and output.
"""

import contextlib
import functools
import importlib
import itertools
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from scipy.special import logsumexp

from repro.data import datasets
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.model import network

PEERS = Path(__file__).resolve().parents[3] / "benchmarks"  # the engines that are not ours

_JUDGED_SAMPLES = 1000
_WINDOW_SECONDS = 0.1
_SQUARE_SECONDS = 0.02  # a product this long is big enough to show the device's rate


@dataclass(frozen=True)
class Workload:
    """So many SGD steps of some replicas; each call of an engine does them with a fresh order.

    The loss is the exact cross-entropy, which every library has. ``synthetic`` samples are random.
    """

    dataset: str
    width: int
    replicas: int
    steps: int
    batch_size: int = 128
    synthetic: bool = False

    @property
    def experiment(self) -> Experiment:
        return Experiment(self.dataset, self.width, 1, loss="logits", batch_size=self.batch_size)

    @property
    def steps_per_epoch(self) -> float:
        """Batches in an epoch, the smaller last one counted by its samples."""
        return datasets.DATASETS[self.dataset].samples / self.batch_size

    @property
    def products(self) -> list[tuple[int, int, int]]:
        """Matrix products of a step of one replica, (rows, contracted, columns): forward, gradient
        of the weights, and of the inputs where they are not the samples."""
        batch, products = self.batch_size, []
        for fan_in, fan_out in network.layer_shapes(self.experiment).values():
            products += [(batch, fan_in, fan_out), (fan_in, batch, fan_out)]
            products += [(batch, fan_out, fan_in)] if len(products) > 2 else []
        return products

    @property
    def operations_per_step(self) -> int:
        """Floating-point operations of the products of a step of all replicas."""
        return 2 * self.replicas * sum(m * k * n for m, k, n in self.products)

    @functools.cached_property
    def data(self) -> datasets.DataSplit:
        """The samples. Raises ReproError where they cannot be read."""
        if not self.synthetic:
            return datasets.load(self.dataset, self.experiment.split, progress=False)
        integers, parts = np.random.default_rng(0).integers, []
        pixels, classes = datasets.shape(self.dataset)
        for samples in (datasets.DATASETS[self.dataset].samples, _JUDGED_SAMPLES):
            parts += [integers(0, 256, (samples, pixels), np.uint8)]
            parts += [integers(0, classes, samples, np.int32)]
        return datasets.DataSplit(self.dataset, None, *parts, classes)

    def order(self, call: int) -> np.ndarray:
        """The samples of a call (the first is 0): int32 (replica, steps * batch_size)."""
        samples, used = len(self.data.y_train), self.steps * self.batch_size
        draw = functools.partial(network.sample_order, self.experiment)
        return np.stack([draw(n, call + 1, samples)[:used] for n in range(self.replicas)])

    def initial_parameters(self) -> tuple[np.ndarray, ...]:
        """Weights (replica, fan-in, fan-out) of the layers, then biases (replica, fan-out)."""
        weights = [network.initial_weights(self.experiment, r) for r in range(self.replicas)]
        biases = [network.initial_biases(self.experiment)] * self.replicas
        parts = [[replica.values() for replica in part] for part in (weights, biases)]
        return tuple(np.stack(layer) for part in parts for layer in zip(*part, strict=True))

    def losses(self, parameters: tuple[np.ndarray, ...]) -> list[float]:
        """Loss of each replica on the first test samples, in float64 and by NumPy alone."""
        layers, labels = len(parameters) // 2, self.data.y_test[:_JUDGED_SAMPLES]
        outputs = self.data.x_test[:_JUDGED_SAMPLES].astype(np.float64) / 255
        parts = [np.asarray(part, np.float64) for part in parameters]
        for layer, (weights, bias) in enumerate(zip(parts[:layers], parts[layers:], strict=True)):
            outputs = (np.maximum(outputs, 0) if layer else outputs) @ weights + bias[:, None]
        true = outputs[:, np.arange(len(labels)), labels]
        return (logsumexp(outputs, axis=2) - true).mean(axis=1).tolist()


class Failed(Exception):
    """A process ended before it answered."""


@dataclass
class Process:
    """Its first answer comes unasked: its device and versions, or what is missing."""

    _process: subprocess.Popen
    _errors: IO[bytes]

    def ask(self, action: str, work: Workload) -> dict[str, Any]:
        """The answer to a request. Raises Failed."""
        request = json.dumps({"action": action, "work": asdict(work)})
        with contextlib.suppress(BrokenPipeError):  # the answer says why
            print(request, file=self._process.stdin, flush=True)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next answer. Raises Failed."""
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            raise Failed(f"ended with code {code}: {lines[-1] if lines else 'no message'}")
        answer = json.loads(line)
        if "missing" in answer:
            raise Failed(answer["missing"])
        return answer


@contextlib.contextmanager
def started(module: str, keras_backend: str | None) -> Iterator[Process]:
    """A process for a module with an engine, or for ``numpy``."""
    path = [str(PEERS), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path), "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": keras_backend or "tensorflow",
        # On a GPU each takes what it needs, not all there is: there are several.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }  # fmt: skip
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "repro.bench.worker", module], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
        try:
            yield Process(process, errors)
        finally:
            process.kill()  # it keeps nothing that could be lost
            process.communicate()


def main() -> None:
    """Answer requests to the module named, or to ``numpy``, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print do not get between the answers

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    try:
        module = None if sys.argv[1] == "numpy" else importlib.import_module(sys.argv[1])
    except (ImportError, ReproError) as error:
        answer(missing=str(error))
        return
    versions = {"numpy": np.__version__} if module is None else module.versions()
    answer(device="cpu" if module is None else module.device(), versions=versions)
    for line in sys.stdin:
        request = json.loads(line)
        action, work = request["action"], Workload(**request["work"])
        if action == "products":
            answer(**_rates(_numpy_products if module is None else module.products, work))
        elif action == "prepare":  # the first call compiles
            engine, orders = module.Engine(work), map(work.order, itertools.count())
            answer(seconds=engine.run(next(orders)), losses=work.losses(engine.parameters()))
        elif action == "measure":
            answer(seconds=engine.run(next(orders)))
        else:
            answer(**_finish(module, engine, orders))


def _finish(module: Any, engine: Any, orders: Iterator[np.ndarray]) -> dict[str, Any]:
    """Peak memory, and what the rest of an epoch of `repro train` costs; None where it has none."""

    def memory() -> int:  # of the accelerator, or else of the process
        return getattr(module, "peak_memory", lambda: None)() or _peak_memory()

    found = {"peak_memory_bytes": memory(), "extra_seconds": None,
             "peak_memory_bytes_with_statistics": None}  # fmt: skip
    if hasattr(engine, "run_epoch"):
        engine.run_epoch(next(orders))  # compiles
        extra = [engine.run_epoch(next(orders)) - engine.run(next(orders)) for _ in range(3)]
        found["extra_seconds"] = statistics.median(extra)
        found["peak_memory_bytes_with_statistics"] = memory()
    return found


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
    def random(*shape: int) -> np.ndarray:
        return np.random.default_rng(0).random((work.replicas, *shape), np.float32)

    once = multiply([(random(rows, contracted), random(contracted, columns))
                     for rows, contracted, columns in work.products])  # fmt: skip
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
    return lambda: [np.matmul(*pair, out=out) for pair, out in zip(pairs, results, strict=True)]


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
