"""`repro bench`: our engine and others, side by side on the same work.

Every engine runs in a process of its own and they take turns (A B C A B C ...), so that what else
happens on the machine meets all alike; reported are medians, also of the ratios within a turn.
After the first call, which compiles, all must have come to the same loss, or the row says so.
"""

import contextlib
import itertools
import math
import operator
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from repro import provenance
from repro.bench.worker import PEERS, Failed, Process, Workload, started
from repro.data import datasets
from repro.errors import ReproError, shown
from repro.experiment import Experiment

Modules = Mapping[str, tuple[str, str | None]]  # by engine, with the backend of its Keras
ENGINES: Modules = {
    "repro-tensorflow": ("repro.bench.engine_repro", "tensorflow"),
    "repro-jax": ("repro.bench.engine_repro", "jax"),
    "keras-fit": ("keras_fit", "tensorflow"),
    "keras-default": ("keras_default", "tensorflow"),
    "jax-vmap": ("jax_vmap", None),
    "torch-vmap": ("torch_vmap", None),
}
"""In the order of the table."""

WIDTHS, REPLICAS = (16, 64, 150, 256, 512), (1, 8)

# Whose matrix products make the ceiling: the best of them is what the device can do.
LIBRARIES: Modules = {
    "numpy": ("numpy", None),
    "tensorflow": ("repro.bench.engine_repro", "tensorflow"),
    "jax": ("jax_vmap", None),
    "torch": ("torch_vmap", None),
}
_MOST = 1_000_000  # of replicas, steps or repeats: what is more is a slip
_CALL_OPERATIONS, _FEWEST_STEPS = 2e11, 100  # about a second, and enough to forget the start
# Float32 rounding grows over the steps of a call; other samples or another loss show far above.
_LOSS_TOLERANCE = 2e-3

Answer = dict[str, Any]


def compare(
    widths: Sequence[int] = WIDTHS,
    replicas: Sequence[int] = REPLICAS,
    engines: Sequence[str] = tuple(ENGINES),
    dataset: str = "mnist",
    synthetic: bool = False,
    batch_size: int = 128,
    steps: int | None = None,
    repeats: int = 5,
    progress: bool = True,
    so_far: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Measure the engines on every width and number of replicas.

    ``steps`` are those of one measured call; None for about a second's worth, at most an epoch's,
    to which times are scaled. ``repeats`` turns are measured, after one that compiles. ``so_far``
    is called with what will be returned, as far as it is there, after each size.

    Returns ``rows``, one per engine, width and replicas; ``ceiling``, matrix-product rates in
    operations a second; ``device``, ``versions``; and ``skipped``: what was not measured, and why.
    Raises ReproError for unknown engines, impossible sizes, and data that cannot be read.
    """
    works = _checked_works(
        widths, replicas, engines, dataset, synthetic, batch_size, steps, repeats
    )
    found = _Found()
    total = len(works) * (len(engines) + len(LIBRARIES)) * (repeats + 1)
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=total, disable=not progress, unit="turn"))
        libraries = found.started(stack, LIBRARIES)
        for work in works:
            bar.set_description(f"{work.dataset} N={work.width} x{work.replicas}")
            _measure(work, engines, libraries, repeats, found, bar)
            if so_far is not None and found.rows:
                so_far(found.summary())
    if not found.rows:
        reasons = "; ".join(f"{each['engine']}: {each['reason']}" for each in found.skipped)
        raise ReproError(f"No engine can be measured here ({reasons}).")
    return found.summary()


class _Found:
    """What has been measured, and what could not be."""

    def __init__(self) -> None:
        self.rows: list[Answer] = []
        self.rates: list[Answer] = []
        self.skipped: list[Answer] = []
        self.versions: dict[str, str] = {}
        self.devices: dict[str, str] = {}

    def started(self, stack: contextlib.ExitStack, modules: Modules) -> dict[str, Process]:
        """Processes that live as long as the stack; of one that cannot be, it is noted why."""
        processes = {}
        for name, (module, keras_backend) in modules.items():
            if module == "numpy" or module.startswith("repro.") or PEERS.is_dir():
                processes[name] = stack.enter_context(started(module, keras_backend))
            else:
                self.skip(name, f"its engine is in a checkout's folder {PEERS}, not here")
        for name, process in list(processes.items()):  # they import at the same time
            try:
                hello = process.answer()
                self.versions |= hello["versions"]
                self.devices[name] = hello["device"]
            except Failed as failure:
                self.skip(name, str(failure))
                del processes[name]
        return processes

    def skip(self, name: str, reason: str, **where: int) -> None:
        entry = {"engine": name, "reason": reason} | where
        self.skipped += [] if entry in self.skipped else [entry]

    def summary(self) -> dict[str, Any]:
        ours = [device for name, device in self.devices.items() if name.startswith("repro-")]
        square = max((each["square"] for each in self.rates if each["square"]), default=None)
        return {
            "rows": self.rows, "ceiling": {"square": square, "rates": self.rates},
            "device": (ours or list(self.devices.values()))[0],
            "devices": self.devices, "versions": self.versions,
            "xla_flags": os.environ.get("XLA_FLAGS", ""),
            "code_version": provenance.code_version(),
            "measured": provenance.now(), "skipped": self.skipped,
        }  # fmt: skip


def _measure(
    work: Workload, engines: Sequence[str], libraries: dict[str, Process], repeats: int,
    found: _Found, bar: tqdm,
) -> None:  # fmt: skip
    """Turns of every engine and library on one size, into what is found."""
    with contextlib.ExitStack() as stack:
        workers = found.started(stack, {name: ENGINES[name] for name in engines})
        answers: dict[str, list[Answer]] = {name: [] for name in (*workers, *libraries)}
        for action in ["prepare", *["measure"] * repeats, "finish"]:
            asked = dict(workers) if action == "finish" else workers | libraries
            for name, process in asked.items():
                try:
                    what = "products" if name in libraries else action
                    answers[name].append(process.ask(what, work))
                except Failed as failure:
                    found.skip(name, str(failure), width=work.width, replicas=work.replicas)
                    for group in (workers, libraries, answers):
                        group.pop(name, None)
                bar.update(action != "finish")
    rates = ("square", "products", "square_size")
    medians = {name: {what: statistics.median(turn[what] for turn in answers[name][1:])
                      for what in rates} for name in libraries}  # fmt: skip
    best = {what: max((each[what] for each in medians.values()), default=None)
            for what in rates[:2]}  # fmt: skip
    where = {"width": work.width, "replicas": work.replicas}
    found.rates.append({**where, **best, "libraries": medians})
    found.rows += _rows(work, {name: answers[name] for name in workers}, repeats, best)


def _rows(
    work: Workload, answers: dict[str, list[Answer]], repeats: int, rates: dict[str, float | None]
) -> list[dict[str, Any]]:
    """A row an engine; of its answers the first compiled, the last tells of memory."""
    scale = work.steps_per_epoch / work.steps
    operations = work.operations_per_step * work.steps_per_epoch
    turns = {name: [each["seconds"] for each in asked[1:-1]] for name, asked in answers.items()}
    losses = {name: asked[0]["losses"] for name, asked in answers.items()}
    rows = []
    for name, (first, *_, last) in answers.items():
        usual, extra = statistics.median(turns[name]), last["extra_seconds"]
        per_epoch, rate = usual * scale, operations / (usual * scale)
        ratios = {other: statistics.median(map(operator.truediv, turns[other], turns[name]))
                  for other in answers if other != name}  # fmt: skip
        rows.append(
            {
                "engine": name, "dataset": work.dataset, "synthetic": work.synthetic,
                "width": work.width, "replicas": work.replicas, "batch_size": work.batch_size,
                "steps": work.steps, "repeats": repeats,
                "seconds_per_epoch": per_epoch,
                "seconds_per_epoch_and_replica": per_epoch / work.replicas,
                "seconds_per_epoch_range": [min(turns[name]) * scale, max(turns[name]) * scale],
                "seconds_per_epoch_with_statistics":
                    None if extra is None else per_epoch + max(extra, 0.0),
                "compile_seconds": max(first["seconds"] - usual, 0.0),
                "peak_memory_bytes": last["peak_memory_bytes"],
                "peak_memory_bytes_with_statistics": last["peak_memory_bytes_with_statistics"],
                "flops_per_epoch": operations,
                "fraction_of_ceiling": rate / rates["square"] if rates["square"] else None,
                "fraction_of_products": rate / rates["products"] if rates["products"] else None,
                "ratio_to_keras_fit": 1.0 if name == "keras-fit" else ratios.get("keras-fit"),
                "ratios": ratios, "losses": losses[name],
                "same_work": agrees(losses[name], losses),
            }
        )  # fmt: skip
    return rows


def agrees(losses: list[float], others: Mapping[str, list[float]]) -> bool:
    """Whether the losses are those that most engines came to: their median, for each replica.

    By the median over the replicas: rounding can carry one of them far in a call.
    """
    usual = np.median(list(others.values()), axis=0)
    return bool(np.median(abs(losses / usual - 1)) <= _LOSS_TOLERANCE)


def _checked_works(
    widths: Sequence[int], replicas: Sequence[int], engines: Sequence[str], dataset: str,
    synthetic: bool, batch_size: int, steps: int | None, repeats: int,
) -> list[Workload]:  # fmt: skip
    names = [("dataset", dataset, datasets.NAMES), *(("engines", one, ENGINES) for one in engines)]
    for name, one, known in names:
        if one not in known:
            raise ReproError(f"{name} must be one of {', '.join(known)}, not {shown(one)}.")
    for name, values in (("widths", widths), ("replicas", replicas), ("engines", engines)):
        if not values or len(set(values)) < len(values):
            raise ReproError(f"{name} must name at least one, and none twice.")
    counts = [("repeats", repeats), ("steps", 1 if steps is None else steps)]
    for name, count in (*counts, *(("replicas", number) for number in replicas)):
        if not 1 <= count <= _MOST:
            told = f"from 1 to {_MOST}, not {shown(count)}"
            raise ReproError(f"{name} must be a whole number {told}.")
    works = []
    for width, number in itertools.product(widths, replicas):
        Experiment(dataset, width, 1, batch_size=batch_size)  # complains where it must
        one = Workload(dataset, width, number, 1, batch_size, synthetic)
        enough = max(_FEWEST_STEPS, math.ceil(_CALL_OPERATIONS / one.operations_per_step))
        if one.steps_per_epoch < 1:
            raise ReproError(f"batch_size must be at most the samples of {dataset}.")
        works.append(replace(one, steps=min(steps or enough, int(one.steps_per_epoch))))
    if not synthetic:
        datasets.load(dataset)  # fetched and prepared once, complains where it must
    return works
