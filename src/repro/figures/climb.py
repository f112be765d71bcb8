"""Replicas of one width beside each other: when each leaves its low loss, and its climb."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from repro.analysis import climb
from repro.analysis.captions import dataset_label
from repro.analysis.crossing import crossing
from repro.analysis.evidence import widths_in_words
from repro.figures.run_lines import nothing_to_draw
from repro.figures.style import (
    DIVERGENCE,
    PageFigure,
    new_figure,
    panel_label,
    plain_log_axis,
    styled,
    width_colour,
)


def climb_figure(runs: Sequence[xr.Dataset]) -> PageFigure:
    """Train loss of every replica, a panel a width; dots where the low loss is left for good."""
    groups = climb.widths_with_several(runs)
    if not groups:
        return nothing_to_draw(
            f"No width with a run that diverges has {climb.SEVERAL} runs of the paper's length."
        )
    with styled():
        figure = new_figure(7.2, 1.75 * len(groups) + 0.4)
        panels = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        told = []
        for axes, letter, (width, group) in zip(panels, "abcdefgh", groups.items(), strict=False):
            ends = []
            for run in group:
                loss = climb.train_loss(run)
                axes.plot(
                    np.arange(1, len(loss)), loss[1:], color=width_colour(width), linewidth=0.7,
                    alpha=0.75,
                )  # fmt: skip
                if found := crossing(loss):
                    left = found.start
                    axes.plot(left, loss[left], "o", color=DIVERGENCE, markersize=4, zorder=4)
                    ends.append(str(found.end))
            axes.set_yscale("log")
            plain_log_axis(axes.yaxis)
            axes.set_ylabel("train loss")
            panel_label(axes, letter, f"$N$ = {width}, {len(group)} replicas")
            told.append(f"N = {width}: {', '.join(ends)}")
        panels[-1].set_xlabel("epoch")
    every = [run for group in groups.values() for run in group]
    return figure.described(
        "climb",
        f"{dataset_label(every[0])}. Train loss of {widths_in_words(every)}. Dots: the last epoch "
        "at which a run that diverges still has a low loss.",
        f"A panel of lines for each width. Epochs of divergence: {'; '.join(told)}.",
    )
