"""Regimes by width, and how far our values lie from the paper's: claim 6."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper
from repro.analysis import evidence
from repro.analysis.captions import setting, width_of
from repro.analysis.regimes import LOW_LOSS_SHARE
from repro.claims.regimes import RANKS, boundaries, comparisons
from repro.figures.figure_2 import CURVES
from repro.figures.run_lines import nothing_to_draw, points_by_width, regime_handles, width_axis
from repro.figures.style import (
    TEST,
    TRAIN,
    PageFigure,
    new_figure,
    panel_label,
    plain_log_axis,
    styled,
)

LOOKS = {
    **{
        quantity: (f"epoch of {label}", colour, marker)
        for quantity, label, colour, marker in CURVES
    },
    "minimum_train_loss": ("lowest train loss", TRAIN, "^"),
    "minimum_test_loss": ("lowest test loss", TEST, "v"),
}


def regimes_figure(runs: Sequence[xr.Dataset]) -> PageFigure:
    """(a) lowest and (b) final train loss by width, markers by regime, and the best boundaries.

    Every unmarked run; as shares of the initial loss. The dashed line is where a loss is low; the
    grey lines are the widths that part the regimes best (dotted: none of the runs that count lies
    beyond).
    """
    plain = evidence.unmarked(runs)
    if not plain:
        return nothing_to_draw("There is no unmarked run to draw.")
    with styled():
        figure = new_figure(7.2, 3.2)
        panels = figure.subplots(1, 2)
        curves = [run["train_loss"].isel(replica=0) for run in plain]
        lowest = [float(curve.min() / curve[0]) for curve in curves]
        final = [float(curve[-1] / curve[0]) for curve in curves]
        for axes, values, words in zip(panels, (lowest, final), ("lowest", "final"), strict=True):
            points_by_width(axes, plain, values)
            axes.axhline(LOW_LOSS_SHARE, color="0.45", linewidth=0.8, linestyle="--", zorder=1)
            width_axis(axes, [width_of(run) for run in plain])
            for boundary in _boundaries(plain):
                axes.axvline(boundary, color="0.75", linewidth=1.2, zorder=0)
            axes.set_yscale("log")
            plain_log_axis(axes.yaxis)
            axes.set_ylabel(f"{words} train loss / initial loss")
        panel_label(panels[0], "a", "does it reach a low loss?")
        panel_label(panels[1], "b", "does it keep it?")
        figure.legend(handles=regime_handles(plain), loc="outside lower center", ncols=5)
    regimes_of = ", ".join(f"{width_of(run)} {evidence.regime_of(run)}" for run in plain)
    return figure.described(
        "regimes",
        f"{evidence.shown_in_words(plain)}. (a) Lowest and (b) final train loss, as shares of the "
        "initial loss, by width; the marker's shape is the run's regime.",
        f"Two panels of points against the width. Regimes: {regimes_of}.",
    )


def agreement_figure(runs: Sequence[xr.Dataset]) -> PageFigure:
    """Ours less the paper's in units of the error bars together, by width; within the band agrees.

    Runs of the paper's length on its dataset. Values that are limits are not drawn.
    """
    whole = evidence.unmarked(evidence.complete(runs))
    table = _table(whole).dropna(subset="difference")
    if table.empty:
        return nothing_to_draw("There is no value of the paper to compare with.")
    with styled():
        figure = new_figure(7.2, 3.0)
        axes = figure.subplots()
        axes.axhspan(-1, 1, color="0.9", zorder=0)
        axes.axhline(0, color="0.6", linewidth=0.7, zorder=1)
        for number, (quantity, (label, colour, marker)) in enumerate(LOOKS.items()):
            chosen = table[table["quantity"] == quantity]
            beside = chosen["width"] * (1 + 0.02 * (number - 2))  # side by side, not hidden
            axes.plot(
                beside, chosen["difference"] / chosen["allowed"], marker, color=colour,
                label=label, markeredgecolor="white", markeredgewidth=0.5, markersize=6.5,
            )  # fmt: skip
        axes.set_yscale("symlog", linthresh=1)
        largest = (table["difference"] / table["allowed"]).abs().max()
        axes.set_ylim(-1.6 * max(largest, 2), 1.6 * max(largest, 2))
        ticks = [t for t in (-100, -10, -1, 0, 1, 10, 100) if abs(t) < 1.6 * max(largest, 2)]
        axes.set_yticks(ticks, [f"{tick:+d}" if tick else "0" for tick in ticks])
        axes.set_yticks([], minor=True)
        width_axis(axes, list(table["width"]))
        axes.set_ylabel("difference / error bars")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure.described(
        "agreement",
        "HASYv2. Our values less those read off the paper's Figure 2, in units of the error bars "
        "together, by width; inside the band the two agree.",
        "Points against the width, a marker for each value compared, around a band at zero.",
    )


def agreement_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Every value read off Figures 2c and 2d at a width we have, beside ours, as text."""
    table = _table(evidence.unmarked(evidence.complete(runs)))
    if table.empty:
        return table
    shown = table.assign(
        quantity=table["quantity"].str.replace("_", " "),
        difference=[_text(value, "+.3g") for value in table["difference"]],
        allowed=[_text(value, ".3g") for value in table["allowed"]],
        agrees=np.where(table["agrees"], "yes", "no"),
    )
    return shown.rename(columns={"allowed": "error bars"}).set_index(["width", "quantity"])


def _table(whole: Sequence[xr.Dataset]) -> pd.DataFrame:
    of_paper = [run for run in whole if setting(run, "dataset") == paper.DATASET]
    return comparisons(of_paper)


def _boundaries(plain: Sequence[xr.Dataset]) -> list[float]:
    """Where the best boundaries lie, those that have runs on both sides."""
    whole = evidence.complete(plain)
    decided = [(width_of(run), evidence.regime_of(run)) for run in whole]
    decided = [(width, RANKS[regime]) for width, regime in decided if regime in RANKS]
    if not decided:
        return []
    found = boundaries(*zip(*decided, strict=True))
    return [b for b in (found.weak_below, found.strong_from) if np.isfinite(b)]


def _text(value: float, form: str) -> str:
    return "" if np.isnan(value) else format(value, form)
