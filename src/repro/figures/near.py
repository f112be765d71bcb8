"""How near strong networks end, and how well their start can be recognised: claims 1 and 7."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from repro.analysis import evidence
from repro.analysis.captions import width_of
from repro.analysis.marks import contrast_of_run
from repro.figures.run_lines import (
    colours,
    curves_of,
    draw_lines,
    draw_points,
    ends_of,
    nothing_to_draw,
    regime_handles,
)
from repro.figures.style import (
    new_figure,
    panel_label,
    plain_log_axis,
    styled,
    width_bar,
)


def near_figure(runs: Sequence[xr.Dataset]) -> Figure:
    """(a) relative deviation and (b) correlation with the start, over the epochs and at the end.

    Hidden-to-hidden, every unmarked run; on the right the last values by width.
    """
    plain = evidence.unmarked(runs)
    if not plain:
        return nothing_to_draw("no unmarked run")
    curves = curves_of(plain, "relative_deviation", "weight_correlation")
    ends = ends_of(plain)
    with styled():
        figure = new_figure(7.2, 5.2)
        panels = figure.subplots(2, 2, sharex="col", sharey="row", width_ratios=(2, 1))
        labels = ("relative deviation", "correlation of $w(t)$ with $w_i$")
        for pair, name, label in zip(panels, curves.columns[-2:], labels, strict=True):
            draw_lines(pair[0], curves, "epoch", name)
            draw_points(pair[1], ends, name)
            pair[0].set_ylabel(label)
        (over, _), (below, by_width) = panels
        over.set_yscale("log")
        below.set(xscale="log", xlim=(1, max(curves["epoch"].max(), 2)), xlabel="epoch")
        below.set_ylim(min(-0.05, ends["weight_correlation"].min()), 1.03)
        plain_log_axis(over.yaxis)
        plain_log_axis(below.xaxis)
        for axes, letter in zip(panels.flat, "abcd", strict=True):
            panel_label(axes, letter, "" if axes in panels[:, 0] else "at the end")
        by_width.legend(handles=regime_handles(ends), loc="best")
        width_bar(figure, panels, ends["width"])
    return figure


def area_figure(runs: Sequence[xr.Dataset]) -> Figure:
    """How well the mark can be told against the epoch, every marked run."""
    lettered = evidence.marked(runs)
    if not lettered:
        return nothing_to_draw("no marked run")
    areas = [contrast_of_run(run.isel(replica=0)).to_dataframe() for run in lettered]
    widths = [width_of(run) for run in lettered]
    parts = [
        area.reset_index().assign(run=number, width=width)
        for number, (area, width) in enumerate(zip(areas, widths, strict=True))
    ]
    with styled():
        figure = new_figure(7.2, 2.7)
        axes = figure.subplots()
        sns.lineplot(
            pd.concat(parts, ignore_index=True), x="matrix_epoch", y="mark_contrast", hue="width",
            palette=colours(widths), units="run", estimator=None, marker="o", ax=axes,
        )  # fmt: skip
        axes.axhline(0.5, color="0.45", linewidth=0.8, linestyle="--")
        axes.set(xlabel="epoch", ylabel="area under ROC curve", ylim=(0.45, 1.03))
        axes.legend(title="width $N$")
    return figure


def near_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Strong unmarked runs of the paper's length at their end, by width.

    Returns
    -------
    Columns ``width``, ``runs``, ``relative deviation`` and ``correlation``, means over the runs.
    """
    strong = evidence.unmarked(evidence.of_regime(evidence.complete(runs), "strong"))
    means = ends_of(strong).groupby("width", as_index=False).agg(
        runs=("run", "size"), deviation=("relative_deviation", "mean"),
        correlation=("weight_correlation", "mean"),
    )  # fmt: skip
    return means.rename(columns={"deviation": "relative deviation"})
