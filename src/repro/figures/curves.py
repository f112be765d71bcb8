"""Figures of curves beside the paper's: the dead samples, and the spread by layer."""

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from repro.analysis.evidence import single_runs
from repro.figures.run_lines import colours, curves_of, draw_lines
from repro.figures.style import clear_legend, new_figure, panel_label, styled, width_bar

LAYER_NAMES = {
    "input_hidden": "input to hidden",
    "hidden_hidden": "hidden to hidden",
    "hidden_output": "hidden to output",
}


def dead_fraction_figure(runs: Mapping[int, xr.Dataset]) -> Figure:
    """The share of dead samples against the epoch, with the training loss below it.

    ``runs`` by width; every replica is drawn. On a logarithmic scale no dead sample is not shown.
    """
    curves = curves_of(single_runs(runs.values()), "dead_fraction", "train_loss")
    curves["dead_fraction"] = curves["dead_fraction"].where(curves["dead_fraction"] > 0)
    with styled():
        figure = new_figure(7.2, 4.2)
        panels = figure.subplots(2, 1, sharex=True)
        labels = {"dead_fraction": "share of dead samples", "train_loss": "train loss"}
        for axes, letter, (name, label) in zip(panels, "ab", labels.items(), strict=True):
            draw_lines(axes, curves, "epoch", name)
            axes.set(yscale="log", ylabel=label)
            panel_label(axes, letter)
        width_bar(figure, panels, curves["width"])
    return figure


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
                style="layer", units="run", estimator=None, legend="brief", ax=axes,
            )  # fmt: skip
            axes.set_ylabel(label)
            panel_label(axes, letter)
        panels[0].get_legend().remove()
        clear_legend(panels[1], fontsize=8)
    return figure
