"""The choices the paper leaves open, weighed by the early marks of their runs; trials beside them.

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

A **trial** is one curve of `TRIAL_WIDTH` units for which the engine was changed as the paper's
software may have done it (code: see each row's ``code_version``). Trials are no results.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper, sealed_json
from repro.analysis import regimes
from repro.analysis.captions import epochs_of, replica_of
from repro.experiment import Experiment
from repro.paper import EARLY_EPOCHS
from repro.places import published_path
from repro.runs import existing_folder

WIDTHS = (50, 150, 275, 500)  # a weak, an unstable, a late and a strong one of the paper

EARLY_MARKS = (f"train_loss_at_{EARLY_EPOCHS}", "minimum_test_loss", "epoch_of_minimum_test_loss")
MARKS = (
    *EARLY_MARKS, "minimum_train_loss", "epoch_of_minimum_train_loss", "divergence_epoch",
)  # fmt: skip


Choices = Mapping[str, Mapping[str, Any]]  # by name, what each changes of the baseline
CHOICES: Choices = {
    "baseline": {},
    "exact loss": {"loss": "logits"},
    "inverted pixels": {"pixels": "inverted"},
    **{f"{share:g} to train on": {"split": share} for share in (0.7, 0.8, 0.85, 0.9)},
    "fold 10": {"split": "fold-10"},  # of all ten the one with the smallest last batch
    "symbol ids": {"labels": "symbol-ids"},
}
PROBES: Choices = {
    "batches of 100": {"batch_size": 100}, "learning rate 0.13": {"learning_rate": 0.13}
}  # fmt: skip
"""What the paper does say, changed all the same: no part of distances and recommendation."""

Runs = Mapping[tuple[str, int], Sequence[xr.Dataset]]  # by choice and width, a replica each


def experiment(changed: Mapping[str, Any], width: int) -> Experiment:
    """The baseline on HASYv2 at a width, with what a choice changes."""
    return Experiment(paper.DATASET, width, EARLY_EPOCHS, **changed)


def found(experiment: Experiment, store: str | os.PathLike | None = None) -> list[xr.Dataset]:
    """Every replica of an experiment, the longest there is: published, or in ``store``."""
    places = [existing_folder(each) for each in dict.fromkeys((store, None))]
    there = [(place, place.find(experiment, n)) for place in places
             for n in place.replicas(experiment)]  # fmt: skip
    runs = sorted((place.load(run) for place, run in there if run), key=epochs_of)
    longest = {replica_of(run): run for run in runs}
    return [longest[number] for number in sorted(longest)]


def runs_of_choices(
    widths: Sequence[int] = WIDTHS,
    store: str | os.PathLike | None = None,
    choices: Choices = CHOICES,
) -> dict[tuple[str, int], list[xr.Dataset]]:
    """The runs of every choice at every width, however long; ``store`` as `found` takes it."""
    pairs = [(name, width) for width in widths for name in choices]
    return {(name, width): found(experiment(choices[name], width), store) for name, width in pairs}


def marks(run: xr.Dataset) -> dict[str, float]:
    """The `MARKS` of a single run, in nats; NaN where it is too short, or not past a minimum."""
    summary = regimes.summary(run)
    one = {name: float(regimes.happened(summary, name)[0]) for name in MARKS[1:]}
    for which in ("test", "train"):
        if np.isnan(one[f"epoch_of_minimum_{which}_loss"]):
            one[f"minimum_{which}_loss"] = np.nan
    return {MARKS[0]: float(run["train_loss"][0].reindex(epoch=[EARLY_EPOCHS])[0])} | one


def table(runs: Runs) -> pd.DataFrame:
    """Every choice at every width: means of its `MARKS`, and its ``distance`` from the paper."""
    rows: list[dict[str, Any]] = []
    for (name, width), there in runs.items():
        row = {"width": width, "choice": name, "runs": len(there)}
        means = pd.DataFrame([marks(run) for run in there], columns=MARKS, dtype=float).mean()
        rows.append(row | {"epochs": max(map(epochs_of, there), default=0), **means})
    frame = pd.DataFrame(rows, columns=["width", "choice", "runs", "epochs", *MARKS])
    frame = frame.assign(compared=0, distance=np.nan)
    for width, here in frame[frame["runs"] > 0].groupby("width"):
        theirs = {mark: paper.read(mark, int(width)) for mark in EARLY_MARKS}
        theirs[EARLY_MARKS[0]] = paper.TRAIN_LOSS_AT_100.get(int(width))
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
    rank = rank[rank["choices"] >= 2]
    return None if rank.empty else int(max(rank.index, key=lambda width: tuple(rank.loc[width])))


def recommended(compared: pd.DataFrame) -> str | None:
    """The name of the choice recommended by the rule; None where no two can be compared."""
    here = compared[compared["width"] == deciding_width(compared)]
    away = here.set_index("choice")["distance"].dropna()
    if away.empty:
        return None
    nearer = away.get("baseline", np.inf) < away.min() + paper.READING_ERROR
    return "baseline" if nearer else str(away.idxmin())


TRIAL_WIDTH = 150
COMPARED_AT, LAST = 250, 10  # an epoch that all have; epochs averaged there, since it scatters


def kept(file: str = "trials.json") -> list[dict[str, Any]]:
    """The rows of a published file, none without it; of trials, losses by epoch from 1."""
    path = published_path() / file
    return sealed_json.read(path)["rows"] if path.is_file() else []


def trials(curves: Iterable[tuple[str, Sequence[float]]]) -> pd.DataFrame:
    """Training losses (nats), by name and from epoch 1 on, compared up to `COMPARED_AT`.

    ``at_250`` is the mean over the `LAST` epochs up to there; NaN where the curve is shorter.
    """
    rows = []
    for name, values in curves:
        curve = pd.Series(np.asarray(values, dtype=float), np.arange(1, len(values) + 1))
        first = curve[:COMPARED_AT] if len(curve) >= COMPARED_AT else pd.Series(np.nan, [np.nan])
        at = first.index[first.argmin()] if first.notna().any() else np.nan
        rows.append((name, len(curve), curve.get(100), first.min(), at, first[-LAST:].mean()))
    names = ["name", "epochs", "at_100", "minimum", "minimum_at", "at_250"]
    return pd.DataFrame(rows, columns=names).astype({"at_100": float, "minimum_at": float})
