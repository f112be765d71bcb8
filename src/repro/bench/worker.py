"""The work that all engines get, and the process that measures one of them, or a library.

A process each: KERAS_BACKEND can be chosen once in one, which also is what memory is counted by.
"""

import contextlib
import functools
import importlib
import itertools
import multiprocessing
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp

from repro.data import datasets
from repro.experiment import Experiment
from repro.model import network

PEERS = Path(__file__).resolve().parents[3] / "benchmarks"  # the engines that are not ours

_JUDGED_SAMPLES, _WINDOW_SECONDS = 1000, 0.1
_SQUARE_SECONDS = 0.02  # a product this long is big enough to show the device's rate


@dataclass(frozen=True)
class Workload:
    """So many SGD steps of some replicas; each call of an engine does them with a fresh order.

    The loss is the exact cross-entropy, which every library has.
    """

    dataset: str
    width: int
    replicas: int
    steps: int
    batch_size: int = 128

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
        fans = network.layer_shapes(self.experiment).values()
        forward = [(self.batch_size, fan_in, fan_out) for fan_in, fan_out in fans]
        weights = [(fan_in, batch, fan_out) for batch, fan_in, fan_out in forward]
        inputs = [(batch, fan_out, fan_in) for batch, fan_in, fan_out in forward[1:]]
        return forward + weights + inputs

    @property
    def operations_per_step(self) -> int:
        """Floating-point operations of the products of a step of all replicas."""
        return 2 * self.replicas * sum(m * k * n for m, k, n in self.products)

    @functools.cached_property
    def data(self) -> datasets.DataSplit:
        """The samples. Raises ReproError where they cannot be read."""
        return datasets.load(self.dataset, self.experiment.split, progress=False)

    def order(self, call: int) -> np.ndarray:
        """The samples of a call (the first is 0): int32 (replica, steps * batch_size)."""
        samples, used = len(self.data.y_train), self.steps * self.batch_size
        draw = functools.partial(network.sample_order, self.experiment)
        return np.stack([draw(n, call + 1, samples)[:used] for n in range(self.replicas)])

    def initial_parameters(self) -> tuple[np.ndarray, ...]:
        """Weights (replica, fan-in, fan-out) of the layers, then biases (replica, fan-out)."""
        biases = network.initial_biases(self.experiment).values()
        draw = functools.partial(network.initial_weights, self.experiment)
        each = [(*draw(replica).values(), *biases) for replica in range(self.replicas)]
        return tuple(map(np.stack, zip(*each, strict=True)))

    def losses(self, parameters: tuple[np.ndarray, ...]) -> list[float]:
        """Loss of each replica on the first test samples, in float64 and by NumPy alone."""
        layers, labels = len(parameters) // 2, self.data.y_test[:_JUDGED_SAMPLES]
        outputs = self.data.x_test[:_JUDGED_SAMPLES].astype(np.float64) / 255
        for layer, weights in enumerate(parameters[:layers]):  # float64 stays float64
            outputs = np.maximum(outputs, 0) if layer else outputs
            outputs = outputs @ weights + parameters[layers + layer][:, None]
        true = outputs[:, np.arange(len(labels)), labels]
        return (logsumexp(outputs, axis=2) - true).mean(axis=1).tolist()


@contextlib.contextmanager
def started(*begin: Any) -> Iterator[Callable[[], Future]]:
    """A process that `_begin` is given to, killed at the end; yields what asks for its turns."""
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, begin)
    if masks := hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is not for the process
    pool.submit(os.getpid)  # starts it
    ours = set(multiprocessing.active_children()).difference(others)
    try:
        if masks:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        yield lambda: pool.submit(_next)
    finally:
        for process in ours:
            process.kill()  # it keeps nothing that could be lost
        pool.shutdown()


def _begin(keras_backend: str | None, turns: Callable[..., Iterator], *given: Any) -> None:
    global _turns
    os.environ |= {
        "KERAS_BACKEND": keras_backend or "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3",
        # On a GPU each takes what it needs, not all there is: there are several.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }  # fmt: skip
    sys.path.insert(0, str(PEERS))
    os.dup2(2, 1)  # what libraries print is no part of what `repro bench` prints
    parent = multiprocessing.parent_process()  # which, when killed itself, kills nobody
    threading.Thread(target=lambda: parent.join() or os._exit(1), daemon=True).start()
    _turns = turns(*given)


def _next() -> Any:
    return next(_turns)


def engine(module: str, work: Workload, repeats: int) -> Iterator[Any]:
    """Device and versions of the libraries; seconds of the first call, which compiles, and the
    losses after it; seconds of each further call; and at last peak memory in bytes, the seconds
    that the rest of an epoch of `repro train` adds, and peak memory with it, or None."""
    peer = importlib.import_module(module)
    yield peer.device(), peer.versions()
    one, orders = peer.Engine(work), map(work.order, itertools.count())
    yield one.run(next(orders)), work.losses(one.parameters())
    for _ in range(repeats):
        yield one.run(next(orders))
    alone, extra, together = _peak_memory(peer), None, None
    if hasattr(one, "run_epoch"):
        one.run_epoch(next(orders))  # compiles
        extra = [one.run_epoch(next(orders)) - one.run(next(orders)) for _ in range(3)]
        extra, together = float(np.median(extra)), _peak_memory(peer)
    yield alone, extra, together


def library(module: str, work: Workload, repeats: int) -> Iterator[Any]:
    """Device and versions of a module, or of ``numpy``; then, each turn, its operations
    a second: of a big square matrix product, and of a step's products alone."""
    if module == "numpy":
        multiply = _numpy_products
        yield "cpu", {"numpy": np.__version__}
    else:
        peer = importlib.import_module(module)
        multiply = peer.products
        yield peer.device(), peer.versions()
    for size in (1024, 2048, 4096, 8192, 16384):
        square = _ready(multiply, 1, [(size, size, size)])
        if _seconds(square) >= _SQUARE_SECONDS:
            break
    step = _ready(multiply, work.replicas, work.products)
    for _ in range(repeats + 2):  # as many as `engine` has
        yield 2 * size**3 / _seconds(square), work.operations_per_step / _seconds(step)


def _ready(multiply: Callable, replicas: int, products: list) -> Callable[[], None]:
    random = functools.partial(np.random.default_rng(0).random, dtype=np.float32)
    once = multiply([(random((replicas, m, k)), random((replicas, k, n))) for m, k, n in products])
    once()
    return once


def _seconds(once: Callable[[], None]) -> float:
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < _WINDOW_SECONDS:
        once()
        calls += 1
    return elapsed / calls


def _numpy_products(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[], None]:
    results = [np.matmul(*pair) for pair in pairs]
    return lambda: [np.matmul(*pair, out=out) for pair, out in zip(pairs, results, strict=True)]


def _peak_memory(peer: Any) -> int:
    if on_accelerator := getattr(peer, "peak_memory", lambda: None)():
        return on_accelerator
    with contextlib.suppress(OSError):  # Linux counts a parent's memory into ru_maxrss
        return 1024 * int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
