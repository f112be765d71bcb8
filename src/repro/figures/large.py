"""Mean updates by the initial size of the weights: claim 5."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from repro.analysis import evidence
from repro.analysis.captions import width_of
from repro.claims.large import has_final_counts, slope, updates_of_run
from repro.figures.run_lines import colours, nothing_to_draw
from repro.figures.style import new_figure, panel_label, styled, width_bar
from repro.model.network import JUDGED_LAYER as LAYER

UPDATES = {
    "outward": r"outward: mean of sign$(w_i)\,(w_f - w_i)$",
    "size": "size: mean of $|w_f - w_i|$",
}


def updates_by_size(runs: Sequence[xr.Dataset], layer: str = LAYER) -> pd.DataFrame:
    """The mean updates of unmarked runs with joint counts, by initial size of the weight.

    Returns
    -------
    Columns ``run``, ``width``, ``initial``, ``outward``, ``size``, in Glorot standard deviations.
    """
    parts = []
    for number, run in enumerate(evidence.unmarked(runs)):
        if has_final_counts(run, layer):
            found = updates_of_run(run, layer)
            row = {"run": number, "width": width_of(run)}
            row |= {name: getattr(found, name) for name in ("initial", *UPDATES)}
            parts.append(pd.DataFrame(row))
    columns = ["run", "width", "initial", *UPDATES]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def large_figure(runs: Sequence[xr.Dataset], layer: str = LAYER) -> Figure:
    """(a) outward update and (b) size of the update against the initial size of the weight.

    Means and standard deviations over the unmarked runs of a width, each at its own end. Zero in
    (a) is what updates that know nothing of the initial weight give.
    """
    table = updates_by_size(runs, layer)
    if table.empty:
        return nothing_to_draw("no unmarked run with joint counts")
    with styled():
        figure = new_figure(7.2, 3.3)
        panels = figure.subplots(1, 2)
        panels[0].axhline(0, color="0.6", linewidth=0.8, linestyle="--", zorder=1)
        for axes, letter, (name, words) in zip(panels, "ab", UPDATES.items(), strict=True):
            sns.lineplot(
                table, x="initial", y=name, hue="width", palette=colours(table["width"]),
                errorbar="sd", err_kws={"linewidth": 0}, legend=False, ax=axes,
            )  # fmt: skip
            axes.set(xlim=(0, np.sqrt(3)), xlabel="$|w_i|$ / Glorot standard deviation")
            axes.set_ylabel(words)
            panel_label(axes, letter)
        panels[1].set_ylim(bottom=0)
        width_bar(figure, panels, table["width"])
    return figure


def slope_table(runs: Sequence[xr.Dataset], layer: str = LAYER) -> pd.DataFrame:
    """The slopes of both updates of unmarked runs with joint counts, by regime and width.

    Returns
    -------
    Columns ``regime``, ``width``, ``runs``, ``outward`` and ``size`` (means over runs), each with
    its standard deviation over runs, and ``beyond bins``, the mean share of weights there.
    """
    rows = []
    for run in evidence.unmarked(runs):
        if has_final_counts(run, layer):
            found = updates_of_run(run, layer)
            slopes = [slope(found.initial, getattr(found, n), found.weights) for n in UPDATES]
            rows.append((evidence.regime_of(run), width_of(run), *slopes, found.open_share))
    table = pd.DataFrame(rows, columns=["regime", "width", *UPDATES, "beyond bins"])
    columns = {"runs": ("outward", "size")}
    for name in UPDATES:
        columns |= {name: (name, "mean"), f"± {name}": (name, "std")}
    columns |= {"beyond bins": ("beyond bins", "mean")}
    return table.groupby(["regime", "width"], as_index=False, sort=False).agg(**columns)
