"""The deviation at the first crossing of a chosen loss, against width: claim 4."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

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
from repro.figures.run_lines import curves_of, draw_lines, nothing_to_draw
from repro.figures.style import new_figure, panel_label, plain_log_axis, styled, width_bar
from repro.model.network import JUDGED_LAYER as LAYER

VARIABLES = {
    "deviation_std": "deviation (standard deviation of $d$)",
    "relative_deviation": "relative deviation",
}


def at_losses(runs: Sequence[xr.Dataset], layer: str = LAYER) -> pd.DataFrame:
    """The deviation of unmarked runs at the first epoch at or below each chosen loss.

    Returns
    -------
    Columns ``width``, ``loss`` (share of the initial one), ``deviation_std`` and
    ``relative_deviation``; a row per run and loss that it reaches.
    """
    rows = [
        (width_of(run), share, *(deviation_at(run, share, name, layer) for name in VARIABLES))
        for run in evidence.unmarked(runs)
        for share in LOSS_SHARES
        if first_crossing(run, share) is not None
    ]
    return pd.DataFrame(rows, columns=["width", "loss", *VARIABLES])


def wider_figure(runs: Sequence[xr.Dataset], layer: str = LAYER) -> Figure:
    """(a) deviation and (b) relative deviation at the first crossing of a loss, against width.

    A line for each loss: medians over the runs of a width, bars from the least to the
    most. Dashed in (a): how the initial spread falls with width.
    """
    table = at_losses(runs, layer)
    if table.empty:
        return nothing_to_draw("no run reaches a chosen loss")
    norm = LogNorm(min(LOSS_SHARES), max(LOSS_SHARES))
    with styled():
        figure = new_figure(7.2, 3.6)
        panels = figure.subplots(1, 2, sharex=True)
        for axes, letter, (name, words) in zip(panels, "ab", VARIABLES.items(), strict=True):
            sns.lineplot(
                table, x="width", y=name, hue="loss", palette="viridis", hue_norm=norm,
                estimator="median", errorbar=("pi", 100), err_style="bars", marker="o",
                markersize=4, markeredgewidth=0, linewidth=1, err_kws={"linewidth": 0.8},
                legend=False, ax=axes,
            )  # fmt: skip
            axes.set(xscale="log", yscale="log", xlabel="width $N$", ylabel=words)
            panel_label(axes, letter)
        ends = np.array([table["width"].min(), table["width"].max()])
        spread = 0.8 * table["deviation_std"].min() * np.sqrt(ends.max() / ends)
        panels[0].plot(ends, spread, color="0.45", linewidth=0.9, linestyle="--")
        panels[0].text(0.03, 0.03, r"dashed: $1/\sqrt{N}$", transform=panels[0].transAxes)
        for axes in panels:
            plain_log_axis(axes.xaxis)
            plain_log_axis(axes.yaxis)
        bar = figure.colorbar(ScalarMappable(norm, "viridis"), ax=panels, pad=0.02, aspect=30)
        bar.set_label("train loss / initial loss")
        bar.set_ticks(list(LOSS_SHARES[::3]), labels=[f"{share:g}" for share in LOSS_SHARES[::3]])
        bar.minorticks_off()
        bar.outline.set_visible(False)
    return figure


def learning_figure(runs: Sequence[xr.Dataset], layer: str = LAYER) -> Figure:
    """Lowest train loss so far against the deviation, each unmarked run a path to its lowest.

    (a) the deviation, (b) the relative deviation.
    """
    plain = evidence.unmarked(runs)
    if not plain:
        return nothing_to_draw("no unmarked run")
    paths = curves_of(plain, "train_loss", *VARIABLES, layer=layer)
    lowest = paths.loc[paths.groupby("run")["train_loss"].idxmin(), ["run", "epoch"]]
    last = paths["run"].map(lowest.set_index("run")["epoch"])
    paths = paths[paths["epoch"] <= last]
    paths["train_loss"] = paths.groupby("run")["train_loss"].cummin()  # without the spikes
    with styled():
        figure = new_figure(7.2, 3.4)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, letter, (name, words) in zip(panels, "ab", VARIABLES.items(), strict=True):
            draw_lines(axes, paths, name, "train_loss", linewidth=0.6)
            axes.set(xscale="log", yscale="log", xlabel=words, ylabel="lowest train loss so far")
            plain_log_axis(axes.xaxis)
            panel_label(axes, letter)
        plain_log_axis(panels[0].yaxis)
        width_bar(figure, panels, paths["width"])
    return figure


def exponent_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Loss by loss: the exponents of the dependence on width, hidden to hidden.

    Returns
    -------
    Columns ``loss`` (share of the initial one), ``runs`` that reach it, ``exponent`` of the
    deviation, ``relative`` of the relative deviation, and ``chance``, the permutation test's
    probability. Unmarked runs of the paper's length.
    """
    whole = evidence.in_order(evidence.unmarked(evidence.complete(runs)))
    table = at_losses(whole)
    rows = []
    for share in losses_reached(whole):
        here = table[table["loss"] == share]
        widths = here["width"].tolist()
        both = [exponent(widths, here[[name]].to_numpy(), [0]) for name in VARIABLES]
        rows.append((share, len(here), *both, falls_by_chance(widths, here["deviation_std"])))
    return pd.DataFrame(rows, columns=["loss", "runs", "exponent", "relative", "chance"])
