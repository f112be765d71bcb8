"""The choices the paper leaves open: their early curves, and the tables of their page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from repro import paper
from repro.analysis.captions import epochs_of
from repro.figures import style
from repro.figures.run_lines import nothing_to_draw
from repro.figures.style import PageFigure, new_figure, panel_label, styled
from repro.investigations.choices import (
    EARLY_MARKS,
    Runs,
    comparison,
    deciding_width,
    distance,
    distances,
    marks_compared,
    papers,
)

# Okabe and Ito's colours, told apart by colour-blind readers; what nothing is changed of is black.
_COLOURS = (
    "#000000", "#0072B2", "#D55E00", "#F0C000", "#E69F00", "#009E73", "#56B4E9", "#8C510A",
    "#CC79A7",
)  # fmt: skip
SHOWN_EPOCHS = 200
"""How far the figure shows the curves."""

_HEADINGS = {
    "train_loss_at_100": "train loss at epoch 100",
    "minimum_test_loss": "minimum test loss",
    "epoch_of_minimum_test_loss": "its epoch",
}


def early_figure(runs: Runs, width: int) -> PageFigure:
    """(a) train and (b) test loss of every run of a width up to epoch 200, a colour a choice.

    Grey: what was read off the paper's figures.
    """
    colours = dict(zip({choice.name: None for choice, _ in runs}, _COLOURS, strict=False))
    drawn = [(choice.name, run) for (choice, at), found in runs.items() if at == width
             for run in found]  # fmt: skip
    if not drawn:
        return nothing_to_draw(f"There is no run of width {width} to draw.")
    with styled():
        figure = new_figure(7.2, 3.7)
        left, right = figure.subplots(1, 2)
        named = set()
        for name, run in drawn:
            early = run.isel(replica=0).sel(epoch=slice(1, SHOWN_EPOCHS))
            look = {
                "color": colours[name], "label": None if name in named else name,
                "zorder": 3 if name == drawn[0][0] else 2,
            }  # fmt: skip
            named.add(name)
            left.plot(early.epoch, early.train_loss, **look)
            right.plot(early.epoch, early.test_loss, **look)
        points = (
            (left, paper.TRAIN_LOSS_AT_100.get(width), 100),
            (left, papers("minimum_train_loss", width), _epoch("train", width)),
            (right, papers("minimum_test_loss", width), _epoch("test", width)),
        )
        for axes, reading, epoch in points:
            if reading is not None and epoch is not None and epoch <= SHOWN_EPOCHS:
                axes.errorbar(
                    epoch, reading.value, yerr=paper.READING_ERROR * reading.value,
                    ecolor=style.PAPER, capsize=2, elinewidth=0.8, zorder=4,
                    label=style.PAPER_LABEL if axes is right else None, **style.paper_marker(),
                )  # fmt: skip
        for axes, letter, words in ((left, "a", "train loss"), (right, "b", "test loss")):
            axes.set_yscale("log")
            axes.set_xlim(0, SHOWN_EPOCHS + 4)
            axes.set_xlabel("epoch")
            panel_label(axes, letter, words)
            style.plain_log_axis(axes.yaxis)
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    longest = max(epochs_of(run) for _, run in drawn)
    return figure.described(
        "early",
        f"HASYv2, $N$ = {width}, {len(drawn)} runs, a colour a choice, up to epoch "
        f"{min(longest, SHOWN_EPOCHS)}: (a) train loss, (b) test loss. Grey, with 3 % for the "
        "reading: the paper's train loss at epoch 100, and its minima.",
        f"Two panels of loss against epoch, a line for each of {', '.join(named)}, with the "
        "paper's values as points.",
    )


def choices_table(runs: Runs) -> pd.DataFrame:
    """The comparison as the page shows it: the paper's values, then every choice, by width.

    A cell says our value, the difference in per cent of the paper's and, where the paper draws an
    error bar, in those. Cells without a run, or with too short a one, are empty.
    """
    rows = []
    table = comparison(runs)
    for width, here in table.groupby("width"):
        given = {_HEADINGS[mark]: str(papers(mark, width) or "") for mark in EARLY_MARKS}
        rows.append({"width": width, "choice": "the paper", "runs": "10", "epochs": ""} | given)
        for name, one in here.groupby("choice", sort=False):
            row = {"width": width, "choice": name}
            row |= {key: str(one[key].iloc[0] or "") for key in ("runs", "epochs")}
            rows.append(row | {_HEADINGS[line["mark"]]: _cell(line) for _, line in one.iterrows()})
    order = ["width", "choice", "runs", "epochs", *_HEADINGS.values()]
    return pd.DataFrame(rows, columns=order).set_index(["width", "choice"])


def distance_table(runs: Runs) -> pd.DataFrame:
    """The distance of every choice by width, and by how many marks; empty where there is no run.

    The last column, which is no part of the rule, leaves out the epoch at the deciding width.
    """
    table = distances(runs)
    shown = table.map(_number)
    number = {width: len(marks_compared(runs, width)) for width in table.columns}
    shown = shown.rename(
        columns={w: f"N = {w}, {n} mark{'' if n == 1 else 's'}" for w, n in number.items()}
    )
    width = deciding_width(runs)
    if width is not None:
        losses = [mark for mark in marks_compared(runs, width) if mark != EARLY_MARKS[2]]
        away = {choice.name: distance(found, width, losses)
                for (choice, at), found in runs.items() if at == width}  # fmt: skip
        shown[f"N = {width}, losses alone"] = [_number(away[name]) for name in shown.index]
    return shown


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def _cell(line: pd.Series) -> str:
    differences = []
    if not np.isnan(line["difference_percent"]):
        differences.append(f"{line['difference_percent']:+.0f} %")
    if not np.isnan(line["difference_in_errors"]):
        differences.append(f"{line['difference_in_errors']:+.1f} bars")
    return f"{line['ours']} ({', '.join(differences)})" if differences else line["ours"]


def _epoch(which: str, width: int) -> float | None:
    reading = papers(f"epoch_of_minimum_{which}_loss", width)
    return None if reading is None else reading.value
