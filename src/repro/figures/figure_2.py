"""Figure 2: loss against epoch by width, the phase diagram, and the lowest losses reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from repro import paper
from repro.analysis.captions import dataset_label, epochs_of, setting
from repro.errors import ReproError
from repro.figures import style
from repro.figures.phase_diagram import LOSSES, draw_means, handles, outcomes, phase_diagram

MOST_LINES = 6
"""Single runs drawn in (a) and (b), at most."""


def figure_2(
    datasets: Mapping[int, xr.Dataset], *, lines: Sequence[int] | None = None, replica: int = 0
) -> style.PageFigure:
    """Four panels on networks of several widths, all of one dataset.

    (a) train loss and (b) test loss of single runs; (c) phase diagram: width against the epochs of
    minimum train loss, minimum test loss and divergence, with the regions between them shaded; (d)
    minimum losses against width. Means and standard deviations over the replicas, filled; hollow:
    read off the paper's figure. An arrow: later than the end of most runs.

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
    found = outcomes(runs.values())
    drawn = single_run_widths(list(runs)) if lines is None else list(lines)
    if missing := [width for width in drawn if width not in runs]:
        raise ReproError(
            f"There is no run of width {', '.join(map(str, missing))}: "
            f"choose lines from {', '.join(map(str, runs))}."
        )
    with style.styled():
        figure = style.new_figure(7.2, 7.0)
        top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.45))
        losses = top.subplots(1, 2)
        for axes, letter, which in zip(losses, "ab", ("train", "test"), strict=True):
            for width in drawn:
                _single_run(axes, runs[width], which, replica)
            last = max(epochs_of(runs[width]) for width in drawn)
            axes.set(yscale="log", xlim=(0, last), xlabel="epoch")
            style.plain_log_axis(axes.yaxis)
            style.panel_label(axes, letter, f"{which} loss, single runs")
        style.width_bar(top, list(losses), drawn)
        diagram, lowest = bottom.subplots(1, 2, width_ratios=(1.5, 1))
        phase_diagram(diagram, found)
        style.panel_label(diagram, "c", "phase diagram")
        draw_means(lowest, found, LOSSES)
        lowest.set_yscale("log")
        lowest.margins(y=0.1)
        style.plain_log_axis(lowest.yaxis)
        style.panel_label(lowest, "d", "minimum loss")
        bottom.legend(
            handles=handles(found), loc="outside lower center", ncols=5, frameon=False,
            columnspacing=1.2,
        )  # fmt: skip
        label = dataset_label(next(iter(runs.values())))
        figure.suptitle(label, x=0.01, ha="left", fontsize=10)
    return figure


def single_run_widths(widths: Sequence[int]) -> list[int]:
    """The widths drawn as single runs: the paper's where there are, else spread over all."""
    there = sorted(widths)
    of_paper = [width for width in there if width in paper.SINGLE_RUN_WIDTHS]
    if len(of_paper) > 2:
        return of_paper
    places = np.linspace(0, len(there) - 1, min(MOST_LINES, len(there)))
    return [there[round(place)] for place in places]


def _single_run(axes: Axes, run: xr.Dataset, which: str, replica: int) -> None:
    """A loss curve, with points of the paper's own run of that width."""
    width, last = int(setting(run, "width")), epochs_of(run)
    number = replica if replica in run["replica"] else int(run["replica"][0])
    colour, curve = style.width_colour(width), run[f"{which}_loss"].sel(replica=number)
    axes.plot(run["epoch"], curve, color=colour, label=f"$N$ = {width}", linewidth=1.1, zorder=3)
    if setting(run, "dataset") != paper.DATASET:
        return
    read = paper.TRAIN_LOSS.get(width, {}) if which == "train" else _test_minimum(width)
    seen = [(epoch, one.value) for epoch, one in read.items() if epoch <= last]
    if seen:
        look = style.paper_marker(markeredgecolor=colour, markersize=4.5, zorder=4)
        axes.plot(*zip(*seen, strict=True), **look)


def _test_minimum(width: int) -> dict[float, paper.Reading]:
    """Epoch and value of the paper's mean minimum test loss; empty where there is none."""
    epoch = paper.read("epoch_of_minimum_test_loss", width)
    loss = paper.read("minimum_test_loss", width)
    return {epoch.value: loss} if epoch and loss else {}
