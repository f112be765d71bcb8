"""How far weights move, by width and by their initial size: claims 1, 4, 5 and 7."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm

from repro.analysis import evidence
from repro.analysis.captions import width_of
from repro.claims import large, wider
from repro.figures import style

DEVIATIONS = {
    "deviation_std": "deviation (standard deviation of $d$)",
    "relative_deviation": "relative deviation",
}
UPDATES = {
    "outward": r"outward: mean of sign$(w_i)\,(w_f - w_i)$",
    "size": "size: mean of $|w_f - w_i|$",
}


@style.styled()
def near_figure(runs: Sequence[xr.Dataset]) -> style.PageFigure:
    """Deviation of unmarked runs, and correlation with their start, over epochs and at the end."""
    plain = evidence.unmarked(runs)
    if not plain:
        return style.nothing_to_draw("no unmarked run")
    curves, ends = style.curves_of(plain, *style.NEARNESS), style.ends_of(plain)
    figure, panels = style.panels(5.2, 2, sharex="col", sharey="row", width_ratios=(2, 1))
    for (over, at_end), name, letter in zip(panels, style.NEARNESS, "bd", strict=True):
        style.draw_lines(over, curves, "epoch", name)
        style.draw_points(at_end, ends, name)
        over.set_ylabel(style.NEARNESS[name])
        style.panel_label(at_end, letter, "at the end")
    style.plain_log_axis(panels[0, 0].yaxis)
    over.set(xlim=(1, max(curves["epoch"].max(), 2)), xlabel="epoch")
    over.set_ylim(min(-0.05, ends["weight_correlation"].min()), 1.03)
    style.plain_log_axis(over.xaxis)
    at_end.legend(handles=style.regime_handles(ends), loc="best")
    style.width_bar(figure, panels, ends["width"])
    return figure


def near_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Strong unmarked runs of the paper's length at their end: means by width."""
    strong = evidence.unmarked(evidence.of_regime(evidence.complete(runs), "strong"))
    columns = {
        "runs": ("run", "size"), "relative deviation": ("relative_deviation", "mean"),
        "correlation": ("weight_correlation", "mean"),
    }  # fmt: skip
    return style.ends_of(strong).groupby("width", as_index=False).agg(**columns)


def at_losses(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """``DEVIATIONS`` of unmarked runs at the first epoch at or below each chosen loss."""
    rows = [
        (width_of(run), share, *(wider.deviation_at(run, share, name) for name in DEVIATIONS))
        for run in evidence.unmarked(runs)
        for share in wider.LOSS_SHARES
        if wider.first_crossing(run, share) is not None
    ]
    return pd.DataFrame(rows, columns=["width", "loss", *DEVIATIONS])


@style.styled()
def wider_figure(runs: Sequence[xr.Dataset]) -> style.PageFigure:
    """Deviation (a) and relative deviation (b) at the first crossing of a loss, against width.

    Medians over the runs of a width, from the least to the most.
    """
    table = at_losses(runs)
    if table.empty:
        return style.nothing_to_draw("no run reaches a chosen loss")
    norm = LogNorm(min(wider.LOSS_SHARES), max(wider.LOSS_SHARES))
    figure, [panels] = style.panels(3.6, sharex=True)
    for axes, (name, words) in zip(panels, DEVIATIONS.items(), strict=True):
        sns.lineplot(
            table, x="width", y=name, hue="loss", palette="viridis", hue_norm=norm,
            estimator="median", errorbar=("pi", 100), err_style="bars", marker="o",
            markersize=4, markeredgewidth=0, linewidth=1, err_kws={"linewidth": 0.8},
            legend=False, ax=axes,
        )  # fmt: skip
        axes.set(xlabel="width $N$", ylabel=words)
    ends = np.array([table["width"].min(), table["width"].max()])
    spread = 0.8 * table["deviation_std"].min() * np.sqrt(ends.max() / ends)
    panels[0].plot(ends, spread, color="0.45", linewidth=0.9, linestyle="--")
    panels[0].text(0.03, 0.03, r"dashed: $1/\sqrt{N}$", transform=panels[0].transAxes)
    for axes in panels:
        style.plain_log_axis(axes.xaxis)
        style.plain_log_axis(axes.yaxis)
    bar = figure.colorbar(ScalarMappable(norm, "viridis"), ax=panels, pad=0.02, aspect=30)
    bar.set_label("train loss / initial loss")
    style.plain_log_axis(bar.ax.yaxis)
    return figure


def exponent_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Loss by loss: the exponents of the dependence on width, and how probable by chance."""
    whole = evidence.in_order(evidence.unmarked(evidence.complete(runs)))
    table = at_losses(whole)
    rows = []
    for share in wider.losses_reached(whole):
        here = table[table["loss"] == share]
        widths = here["width"].tolist()
        both = [wider.exponent(widths, here[[name]].to_numpy(), [0]) for name in DEVIATIONS]
        chance = wider.falls_by_chance(widths, here["deviation_std"])
        rows.append((share, len(here), *both, chance))
    return pd.DataFrame(rows, columns=["loss", "runs", "exponent", "relative", "chance"])


def updates_by_size(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Mean ``UPDATES`` of unmarked runs with joint counts, by initial size of the weight."""
    columns = ["run", "width", "initial", *UPDATES]
    parts = []
    for number, run in enumerate(filter(large.has_final_counts, evidence.unmarked(runs))):
        found = large.updates_of_run(run)
        row = {"run": number, "width": width_of(run)}
        parts.append(pd.DataFrame(row | {name: getattr(found, name) for name in columns[2:]}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


@style.styled()
def large_figure(runs: Sequence[xr.Dataset]) -> style.PageFigure:
    """Outward update (a) and size (b) of the update against the initial size of the weight."""
    table = updates_by_size(runs)
    if table.empty:
        return style.nothing_to_draw("no unmarked run with joint counts")
    figure, [panels] = style.panels(3.3)
    panels[0].axhline(0, color="0.6", linewidth=0.8, linestyle="--", zorder=1)
    for axes, (name, words) in zip(panels, UPDATES.items(), strict=True):
        sns.lineplot(
            table, x="initial", y=name, hue="width", palette=style.colours(table["width"]),
            errorbar="sd", err_kws={"linewidth": 0}, legend=False, ax=axes,
        )  # fmt: skip
        axes.set(xlim=(0, np.sqrt(3)), xlabel="$|w_i|$ / Glorot standard deviation", ylabel=words)
    panels[1].set_ylim(bottom=0)
    style.width_bar(figure, panels, table["width"])
    return figure


def slope_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """The slopes of both ``UPDATES`` of unmarked runs with joint counts, by regime and width."""
    rows = []
    for run in filter(large.has_final_counts, evidence.unmarked(runs)):
        found = large.updates_of_run(run)
        slopes = [large.slope(found.initial, getattr(found, n), found.weights) for n in UPDATES]
        rows.append((evidence.regime_of(run), width_of(run), *slopes, found.open_share))
    table = pd.DataFrame(rows, columns=["regime", "width", *UPDATES, "beyond bins"])
    columns = {"runs": ("outward", "size"), "outward": ("outward", "mean"),
               "± outward": ("outward", "std"), "size": ("size", "mean"), "± size": ("size", "std"),
               "beyond bins": ("beyond bins", "mean")}  # fmt: skip
    return table.groupby(["regime", "width"], as_index=False, sort=False).agg(**columns)
