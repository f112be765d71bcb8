"""Deviation and correlation by layer, beside Figure 3."""

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from repro.analysis.evidence import single_runs
from repro.figures.run_lines import colours, curves_of
from repro.figures.style import new_figure, panel_label, styled

LAYER_NAMES = {
    "input_hidden": "input to hidden",
    "hidden_hidden": "hidden to hidden",
    "hidden_output": "hidden to output",
}


def deviation_figure(runs: Mapping[int, xr.Dataset]) -> Figure:
    """Relative deviation (a) and correlation with the initial weights (b) against the epoch.

    ``runs`` by width; every replica is drawn, its layers told apart by the line's style.
    """
    names = {
        "relative_deviation": "relative deviation",
        "weight_correlation": "correlation of $w(t)$ with $w_i$",
    }
    parts = [
        curves_of(single_runs(runs.values()), *names, layer=layer).assign(layer=name)
        for layer, name in LAYER_NAMES.items()
    ]
    curves = pd.concat(parts, ignore_index=True)
    with styled():
        figure = new_figure(7.2, 3.2)
        panels = figure.subplots(1, 2)
        for axes, letter, (name, label) in zip(panels, "ab", names.items(), strict=True):
            sns.lineplot(
                curves, x="epoch", y=name, hue="width", palette=colours(curves["width"]),
                style="layer", units="run", estimator=None, ax=axes, legend=axes is panels[1],
            )  # fmt: skip
            axes.set_ylabel(label)
            panel_label(axes, letter)
        sns.move_legend(panels[1], "best", fontsize=8)
    return figure
