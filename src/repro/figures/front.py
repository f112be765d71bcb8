"""The first page's picture: the letter before and after, and the phase diagram."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from repro.analysis import regimes
from repro.analysis.captions import width_of
from repro.analysis.marks import one_replica
from repro.figures.figure_1 import draw_matrix
from repro.figures.phase_diagram import handles, phase_diagram
from repro.figures.style import PageFigure, new_figure, styled


def front_figure(marked: Mapping[int, xr.Dataset], found: pd.DataFrame) -> PageFigure:
    """The marked matrices of networks before and after training, and the phase diagram.

    Parameters
    ----------
    marked:
        Marked networks by width, in the order of the rows; the first replica of each is drawn.
    found:
        The unmarked runs, as `repro.figures.phase_diagram.outcomes` has them.
    """
    with styled():
        figure = new_figure(7.2, 3.5)
        left, right = figure.subfigures(1, 2, width_ratios=(1, 1.35))
        panels = left.subplots(max(len(marked), 1), 2, squeeze=False)
        for row, run in zip(panels, marked.values(), strict=False):
            one = one_replica(run, int(run["replica"][0]))
            for axes, epoch in zip(row, one["matrix_epoch"].to_numpy()[[0, -1]], strict=True):
                draw_matrix(axes, one, int(epoch))
                axes.set_title(f"epoch {epoch}", fontsize=8.5, loc="center", pad=3)
            row[0].set_ylabel(f"$N$ = {width_of(one)}, {regimes.regime(one['train_loss'])}")
        diagram = right.subplots()
        phase_diagram(diagram, found)
        diagram.set_title("phase diagram")
        right.legend(
            handles=handles(found), loc="outside lower center", ncols=3, frameon=False,
            columnspacing=1, handletextpad=0.4,
        )  # fmt: skip
    return figure
