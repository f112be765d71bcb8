"""Runs as tidy frames, and how the pages of the claims draw them: width by colour, regime by shape.

The frames have a row per run and epoch (`curves_of`) or a row per run (`ends_of`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from repro import paper
from repro.analysis.captions import epochs_of, width_of
from repro.analysis.evidence import regime_of
from repro.figures import style
from repro.model.network import JUDGED_LAYER as LAYER

NEARNESS = {
    "relative_deviation": "relative deviation",
    "weight_correlation": "correlation of $w(t)$ with $w_i$",
}
REGIME_MARKERS = {"weak": "v", "unstable": "X", "strong": "o", "undecided": "s"}


def curves_of(runs: Sequence[xr.Dataset], *variables: str, layer: str = LAYER) -> pd.DataFrame:
    """Curves of single runs, from epoch 1 on, one row per run and epoch.

    ``run`` is the place in ``runs``, ``short`` shorter than the paper's; infinite values are NaN.
    """
    parts = [pd.DataFrame(columns=["run", "width", "short", "epoch", *variables], dtype=float)]
    for number, run in enumerate(runs):
        one = run.isel(replica=0, epoch=slice(1, None)).sel(layer=layer)
        row = {"run": number, "width": width_of(run), "short": epochs_of(run) < paper.EPOCHS}
        row |= {name: one[name].to_numpy().astype(float) for name in ("epoch", *variables)}
        parts.append(pd.DataFrame(row))
    frame = pd.concat(parts[1:] or parts, ignore_index=True)
    return frame.replace([np.inf, -np.inf], np.nan)


def ends_of(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """What single runs came to, one row each; losses as shares of the initial one."""
    rows = []
    for number, run in enumerate(runs):
        last = run.isel(replica=0, epoch=-1).sel(layer=LAYER)
        loss = run["train_loss"].isel(replica=0).to_numpy().astype(float)
        losses = np.nanmin(loss) / loss[0], loss[-1] / loss[0]
        moved = (float(last[name]) for name in NEARNESS)
        rows.append((number, width_of(run), regime_of(run), epochs_of(run), *losses, *moved))
    columns = ["run", "width", "regime", "epochs", "lowest", "final", *NEARNESS]
    return pd.DataFrame(rows, columns=columns).replace([np.inf, -np.inf], np.nan)


def colours(widths: Sequence[int] | pd.Series) -> dict[int, str]:
    """The colour of every width, as seaborn takes a palette."""
    return {int(width): style.width_colour(width) for width in sorted(set(widths))}


def draw_lines(axes: Axes, curves: pd.DataFrame, x: str, y: str, **look: Any) -> None:
    """A line for each run of `curves_of`, coloured by width; dotted where it is short."""
    look = {"linewidth": 0.8, "alpha": 0.8, "legend": False} | look
    sns.lineplot(
        curves, x=x, y=y, hue="width", palette=colours(curves["width"]), style="short",
        dashes={False: "", True: (1, 1)}, units="run", estimator=None, sort=False, ax=axes, **look,
    )  # fmt: skip


def draw_points(axes: Axes, ends: pd.DataFrame, y: str) -> None:
    """A point for each run of `ends_of` against width, its shape the regime; replicas apart."""
    there = ends.groupby("width")["run"]
    aside = there.cumcount() - (there.transform("size") - 1) / 2
    sns.scatterplot(
        ends, x=ends["width"] + 0.004 * ends["width"].max() * aside, y=y, hue="width",
        style="regime", palette=colours(ends["width"]), markers=REGIME_MARKERS, s=26,
        linewidth=0.4, ax=axes, legend=False,
    )  # fmt: skip
    axes.set_xlim(0, 1.07 * ends["width"].max())
    axes.set_xlabel("width $N$")


def regime_handles(ends: pd.DataFrame) -> list[Line2D]:
    """Legend entries of the regimes that occur."""
    return [
        Line2D([], [], marker=look, label=name, color="0.35", linestyle="none", markersize=5)
        for name, look in REGIME_MARKERS.items()
        if name in set(ends["regime"])
    ]


@style.styled()
def nothing_to_draw(what: str) -> style.PageFigure:
    """A figure that says there is nothing to draw, in place of one that would be empty."""
    figure = style.new_figure(style.PAGE_WIDTH, 0.7)
    figure.text(0.01, 0.5, what, va="center", color="0.35", style="italic")
    return figure
