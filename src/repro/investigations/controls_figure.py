"""The control runs beside each other: loss, dead samples, deviation; a column per thing changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from repro.analysis import evidence
from repro.analysis.captions import LOSS_NAMES, dataset_label, epochs_of, setting, width_of
from repro.experiment import Experiment
from repro.figures.run_lines import nothing_to_draw
from repro.figures.style import (
    TEST,
    TRAIN,
    PageFigure,
    new_figure,
    panel_label,
    plain_log_axis,
    styled,
    width_colour,
)
from repro.investigations.controls import Control, name_of

COLUMNS = {"loss": "loss", "pixels": "pixels", "learning_rate": "learning rate", "width": "width"}
ROWS = ("train_loss", "dead_fraction", "relative_deviation")
ROW_NAMES = ("train loss", "share dead", "relative deviation")
REFERENCE = "0.15"
LOWER, HIGHER = TRAIN, TEST
LEAST_DEAD = 1e-4
"""Of the axis: below it, one image in ten thousand, nothing is seen."""


def controls_figure(controls: Sequence[Control]) -> PageFigure:
    """Train loss, dead fraction and relative deviation against the epoch; a column per change.

    Black: the paper's setting. In a column of a change, blue and orange are the values changed to,
    dashes the wider networks; the last column has the paper's setting at every width, in the
    widths' colours. Every run is drawn as far as it goes, and labelled with its epochs.
    """
    drawn = [(control, run) for control in controls for run in control.runs]
    if not drawn:
        return nothing_to_draw("There is no control run to draw.")
    widths = sorted({width_of(run) for _, run in drawn})
    with styled():
        figure = new_figure(10.0, 7.2)
        panels = figure.subplots(len(ROWS), len(COLUMNS), sharex=True, sharey="row")
        for column, (change, title) in enumerate(COLUMNS.items()):
            here = [run for control, run in drawn if control.changed in (None, change)]
            looks = [_look(run, change, widths) for run in here]
            for run, look in zip(here, _labelled_once(looks), strict=True):
                _draw(panels[:, column], run, look)
            told = change == "width" or any(control.changed == change for control, _ in drawn)
            panel_label(panels[0, column], "abcd"[column], title if told else f"{title}: none yet")
            panels[-1, column].set_xlabel("epoch")
            if panels[-1, column].get_lines():
                panels[-1, column].legend(
                    loc="upper center", bbox_to_anchor=(0.5, -0.22), fontsize=7, borderaxespad=0
                )
        for row, label in enumerate(ROW_NAMES):
            panels[row, 0].set_ylabel(label)
            _scale(panels[row, 0], ROWS[row])
        panels[0, 0].set_xlim(0, max(epochs_of(run) for _, run in drawn))
    replicas = Counter(name_of(run.assign_coords(replica=[0])) for _, run in drawn)
    told = "; ".join(
        name if number == 1 else f"{name} ({number} replicas)" for name, number in replicas.items()
    )
    ends = "; ".join(f"{name_of(run)}: {float(run['train_loss'][0, -1]):.3g}" for _, run in drawn)
    return figure.described(
        "controls",
        f"{dataset_label(drawn[0][1])}, every run there is of the control runs, each as long as it "
        f"is: {told}. Train loss, share of dead samples, and relative deviation of the "
        "hidden-to-hidden matrix; a column per thing changed. On the logarithmic scale no dead "
        "sample is not shown.",
        f"Twelve panels of lines over the epochs. Train losses at the end: {ends}.",
        _values(drawn),
    )


def _draw(panels: np.ndarray, run: xr.Dataset, look: dict) -> None:
    one = run.isel(replica=0, epoch=slice(1, None)).sel(layer=evidence.LAYER)
    for axes, name in zip(panels, ROWS, strict=True):
        values = one[name]
        axes.plot(one["epoch"], values.where(values > 0), **look)


def _look(run: xr.Dataset, change: str, widths: Sequence[int]) -> dict:
    """Colour, dashes and label of a run's line in the column of a change."""
    width, mark = width_of(run), setting(run, "mark")
    label = f"N = {width}"
    colour = REFERENCE
    if change == "width":
        colour = width_colour(width)
    else:
        value = setting(run, change)
        words = {
            "loss": LOSS_NAMES.get(str(value), ""),
            "pixels": str(value),
            "learning_rate": f"rate {value}",
        }
        label = f"{words[change]}, {label}"
        if value != _usual(change):
            below = change == "learning_rate" and value < _usual(change)
            colour = LOWER if below else HIGHER
    if mark:
        label += f" “{mark}”"
    return {
        "color": colour,
        "linestyle": "-" if change == "width" or width == widths[0] else "--",
        "linewidth": 1.0,
        "label": f"{label} ({epochs_of(run)} epochs)",
    }


def _labelled_once(looks: Sequence[dict]) -> list[dict]:
    """The looks with one label for all replicas of an experiment, which says how many."""
    number = Counter(look["label"] for look in looks)
    labels = {
        label: label if count == 1 else f"{label[:-1]}, {count} runs)"
        for label, count in number.items()
    }
    return [look | {"label": labels.pop(look["label"], None)} for look in looks]


def _usual(change: str) -> object:
    return getattr(Experiment("hasyv2", 1, 1), change)


def _scale(axes: Axes, name: str) -> None:
    axes.set_yscale("log")
    if name == "dead_fraction":
        axes.set_ylim(LEAST_DEAD, 1.5)
    plain_log_axis(axes.yaxis)


def _values(drawn: Sequence[tuple[Control, xr.Dataset]]) -> pd.DataFrame:
    """What is drawn, once for each run, although a reference is in every column."""
    parts = []
    for control, run in drawn:
        one = run.isel(replica=0, epoch=slice(1, None)).sel(layer=evidence.LAYER)
        columns = {"run": name_of(run), "changed": control.changed or "", "epoch": one["epoch"]}
        parts.append(pd.DataFrame(columns | {name: one[name].to_numpy() for name in ROWS}))
    return pd.concat(parts, ignore_index=True)
