"""How single runs are drawn beside each other: a colour per width, dots where a run is short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from repro import paper
from repro.analysis.captions import epochs_of, setting, width_of
from repro.analysis.evidence import regime_of
from repro.analysis.intervals import mean_interval
from repro.figures.style import PageFigure, new_figure, styled, width_colour

TICK_NUMBER = 0.3
"""Inches that the number of a width takes on an axis, with the gap to the next."""

REGIME_MARKERS = {"weak": "v", "unstable": "X", "strong": "o", "undecided": "s"}


def looks(runs: Sequence[xr.Dataset]) -> Iterator[tuple[xr.Dataset, dict[str, Any]]]:
    """Each run with the look of its line; a label only for the first of its kind.

    A kind is a width, with or without a mark, short or of the paper's length; short runs are
    dotted and their label says how long they are.
    """
    named = set()
    for run in runs:
        short = epochs_of(run) < paper.EPOCHS
        label = f"N = {width_of(run)}"
        if mark := setting(run, "mark"):
            label += f" “{mark}”"
        if short:
            label += f" ({epochs_of(run)} epochs only)"
        yield (
            run,
            {
                "color": width_colour(width_of(run)),
                "linestyle": ":" if short else "-",
                "label": None if label in named else label,
            },
        )
        named.add(label)


def points_by_width(axes: Axes, runs: Sequence[xr.Dataset], values: Sequence[float]) -> None:
    """One value per run against width: markers by regime, hollow where short, means with intervals.

    Replicas of one width stand side by side. An interval of the mean is drawn where a width has
    several runs of the paper's length.
    """
    widths = np.array([width_of(run) for run in runs])
    whole = np.array([epochs_of(run) >= paper.EPOCHS for run in runs], dtype=bool)
    sample = np.asarray(values, dtype=float)
    for width in np.unique(widths):
        here = np.flatnonzero(widths == width)
        spread = 1 + 0.012 * (np.arange(len(here)) - (len(here) - 1) / 2)
        for place, number in zip(width * spread, here, strict=True):
            colour = width_colour(width)
            axes.plot(
                place, sample[number], REGIME_MARKERS[regime_of(runs[number])], color=colour,
                markersize=5.5, markerfacecolor=colour if whole[number] else "white", zorder=3,
                linestyle="none",
            )  # fmt: skip
        counted = sample[here][whole[here]]
        interval = mean_interval(counted)
        if interval is not None:
            axes.errorbar(
                width, counted.mean(), yerr=(interval[1] - interval[0]) / 2, fmt="_", capsize=4,
                color="0.25", elinewidth=1, markersize=9, zorder=2.5,
            )  # fmt: skip


def regime_handles(runs: Sequence[xr.Dataset]) -> list[Line2D]:
    """Legend entries of the markers that occur."""
    there = {regime_of(run) for run in runs}
    handles = [
        Line2D([], [], marker=marker, color="0.35", linestyle="none", label=name)
        for name, marker in REGIME_MARKERS.items()
        if name in there
    ]
    if any(epochs_of(run) < paper.EPOCHS for run in runs):
        handles.append(
            Line2D(
                [], [], marker="o", color="0.35", markerfacecolor="white", linestyle="none",
                label="hollow: too short to count",
            )
        )  # fmt: skip
    return handles


def width_axis(axes: Axes, widths: Sequence[int]) -> None:
    """A logarithmic axis with a tick at every width there is, and a number where it has room.

    Its figure must be divided into panels already: what room there is follows from how many stand
    side by side.
    """
    axes.set_xscale("log")
    low, high = 0.8 * min(widths), 1.25 * max(widths)
    apart = (high / low) ** (TICK_NUMBER / _inches(axes))
    there = sorted(set(widths), reverse=True)  # the wide ones lie closest
    shown: list[int] = []
    for width in there:
        if not shown or shown[-1] / width > apart:
            shown.append(width)
    axes.set_xticks(shown, [str(width) for width in shown])
    axes.set_xticks([width for width in there if width not in shown], minor=True)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(low, high)
    axes.set_xlabel("width $N$")


def _inches(axes: Axes) -> float:
    """About how wide a panel is before it is laid out."""
    place = axes.get_subplotspec()
    assert axes.figure is not None
    side_by_side = 1 if place is None else place.get_gridspec().ncols
    return 0.8 * axes.figure.get_size_inches()[0] / side_by_side


def nothing_to_draw(what: str) -> PageFigure:
    """A figure that says there is nothing to draw, in place of one that would be empty."""
    with styled():
        figure = new_figure(7.2, 0.7)
        figure.text(0.01, 0.5, what, va="center", color="0.35", style="italic")
    return figure
