"""`repro bench`: our engine and others, side by side on the same work.

Every engine runs in a process of its own and they take turns (A B C A B C ...), so that what else
happens on the machine meets all alike; reported are medians, also of the ratios within a turn.
After the first call, which compiles, all must have come to the same loss, or the row says so.
"""

import contextlib
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from repro import provenance
from repro.bench import worker
from repro.bench.worker import PEERS, Workload
from repro.data import datasets
from repro.errors import ReproError, shown

Modules = Mapping[str, tuple[str, str | None]]  # by engine, with the backend of its Keras
ENGINES: Modules = {  # in the order of the table
    "repro-tensorflow": ("repro.bench.engine_repro", "tensorflow"),
    "repro-jax": ("repro.bench.engine_repro", "jax"),
    "keras-fit": ("keras_fit", "tensorflow"), "keras-default": ("keras_default", "tensorflow"),
    "jax-vmap": ("jax_vmap", None), "torch-vmap": ("torch_vmap", None),
}  # fmt: skip

WIDTHS, REPLICAS = (16, 64, 150, 256, 512), (1, 8)

# Whose matrix products make the ceiling: the best of them is what the device can do.
LIBRARIES: Modules = {
    "numpy": ("numpy", None), "tensorflow": ("repro.bench.engine_repro", "tensorflow"),
    "jax": ("jax_vmap", None), "torch": ("torch_vmap", None),
}  # fmt: skip
_MOST = 1_000_000  # of replicas, steps or repeats: what is more is a slip
_CALL_OPERATIONS, _FEWEST_STEPS = 2e11, 100  # about a second, and enough to forget the start
# Float32 rounding grows over the steps of a call; other samples or another loss show far above.
_LOSS_TOLERANCE = 2e-3


def compare(
    widths: Sequence[int] = WIDTHS, replicas: Sequence[int] = REPLICAS,
    engines: Sequence[str] = tuple(ENGINES), dataset: str = "mnist",
    batch_size: int = 128, steps: int | None = None, repeats: int = 5, progress: bool = True,
    so_far: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Measure the engines on every width and number of replicas.

    ``steps`` are those of one measured call; None for about a second's worth, at most an epoch's,
    to which times are scaled. ``repeats`` turns are measured, after one that compiles. ``so_far``
    is called with what will be returned, as far as it is there, after each size. A script that
    calls this needs its ``if __name__ == "__main__"``: the processes are spawned.

    Returns ``rows``, one per engine, width and replicas; ``ceiling``, matrix-product rates in
    operations a second; ``device``, ``versions``; and ``skipped``: what was not measured, and why.
    Raises ReproError for unknown engines, impossible sizes, and data that cannot be read.
    """
    known = [("dataset", dataset, datasets.NAMES), *(("engines", one, ENGINES) for one in engines)]
    for name, one, names in known:
        if one not in names:
            raise ReproError(f"{name} must be one of {', '.join(names)}, not {shown(one)}.")
    for name, values in (("widths", widths), ("replicas", replicas), ("engines", engines)):
        if not values or len(set(values)) < len(values):
            raise ReproError(f"{name} must name at least one, and none twice.")
    counts = [("repeats", repeats), ("steps", 1 if steps is None else steps)]
    for name, each in (*counts, *(("replicas", number) for number in replicas)):
        if not 1 <= each <= _MOST:
            raise ReproError(f"{name} must be a whole number from 1 to {_MOST}, not {shown(each)}.")
    works = []
    for size in itertools.product(widths, replicas):
        one = Workload(dataset, *size, 1, batch_size)
        enough = max(_FEWEST_STEPS, int(np.ceil(_CALL_OPERATIONS / one.operations_per_step)))
        if one.steps_per_epoch < 1:
            raise ReproError(f"batch_size must be at most the samples of {dataset}.")
        works.append(replace(one, steps=min(steps or enough, int(one.steps_per_epoch))))
    datasets.load(dataset)  # fetched and prepared once, complains where it must
    found = _Found()
    for work in works:
        found.measure(work, engines, repeats, not progress)
        if so_far is not None and found.rows:
            so_far(found.report())
    if not found.rows:
        reasons = "; ".join(f"{each['engine']}: {each['reason']}" for each in found.skipped)
        raise ReproError(f"No engine can be measured here ({reasons}).")
    return found.report()


class _Found:
    """What has been measured, and what could not be."""

    def __init__(self) -> None:
        self.rows, self.rates, self.skipped = [], [], []  # of dictionaries
        self.versions, self.devices = {}, {}

    def report(self) -> dict[str, Any]:
        ours = [device for name, device in self.devices.items() if name.startswith("repro-")]
        squares = filter(None, (each["square"] for each in self.rates))
        return {
            "rows": self.rows, "device": [*ours, *self.devices.values()][0],
            "ceiling": {"square": max(squares, default=None), "rates": self.rates},
            "devices": self.devices, "versions": self.versions, "skipped": self.skipped,
            "xla_flags": os.environ.get("XLA_FLAGS", ""), "measured": provenance.now(),
            "code_version": provenance.code_version(),
        }  # fmt: skip

    def measure(self, work: Workload, engines: Sequence[str], repeats: int, quiet: bool) -> None:
        """Turns of every engine and library on one size."""
        where = {"width": work.width, "replicas": work.replicas}
        processes, first, answers = {}, {}, defaultdict(list)
        with contextlib.ExitStack() as stack:
            for name in (*engines, *LIBRARIES):  # they import at the same time
                with self.noting(name, processes):
                    module, keras_backend = (ENGINES | LIBRARIES)[name]
                    if not (module == "numpy" or module.startswith("repro.") or PEERS.is_dir()):
                        raise ReproError(f"its engine is in a checkout's folder {PEERS}, not here")
                    kind = worker.library if name in LIBRARIES else worker.engine
                    process = worker.started(keras_backend, kind, module, work, repeats)
                    processes[name] = stack.enter_context(process)
                    first[name] = processes[name]()
            for name, answer in first.items():
                with self.noting(name, processes):
                    self.devices[name], versions = answer.result()
                    self.versions |= versions
            for _ in tqdm(range(repeats + 2), f"N={work.width} x{work.replicas}", disable=quiet):
                for name, turn in list(processes.items()):
                    with self.noting(name, processes, **where):
                        answers[name].append(turn().result())
        rates = [np.median(answers[name][1:-1], axis=0) for name in processes if name in LIBRARIES]
        square, products = np.max(rates, axis=0).tolist() if rates else (None, None)
        self.rates.append({**where, "square": square, "products": products})
        left = {name: answers[name] for name in processes if name in engines}
        self.rows += _rows(work, left, square, products)

    @contextlib.contextmanager
    def noting(self, name: str, processes: dict[str, Any], **where: int) -> Iterator[None]:
        """Where this fails, with a dead process or whatever an engine raises, it is noted why."""
        try:
            yield
        except Exception as failure:
            entry = {"engine": name, "reason": f"{type(failure).__name__}: {failure}"} | where
            self.skipped += [] if entry in self.skipped else [entry]
            processes.pop(name, None)


def _rows(
    work: Workload, answers: dict[str, list], square: float | None, products: float | None
) -> list[dict[str, Any]]:
    """A row an engine; of its answers the first compiled, the last tells of memory."""
    scale = work.steps_per_epoch / work.steps
    operations = work.operations_per_step * work.steps_per_epoch
    turns = {name: asked[1:-1] for name, asked in answers.items()}
    losses = {name: asked[0][1] for name, asked in answers.items()}
    rows = []
    for name, ((first, _), *_, (memory, extra, memory_as_trained)) in answers.items():
        usual = float(np.median(turns[name]))
        per_epoch, rate = usual * scale, operations / (usual * scale)
        ratios = {other: float(np.median(np.divide(turns[other], turns[name])))
                  for other in answers if other != name}  # fmt: skip
        rows.append({
            "engine": name, **asdict(work), "repeats": len(turns[name]),
            "seconds_per_epoch": per_epoch, "compile_seconds": max(first - usual, 0.0),
            "seconds_per_epoch_and_replica": per_epoch / work.replicas,
            "seconds_per_epoch_range": [min(turns[name]) * scale, max(turns[name]) * scale],
            "seconds_per_epoch_with_statistics":
                None if extra is None else per_epoch + max(extra, 0.0),
            "peak_memory_bytes": memory, "peak_memory_bytes_with_statistics": memory_as_trained,
            "flops_per_epoch": operations,
            "fraction_of_ceiling": rate / square if square else None,
            "fraction_of_products": rate / products if products else None,
            "ratio_to_keras_fit": 1.0 if name == "keras-fit" else ratios.get("keras-fit"),
            "ratios": ratios, "losses": losses[name], "same_work": agrees(losses[name], losses),
        })  # fmt: skip
    return rows


def agrees(losses: list[float], others: Mapping[str, list[float]]) -> bool:
    """Whether the losses are those that most engines came to: their median, for each replica."""
    # By the median over the replicas: rounding can carry one of them far in a call.
    usual = np.median(list(others.values()), axis=0)
    return bool(np.median(abs(losses / usual - 1)) <= _LOSS_TOLERANCE)
