"""How near strong networks end, and how well their start can be recognised: claims 1 and 7."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from repro.analysis import evidence
from repro.analysis.captions import epochs_of, width_of
from repro.analysis.marks import contrast_of_run
from repro.claims.near import (
    NEAR_AREA,
    NEAR_CORRELATION,
    NEAR_DEVIATION,
    RECOGNISABLE_AREA,
    RECOGNISABLE_CORRELATION,
    final_area,
    final_correlation,
    final_deviation,
    shuffled_scatter,
)
from repro.figures.curves import LAYER_NAMES
from repro.figures.run_lines import (
    looks,
    nothing_to_draw,
    points_by_width,
    regime_handles,
    width_axis,
)
from repro.figures.style import (
    PageFigure,
    clear_legend,
    new_figure,
    panel_label,
    plain_log_axis,
    styled,
)
from repro.model.network import JUDGED_LAYER as LAYER

LIMIT = {"color": "0.45", "linewidth": 0.8, "linestyle": "--", "zorder": 1}


def near_figure(runs: Sequence[xr.Dataset]) -> PageFigure:
    """(a) relative deviation and (b) correlation with the start, against the epoch.

    Hidden-to-hidden, every unmarked run; the limits of claims 1 and 7 are dashed.
    """
    plain = evidence.unmarked(runs)
    if not plain:
        return nothing_to_draw("There is no unmarked run to draw.")
    with styled():
        figure = new_figure(7.2, 3.3)
        left, right = figure.subplots(1, 2)
        for run, look in looks(plain):
            one = run.isel(replica=0, epoch=slice(1, None)).sel(layer=LAYER)
            left.plot(one["epoch"], one["relative_deviation"], **look)
            right.plot(one["epoch"], one["weight_correlation"], **look)
        left.axhline(NEAR_DEVIATION, **LIMIT)
        for limit in (NEAR_CORRELATION, RECOGNISABLE_CORRELATION):
            right.axhline(limit, **LIMIT)
        widest = max(shuffled_scatter(width_of(run)) for run in plain)
        right.axhspan(-widest, widest, color="0.85", zorder=0)
        _name_limit(left, NEAR_DEVIATION, "near")
        _name_limit(right, NEAR_CORRELATION, "near")
        _name_limit(right, RECOGNISABLE_CORRELATION, "recognisable")
        left.set_yscale("log")
        plain_log_axis(left.yaxis)
        left.set_ylabel("relative deviation")
        right.set_ylabel("correlation of $w(t)$ with $w_i$")
        right.set_ylim(min(-0.05, -1.2 * widest), 1.03)
        _epochs(left, right, last=max(map(epochs_of, plain)))
        panel_label(left, "a", "how far the links have moved")
        panel_label(right, "b", "how much of the start is left")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    ends = ", ".join(
        f"{width_of(run)}: {final_deviation(run):.2g} and {final_correlation(run):.2g}"
        for run in plain
    )
    return figure.described(
        "near",
        f"{evidence.shown_in_words(plain)}. Hidden-to-hidden matrix: (a) relative deviation, (b) "
        "correlation of the weights with where they started, against the epoch. Dashed: the limits "
        "of claims 1 and 7.",
        f"Two panels of lines over the epochs, a line a run. Relative deviation and correlation at "
        f"the end, by width: {ends}.",
    )


def area_figure(runs: Sequence[xr.Dataset]) -> PageFigure:
    """How well the mark can be told against the epoch, every marked run, limits dashed."""
    lettered = evidence.marked(runs)
    if not lettered:
        return nothing_to_draw("There is no marked run to draw.")
    with styled():
        figure = new_figure(7.2, 2.7)
        axes = figure.subplots()
        for run, look in looks(lettered):
            one = contrast_of_run(run.isel(replica=0))
            axes.plot(one["matrix_epoch"], one, marker="o", markersize=3.5, **look)
        for limit, name in ((NEAR_AREA, "near"), (RECOGNISABLE_AREA, "recognisable")):
            axes.axhline(limit, **LIMIT)
            _name_limit(axes, limit, name, right=True)
        axes.axhline(0.5, color="0.45", linewidth=0.8)
        _name_limit(axes, 0.5, "no trace", right=True)
        axes.set_ylim(0.45, 1.03)
        axes.set_xlim(0, 1.02 * max(map(epochs_of, lettered)))
        axes.set_xlabel("epoch")
        axes.set_ylabel("area under ROC curve")
        clear_legend(axes, loc="upper right")
    ends = ", ".join(
        f"{float(contrast_of_run(run.isel(replica=0))[-1]):.2f} at width {width_of(run)}"
        for run in lettered
    )
    return figure.described(
        "mark",
        f"{evidence.shown_in_words(lettered)}. How well the letter can be told from its "
        "surroundings by the absolute value of the weights, against the epoch: 1 at the start, 0.5 "
        "where nothing is left.",
        f"Lines over the epochs, one for each marked run, falling from 1; last values: {ends}.",
    )


def near_by_width_figure(runs: Sequence[xr.Dataset]) -> PageFigure:
    """(a) relative deviation and (b) correlation with the start at the end, against width.

    Hidden-to-hidden, every unmarked run; markers by regime, hollow where a run is too short to
    count.
    """
    plain = evidence.unmarked(runs)
    if not plain:
        return nothing_to_draw("There is no unmarked run to draw.")
    with styled():
        figure = new_figure(7.2, 3.1)
        left, right = figure.subplots(1, 2)
        points_by_width(left, plain, [final_deviation(run) for run in plain])
        points_by_width(right, plain, [final_correlation(run) for run in plain])
        left.axhline(NEAR_DEVIATION, **LIMIT)
        right.axhline(NEAR_CORRELATION, **LIMIT)
        right.axhline(RECOGNISABLE_CORRELATION, **LIMIT)
        left.set_yscale("log")
        plain_log_axis(left.yaxis)
        right.set_ylim(-0.05, 1.03)
        left.set_ylabel("relative deviation at the end")
        right.set_ylabel("correlation of $w_f$ with $w_i$")
        widths = sorted({width_of(run) for run in plain})
        for axes, letter in ((left, "a"), (right, "b")):
            width_axis(axes, widths)
            panel_label(axes, letter)
        figure.legend(handles=regime_handles(plain), loc="outside lower center", ncols=5)
    return figure.described(
        "near-by-width",
        f"{evidence.shown_in_words(plain)}. The last values of the figure above, by width: (a) "
        "relative deviation, (b) correlation of final with initial weights. Hollow: too short to "
        "count.",
        "Two panels of points against the width, a marker a run, its shape the run's regime.",
    )


def near_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Every run: its regime, and deviation, correlation and area at its end, layer by layer."""
    rows = []
    for run in runs:
        row: dict[str, object] = {"run": evidence.name_of(run), "regime": evidence.regime_of(run)}
        for layer, name in LAYER_NAMES.items():
            row[f"relative deviation, {name}"] = f"{final_deviation(run, layer):.3g}"
            row[f"correlation, {name}"] = f"{final_correlation(run, layer):.3f}"
        row["ROC area"] = f"{final_area(run):.3f}" if evidence.marked([run]) else ""
        rows.append(row)
    return pd.DataFrame(rows).set_index("run") if rows else pd.DataFrame()


def _name_limit(axes: Axes, height: float, name: str, right: bool = False) -> None:
    axes.annotate(
        name, (0.99 if right else 0.02, height), xycoords=("axes fraction", "data"),
        xytext=(0, 2), textcoords="offset points", ha="right" if right else "left", va="bottom",
        fontsize=7, color="0.35", zorder=5,
    )  # fmt: skip


def _epochs(*panels: Axes, last: int) -> None:
    for axes in panels:
        axes.set_xscale("log")
        axes.set_xlim(1, max(last, 2))
        plain_log_axis(axes.xaxis)
        axes.set_xlabel("epoch")
