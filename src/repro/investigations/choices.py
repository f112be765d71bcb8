"""The choices the paper leaves open, weighed by the early marks of their runs.

Each choice changes one thing of the published runs: the loss, the pixels, the share of the images
trained on, or the labels. Its runs are held against the values read off the paper's figures by
marks that come early, so that short runs are enough.

The rule, written on 2026-11-24, before there was any run but the published ones with nothing
changed and the one that trains on 0.85 of the images:

- The **marks** are the train loss at epoch 100, the minimum test loss and its epoch. A run without
  the epochs for a mark, or whose test loss was still falling at its end, does not have it. Of
  several runs of one choice the mean counts.
- The **distance** of a choice from the paper at a width is the root mean square of ln(ours / the
  paper's) over the marks that the paper has and that every choice with a run at that width has.
- The width **decides** at which most choices have a distance; of equals, the one with more marks.
- **Recommended** is the choice nearest to the paper there; but where the choice with nothing
  changed is less than the reading error (3 %) farther, the two cannot be told apart, and it stays.
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
from repro.analysis.captions import LABEL_NAMES, epochs_of
from repro.analysis.regimes import happened
from repro.book.tables import COMPARISON, compare
from repro.commands import train_command
from repro.data.facts import published as published_facts
from repro.data.facts import published_fold_sizes
from repro.experiment import Experiment
from repro.paper import EARLY_EPOCHS, Reading
from repro.places import published_path
from repro.store.store import Store

WIDTHS = (50, 150, 275, 500)
"""Where the choices are compared: a weak, an unstable, a late and a strong width of the paper."""

SCATTER_FROM = 20
"""From this epoch on, near the minimum, the scatter of the test loss is told."""

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
        The parameters of `Experiment` that are not as in the published runs.
    """

    name: str
    changed: Mapping[str, Any] = field(hash=False)

    def experiment(self, width: int, epochs: int = EARLY_EPOCHS) -> Experiment:
        """Its experiment on HASYv2 at a width."""
        return Experiment(paper.DATASET, width, epochs, **self.changed)


NOTHING_CHANGED = Choice("as published", {})
CHOICES = (
    NOTHING_CHANGED,
    Choice("exact loss", {"loss": "logits"}),
    Choice("inverted pixels", {"pixels": "inverted"}),
    *(Choice(f"{share:g} to train on", {"split": share}) for share in (0.7, 0.8, 0.85, 0.9)),
    Choice("fold 10", {"split": "fold-10"}),  # of all ten the one with the smallest last batch
    Choice(LABEL_NAMES["symbol-ids"], {"labels": "symbol-ids"}),
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
    """The runs of every choice at every width, each replica by itself, of whatever length.

    Parameters
    ----------
    widths:
        Those wanted.
    store:
        A folder of runs; None for the published results.
    choices:
        Those wanted; `PROBES` are asked for by name.

    Returns
    -------
    Lists of runs with a ``replica`` dimension of length one; empty where there is none.
    """
    place = Store(published_path() if store is None else store)
    found = {}
    for choice in choices:
        for width in widths:
            experiment = choice.experiment(width)
            runs = [place.find(experiment, number) for number in place.replicas(experiment)]
            found[choice, width] = [place.load(run) for run in runs if run is not None]
    return found


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
    one = summary.isel(replica=0)
    found = {name: float(one[name]) for name in (*EARLY_MARKS[1:], *LATER_MARKS)}
    for name in ("epoch_of_minimum_test_loss", "epoch_of_minimum_train_loss", "divergence_epoch"):
        found[name] = float(happened(summary, name)[0])
    for which in ("test", "train"):
        if np.isnan(found[f"epoch_of_minimum_{which}_loss"]):
            found[f"minimum_{which}_loss"] = np.nan
    train = run["train_loss"].isel(replica=0)
    there = epochs_of(run) >= EARLY_EPOCHS
    found[EARLY_MARKS[0]] = float(train.sel(epoch=EARLY_EPOCHS)) if there else np.nan
    return found


def mean_marks(runs: Sequence[xr.Dataset]) -> dict[str, float]:
    """The mean of every mark over the runs that have it, NaN where none has."""
    found = [marks(run) for run in runs]
    means = {}
    for mark in (*EARLY_MARKS, *LATER_MARKS):
        values = [one[mark] for one in found if not np.isnan(one[mark])]
        means[mark] = float(np.mean(values)) if values else float("nan")
    return means


def comparison(runs: Runs, wanted: Sequence[str] = EARLY_MARKS) -> pd.DataFrame:
    """Every choice at every width, mark by mark, beside the paper.

    Returns
    -------
    Columns ``width``, ``choice``, ``runs``, ``epochs`` (of the longest), ``mark`` and those of
    `tables.COMPARISON`: difference in per cent of the paper's value and in its error bars.
    """
    rows = []
    for choice, width in _by_width(runs):
        here = runs[choice, width]
        means = mean_marks(here)
        for mark in wanted:
            row: dict[str, Any] = {"width": width, "choice": choice.name, "runs": len(here)}
            row |= {"epochs": max(map(epochs_of, here), default=0), "mark": mark}
            rows.append(row | compare(papers(mark, width), means[mark]))
    return pd.DataFrame(rows, columns=["width", "choice", "runs", "epochs", "mark", *COMPARISON])


def marks_compared(runs: Runs, width: int) -> tuple[str, ...]:
    """The early marks that the paper has at a width, and every choice that has a run there."""
    there = [mean_marks(found) for (_, at), found in runs.items() if at == width and found]
    return _in_all(there, width)


def _in_all(means: Sequence[Mapping[str, float]], width: int) -> tuple[str, ...]:
    return tuple(
        mark
        for mark in EARLY_MARKS
        if means
        and papers(mark, width) is not None
        and not any(np.isnan(one[mark]) for one in means)
    )


def distance(runs: Sequence[xr.Dataset], width: int, compared: Sequence[str]) -> float:
    """Root mean square of ln(ours / the paper's) over the marks compared; NaN without any."""
    return _away(mean_marks(runs), width, compared) if runs else float("nan")


def _away(means: Mapping[str, float], width: int, compared: Sequence[str]) -> float:
    if not compared:
        return float("nan")
    logarithms = [np.log(means[mark] / papers(mark, width).value) for mark in compared]
    return float(np.sqrt(np.mean(np.square(logarithms))))


def distances(runs: Runs) -> pd.DataFrame:
    """The distance of every choice from the paper.

    Returns
    -------
    A row a choice, in the order of ``CHOICES``; a column a width; NaN where there is no run.
    """
    means = {at: mean_marks(found) for at, found in runs.items() if found}
    table = pd.DataFrame(dtype=float)
    for choice, width in runs:
        here = means.get((choice, width))
        compared = _in_all([one for (_, at), one in means.items() if at == width], width)
        away = float("nan") if here is None else _away(here, width, compared)
        table.loc[choice.name, width] = away
    return table


def deciding_width(runs: Runs) -> int | None:
    """The width at which most choices have a distance; None where no two can be compared."""
    counts = distances(runs).notna().sum()
    if counts.empty or counts.max() < 2:
        return None
    return max(counts.index, key=lambda width: (counts[width], len(marks_compared(runs, width))))


def recommended(runs: Runs) -> Choice | None:
    """The choice by the rule above; None where no two can be compared."""
    width = deciding_width(runs)
    if width is None:
        return None
    away = distances(runs)[width].dropna()
    nearest, usual = away.idxmin(), NOTHING_CHANGED.name
    if usual in away and away[usual] < away[nearest] + paper.READING_ERROR:
        return NOTHING_CHANGED
    return next(choice for choice in CHOICES if choice.name == nearest)


def recommendation(runs: Runs) -> str:
    """The recommendation in words: what decided, how near it is, and what the book's runs use."""
    chosen, width = recommended(runs), deciding_width(runs)
    if chosen is None or width is None:
        return "Nothing is recommended: no width has two choices that can be compared."
    away = distances(runs)[width].dropna()
    nearest = away.idxmin()
    lines = [
        f"Deciding width: {width}, with {len(away)} choices compared by "
        f"{', '.join(name.replace('_', ' ') for name in marks_compared(runs, width))}.",
        f"Nearest to the paper: {nearest} ({away[nearest]:.3f}).",
    ]
    if chosen.name != nearest:
        lines.append(f"As published is less than {paper.READING_ERROR:g} farther "
                     f"({away[chosen.name]:.3f}).")  # fmt: skip
    usual = NOTHING_CHANGED.experiment(width)
    changed = "".join(f", {name} {value}" for name, value in chosen.changed.items()) or ", nothing"
    lines += [
        f"Recommended: {chosen.name} (changed{changed}).".replace("changed, ", "changed: "),
        f"The runs of the book's figures use {usual.loss} loss, {usual.pixels} pixels, split "
        f"{usual.split} and labels as {usual.labels}.",
    ]
    if chosen is not NOTHING_CHANGED:
        lines += ["What the early marks do not see:", *_later_marks(runs, chosen, width)]
    return "\n".join(lines)


def _later_marks(runs: Runs, chosen: Choice, width: int) -> list[str]:
    """A line for the recommended and one for the published runs: what became of each, by run."""
    lines = []
    for choice in (chosen, NOTHING_CHANGED):
        here = runs[choice, width]
        found = [marks(run) for run in here]
        lowest = [one["epoch_of_minimum_test_loss"] for one in found]
        ends = [
            f"not diverged by {epochs_of(run)}" if np.isnan(one["divergence_epoch"])
            else f"diverged at {one['divergence_epoch']:.0f}"
            for run, one in zip(here, found, strict=True)
        ]  # fmt: skip
        lines.append(
            f"- {choice.name}, run by run: minimum test loss at epoch "
            f"{', '.join(f'{epoch:g}' for epoch in lowest)}; {', '.join(ends)}."
        )
    theirs = [papers(mark, width) for mark in (EARLY_MARKS[2], "divergence_epoch")]
    if None not in theirs:
        lines.append(f"- the paper: minimum test loss at {theirs[0]}, diverged at {theirs[1]}.")
    return lines


def missing_commands(runs: Runs) -> list[str]:
    """What trains the early marks of each choice and width without a run."""
    return [
        train_command(choice.experiment(width)) for choice, width in _by_width(runs)
        if not runs[choice, width]
    ]  # fmt: skip


def climb_table(runs: Runs, width: int) -> pd.DataFrame:
    """How the train loss falls and climbs again under each choice at a width.

    Returns
    -------
    A row for the paper and one a run: ``epochs``, the minimum train loss and its epoch,
    ``doubled``, the first epoch from which on the loss is above twice its minimum, ``divergence``,
    the epoch of reaching the plateau, ``climb``, the epochs from the minimum to there, and ``at
    the end``, the train loss of the last epoch. NaN where it had not happened by the end of the
    run, or cannot be read off the figures.
    """
    minimum, at, end = (_value(papers(mark, width)) for mark in LATER_MARKS)
    rows = [_climb("the paper", paper.EPOCHS, (minimum, at, end), np.nan)]
    for choice, other in runs:
        for run in runs[choice, other] if other == width else ():
            found = marks(run)
            later = tuple(found[mark] for mark in LATER_MARKS)
            climb = _climb(choice.name, epochs_of(run), later, _doubled(run, later[0]))
            rows.append(climb | {"at the end": float(run["train_loss"][0, -1])})
    return pd.DataFrame(rows)


def scatter_words(runs: Runs, width: int) -> str:
    """How far apart the runs as published diverge, beside how far the paper's are from them."""
    found = [marks(run)["divergence_epoch"] for run in runs[NOTHING_CHANGED, width]]
    epochs = sorted(int(epoch) for epoch in found if not np.isnan(epoch))
    theirs = papers("divergence_epoch", width)
    if len(epochs) < 2 or theirs is None:
        return f"Of width {width} too few runs as published diverge to tell how far apart they do."
    return (
        f"As published, {len(epochs)} runs of width {width} diverge, at epochs "
        f"{', '.join(map(str, epochs))}: at most {epochs[-1] - epochs[0]} epochs apart. The "
        f"paper's do at {theirs.value:g}, {np.mean(epochs) - theirs.value:.0f} before their mean."
    )


def split_table(runs: Runs, width: int) -> pd.DataFrame:
    """What else a split changes: the images, the last batch of an epoch, the test loss's scatter.

    An epoch's last batch has what is left over: where that is few samples, their step is as long
    as any other and its direction is less sure, and the test loss is taken right after it.

    Returns
    -------
    A row a run of a width under another split, and those with nothing changed: ``train`` and
    ``test`` images, ``last batch`` in samples, the ``train
    loss at 100``, ``scatter``, the standard deviation of the test
    loss's relative change from one epoch to the next, from epoch ``SCATTER_FROM`` to 100, over
    the square root of two (NaN where the run is shorter), and the ``minimum test loss``.
    """
    images = sum(published_facts()[paper.DATASET][part] for part in ("train_images", "test_images"))
    rows = []
    for choice, other in runs:
        if other != width or not set(choice.changed) <= {"split"}:
            continue
        for run in runs[choice, other]:
            train = _train_images(choice.experiment(width).split, images)
            curve = run["test_loss"].isel(replica=0).sel(epoch=slice(SCATTER_FROM, EARLY_EPOCHS))
            changes = np.diff(np.log(curve.to_numpy()))
            whole = epochs_of(run) >= EARLY_EPOCHS
            rows.append(
                {
                    "choice": choice.name, "train": train, "test": images - train,
                    "last batch": train % choice.experiment(width).batch_size,
                    "train loss at 100": marks(run)[EARLY_MARKS[0]],
                    "scatter": changes.std() / np.sqrt(2) if whole else np.nan,
                    "minimum test loss": marks(run)["minimum_test_loss"],
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _train_images(split: float | str, images: int) -> int:
    """As `datasets.load` divides them: all but a fold, or a share of all, rounded."""
    if isinstance(split, str):
        return images - published_fold_sizes(paper.DATASET)[split]
    return round(split * images)


def _climb(name: str, epochs: int, later: tuple, doubled: float) -> dict[str, Any]:
    minimum, at, end = later
    return {
        "choice": name, "epochs": epochs, "minimum train loss": minimum, "at epoch": at,
        "doubled": doubled, "divergence": end, "climb": end - at,
    }  # fmt: skip


def _doubled(run: xr.Dataset, minimum: float) -> float:
    """The first epoch from which on the train loss is above twice its minimum, NaN where none."""
    low = np.flatnonzero(~(run["train_loss"].isel(replica=0).to_numpy() > 2 * minimum))
    last = int(low[-1]) if low.size else epochs_of(run)
    return float("nan") if np.isnan(minimum) or last == epochs_of(run) else float(last + 1)


def _value(reading: Reading | None) -> float:
    return float("nan") if reading is None else reading.value


def _by_width(runs: Runs) -> list[tuple[Choice, int]]:
    return sorted(runs, key=lambda each: each[1])
