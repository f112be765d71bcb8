"""Replicas of one width beside each other: when each leaves its low loss, and its climb."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from repro.analysis import climb
from repro.analysis.crossing import crossing
from repro.figures.run_lines import curves_of, draw_lines, nothing_to_draw
from repro.figures.style import DIVERGENCE, new_figure, panel_label, plain_log_axis, styled


def climb_figure(runs: Sequence[xr.Dataset]) -> Figure:
    """Train loss of every replica, a panel a width; dots where the low loss is left for good."""
    groups = climb.widths_with_several(runs)
    if not groups:
        return nothing_to_draw("no width with several runs of which one diverges")
    rows = (len(groups) + 1) // 2
    with styled():
        figure = new_figure(7.2, 1.8 * rows + 0.3)
        panels = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).ravel()
        for axes in panels[len(groups) :]:
            axes.remove()
        for axes, letter, (width, group) in zip(panels, "abcdefgh", groups.items(), strict=False):
            draw_lines(axes, curves_of(group, "train_loss"), "epoch", "train_loss", linewidth=0.6)
            for loss in map(climb.train_loss, group):
                if found := crossing(loss):
                    axes.plot(found.start, loss[found.start], "o", color=DIVERGENCE, markersize=4)
            axes.set_yscale("log")
            axes.set(xlabel="", ylabel="train loss")
            panel_label(axes, letter, f"$N$ = {width}")
        for axes in panels[max(len(groups) - 2, 0) : len(groups)]:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("epoch")
        plain_log_axis(panels[0].yaxis)
    return figure
