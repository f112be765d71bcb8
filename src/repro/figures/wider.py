"""The deviation at the first crossing of a chosen loss, against width: claim 4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import colormaps

from repro.analysis import evidence
from repro.analysis.captions import width_of
from repro.claims.wider import (
    LOSS_SHARES,
    deviation_at,
    exponent,
    falls_by_chance,
    first_crossing,
    losses_reached,
)
from repro.figures.curves import LAYER_NAMES
from repro.figures.run_lines import looks, nothing_to_draw, width_axis
from repro.figures.style import PageFigure, new_figure, panel_label, plain_log_axis, styled
from repro.model.network import JUDGED_LAYER as LAYER

VARIABLES = {
    "deviation_std": "standard deviation of $d$",
    "relative_deviation": "relative deviation",
}


def wider_figure(runs: Sequence[xr.Dataset], layer: str = LAYER) -> PageFigure:
    """(a) standard deviation of the deviation and (b) relative deviation, by width and loss.

    Each colour is one loss, as a share of the initial one, each marker one run at the first epoch
    at or below it; lines join the geometric means of the widths. Unmarked runs, those too short to
    count are hollow and not in the lines.
    """
    plain = evidence.unmarked(runs)
    shown = [share for share in LOSS_SHARES if any(first_crossing(run, share) for run in plain)]
    if not shown:
        return nothing_to_draw("There is no unmarked run that reaches a loss.")
    colours = colormaps["viridis"](np.linspace(0.92, 0.05, len(LOSS_SHARES)))
    whole, short = evidence.complete(plain), evidence.short(plain)
    with styled():
        figure = new_figure(7.2, 3.7)
        panels = figure.subplots(1, 2)
        for (variable, words), axes in zip(VARIABLES.items(), panels, strict=True):
            for share, colour in zip(LOSS_SHARES, colours, strict=True):
                if share not in shown:
                    continue
                # Runs together, for a thousand lines of one point each take seconds to draw.
                counted, told = (
                    ([width_of(run) for run in some],
                     [deviation_at(run, share, variable, layer) for run in some])
                    for some in (whole, short)
                )  # fmt: skip
                means = _means(*counted)
                look: dict[str, Any] = {"color": colour, "markersize": 4}
                axes.plot(*counted, "o", **look)
                axes.plot(
                    list(means), list(means.values()), color=colour, linewidth=1, label=f"{share:g}"
                )
                axes.plot(*told, "o", **look, markerfacecolor="white")
            width_axis(axes, [width_of(run) for run in plain])
            axes.set_yscale("log")
            plain_log_axis(axes.yaxis)
            axes.set_ylabel(words)
        panel_label(panels[0], "a", "the deviation")
        panel_label(panels[1], "b", "in units of the initial spread")
        figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=13,
            title="train loss as a share of the initial loss", handlelength=1, columnspacing=0.9,
        )  # fmt: skip
    return figure.described(
        "wider",
        f"{evidence.shown_in_words(plain)}. Deviation of the hidden-to-hidden matrix at the first "
        "epoch at or below a train loss, against the width: (a) its standard deviation, (b) that "
        "in units of the initial spread. Each colour is a loss, as a share of the initial one.",
        "Two panels of points against the width, joined by lines, one for each of "
        f"{len(shown)} losses.",
    )


def learning_figure(runs: Sequence[xr.Dataset], layer: str = LAYER) -> PageFigure:
    """Train loss against the deviation, each run as a path: how far a loss is from the start.

    (a) the standard deviation of the deviation, (b) the relative deviation. Up to the lowest loss.
    """
    plain = evidence.unmarked(runs)
    if not plain:
        return nothing_to_draw("There is no unmarked run to draw.")
    with styled():
        figure = new_figure(7.2, 3.6)
        panels = figure.subplots(1, 2)
        for run, look in looks(plain):
            one = run.isel(replica=0).sel(layer=layer)
            last = int(one["train_loss"].to_numpy().argmin())
            one = one.isel(epoch=slice(1, max(last, 1) + 1))
            for variable, axes in zip(VARIABLES, panels, strict=True):
                axes.plot(one[variable], one["train_loss"], **look)
        for (_, words), axes in zip(VARIABLES.items(), panels, strict=True):
            axes.set(xscale="log", yscale="log", xlabel=words)
            plain_log_axis(axes.xaxis)
            plain_log_axis(axes.yaxis)
        panels[0].set_ylabel("train loss")
        panel_label(panels[0], "a", "the deviation")
        panel_label(panels[1], "b", "in units of the initial spread")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure.described(
        "paths",
        f"{evidence.shown_in_words(plain)}. Train loss against the deviation, each run as a path "
        "from its first epoch to its lowest loss: (a) standard deviation of the deviation, (b) in "
        "units of the initial spread.",
        "Two panels of lines that fall to the right, a line a run.",
    )


def exponent_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Loss by loss: runs that reach it, and the exponents against width by layer.

    ``chance`` is the probability of the permutation test on the standard deviation, hidden to
    hidden. Runs of the paper's length only.
    """
    whole = evidence.in_order(evidence.unmarked(evidence.complete(runs)))
    rows = []
    for share in losses_reached(whole):
        there = [run for run in whole if first_crossing(run, share) is not None]
        widths = [width_of(run) for run in there]
        row: dict[str, object] = {"loss": f"{share:g}", "runs": len(there)}
        for layer, name in LAYER_NAMES.items():
            values = [[deviation_at(run, share, "deviation_std", layer)] for run in there]
            row[f"exponent, {name}"] = f"{exponent(widths, values, [0]):.2f}"
        values = [[deviation_at(run, share, "relative_deviation")] for run in there]
        row["relative, hidden to hidden"] = f"{exponent(widths, values, [0]):.2f}"
        chance = falls_by_chance(widths, [deviation_at(run, share) for run in there])
        row["chance"] = f"{chance:.2g}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("loss") if rows else pd.DataFrame()


def _means(widths: Sequence[int], deviations: Sequence[float]) -> dict[int, float]:
    """Geometric means over the runs of each width that reach the loss, by width."""
    values: dict[int, list[float]] = {}
    for width, deviation in zip(widths, deviations, strict=True):
        if np.isfinite(deviation) and deviation > 0:
            values.setdefault(width, []).append(deviation)
    return {width: float(np.exp(np.mean(np.log(v)))) for width, v in values.items()}
