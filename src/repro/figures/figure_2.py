"""Figure 2: loss against epoch by width, the phase diagram, and the lowest losses reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import dataset_label, epochs_of, setting, width_of
from repro.errors import ReproError
from repro.figures import style

MOST_LINES = 6  # single runs drawn in (a) and (b)
LOOKS = {
    "minimum test loss": (style.TEST, "s"),
    "minimum train loss": (style.TRAIN, "o"),
    "divergence": (style.DIVERGENCE, "X"),
}
# Quantities of `regimes.summary`, and what they are called
LOSSES = {f"minimum_{which}_loss": f"minimum {which} loss" for which in ("test", "train")}
EPOCHS = {f"epoch_of_{quantity}": name for quantity, name in LOSSES.items()}
EPOCHS["divergence_epoch"] = "divergence"


@style.styled()
def figure_2(datasets: Mapping[int, xr.Dataset]) -> style.PageFigure:
    """Four panels on networks of several widths, all of one dataset; ``datasets`` by width.

    (a) train loss and (b) test loss of single runs; (c) phase diagram: epochs of the minima and of
    divergence against width, with the regions between them shaded; (d) minimum losses. Means and
    standard deviations over the replicas, filled; hollow: read off the paper's figure. An arrow:
    later than the end of most runs. A `ReproError` for no runs or runs of several datasets.
    """
    found = outcomes(datasets.values())
    drawn = single_run_widths(list(datasets))
    figure = style.new_figure(style.PAGE_WIDTH, 7.0)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.45))
    losses, last = top.subplots(1, 2), max(epochs_of(datasets[width]) for width in drawn)
    for axes, letter, which in zip(losses, "ab", ("train", "test"), strict=True):
        for width in drawn:
            _single_run(axes, datasets[width], which)
        axes.set(xlim=(0, last), xlabel="epoch")
        style.plain_log_axis(axes.yaxis)
        style.panel_label(axes, letter, f"{which} loss, single runs")
    style.width_bar(top, list(losses), drawn)
    diagram, lowest = bottom.subplots(1, 2, width_ratios=(1.5, 1))
    phase_diagram(diagram, found)
    style.panel_label(diagram, "c", "phase diagram")
    draw_means(lowest, found, LOSSES)
    lowest.margins(y=0.1)
    style.plain_log_axis(lowest.yaxis)
    style.panel_label(lowest, "d", "minimum loss")
    bottom.legend(handles=handles(found), loc="outside lower center", ncols=3)
    figure.suptitle(dataset_label(next(iter(datasets.values()))), x=0.01, ha="left")
    return figure


def single_run_widths(widths: Sequence[int]) -> list[int]:
    """The widths drawn as single runs: the paper's where there are, else spread over all."""
    there = sorted(widths)
    of_paper = [width for width in there if width in paper.SINGLE_RUN_WIDTHS]
    if len(of_paper) > 2:
        return of_paper
    places = np.linspace(0, len(there) - 1, min(MOST_LINES, len(there)))
    return [there[round(place)] for place in places]


def _single_run(axes: Axes, run: xr.Dataset, which: str) -> None:
    """The loss curve of the first replica, with points of the paper's own run of that width."""
    width, last = width_of(run), epochs_of(run)
    colour, curve = style.width_colour(width), run[f"{which}_loss"].isel(replica=0)
    axes.plot(run["epoch"], curve, color=colour, label=f"$N$ = {width}", linewidth=1.1, zorder=3)
    if setting(run, "dataset") != paper.DATASET:
        return
    read = paper.TRAIN_LOSS.get(width, {})
    if which == "test":  # only its lowest
        at = paper.read("epoch_of_minimum_test_loss", width)
        read = {at.value: paper.read("minimum_test_loss", width)} if at else {}
    seen = [(epoch, one.value) for epoch, one in read.items() if one and epoch <= last]
    look = style.paper_marker(markeredgecolor=colour, markersize=4.5, zorder=4)
    axes.plot(*zip(*seen, strict=True), **look)


def outcomes(runs: Iterable[xr.Dataset]) -> pd.DataFrame:
    """A row per run, of one dataset: `regimes.summary`, and whether it reached a ``low`` loss."""
    rows = [
        regimes.summary(run).to_dataframe().reset_index().assign(
            width=width_of(run), dataset=str(setting(run, "dataset")),
            initial=run["train_loss"].isel(epoch=0).to_numpy(),
        )
        for run in runs
    ]  # fmt: skip
    if not rows:
        raise ReproError("The phase diagram needs at least one run.")
    table = pd.concat(rows, ignore_index=True).sort_values(["width", "replica"])
    if table["dataset"].nunique() > 1:
        names = " and ".join(sorted(table["dataset"].unique()))
        raise ReproError(f"The phase diagram shows one dataset at a time, not {names}.")
    table["low"] = table["minimum_train_loss"] < regimes.LOW_LOSS_SHARE * table["initial"]
    for quantity, at_end in regimes.AT_END.items():
        table[quantity] = table[quantity].where(~table[at_end])
    return table


def means(found: pd.DataFrame) -> pd.DataFrame:
    """The means of `outcomes` by width and quantity, and the paper's `Reading` beside them.

    ``later_than``: the runs' length where more than half of them had not come to an epoch.
    """
    long = found.melt(["width", "epochs"], [*EPOCHS, *LOSSES], "quantity", "value")
    groups = long.groupby(["width", "quantity"])
    table = groups["value"].agg(ours="mean", deviation="std", runs="size", known="count")
    few = table.pop("known") < 0.5 * table["runs"]
    table.loc[few, ["ours", "deviation"]] = np.nan
    table["later_than"] = groups["epochs"].max().where(few)
    dataset = found["dataset"].iloc[0]
    table["paper"] = [paper.read(quantity, width, dataset) for width, quantity in table.index]
    return table.reset_index()


def phase_diagram(axes: Axes, found: pd.DataFrame) -> None:
    """Epoch (up) against width (across), as in the paper's Figure 2c, from `outcomes`."""
    longest = int(found["epochs"].max())
    _shade(axes, found, longest)
    draw_means(axes, found, EPOCHS, shift=0.007 * found["width"].max())
    axes.set(ylim=(0, 1.08 * longest), ylabel="epoch")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))


def draw_means(
    axes: Axes, found: pd.DataFrame, quantities: dict[str, str], shift: float = 0.0
) -> None:
    """Means and standard deviations against width, ours and the paper's ``shift`` widths apart."""
    longest, ours = int(found["epochs"].max()), means(found)
    for place, (quantity, name) in enumerate(quantities.items()):
        for theirs, table, side in (
            (True, _readings(quantity, found, longest), -shift),
            (False, ours[ours["quantity"] == quantity], shift),
        ):
            label = f"{name}, paper" if theirs else name
            there, later = table.dropna(subset="ours"), table.dropna(subset="later_than")
            if len(there):
                look = _look(name, theirs=theirs) | {"linestyle": (0, (3, 2)) if theirs else "-"}
                axes.errorbar(
                    there["width"] + side, there["ours"], there["deviation"].fillna(0),
                    elinewidth=1, capsize=2, linewidth=1, zorder=4 - theirs, label=label, **look,
                )  # fmt: skip
            if len(later):  # arrows side by side, not hidden
                axes.errorbar(
                    later["width"] + place * side, later["later_than"], 0.05 * longest,
                    lolims=True, linestyle="none", color=LOOKS[name][0], elinewidth=1, zorder=3,
                    clip_on=False, label=f"{label}, later",
                )  # fmt: skip
    axes.set(xlim=(0, 1.04 * found["width"].max()), xlabel="width $N$")


def handles(found: pd.DataFrame) -> list[Line2D]:
    """What the markers mean, for a legend."""
    named = [Line2D([], [], label=name, **_look(name)) for name in LOOKS]
    if found["dataset"].iloc[0] == paper.DATASET:
        hollow = _look("minimum train loss", theirs=True) | {"markeredgecolor": "0.3"}
        named.append(Line2D([], [], label="paper (hollow)", **hollow))
    arrow = {"marker": r"$\uparrow$", "markersize": 9, "color": "0.3", "linestyle": "none"}
    return [*named, Line2D([], [], label="not by the end", **arrow)]


def _look(name: str, *, theirs: bool = False) -> dict[str, Any]:
    colour, marker = LOOKS[name]
    face, edge = ("white", colour) if theirs else (colour, "white")
    return {
        "marker": marker, "color": colour, "linestyle": "none", "markersize": 5.5,
        "markerfacecolor": face, "markeredgecolor": edge, "markeredgewidth": 1 if theirs else 0.5,
    }  # fmt: skip


def _readings(quantity: str, found: pd.DataFrame, longest: float) -> pd.DataFrame:
    """The paper's values of a quantity, in the columns of `means`; none of another dataset."""
    there = paper.FIGURE_2[quantity] if found["dataset"].iloc[0] == paper.DATASET else {}
    rows = [
        (width, np.nan, None, one.value) if one.is_lower_bound
        else (width, one.value, one.error, np.nan)
        for width, one in there.items()
        if one is not None and (quantity in LOSSES or one.value <= longest)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["width", "ours", "deviation", "later_than"], dtype=float)


def _shade(axes: Axes, found: pd.DataFrame, longest: int) -> None:
    """Low trainability, high trainability and, after the mean divergence, untrainability.

    Interpolated between widths; what is not decided yet stays blank.
    """
    decided = found[found["regime"] != "undecided"].fillna({"divergence_epoch": longest})
    if decided["width"].nunique() < 2:
        return
    by_width = decided.groupby("width")[["divergence_epoch", "low"]].mean()
    across = np.linspace(by_width.index[0], by_width.index[-1], 400)
    up, low = (np.interp(across, by_width.index, one) for _, one in by_width.items())
    for name, regime, bottom, top, here in (
        ("high trainability", "strong", 0 * up, up, low >= 0.5),
        ("low trainability", "weak", 0 * up, up, low < 0.5),
        ("untrainability", "unstable", up, 0 * up + longest, up < 0.999 * longest),
    ):
        if not here.any():
            continue
        until = here | np.append(here[1:], False)  # no gap to the neighbouring region
        axes.fill_between(
            across, bottom, top, where=until, color=style.REGIONS[regime], lw=0, zorder=0
        )
        height = np.where(here, top - bottom, 0)  # its name where it is highest
        wide = np.flatnonzero(height > 0.85 * height.max())
        at = int(np.quantile(wide, 0.65))
        axes.text(
            across[at], (top[at] + bottom[at]) / 2, name, ha="center", va="center", fontsize=8.5,
            color="0.3", style="italic", zorder=1,
            rotation=90 * (np.ptp(across[wide]) < 0.3 * np.ptp(across)),
        )  # fmt: skip
