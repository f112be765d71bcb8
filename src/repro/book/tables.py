"""One table per figure: the paper's value, ours, and the difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import dataset_label, epochs_of, making, setting, width_of
from repro.analysis.intervals import mean_and_deviation
from repro.analysis.joint import GLOROT_LIMIT, conditional_quantiles, joint_counts, strip
from repro.analysis.marks import contrast_of_run
from repro.analysis.regimes import happened
from repro.paper import Reading

COMPARISON = (
    "theirs",
    "ours",
    "theirs_value",
    "ours_value",
    "difference_percent",
    "difference_in_errors",
    "remark",
)
"""Columns of every table: both values as text and as numbers, ours less theirs in per cent of
theirs and (where the paper gives one) in units of its error bar, and what else is to be said."""

EPOCH_QUANTITIES = (
    "epoch_of_minimum_train_loss",
    "divergence_epoch",
    "epoch_of_minimum_test_loss",
)
LOSS_QUANTITIES = ("minimum_train_loss", "minimum_test_loss")
FIGURE_3_QUANTILES = (0.02, 0.25, 0.5, 0.75, 0.98)


def table_1(stable: xr.Dataset, unstable: xr.Dataset, replica: int = 0) -> pd.DataFrame:
    """Figure 1 in numbers: what was read off its two panels, and the same of our runs.

    Parameters
    ----------
    stable, unstable:
        Runs of marked networks; compared with the paper only at its own widths (512 and 256) and
        on HASYv2.
    replica:
        The number of the replica.

    Returns
    -------
    Columns ``panel``, ``quantity`` and those of ``COMPARISON``; losses in nats.
    """
    rows = []
    for panel, run in (("a", stable), ("b", unstable)):
        one = run.sel(replica=[replica])
        summary = regimes.summary(one).isel(replica=0)
        train = one["train_loss"].isel(replica=0)
        test = one["test_loss"].isel(replica=0)
        contrast = contrast_of_run(one).isel(replica=0)
        name = "stable" if panel == "a" else "unstable"
        wanted = paper.STABLE_WIDTH if panel == "a" else paper.UNSTABLE_WIDTH
        same = width_of(run) == wanted and setting(run, "dataset") == paper.DATASET
        ours: dict[str, float] = {}
        if panel == "a":
            ours["final_train_loss"] = _at(train, paper.EPOCHS)
            ours["minimum_test_loss"] = float(summary["minimum_test_loss"])
            ours["epoch_of_minimum_test_loss"] = float(summary["epoch_of_minimum_test_loss"])
            ours["final_test_loss"] = _at(test, paper.EPOCHS)
        else:
            ours["train_loss_at_200"] = _at(train, 200)
            ours["divergence_epoch"] = float(summary["divergence_epoch"])
            ours["plateau_level"] = float(summary["plateau_level"])
        ours["minimum_train_loss"] = float(summary["minimum_train_loss"])
        ours["epoch_of_minimum_train_loss"] = float(summary["epoch_of_minimum_train_loss"])
        for epoch in contrast["matrix_epoch"].values:
            if int(epoch) in (*paper.MATRIX_EPOCHS[wanted], epochs_of(run)):
                ours[f"mark_contrast_at_{epoch}"] = float(contrast.sel(matrix_epoch=epoch))
        for quantity, value in ours.items():
            theirs = paper.FIGURE_1.get(f"{name}_{quantity}") if same else None
            beyond = epochs_of(run) if quantity == "divergence_epoch" else None
            rows.append(
                {"panel": panel, "quantity": quantity}
                | compare(theirs, value, not_by=beyond if np.isnan(value) else None)
            )
    return pd.DataFrame(rows, columns=["panel", "quantity", *COMPARISON])


def table_2(datasets: Mapping[int, xr.Dataset]) -> pd.DataFrame:
    """Figures 2c and 2d in numbers, width by width.

    Parameters
    ----------
    datasets:
        Runs by width; compared with the paper only on HASYv2.

    Returns
    -------
    Columns ``width``, ``quantity``, ``runs`` (replicas), ``ours_deviation`` (standard deviation
    over them, NaN for one) and those of ``COMPARISON``. Epochs that had not come by the end of
    more than half of the runs are told as a lower bound, and have no number.
    """
    rows = []
    for width in sorted(datasets):
        run = datasets[width]
        summary = regimes.summary(run)
        for quantity in (*EPOCH_QUANTITIES, *LOSS_QUANTITIES):
            theirs = paper.read(quantity, width, str(setting(run, "dataset")))
            values = summary[quantity].to_numpy().astype(float)
            if quantity in EPOCH_QUANTITIES:
                values = happened(summary, quantity)
            mean, deviation = mean_and_deviation(values)
            absent = int(np.isnan(values).sum())
            too_many = absent > 0.5 * len(values)
            row = compare(
                theirs,
                np.nan if too_many else mean,
                deviation=deviation,
                not_by=epochs_of(run) if too_many else None,
            )
            if absent and not too_many:
                row["remark"] = f"{absent} of {len(values)} runs not by epoch {epochs_of(run)}"
            rows.append(
                {
                    "width": width,
                    "quantity": quantity,
                    "runs": len(values),
                    "ours_deviation": np.nan if too_many else deviation,
                }
                | row
            )
    return pd.DataFrame(rows, columns=["width", "quantity", "runs", "ours_deviation", *COMPARISON])


def table_3(
    dataset: xr.Dataset,
    layer: str = "hidden_hidden",
    epoch: int | None = None,
    *,
    replica: int | None = None,
) -> pd.DataFrame:
    """Figure 3 in numbers: quantiles of the final weight in three strips of initial weights.

    Parameters
    ----------
    dataset, layer, epoch, replica:
        As for :func:`repro.figures.figure_3.figure_3`.

    Returns
    -------
    Columns ``initial_weight``, ``quantile`` and those of ``COMPARISON``, whose values are weights.
    """
    number = int(dataset["replica"][0]) if replica is None else replica
    counts = joint_counts(dataset, layer, epoch, number)
    unit = float(dataset["glorot_std"].sel(layer=layer))
    initial = dataset["initial_edge"].to_numpy().astype(float) * unit
    final = dataset["final_edge"].to_numpy().astype(float) * unit
    same = (
        width_of(dataset) == paper.FIGURE_3_WIDTH
        and setting(dataset, "dataset") == paper.DATASET
        and layer == "hidden_hidden"
        and int(counts["joint_epoch"]) == paper.EPOCHS
    )
    outer = paper.OUTER_STRIP_SHARE * GLOROT_LIMIT * unit
    rows = []
    for place, in_paper in zip((-outer, 0.0, outer), paper.FIGURE_3_STRIPS, strict=True):
        links = strip(counts, initial, place)
        values = conditional_quantiles(links[None, :], final, FIGURE_3_QUANTILES)[:, 0]
        for quantile, value in zip(FIGURE_3_QUANTILES, values, strict=True):
            theirs = paper.FIGURE_3.get((in_paper, quantile)) if same else None
            row = compare(theirs, float(value) if np.isfinite(value) else np.nan)
            if np.isinf(value):  # in the outermost bin, which has no edge
                side, edge = ("> ", final[-2]) if value > 0 else ("< ", final[1])
                row |= {"ours": f"{side}{edge:.3g}", "remark": "beyond the bins"}
            rows.append({"initial_weight": place, "quantile": quantile} | row)
    return pd.DataFrame(rows, columns=["initial_weight", "quantile", *COMPARISON])


def run_table(datasets: Mapping[int, xr.Dataset]) -> pd.DataFrame:
    """The runs of a page: what each is of, how long it is, and what it was made on.

    One row per width; where its replicas differ in the making, all that occurs is named.
    """
    rows = []
    for width, dataset in datasets.items():
        row: dict[str, Any] = {"dataset": dataset_label(dataset), "width": width}
        row |= {"replicas": dataset.sizes["replica"], "epochs": epochs_of(dataset)}
        row |= {name: setting(dataset, name) for name in ("loss", "pixels")}
        rows.append(row | making([dataset]))
    return pd.DataFrame(rows).set_index("width")


def by_dataset(
    table: Callable[[Mapping[int, xr.Dataset]], pd.DataFrame],
    datasets: Mapping[str, Mapping[int, xr.Dataset]],
) -> pd.DataFrame:
    """One table of the runs of several datasets (by name), one below the other."""
    of_label = {dataset_label(next(iter(runs.values()))): runs for runs in datasets.values()}
    whole = pd.concat({label: table(runs) for label, runs in of_label.items()}, names=["dataset"])
    return whole.drop(columns="dataset", errors="ignore")


def regime_table(datasets: Mapping[int, xr.Dataset]) -> pd.DataFrame:
    """What became of each run (`regimes.summary`), one row per width and replica, rounded."""
    rows = []
    for width, dataset in datasets.items():
        summary = regimes.summary(dataset)
        for replica in summary["replica"].values:
            one = summary.sel(replica=replica)
            rows.append(
                {
                    "width": width,
                    "replica": int(replica),
                    "epochs": epochs_of(dataset),
                    "regime": str(one["regime"].item()),
                    "minimum train loss": f"{float(one['minimum_train_loss']):.3g}",
                    "at epoch": int(one["epoch_of_minimum_train_loss"]),
                    "minimum test loss": f"{float(one['minimum_test_loss']):.3g}",
                    "at epoch ": int(one["epoch_of_minimum_test_loss"]),
                    "diverged at epoch": _whole_or_none(one["divergence_epoch"]),
                    "plateau": _number_or_none(one["plateau_level"]),
                }
            )
    return pd.DataFrame(rows).set_index(["width", "replica"])


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """A table of comparison as a page shows it: texts and rounded differences alone.

    The first two columns (what a row is of) become the index; columns that say nothing, or what
    the texts have already, are left out.
    """
    told = ["theirs_value", "ours_value", "ours_deviation"]
    kept = table.drop(columns=told, errors="ignore")
    for name, digits in (("difference_percent", 0), ("difference_in_errors", 1)):
        kept[name] = [_number_or_none(value, f"+.{digits}f") for value in table[name]]
    renamed = {"difference_percent": "difference, %", "difference_in_errors": "in error bars"}
    kept = kept.rename(columns=renamed).rename(columns=lambda name: name.replace("_", " "))
    if "quantity" in kept:
        kept["quantity"] = kept["quantity"].str.replace("_", " ")
    kept = kept.astype(object).fillna("").set_index(list(kept.columns[:2]))
    return kept.loc[:, (kept != "").any()]


def readable(table: pd.DataFrame, index: Sequence[str], digits: int = 3) -> pd.DataFrame:
    """A table as a page shows it: numbers to so many significant digits, nothing for none.

    The columns of ``index``, which say what a row is of, stand at its left.
    """

    def text(value: Any) -> str:
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        if isinstance(value, float | np.floating):
            return "" if np.isnan(value) else f"{float(f'{value:.{digits}g}'):g}"
        return "" if value is None else str(value)

    return table.astype(object).map(text).set_index(list(index))


def _whole_or_none(value: Any) -> str:
    return "" if np.isnan(float(value)) else str(int(value))


def _number_or_none(value: Any, form: str = ".3g") -> str:
    return "" if np.isnan(float(value)) else format(float(value), form)


def compare(
    theirs: Reading | None,
    ours: float,
    *,
    deviation: float = float("nan"),
    not_by: int | None = None,
) -> dict[str, Any]:
    """One row of ``COMPARISON``.

    Parameters
    ----------
    theirs:
        The paper's value, None where it gives none.
    ours:
        Our value, NaN where there is none.
    deviation:
        The standard deviation of ours, for its text.
    not_by:
        The epoch by which ours had not happened, None where it had.

    Returns
    -------
    The row. A lower bound, theirs or ours, is judged in ``remark`` and has no difference.
    """
    row: dict[str, Any] = {
        "theirs": "" if theirs is None else str(theirs),
        "ours": _text(ours, deviation, not_by),
        "theirs_value": np.nan if theirs is None else theirs.value,
        "ours_value": ours,
        "difference_percent": np.nan,
        "difference_in_errors": np.nan,
        "remark": "",
    }
    if theirs is None:
        return row
    if not_by is not None:
        if theirs.is_lower_bound:
            row["remark"] = "agrees" if not_by >= theirs.value else "our runs end earlier"
        else:
            row["remark"] = (
                "later than theirs" if not_by >= theirs.value else "our runs end earlier"
            )
    elif theirs.is_lower_bound and not np.isnan(ours):
        row["remark"] = "agrees" if ours >= theirs.value else "earlier than theirs"
    elif not np.isnan(ours):
        row["difference_percent"] = 100 * (ours - theirs.value) / abs(theirs.value)
        if theirs.error:
            row["difference_in_errors"] = (ours - theirs.value) / theirs.error
    else:
        row["remark"] = "none in ours"
    return row


def _at(curve: xr.DataArray, epoch: int) -> float:
    """A curve's value at an epoch, NaN where the run is shorter."""
    return float(curve.sel(epoch=epoch)) if epoch in curve["epoch"] else float("nan")


def _text(value: float, deviation: float, not_by: int | None) -> str:
    if not_by is not None:
        return f"not by {not_by}"
    if np.isnan(value):
        return ""
    text = f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    if np.isnan(deviation):
        return text
    return f"{text} ± {deviation:.2g}" if deviation < 100 else f"{text} ± {deviation:.0f}"
