"""Regimes by width, and how far our values lie from the paper's: claim 6."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.ticker import NullLocator

from repro import paper
from repro.analysis import evidence
from repro.analysis.captions import setting
from repro.analysis.regimes import LOW_LOSS_SHARE
from repro.claims.regimes import RANKS, boundaries, comparisons
from repro.figures import style


@style.styled()
def regimes_figure(runs: Sequence[xr.Dataset]) -> style.PageFigure:
    """(a) lowest and (b) final train loss of every unmarked run, as shares of the initial loss."""
    ends = style.ends_of(evidence.unmarked(runs))
    if ends.empty:
        return style.nothing_to_draw("no unmarked run")
    figure, [panels] = style.panels(3.3, sharey=True)
    for axes, letter, name in zip(panels, "ab", ("lowest", "final"), strict=True):
        style.draw_points(axes, ends, name)
        axes.axhline(LOW_LOSS_SHARE, color="0.45", linewidth=0.8, linestyle="--", zorder=1)
        cuts = np.clip([0, *regime_boundaries(ends), np.inf], 0, axes.get_xlim()[1])
        for shade, low, high in zip(style.REGIONS.values(), cuts, cuts[1:], strict=False):
            axes.axvspan(low, high, color=shade, alpha=0.6, linewidth=0, zorder=0)
        axes.set_ylabel("train loss / initial loss")
        style.panel_label(axes, letter, name)
        style.plain_log_axis(axes.yaxis)
    figure.legend(handles=style.regime_handles(ends), loc="outside lower center", ncols=4)
    return figure


@style.styled()
def agreement_figure(runs: Sequence[xr.Dataset]) -> style.PageFigure:
    """Ours less the paper's (`agreement_table`) in error bars; inside the band the two agree."""
    table = agreement_table(runs).dropna(subset="difference")
    if table.empty:
        return style.nothing_to_draw("no value of the paper to compare with")
    table["errors"] = table["difference"] / table["allowed"]
    table["quantity"] = table["quantity"].str.replace("_", " ")
    figure = style.new_figure(style.PAGE_WIDTH, 3.2)
    axes = figure.subplots()
    axes.axhspan(-1, 1, color="0.9", zorder=0)
    sns.scatterplot(
        table, x="width", y="errors", hue="quantity", style="quantity", palette="colorblind", s=40,
        ax=axes,
    )  # fmt: skip
    axes.set_yscale("symlog", linthresh=1)
    axes.yaxis.set_major_formatter("{x:+g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="width $N$", ylabel="difference / error bars")
    sns.move_legend(axes, "lower left", bbox_to_anchor=(0, 1), ncols=3, title=None)
    return figure


def agreement_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Every value read off Figures 2c and 2d at a width we have, beside ours (`comparisons`)."""
    whole = evidence.unmarked(evidence.complete(runs))
    return comparisons([run for run in whole if setting(run, "dataset") == paper.DATASET])


def regime_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """By width: unmarked runs of each regime, and the epoch of divergence beside the paper's."""
    ends = style.ends_of(evidence.unmarked(runs))
    counts = pd.crosstab(ends["width"], ends["regime"])
    counts = counts[[name for name in (*RANKS, "undecided") if name in counts]].reset_index()
    counts.columns.name = None
    told = agreement_table(runs)
    told = told[told["quantity"] == "divergence_epoch"]
    if told.empty:
        return counts
    return counts.merge(told[["width", "theirs", "ours", "difference"]], how="left", on="width")


def regime_boundaries(ends: pd.DataFrame) -> tuple[float, float]:
    """The `boundaries` of the runs of `ends_of` of the paper's length; infinite for none."""
    counted = ends[(ends["epochs"] >= paper.EPOCHS) & ends["regime"].isin(list(RANKS))]
    if counted.empty:
        return np.inf, np.inf
    return boundaries(counted["width"].tolist(), counted["regime"].map(RANKS).tolist())[:2]
