"""The first page: what was found, in one figure and a few sentences."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping

import numpy as np
import xarray as xr

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import dataset_label, epochs_of, setting, span_in_words, width_of
from repro.analysis.joint import GLOROT_LIMIT
from repro.analysis.marks import contrast_of_run
from repro.figures.figure_1 import FULL_INK, INK
from repro.figures.letter_explorer import STILL_ROWS, block_mean
from repro.figures.style import PageFigure, new_figure, plain_log_axis, styled, width_colour

RISEN = 1.25
"""Times its lowest: from there on a train loss that ends higher is told, well above its scatter."""
LAST_EPOCHS = 10
"""The train loss at the end is the median over so many."""


def front_figure(marked: Mapping[int, xr.Dataset], runs: Mapping[int, xr.Dataset]) -> PageFigure:
    """The marked matrices before and after training, and the train losses by width.

    Parameters
    ----------
    marked:
        Marked networks by width; the first replica of each is drawn.
    runs:
        Unmarked networks by width; the first replica of each is drawn.
    """
    shown = {width: run.isel(replica=0) for width, run in sorted(marked.items(), reverse=True)}
    with styled():
        figure = new_figure(7.2, 0.84 * max(len(shown), 2))
        left, right = figure.subfigures(1, 2, width_ratios=(1, 1.12))
        pictures = left.subplots(max(len(shown), 1), 2, squeeze=False)
        for axes in pictures.ravel():
            axes.set_axis_off()
        for line, run in zip(pictures, shown.values(), strict=False):
            unit = FULL_INK * GLOROT_LIMIT * float(run["glorot_std"].sel(layer="hidden_hidden"))
            for axes, place in zip(line, (0, -1), strict=True):
                matrix = run["matrix"].isel(matrix_epoch=place).transpose("row", "column")
                small = block_mean(np.abs(matrix), STILL_ROWS)
                axes.imshow(small, cmap=INK, vmin=0, vmax=unit, interpolation="nearest")
                epoch = int(matrix["matrix_epoch"])
                axes.set_title(f"$N$ = {width_of(run)}, epoch {epoch}", fontsize=8, loc="center")
        losses = right.subplots()
        for width, run in runs.items():
            one = run.isel(replica=0)
            label = f"$N$ = {width}"
            losses.plot(one["epoch"], one["train_loss"], color=width_colour(width), label=label)
        losses.set_yscale("log")
        plain_log_axis(losses.yaxis)
        losses.set_xlabel("epoch")
        losses.set_ylabel("train loss")
        losses.legend(
            ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=6.5, handlelength=1,
            columnspacing=0.8, frameon=False,
        )  # fmt: skip
    names = {dataset_label(run) for run in (*marked.values(), *runs.values())}
    caption = (
        f"{' and '.join(sorted(names))}. Left: the hidden-to-hidden weights of marked networks, "
        "before training and at the last epoch kept. Right: train loss of single runs."
    )
    alt = " ".join(sentence for sentence in (_letters(marked), _losses(runs)) if sentence)
    return figure.described("front", caption, alt)


def finding(marked: Mapping[int, xr.Dataset], runs: Mapping[int, xr.Dataset]) -> str:
    """What the runs show, as Markdown; says of each how long it is."""
    return f"**What we find so far.** {_letters(marked)} {_losses(runs)}"


def _letters(marked: Mapping[int, xr.Dataset]) -> str:
    """How well the mark can be told at the end of each run."""
    told, ends = [], []
    for width, run in sorted(marked.items(), reverse=True):
        last = contrast_of_run(run.isel(replica=0, matrix_epoch=[-1]))
        told.append(f"{float(last[0]):.2f} at width {width}")
        ends.append(f" after {int(last['matrix_epoch'][0])} epochs")
    if not told:
        return ""
    alike = len(set(ends)) == 1
    said = [each if alike else each + end for each, end in zip(told, ends, strict=True)]
    mark = setting(next(iter(marked.values())), "mark")
    return (
        f"A letter “{mark}” in the weights keeps a contrast of "
        f"{' and '.join(said)}{ends[0] if alike else ''} (1: untouched, 0.5: gone)."
    )


def _losses(runs: Mapping[int, xr.Dataset]) -> str:
    """Which width is in which regime; neighbours of which nothing else is told, as a range."""
    numbers = {
        w: Counter(map(str, regimes.summary(run)["regime"].values)) for w, run in runs.items()
    }
    said = []
    for kind in regimes.REGIMES:
        told = ((width, _remarks(kind, run, numbers[width])) for width, run in runs.items())
        named: list[str] = []
        for remarks, group in itertools.groupby(told, key=lambda each: each[1]):
            widths = [width for width, _ in group]
            if remarks is not None:
                named += [f"{w} ({remarks})" for w in widths] if remarks else span_in_words(widths)
        if named:
            said.append(f"{kind} at {'' if said else 'width '}{', '.join(named)}")
    return f"Unmarked networks are {'; '.join(said)}." if said else ""


def _remarks(kind: str, run: xr.Dataset, number: Counter[str]) -> str | None:
    """What is told of a width among those of a regime; None where it is none of them."""
    if not number[kind]:
        return None
    share = f"{number[kind]} of {number.total()}" if len(number) > 1 else ""
    return ", ".join(filter(None, (share, _remark(kind, run))))


def _remark(kind: str, run: xr.Dataset) -> str:
    """What a reader should know of a run's regime beside its name."""
    if kind == "undecided":
        length = epochs_of(run)
        return "" if length >= paper.EPOCHS else f"only {length} epochs"
    return "rising" if kind == "strong" and _risen(run) > RISEN else ""


def rising_words(runs: Mapping[int, xr.Dataset]) -> str:
    """Of those that count as strong and end with a loss on its way up, how far; else nothing."""
    said = [f"at width {width} to {times:.1f} times its lowest" for width, run in runs.items()
            if (times := _risen(run)) > RISEN]  # fmt: skip
    if not said:
        return ""
    told = ", ".join(said)
    return f"Not diverged is not at rest: by its end the train loss has risen again {told}."


def _risen(run: xr.Dataset) -> float:
    """The train loss at the end as so many times its lowest, the most of the strong replicas."""
    loss = run["train_loss"]
    times = loss.isel(epoch=slice(-LAST_EPOCHS, None)).median("epoch") / loss.min("epoch")
    strong = regimes.summary(run)["regime"].to_numpy() == "strong"
    return float(times[strong].max()) if strong.any() else 0.0
