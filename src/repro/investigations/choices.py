"""The choices the paper leaves open, weighed by the early marks of their runs.

Each choice changes one thing of the baseline: the loss, the pixels, the share of the images trained
on, or the labels. Its runs are held against the values read off the paper's figures by marks that
come early, so that short runs are enough.

The rule, written on 2026-11-24, before there was any run but the baseline's and the one that trains
on 0.85 of the images:

- The **marks** are the training loss at epoch 100, the minimum test loss and its epoch. A run
  without the epochs for a mark, or whose test loss was still falling at its end, does not have it.
  Of several runs of one choice the mean counts.
- The **distance** of a choice from the paper at a width is the root mean square of ln(ours / the
  paper's) over the marks that the paper has and that every choice with a run at that width has.
- The width **decides** at which most choices have a distance; of equals, the one with more marks.
- **Recommended** is the choice nearest to the paper there; but where the baseline is less than the
  reading error (3 %) farther, the two cannot be told apart, and it stays.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import epochs_of
from repro.analysis.regimes import happened
from repro.experiment import Experiment
from repro.investigations.found import found
from repro.paper import EARLY_EPOCHS, Reading

WIDTHS = (50, 150, 275, 500)
"""Where the choices are compared: a weak, an unstable, a late and a strong width of the paper."""

EARLY_MARKS = (f"train_loss_at_{EARLY_EPOCHS}", "minimum_test_loss", "epoch_of_minimum_test_loss")
LATER_MARKS = ("minimum_train_loss", "epoch_of_minimum_train_loss", "divergence_epoch")


@dataclass(frozen=True)
class Choice:
    """One reading of what the paper leaves open.

    Attributes
    ----------
    name:
        What it is called on the page.
    changed:
        The parameters of `Experiment` that are not the baseline's.
    """

    name: str
    changed: Mapping[str, Any] = field(hash=False)

    def experiment(self, width: int, epochs: int = EARLY_EPOCHS) -> Experiment:
        """Its experiment on HASYv2 at a width."""
        return Experiment(paper.DATASET, width, epochs, **self.changed)


BASELINE = Choice("baseline", {})
CHOICES = (
    BASELINE,
    Choice("exact loss", {"loss": "logits"}),
    Choice("inverted pixels", {"pixels": "inverted"}),
    *(Choice(f"{share:g} to train on", {"split": share}) for share in (0.7, 0.8, 0.85, 0.9)),
    Choice("fold 10", {"split": "fold-10"}),  # of all ten the one with the smallest last batch
    Choice("symbol ids", {"labels": "symbol-ids"}),
)

PROBES = (
    Choice("batches of 100", {"batch_size": 100}),
    Choice("learning rate 0.13", {"learning_rate": 0.13}),
)
"""What the paper does say, changed all the same, to see whether that would give its later marks.

No readings of the paper: they take no part in distances and recommendation."""

Runs = Mapping[tuple[Choice, int], Sequence[xr.Dataset]]  # by choice and width, a replica each


def runs_of_choices(
    widths: Sequence[int] = WIDTHS,
    store: str | os.PathLike | None = None,
    choices: Sequence[Choice] = CHOICES,
) -> dict[tuple[Choice, int], list[xr.Dataset]]:
    """The runs of every choice at every width, of whatever length; empty where there is none.

    Parameters
    ----------
    widths, choices:
        Those wanted.
    store:
        A folder of runs to look into beside the published results.
    """
    return {
        (choice, width): found(choice.experiment(width), store)
        for width in widths
        for choice in choices
    }


def papers(mark: str, width: int) -> Reading | None:
    """The paper's value of a mark at a width, None where the figures give none."""
    if mark == EARLY_MARKS[0]:
        return paper.TRAIN_LOSS_AT_100.get(width)
    return paper.read(mark, width)


def marks(run: xr.Dataset) -> dict[str, float]:
    """The early and the later marks of a single run, NaN where it is too short for one.

    Losses in nats. A minimum counts once the run is past it.
    """
    summary = regimes.summary(run)
    one = {name: float(summary[name][0]) for name in (*EARLY_MARKS[1:], *LATER_MARKS)}
    for name in ("epoch_of_minimum_test_loss", "epoch_of_minimum_train_loss", "divergence_epoch"):
        one[name] = float(happened(summary, name)[0])
    for which in ("test", "train"):
        if np.isnan(one[f"epoch_of_minimum_{which}_loss"]):
            one[f"minimum_{which}_loss"] = np.nan
    there = epochs_of(run) >= EARLY_EPOCHS
    early = float(run["train_loss"][0].sel(epoch=EARLY_EPOCHS)) if there else np.nan
    return {EARLY_MARKS[0]: early, **one}


def table(runs: Runs) -> pd.DataFrame:
    """Every choice at every width: its marks, and how far it is from the paper.

    Returns
    -------
    Columns ``width``, ``choice``, ``runs``, ``epochs`` of the longest, the early and later marks
    (means over the runs that have them), ``compared`` (the number of marks in the distance) and
    ``distance``; NaN where there is none.
    """
    names = [*EARLY_MARKS, *LATER_MARKS]
    rows: list[dict[str, Any]] = []
    for (choice, width), there in runs.items():
        row = {"width": width, "choice": choice.name, "runs": len(there)}
        means = pd.DataFrame([marks(run) for run in there], columns=names, dtype=float).mean()
        rows.append(row | {"epochs": max(map(epochs_of, there), default=0), **means})
    columns = ["width", "choice", "runs", "epochs", *names]
    frame = pd.DataFrame(rows, columns=columns).assign(compared=0, distance=np.nan)
    for width, here in frame[frame["runs"] > 0].groupby("width"):
        theirs = {mark: papers(mark, int(width)) for mark in EARLY_MARKS}
        compared = {
            mark: reading.value
            for mark, reading in theirs.items()
            if reading is not None and here[mark].notna().all()
        }
        away = np.log(here[list(compared)] / pd.Series(compared, dtype=float))
        frame.loc[here.index, "compared"] = len(compared)
        frame.loc[here.index, "distance"] = np.sqrt((away**2).mean(axis=1))
    return frame


def deciding_width(compared: pd.DataFrame) -> int | None:
    """The width of a `table` at which most choices have a distance; None where no two have."""
    here = compared.dropna(subset="distance").groupby("width")
    rank = pd.DataFrame({"choices": here.size(), "marks": here["compared"].max()})
    rank = rank[rank["choices"] >= 2].sort_values(
        ["choices", "marks"], ascending=False, kind="stable"
    )
    return None if rank.empty else int(rank.index[0])


def recommended(compared: pd.DataFrame) -> str | None:
    """The name of the choice recommended by the rule; None where no two can be compared."""
    width = deciding_width(compared)
    if width is None:
        return None
    away = compared[compared["width"] == width].set_index("choice")["distance"].dropna()
    nearest, usual = str(away.idxmin()), BASELINE.name
    if usual in away and away[usual] < away[nearest] + paper.READING_ERROR:
        return usual
    return nearest
