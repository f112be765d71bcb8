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

MOST_LINES = 6
"""Single runs drawn in (a) and (b), at most."""

CURVES = (
    ("epoch_of_minimum_test_loss", "minimum test loss", style.TEST, "s"),
    ("epoch_of_minimum_train_loss", "minimum train loss", style.TRAIN, "o"),
    ("divergence_epoch", "divergence", style.DIVERGENCE, "X"),
)
"""Of the phase diagram: a quantity of `regimes.summary`, its name, colour and marker."""

LOWEST = (
    ("minimum_test_loss", "minimum test loss", style.TEST, "s"),
    ("minimum_train_loss", "minimum train loss", style.TRAIN, "o"),
)


def figure_2(
    datasets: Mapping[int, xr.Dataset], *, lines: Sequence[int] | None = None, replica: int = 0
) -> style.PageFigure:
    """Four panels on networks of several widths, all of one dataset.

    (a) train loss and (b) test loss of single runs; (c) phase diagram: width against the epochs of
    minimum train loss, minimum test loss and divergence, with the regions between them shaded; (d)
    minimum losses against width. Means and standard deviations over the replicas, filled; hollow:
    read off the paper's figure. An arrow: later than the runs' end for most.

    Parameters
    ----------
    datasets:
        Runs by width; one replica each is enough.
    lines:
        Widths drawn in (a) and (b); None for the paper's, or for up to ``MOST_LINES``.
    replica:
        Number of the single run drawn in (a) and (b); the first there is where it is missing.

    Raises
    ------
    ReproError
        For no runs, runs of several datasets, or lines that are not among them.
    """
    runs = {width: datasets[width] for width in sorted(datasets)}
    drawn = single_run_widths(list(runs)) if lines is None else list(lines)
    if missing := [width for width in drawn if width not in runs]:
        raise ReproError(
            f"There is no run of width {', '.join(map(str, missing))}: "
            f"choose lines from {', '.join(map(str, runs))}."
        )
    found = outcomes(runs.values())
    with style.styled():
        figure = style.new_figure(7.2, 7.0)
        top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.45))
        losses = top.subplots(1, 2)
        for axes, letter, which in zip(losses, "ab", ("train", "test"), strict=True):
            _losses(axes, runs, drawn, which, replica)
            style.panel_label(axes, letter, f"{which} loss, single runs")
        style.width_bar(figure=top, axes=list(losses), widths=drawn)
        diagram, lowest = bottom.subplots(1, 2, width_ratios=(1.5, 1))
        phase_diagram(diagram, found)
        style.panel_label(diagram, "c", "phase diagram")
        _lowest(lowest, found)
        style.panel_label(lowest, "d", "minimum loss")
        bottom.legend(
            handles=handles(found),
            loc="outside lower center",
            ncols=5,
            frameon=False,
            columnspacing=1.2,
        )
        first = next(iter(runs.values()))
        figure.suptitle(dataset_label(first), x=0.01, ha="left", fontsize=10)
    return figure


def outcomes(runs: Iterable[xr.Dataset]) -> pd.DataFrame:
    """A row per run: ``width``, ``replica``, ``dataset`` and the columns of `regimes.summary`.

    ``low`` says whether the run reached a low loss; an epoch is NaN where it had not come by the
    end of the run.

    Raises
    ------
    ReproError
        For no runs or runs of several datasets.
    """
    rows = [
        regimes.summary(run)
        .to_dataframe()
        .reset_index()
        .assign(
            width=width_of(run),
            dataset=str(setting(run, "dataset")),
            initial=run["train_loss"].isel(epoch=0).to_numpy(),
        )
        for run in runs
    ]
    if not rows:
        raise ReproError("Figure 2 needs at least one run.")
    table = pd.concat(rows, ignore_index=True).sort_values(["width", "replica"])
    if table["dataset"].nunique() > 1:
        names = " and ".join(sorted(table["dataset"].unique()))
        raise ReproError(f"Figure 2 shows one dataset at a time, not {names}.")
    table["low"] = table["minimum_train_loss"] < regimes.LOW_LOSS_SHARE * table["initial"]
    for quantity, at_end in regimes.AT_END.items():
        table[quantity] = table[quantity].where(~table[at_end])
    return table


def means(found: pd.DataFrame) -> pd.DataFrame:
    """What the panels (c) and (d) show of `outcomes`, width by width.

    Returns
    -------
    Columns ``width``, ``quantity``, ``ours`` (mean over the runs), ``deviation`` (their standard
    deviation, NaN for one), ``runs``, ``later_than`` (the runs' length where an epoch had not come
    by the end of more than half of them, else NaN: then the other two are NaN) and ``paper`` (a
    `paper.Reading` or None).
    """
    quantities = [name for name, *_ in (*CURVES, *LOWEST)]
    long = found.melt(["width", "epochs"], quantities, "quantity", "value")
    groups = long.groupby(["width", "quantity"])
    table = groups["value"].agg(ours="mean", deviation="std", runs="size", known="count")
    few = table.pop("known") < 0.5 * table["runs"]
    table.loc[few, ["ours", "deviation"]] = np.nan
    table["later_than"] = groups["epochs"].max().where(few)
    table = table.reset_index()
    dataset = found["dataset"].iloc[0]
    table["paper"] = [
        paper.read(quantity, width, dataset)
        for quantity, width in zip(table["quantity"], table["width"], strict=True)
    ]
    return table


def single_run_widths(widths: Sequence[int]) -> list[int]:
    """The widths drawn as single runs: the paper's where there are, else spread over all."""
    there = sorted(widths)
    of_paper = [width for width in there if width in paper.SINGLE_RUN_WIDTHS]
    if len(of_paper) > 2:
        return of_paper
    places = np.linspace(0, len(there) - 1, min(MOST_LINES, len(there)))
    return [there[round(place)] for place in places]


def phase_diagram(axes: Axes, found: pd.DataFrame) -> None:
    """Epoch (up) against width (across), as in the paper's Figure 2c, from `outcomes`."""
    longest = int(found["epochs"].max())
    table = means(found)
    _shade(axes, found, longest)
    shift = 0.007 * found["width"].max()
    for place, (quantity, *look) in enumerate(CURVES):
        theirs, ours = _readings(quantity, found, longest), table[table["quantity"] == quantity]
        _points(axes, theirs, -shift, *look, theirs=True)
        _points(axes, ours, shift, *look, theirs=False)
        for one, side in ((theirs, -shift), (ours, shift)):  # arrows side by side, not hidden
            later = one.dropna(subset=["later_than"])
            if len(later):
                axes.errorbar(
                    later["width"] + place * side, later["later_than"], yerr=0.05 * longest,
                    lolims=True, linestyle="none", color=look[1], elinewidth=1, clip_on=False,
                    zorder=3, label=f"{look[0]}, later",
                )  # fmt: skip
    axes.set(xlim=_across(found["width"]), ylim=(0, 1.08 * longest))
    axes.set(xlabel="width $N$", ylabel="epoch")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))


def handles(found: pd.DataFrame) -> list[Line2D]:
    """What the markers of the phase diagram mean."""
    named = [
        Line2D([], [], label=label, **_look(colour, marker, theirs=False))
        for _, label, colour, marker in CURVES
    ]
    if found["dataset"].iloc[0] == paper.DATASET:
        named.append(Line2D([], [], label="paper (hollow)", **_look("0.3", "o", theirs=True)))
    arrow = {"marker": r"$\uparrow$", "markersize": 9, "color": "0.3", "linestyle": "none"}
    return [*named, Line2D([], [], label="not by the end", **arrow)]


def _losses(
    axes: Axes, runs: Mapping[int, xr.Dataset], drawn: Sequence[int], which: str, replica: int
) -> None:
    """Single runs on a logarithmic loss axis, and the paper's minima of the same widths."""
    last = max(epochs_of(runs[width]) for width in drawn)
    of_paper = setting(runs[drawn[0]], "dataset") == paper.DATASET
    for width in drawn:
        run = runs[width]
        number = replica if replica in run["replica"] else int(run["replica"][0])
        colour = style.width_colour(width)
        curve = run[f"{which}_loss"].sel(replica=number)
        axes.plot(run["epoch"], curve, color=colour, label=f"$N$ = {width}", linewidth=1.1)
        epoch = paper.read(f"epoch_of_minimum_{which}_loss", width)
        loss = paper.read(f"minimum_{which}_loss", width)
        if of_paper and epoch and loss and not epoch.is_lower_bound and epoch.value <= last:
            look = style.paper_marker(markeredgecolor=colour, zorder=4)
            axes.plot(epoch.value, loss.value, **look)
    level = paper.PLATEAU_LEVEL
    if which == "train" and of_paper and last > 300:
        axes.axhspan(
            level.value - level.error, level.value + level.error, color=style.PAPER, alpha=0.4,
            linewidth=0, zorder=1,
        )  # fmt: skip
    axes.set(yscale="log", xlim=(0, last), xlabel="epoch")
    style.plain_log_axis(axes.yaxis)


def _readings(quantity: str, found: pd.DataFrame, longest: float = np.inf) -> pd.DataFrame:
    """The paper's values of a quantity, in the columns of `means`; none of another dataset."""
    there = paper.FIGURE_2[quantity] if found["dataset"].iloc[0] == paper.DATASET else {}
    rows = [
        {
            "width": width,
            "ours": np.nan if one.is_lower_bound else one.value,
            "deviation": np.nan if one.error is None else one.error,
            "later_than": one.value if one.is_lower_bound else np.nan,
        }
        for width, one in there.items()
        if one is not None and one.value <= longest
    ]
    return pd.DataFrame(rows, columns=["width", "ours", "deviation", "later_than"])


def _points(
    axes: Axes,
    table: pd.DataFrame,
    shift: float,
    label: str,
    colour: str,
    marker: str,
    *,
    theirs: bool,
) -> None:
    """Means with their standard deviations, joined."""
    look = _look(colour, marker, theirs=theirs)
    there = table.dropna(subset=["ours"]).sort_values("width")
    if len(there):
        look["linestyle"] = (0, (3, 2)) if theirs else "-"
        axes.errorbar(
            there["width"] + shift, there["ours"], yerr=there["deviation"].fillna(0),
            elinewidth=1, capsize=2, linewidth=1, zorder=3 if theirs else 4, 
            label=f"{label}, paper" if theirs else label, **look,
        )  # fmt: skip


def _look(colour: str, marker: str, *, theirs: bool) -> dict[str, Any]:
    """The look of means: ours filled, the paper's hollow."""
    return {
        "marker": marker, "color": colour, "linestyle": "none", "markersize": 5.5,
        "markerfacecolor": "white" if theirs else colour,
        "markeredgecolor": colour if theirs else "white", "markeredgewidth": 1 if theirs else 0.5,
    }  # fmt: skip


def _across(widths: pd.Series) -> tuple[float, float]:
    return 0, 1.04 * widths.max()


def _shade(axes: Axes, found: pd.DataFrame, longest: int) -> None:
    """Low trainability, high trainability and, after the divergence, untrainability.

    The mean divergence epoch (the runs' length where there is none) and the share of runs that
    reach a low loss are interpolated between widths; what is not decided yet stays blank.
    """
    decided = found[found["regime"] != "undecided"]
    if decided["width"].nunique() < 2:
        return
    limit = decided["divergence_epoch"].fillna(longest).groupby(decided["width"]).mean()
    low = decided["low"].groupby(decided["width"]).mean()
    across = np.linspace(limit.index[0], limit.index[-1], 400)
    up = np.interp(across, limit.index, limit)
    weak = np.interp(across, low.index, low) < 0.5
    lost = up < 0.999 * longest
    for name, colour, bottom, top, here in (
        ("high trainability", style.HIGH_TRAINABILITY, 0 * up, up, ~weak),
        ("low trainability", style.LOW_TRAINABILITY, 0 * up, up, weak),
        ("untrainability", style.UNTRAINABILITY, up, 0 * up + longest, lost),
    ):
        if here.any():
            until = here | np.append(here[1:], False)  # no gap to the neighbouring region
            axes.fill_between(across, bottom, top, where=until, color=colour, lw=0, zorder=0)
            _name_region(axes, across, bottom, np.where(here, top, bottom), name)


def _name_region(axes: Axes, across: Any, bottom: Any, top: Any, name: str) -> None:
    """The region's name where it is highest, upright where it is narrow."""
    height = top - bottom
    wide = np.flatnonzero(height > 0.85 * height.max())
    narrow = np.ptp(across[wide]) < 0.3 * np.ptp(across)
    at = int(np.quantile(wide, 0.65))
    axes.text(
        across[at], (top[at] + bottom[at]) / 2, name, ha="center", va="center", fontsize=8.5,
        color="0.35", style="italic", zorder=1, rotation=90 * narrow,
    )  # fmt: skip


def _lowest(axes: Axes, found: pd.DataFrame) -> None:
    """Mean lowest losses against width."""
    table = means(found)
    for quantity, label, colour, marker in LOWEST:
        _points(axes, _readings(quantity, found), 0, label, colour, marker, theirs=True)
        ours = table[table["quantity"] == quantity]
        _points(axes, ours, 0, label, colour, marker, theirs=False)
    axes.set(yscale="log", xlim=_across(found["width"]), xlabel="width $N$")
    axes.margins(y=0.1)
    style.plain_log_axis(axes.yaxis)
