"""What was measured on a GPU, and how fast the published runs were that one trained."""

import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from repro import paper, sealed_json
from repro.bench.benchmark_figure import OURS
from repro.bench.workload import Workload
from repro.places import published_path
from repro.provenance import makers
from repro.store.run_file import Run

PRODUCTS = "gpu-products.json"


def gpu_aims_table(measured: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    """What was aimed for on a GPU, and what is measured or follows from it.

    Parameters
    ----------
    measured:
        The JSON of `repro bench` on HASYv2, with ten replicas, by the kernels of the products.

    Returns
    -------
    Columns ``aim``, ``kernels``, ``wanted``, ``value``, ``reached``. The time of Figure 2c follows
    from its operations at the rate of the widest network measured; narrower ones do not reach that.
    """
    lines = []

    def line(aim: str, kernels: str, wanted: float, value: float, reached: bool) -> None:
        row = {"aim": aim, "kernels": kernels, "wanted": wanted, "value": value, "reached": reached}
        lines.append(row)

    for kernels, each in measured.items():
        ours = [row for row in each["rows"] if row["engine"] in OURS and row["replicas"] == 10]
        for row in ours:
            aim, share = f"share of the ceiling, width {row['width']}", row["fraction_of_ceiling"]
            line(f"{aim}, 10 replicas", kernels, 0.6, share, share >= 0.6)
        widest = max(ours, key=lambda row: row["width"])
        rate = widest["flops_per_epoch"] / widest["seconds_per_epoch_with_statistics"]
        minutes = figure_2c_operations() / rate / 60
        aim = "minutes at most for all of Figure 2c, at the rate of the widest"
        line(aim, kernels, 30.0, minutes, minutes < 30)
    return pd.DataFrame(lines)


def figure_2c_operations() -> float:
    """Floating-point operations of the products of Figure 2c: every width, ten replicas."""
    return sum(
        Workload(paper.DATASET, width, 10, 1).operations_per_epoch * paper.EPOCHS
        for width in paper.FIGURE_2_WIDTHS
    )


def products_table(measured: Mapping[str, Any]) -> pd.DataFrame:
    """Ways to make the products of a step faster, beside float32's own.

    Parameters
    ----------
    measured:
        As `published_products` gives it: so many steps were trained five times each way.

    Returns
    -------
    Columns ``products`` (JAX's name of their precision), ``classes``, ``us/step`` (the median),
    ``TFLOP/s`` and ``of ceiling %`` at that time, counting what the dataset's own classes need, and
    ``error``: of one product, relative to that in float64.
    """
    work = Workload(measured["dataset"], measured["width"], measured["replicas"], 1)
    lines = []
    for row in measured["rows"]:
        seconds = statistics.median(row["seconds_per_step"])
        rate = work.operations_per_step / seconds
        lines.append(
            {
                "products": row["precision"], "classes": row["classes"], "us/step": 1e6 * seconds,
                "TFLOP/s": rate / 1e12, "of ceiling %": 100 * rate / measured["square"],
                "error": row["error"],
            }
        )  # fmt: skip
    return pd.DataFrame(lines)


def published_products() -> dict[str, Any]:
    """What was tried of the products of a step on a GPU, by the published results."""
    return sealed_json.read(published_path() / PRODUCTS)


def accelerated_table(runs: Sequence[Run]) -> pd.DataFrame:
    """How fast the published runs were that an accelerator trained from beginning to end.

    Returns
    -------
    A line for each program that ran: ``runs`` it trained together, ``s/epoch`` (of all of them,
    with the test set, the statistics and what is written) and ``TFLOP/s``.
    """
    found: dict[tuple[str, str], list[Run]] = {}
    for run in _accelerated(runs):
        found.setdefault((run.experiment.digest, run.made["started"]), []).append(run)
    lines = []
    for group in found.values():
        if len(group) < group[0].made["trained_together"]:
            continue  # others of its program were finished elsewhere
        experiment, epochs = group[0].experiment, group[0].epochs
        seconds = max(run.made["wall_seconds"] for run in group) / epochs
        lines.append(
            {
                "device": str(group[0].made["device"]), "dataset": experiment.dataset,
                "width": experiment.width, "mark": experiment.mark or "",
                "pixels": experiment.pixels, "runs": len(group), "epochs": epochs,
                "s/epoch": seconds, "TFLOP/s": _operations(group) / epochs / seconds / 1e12,
            }
        )  # fmt: skip
    return pd.DataFrame(lines)


def sessions_table(runs: Sequence[Run]) -> pd.DataFrame:
    """What programs side by side did together: the runs of `accelerated_table` by their time.

    Runs belong to one session where their times overlap. What was finished elsewhere is counted,
    but not what the session did of it: the more there is, the lower a bound its rate is.

    Returns
    -------
    Columns ``device``, ``begun``, ``runs``, ``elsewhere`` (runs begun there and finished
    elsewhere), ``minutes`` (from the first start, compiling included, to the last end),
    ``TFLOP/s`` of the runs, ``figure_2c_minutes``: how long all of Figure 2c takes at that rate.
    The last two are NaN where more was finished elsewhere than there: such a bound says nothing.
    """
    sessions: list[list[Run]] = []
    left = [run for run in runs if len(_devices(run)) > 1]
    for run in sorted(_accelerated(runs), key=lambda run: run.made["started"]):
        if not sessions or run.made["started"] > max(one.made["finished"] for one in sessions[-1]):
            sessions.append([])
        sessions[-1].append(run)
    lines = []
    for group in sessions:
        begun = min(run.made["started"] for run in group)
        ended = max(run.made["finished"] for run in group)
        elsewhere = [run for run in left if begun <= run.made["started"] <= ended]
        seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
        told = _operations(group) >= _operations(elsewhere)
        rate = _operations(group) / seconds if told else float("nan")
        lines.append(
            {
                "device": str(group[0].made["device"]), "begun": begun[:16], "runs": len(group),
                "elsewhere": len(elsewhere), "minutes": seconds / 60, "TFLOP/s": rate / 1e12,
                "figure_2c_minutes": figure_2c_operations() / rate / 60,
            }
        )  # fmt: skip
    return pd.DataFrame(lines)


def _accelerated(runs: Sequence[Run]) -> list[Run]:
    """Those that an accelerator trained alone, from beginning to end."""
    alone = [run for run in runs if len(_devices(run)) == 1]
    return [run for run in alone if not _devices(run)[0].startswith("CPU")]


def _devices(run: Run) -> list[str]:
    return makers(str(run.made.get("device", "")))


def _operations(runs: Sequence[Run]) -> float:
    """Floating-point operations of the products of their training."""
    return sum(
        Workload(each.dataset, each.width, 1, 1).operations_per_epoch * run.epochs
        for run in runs
        for each in [run.experiment]
    )
