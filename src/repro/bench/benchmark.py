"""`repro bench`: our engine and others, side by side on the same work.

Every engine runs in a process of its own and they take turns (A B C A B C ...), so that what else
happens on the machine meets all alike; what is reported are medians, and medians of the ratios
within a turn. The first call of each, which compiles, is reported apart. After it all must have
come to the same loss, or their work was not the same and the row says so.
"""

import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tqdm.auto import tqdm

from repro import provenance
from repro.bench.workload import Workload
from repro.data import datasets
from repro.errors import ReproError, shown
from repro.experiment import Experiment

# Module and Keras backend of each engine, in the order of the table.
ENGINES: dict[str, tuple[str, str | None]] = {
    "repro-tensorflow": ("engine_repro", "tensorflow"),
    "repro-jax": ("engine_repro", "jax"),
    "keras-fit": ("engine_keras", "tensorflow"),
    "keras-default": ("engine_keras_default", "tensorflow"),
    "jax-vmap": ("engine_jax", None),
    "torch-vmap": ("engine_torch", None),
}
OWN_ENGINES = ("repro-tensorflow", "repro-jax")
WIDTHS, REPLICAS = (16, 64, 150, 256, 512), (1, 8)
GROWTH_WIDTHS = (16, 32, 64, 128, 256, 512, 1024)
GROWTH_REPLICAS = (1, 2, 4, 8, 16)
GROWTH_EPOCHS = (1, 2, 4, 8, 16)
GROWTH_WIDTH = 64  # where replicas and epochs are counted up

# Whose matrix products make the ceiling: the best of them is what the device can do.
_LIBRARIES: dict[str, tuple[str, str | None]] = {
    "numpy": ("numpy", None),
    "tensorflow": ("engine_repro", "tensorflow"),
    "jax": ("engine_jax", None),
    "torch": ("engine_torch", None),
}
_MOST = 1_000_000  # of replicas, steps or repeats: what is more is a slip
_CALL_OPERATIONS, _FEWEST_STEPS = 2e11, 100  # about a second, and enough to forget the start
# Float32 rounding grows over the steps of a call; other samples or another loss show far above.
_LOSS_TOLERANCE = 2e-3


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

    Parameters
    ----------
    steps:
        Of one measured call; None for about a second's worth, at most an epoch's. Times are given
        for an epoch: those of the steps, scaled.
    repeats:
        Turns that are measured, after one that compiles.
    so_far:
        Called with what will be returned, as far as it is there, after each size.

    Returns
    -------
    dict
        ``rows``, one per engine, width and replicas; ``ceiling``, matrix-product rates in
        operations a second; ``device``, ``versions``, and ``skipped``: what was not measured, why.

    Raises
    ------
    ReproError
        For unknown engines, sizes that make no experiment, data that cannot be read, and where no
        engine at all can be measured.
    """
    works = _checked_works(widths, replicas, engines, dataset, synthetic, batch_size, steps)
    _check_count("repeats", repeats)
    report = _Report()
    total = len(works) * (len(engines) + len(_LIBRARIES)) * (repeats + 1)
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=total, disable=not progress, unit="turn"))
        labels = {name: f"{name} (ceiling)" for name in _LIBRARIES}
        libraries = report.started(stack, _LIBRARIES, labels)
        for work in works:
            bar.set_description(f"{work.dataset} N={work.width} x{work.replicas}")
            _compare_one(work, engines, libraries, repeats, report, bar)
            if so_far is not None and report.rows:
                so_far(report.summary())
    if not report.rows:
        reasons = "; ".join(f"{each['engine']}: {each['reason']}" for each in report.skipped)
        raise ReproError(f"No engine can be measured here ({reasons}).")
    return report.summary()


def growth(
    widths: Sequence[int] = GROWTH_WIDTHS,
    replicas: Sequence[int] = GROWTH_REPLICAS,
    epochs: Sequence[int] = GROWTH_EPOCHS,
    engine: str = "repro-tensorflow",
    width: int = GROWTH_WIDTH,
    dataset: str = "mnist",
    synthetic: bool = False,
    steps: int | None = None,
    repeats: int = 3,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """How time and memory of one of our engines grow along each of three axes.

    Along the width with one replica, along the replicas at one ``width``, and along the epochs
    there. Epochs are as `repro train` runs them, with the test set and the statistics.

    Returns
    -------
    list of dict
        ``along``, ``width``, ``replicas``, ``epochs``, ``seconds`` (of all epochs),
        ``seconds_per_epoch``, ``compile_seconds``, ``peak_memory_bytes``, ``flops_per_epoch``.

    Raises
    ------
    ReproError
        As `compare`, and where the engine cannot be measured.
    """
    if engine not in OWN_ENGINES:
        raise ReproError(f"growth is measured for {' or '.join(OWN_ENGINES)}, not {engine!r}.")
    points = [("width", each, 1, (repeats,)) for each in widths]
    points += [("replicas", width, each, (repeats,)) for each in replicas]
    points.append(("epochs", width, 1, tuple(sorted(epochs))))
    works = {
        point: _checked_works([point[1]], [point[2]], [engine], dataset, synthetic, 128, steps)[0]
        for point in points
    }
    report, rows = _Report(), []
    for point, work in tqdm(works.items(), desc="growth", disable=not progress, unit="size"):
        along, _, _, counts = point
        with contextlib.ExitStack() as stack:
            worker = report.started(stack, {engine: ENGINES[engine]}).get(engine)
            if worker is None:
                raise ReproError(f"{engine} cannot be measured: {report.skipped[0]['reason']}.")
            worker.ask(action="prepare", work=work.parameters)
            compiling = worker.ask(action="measure_epoch")["seconds"]
            measured: list[float] = []
            for count in counts:
                while len(measured) < count:
                    answer = worker.ask(action="measure_epoch")
                    measured.append(answer["seconds"])
                per_epoch = statistics.median(measured) * work.steps_per_epoch / work.steps
                total = sum(measured) * work.steps_per_epoch / work.steps
                rows.append(
                    {
                        "along": along,
                        "engine": engine,
                        "width": work.width,
                        "replicas": work.replicas,
                        "epochs": count,
                        "seconds": total,
                        "seconds_per_epoch": per_epoch,
                        "compile_seconds": max(compiling - measured[0], 0.0),
                        "peak_memory_bytes": answer["peak_memory_bytes"],
                        "flops_per_epoch": work.operations_per_epoch,
                        "steps": work.steps,
                    }
                )
    return rows


class _Report:
    """What has been found out so far."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.skipped: list[dict[str, Any]] = []
        self.rates: list[dict[str, Any]] = []
        self.versions: dict[str, str] = {}
        self.devices: dict[str, str] = {}

    def started(
        self,
        stack: contextlib.ExitStack,
        wanted: Mapping[str, tuple[str, str | None]],
        labels: Mapping[str, str] | None = None,
    ) -> dict[str, "_Worker"]:
        """Workers that live as long as the stack; of one that cannot be, it is noted why.

        They all import their libraries at the same time, which takes most of the time there is.
        """
        starting = {name: stack.enter_context(_worker(*how)) for name, how in wanted.items()}
        workers = {}
        for name, worker in starting.items():
            label = (labels or {}).get(name, name)
            try:
                hello = worker.answer()
            except _Failed as failure:
                self.skip(label, str(failure))
                continue
            if "missing" in hello:
                self.skip(label, hello["missing"])
                continue
            self.versions |= hello["versions"]
            self.devices[name] = hello["device"]
            workers[name] = worker
        return workers

    def skip(self, name: str, reason: str, **where: int) -> None:
        entry = {"engine": name, "reason": reason} | where
        if entry not in self.skipped:
            self.skipped.append(entry)

    def summary(self) -> dict[str, Any]:
        ours = [self.devices[name] for name in OWN_ENGINES if name in self.devices]
        return {
            "rows": self.rows,
            "ceiling": {
                "square": max((each["square"] for each in self.rates), default=None),
                "rates": self.rates,
            },
            "device": (ours or list(self.devices.values()))[0],
            "devices": self.devices,
            "versions": self.versions,
            "xla_flags": os.environ.get("XLA_FLAGS", ""),
            "code_version": provenance.code_version(),
            "measured": provenance.now(),
            "skipped": self.skipped,
        }


def _compare_one(
    work: Workload,
    engines: Sequence[str],
    libraries: dict[str, "_Worker"],
    repeats: int,
    report: _Report,
    bar: tqdm,
) -> None:
    where = {"width": work.width, "replicas": work.replicas}
    with contextlib.ExitStack() as stack:
        workers = report.started(stack, {name: ENGINES[name] for name in engines})
        seconds: dict[str, list[float]] = {name: [] for name in workers}
        whole: dict[str, list[float]] = {name: [] for name in workers}
        rates: dict[str, list[dict]] = {name: [] for name in libraries}

        def attempt(name: str, ask: Callable[[], Any]) -> Any:
            try:
                return ask()
            except _Failed as failure:
                report.skip(name, str(failure), **where)
                for group in (workers, libraries):
                    group.pop(name, None)
                return None

        results = {}
        for turn in range(repeats + 1):
            request = {"action": "measure"} if turn else {
                "action": "prepare", "work": work.parameters
            }  # fmt: skip
            for name, worker in list(workers.items()):
                answer = attempt(name, lambda worker=worker: worker.ask(**request))  # noqa: B023
                if answer:
                    seconds[name].append(answer["seconds"])
                if answer and not turn:
                    results[name] = attempt(name, lambda w=worker: w.ask(action="losses"))
                bar.update()
            for name, worker in list(libraries.items()):
                answer = attempt(name, lambda worker=worker: worker.ask(
                    action="products", work=work.parameters
                ))  # fmt: skip
                if answer and turn:
                    rates[name].append(answer)
                bar.update()
        for name, worker in list(workers.items()):
            if answer := attempt(name, lambda worker=worker: worker.ask(action="memory")):
                results[name] |= answer
        for _ in range(min(repeats, 3) + 1):
            for name in [name for name in OWN_ENGINES if name in workers]:
                pair = attempt(name, lambda worker=workers[name]: [
                    worker.ask(action=action) for action in ("measure", "measure_epoch")
                ])  # fmt: skip
                if pair:
                    whole[name].append(pair[1]["seconds"] - pair[0]["seconds"])
                    results[name]["whole_memory"] = pair[1]["peak_memory_bytes"]
        results = {name: result for name, result in results.items() if name in workers}
    _note_rates(work, rates, report)
    report.rows += _rows(work, seconds, whole, results, repeats, report.rates[-1:])


def _note_rates(work: Workload, rates: dict[str, list[dict]], report: _Report) -> None:
    def best(what: str) -> float | None:
        medians = [
            statistics.median(turn[what] for turn in each) for each in rates.values() if each
        ]
        return max(medians, default=None)

    report.rates.append(
        {
            "width": work.width,
            "replicas": work.replicas,
            "square": best("square"),
            "products": best("products"),
            "libraries": {
                name: {
                    what: statistics.median(turn[what] for turn in each)
                    for what in ("square", "products", "square_size")
                }
                for name, each in rates.items()
                if each
            },
        }
    )


def _rows(
    work: Workload,
    seconds: dict[str, list[float]],
    whole: dict[str, list[float]],
    results: dict[str, dict[str, Any]],
    repeats: int,
    rates: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    scale = work.steps_per_epoch / work.steps
    losses = {name: result["losses"] for name, result in results.items()}
    rows = []
    for name, result in results.items():
        compiling, *turns = seconds[name]
        per_epoch = statistics.median(turns) * scale
        rate = work.operations_per_epoch / per_epoch
        # The first of those two compiled the whole epoch.
        extra = statistics.median(whole[name][1:]) if len(whole[name]) > 1 else None
        ratios = {
            other: statistics.median(
                theirs / ours for theirs, ours in zip(seconds[other][1:], turns, strict=True)
            )
            for other in results
            if other != name
        }
        rows.append(
            {
                "engine": name,
                "dataset": work.dataset,
                "synthetic": work.synthetic,
                "width": work.width,
                "replicas": work.replicas,
                "batch_size": work.batch_size,
                "steps": work.steps,
                "repeats": repeats,
                "seconds_per_epoch": per_epoch,
                "seconds_per_epoch_and_replica": per_epoch / work.replicas,
                "seconds_per_epoch_range": [min(turns) * scale, max(turns) * scale],
                "seconds_per_epoch_with_statistics": (
                    None if extra is None else per_epoch + max(extra, 0.0)
                ),
                "compile_seconds": max(compiling - statistics.median(turns), 0.0),
                "peak_memory_bytes": result["peak_memory_bytes"],
                "peak_memory_bytes_with_statistics": result.get("whole_memory"),
                "flops_per_epoch": work.operations_per_epoch,
                "fraction_of_ceiling": _fraction(rate, rates, "square"),
                "fraction_of_products": _fraction(rate, rates, "products"),
                "ratio_to_keras_fit": 1.0 if name == "keras-fit" else ratios.get("keras-fit"),
                "ratios": ratios,
                "losses": result["losses"],
                "same_work": _agrees(result["losses"], losses),
            }
        )
    return rows


def _fraction(rate: float, rates: list[dict[str, Any]], what: str) -> float | None:
    return rate / rates[0][what] if rates and rates[0][what] else None


def _agrees(losses: list[float], others: dict[str, list[float]]) -> bool:
    """Whether the losses are those that most engines came to: their median, for each replica.

    By the median over the replicas: rounding can carry one of them far in a call, but another
    order of the samples or another loss shows in all of them.
    """
    middle = [statistics.median(each) for each in zip(*others.values(), strict=True)]
    apart = [abs(loss - usual) / usual for loss, usual in zip(losses, middle, strict=True)]
    return statistics.median(apart) <= _LOSS_TOLERANCE


class _Failed(Exception):
    """A worker ended before it answered."""


class _Worker:
    """A process of `benchmark_worker`; its first answer says what it is."""

    def __init__(self, process: subprocess.Popen, errors: Any) -> None:
        self._process, self._errors = process, errors

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request. Raises _Failed."""
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise _Failed(self._last_words()) from None
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next answer. Raises _Failed."""
        line = self._process.stdout.readline()
        if not line:
            raise _Failed(self._last_words())
        return json.loads(line)

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"ended with code {code}: {lines[-1] if lines else 'no message'}"


@contextlib.contextmanager
def _worker(module: str, keras_backend: str | None) -> Iterator[_Worker]:
    environment = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # On a GPU each takes what it needs, not all there is: there are several.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    if keras_backend is not None:
        environment["KERAS_BACKEND"] = keras_backend
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "repro.bench.worker", module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            env=environment,
        )  # fmt: skip
        try:
            yield _Worker(process, errors)
        finally:
            process.kill()  # it keeps nothing that could be lost
            process.communicate()


def _checked_works(
    widths: Sequence[int],
    replicas: Sequence[int],
    engines: Sequence[str],
    dataset: str,
    synthetic: bool,
    batch_size: int,
    steps: int | None,
) -> list[Workload]:
    for name in engines:
        if name not in ENGINES:
            raise ReproError(f"engines must be among {', '.join(ENGINES)}, not {name!r}.")
    for name, values in (("widths", widths), ("replicas", replicas), ("engines", engines)):
        if not values or len(set(values)) < len(values):
            raise ReproError(f"{name} must name at least one, and none twice.")
    for number in replicas:
        _check_count("replicas", number)
    if steps is not None:
        _check_count("steps", steps)
    if dataset not in datasets.NAMES:
        raise ReproError(f"dataset must be one of {', '.join(datasets.NAMES)}, not {dataset!r}.")
    works = []
    for width in widths:
        Experiment(dataset, width, 1, batch_size=batch_size)  # complains where it must
        for number in replicas:
            one = Workload(dataset, width, number, 1, batch_size, synthetic)
            enough = max(_FEWEST_STEPS, math.ceil(_CALL_OPERATIONS / one.operations_per_step))
            epoch = int(one.steps_per_epoch)
            if epoch == 0:
                raise ReproError(f"batch_size must be at most the samples of {dataset}.")
            chosen = min(enough if steps is None else steps, epoch)
            works.append(Workload(dataset, width, number, chosen, batch_size, synthetic))
    if not synthetic:
        datasets.load(dataset)  # fetched and prepared once, complains where it must
    return works


def _check_count(name: str, value: int) -> None:
    if not 1 <= value <= _MOST:
        raise ReproError(f"{name} must be a whole number from 1 to {_MOST}, not {shown(value)}.")
