"""Mean updates by the initial size of the weights: claim 5."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from repro.analysis import evidence
from repro.claims.large import (
    has_final_counts,
    papers_slope,
    slope,
    slope_interval,
    updates_of_run,
)
from repro.figures.curves import LAYER_NAMES
from repro.figures.run_lines import looks, nothing_to_draw
from repro.figures.style import PAPER, PageFigure, new_figure, panel_label, styled
from repro.model.network import JUDGED_LAYER as LAYER


def large_figure(runs: Sequence[xr.Dataset], layer: str = LAYER) -> PageFigure:
    """(a) outward update and (b) size of the update against the initial size of the weight.

    Every unmarked run at its own end, of every regime; in Glorot standard deviations. Dashed grey:
    the slope of the paper's median (Figure 3), and zero, which is what updates that know nothing
    of the initial weight give.
    """
    plain = [run for run in evidence.unmarked(runs) if has_final_counts(run, layer)]
    if not plain:
        return nothing_to_draw("There is no unmarked run with joint counts to draw.")
    with styled():
        figure = new_figure(7.2, 3.5)
        left, right = figure.subplots(1, 2)
        for run, look in looks(plain):
            found = updates_of_run(run, layer)
            label = look["label"]
            look["label"] = None if label is None else f"{label}, {evidence.regime_of(run)}"
            if evidence.regime_of(run) != "strong":
                look |= {"linewidth": 0.8, "alpha": 0.7}
            left.plot(found.initial, found.outward, **look)
            right.plot(found.initial, found.size, **look)
        left.axhline(0, color="0.6", linewidth=0.7, zorder=1)
        reach = np.array(left.get_xlim()).clip(0)
        look = {"color": PAPER, "linestyle": "--", "linewidth": 1, "zorder": 1}
        left.plot(reach, papers_slope() * reach, label="paper, N = 512 (median)", **look)
        left.set_ylabel(r"mean of sign$(w_i)\,(w_f - w_i)$")
        right.set_ylabel(r"mean of $|w_f - w_i|$")
        right.set_ylim(bottom=0)
        for axes, letter, words in (
            (left, "a", "outward update"),
            (right, "b", "size of the update"),
        ):
            axes.set_xlim(0, np.sqrt(3))
            axes.set_xlabel("$|w_i|$ / Glorot standard deviation")
            panel_label(axes, letter, words)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure.described(
        "large",
        f"{evidence.shown_in_words(plain)}. (a) Update in the direction of the weight's sign and "
        "(b) size of the update, against the initial size of the weight, hidden-to-hidden matrix, "
        "in Glorot standard deviations.",
        "Two panels of lines against the initial size of the weight, a line a run.",
    )


def slope_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Every unmarked run: both slopes by layer, with the bootstrap interval over bins of |w_i|."""
    rows = []
    for run in evidence.unmarked(runs):
        for layer, name in LAYER_NAMES.items():
            if not has_final_counts(run, layer):
                continue
            found = updates_of_run(run, layer)
            row = {
                "run": evidence.name_of(run), "layer": name, "regime": evidence.regime_of(run),
            }  # fmt: skip
            for column, values in (("outward", found.outward), ("size", found.size)):
                given = (found.initial, values, found.weights)
                row[f"slope, {column}"] = f"{slope(*given):.3f}"
                limits = slope_interval(*given)
                row[f"over bins, {column}"] = (
                    "" if limits is None else f"{limits[0]:.2f} to {limits[1]:.2f}"
                )
            row["beyond the bins"] = f"{found.open_share:.2%}"
            rows.append(row)
    return pd.DataFrame(rows).set_index(["run", "layer"]) if rows else pd.DataFrame()
