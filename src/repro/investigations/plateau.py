"""The height of the plateau, predicted: what the clipped loss is once a network has stopped.

Under the clipped loss a dead sample costs -ln(epsilon) and pulls on no weight. On the plateau no
sample that is wrong pulls any more, so that the loss is -ln(epsilon) times the share of dead
samples, and what the others still cost. A network that gave one answer whatever the input would be
right on that class alone: -ln(epsilon) x (1 - the class's share of the samples), and at the best,
with the most frequent class, ``best_constant``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from repro.analysis import evidence, regimes
from repro.analysis.captions import dataset_label, epochs_of, setting
from repro.analysis.crossing import Crossing
from repro.claims.jump import crossing
from repro.investigations.controls import value_of

Counts = Mapping[str, Mapping[str, np.ndarray]]
"""Images of each class, by dataset and set, as `dataset_facts.published_class_counts` has them."""


PREDICTIONS = ("most frequent class", "from accuracy", "from dead fraction")
"""Of a plateau's height: see `plateau_table`."""


class Plateau(NamedTuple):
    """What a run's plateau is made of; losses in nats, shares of the training set.

    Attributes
    ----------
    epoch:
        The first on it (`regimes.divergence_epoch`).
    train_loss, test_loss, train_accuracy, test_accuracy, dead_fraction:
        Medians from that epoch on.
    at_rest_since:
        The epoch from which on the very same numbers of samples are right and dead.
    """

    epoch: int
    train_loss: float
    test_loss: float
    train_accuracy: float
    test_accuracy: float
    dead_fraction: float
    at_rest_since: int


def plateau(run: xr.Dataset) -> Plateau | None:
    """The plateau of a single run; None where it has none, or no loss is left on it."""
    one = run.isel(replica=0)
    epoch = regimes.divergence_epoch(one["train_loss"])
    if epoch is None or not np.isfinite(one["train_loss"].values[-1]):
        return None
    names = ("train_loss", "test_loss", "train_accuracy", "test_accuracy", "dead_fraction")
    medians = [float(one[name].isel(epoch=slice(epoch, None)).median()) for name in names]
    changes = [
        np.flatnonzero(np.diff(one[name].values)) for name in ("train_accuracy", "dead_fraction")
    ]
    last = max((int(each[-1]) + 1 for each in changes if each.size), default=0)
    return Plateau(epoch, *medians, max(last, epoch))


def on_plateau(runs: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """The runs with the clipped loss that have reached a plateau, of any length and setting."""
    clipped = [run for run in runs if setting(run, "loss") == "clipped"]
    return [run for run in clipped if plateau(run) is not None]


def cost_of_dead(run: xr.Dataset) -> float:
    """What one dead sample costs, -ln(epsilon), in nats."""
    return -math.log(float(setting(run, "epsilon")))


def predicted(share_right: float, epsilon: float) -> float:
    """The clipped loss, in nats, where that share is right with certainty and all else is dead."""
    return -math.log(epsilon) * (1 - share_right)


def class_counts(run: xr.Dataset, counts: Counts, which: str) -> np.ndarray | None:
    """Images of each class in the run's training or test set.

    Parameters
    ----------
    which:
        ``train`` or ``test``.

    Returns
    -------
    Shape (class,); None where the counts are of another split than the run's.
    """
    name = str(setting(run, "dataset"))
    known = name in counts and setting(run, "split") in (None, "fold-1")
    return counts[name][which] if known else None


def classes_that_fit(run: xr.Dataset, counts: Counts) -> list[int] | None:
    """The classes that, given as the one answer, would make just the plateau's numbers right.

    Both in the training and in the test set, to the image. None where the run has no plateau, or
    the class counts of its split are not known.
    """
    found = plateau(run)
    fits = None
    for which in ("train", "test"):
        images = class_counts(run, counts, which)
        if found is None or images is None:
            return None
        right = getattr(found, f"{which}_accuracy") * images.sum()
        fit = np.abs(images - right) < 0.5
        fits = fit if fits is None else fits & fit
    return [int(number) for number in np.flatnonzero(fits)]


def plateau_table(runs: Sequence[xr.Dataset], counts: Counts) -> pd.DataFrame:
    """Every plateau of the clipped loss, measured and predicted, on training and test set.

    Returns
    -------
    Columns ``run``, ``set``, ``measured`` (loss, nats) and, each with its ``difference`` (measured
    less predicted), the predictions ``most frequent class`` (one answer whatever the input, at its
    best), ``from accuracy`` (all that is wrong is dead) and ``from dead fraction`` (training set
    only); NaN where there is none.
    """
    rows = []
    for name, run in _named_on_plateau(runs):
        found = plateau(run)
        assert found is not None
        epsilon = float(setting(run, "epsilon"))
        for which in ("train", "test"):
            measured = getattr(found, f"{which}_loss")
            images, of_train = (class_counts(run, counts, each) for each in (which, "train"))
            frequent = np.nan
            if images is not None and of_train is not None:
                share = float(images[int(np.argmax(of_train))] / images.sum())
                frequent = predicted(share, epsilon)
            by_accuracy = predicted(getattr(found, f"{which}_accuracy"), epsilon)
            by_dead = cost_of_dead(run) * found.dead_fraction if which == "train" else np.nan
            row: dict[str, Any] = {"run": name, "set": which, "measured": measured}
            values = (frequent, by_accuracy, by_dead)
            for origin, value in zip(PREDICTIONS, values, strict=True):
                row |= {origin: value, f"difference, {origin}": measured - value}
            rows.append(row)
    pairs = [column for name in PREDICTIONS for column in (name, f"difference, {name}")]
    return pd.DataFrame(rows, columns=["run", "set", "measured", *pairs])


def rest_table(runs: Sequence[xr.Dataset], counts: Counts) -> pd.DataFrame:
    """What each plateau holds: shares dead, wrong and right, and since when it is at rest."""
    rows = []
    for name, run in _named_on_plateau(runs):
        found = plateau(run)
        assert found is not None
        images = class_counts(run, counts, "train")
        known = images is not None
        rows.append(
            (
                name,
                found.epoch,
                found.dead_fraction,
                1 - found.train_accuracy,
                found.train_accuracy,
                round(images.sum() * found.train_accuracy) if known else np.nan,
                images.max() if known else np.nan,
                found.at_rest_since,
                epochs_of(run),
                _moved(run, found.at_rest_since),
            )
        )
    columns = [
        "run", "diverged at epoch", "dead", "misclassified", "right", "right, images",
        "most frequent class, images", "same since epoch", "until epoch",
        "deviation moves, %",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _moved(run: xr.Dataset, since: int) -> float:
    """How much the relative deviation of any layer changes from an epoch on, in per cent of it."""
    after = run["relative_deviation"].isel(replica=0, epoch=slice(since, None))
    return 100 * float((abs(after / after.isel(epoch=0) - 1)).max())


class Climb(NamedTuple):
    """How dead samples and loss rise together on the way to the plateau.

    Attributes
    ----------
    crossing:
        From the last epoch with a loss within twice its minimum to the divergence epoch
        (`claim_jump`).
    dead_at_minimum, dead_at_start:
        The dead fraction at the epoch of the lowest train loss, and at the crossing's start.
    half:
        The epoch from which on dead samples carry at least half of the train loss; None where they
        do not at the end.
    dead_at_half:
        The dead fraction there.
    """

    crossing: Crossing
    dead_at_minimum: float
    dead_at_start: float
    half: int | None
    dead_at_half: float


def climb(run: xr.Dataset) -> Climb | None:
    """The climb of a single run; None where it does not diverge."""
    one = run.isel(replica=0)
    between = crossing(one["train_loss"])
    if between is None:
        return None
    dead = one["dead_fraction"].to_numpy().astype(float)
    below = np.flatnonzero(share_of_dead(run) < 0.5)
    half = int(below[-1]) + 1 if below.size else 0
    lowest = regimes.minimum(one["train_loss"]).epoch
    told = half if half < len(dead) else None
    return Climb(
        between,
        float(dead[lowest]),
        float(dead[between.start]),
        told,
        float("nan") if told is None else float(dead[told]),
    )


def share_of_dead(run: xr.Dataset) -> np.ndarray:
    """The share of the train loss that dead samples carry, by epoch."""
    one = run.isel(replica=0)
    dead = one["dead_fraction"].to_numpy().astype(float)
    return cost_of_dead(run) * dead / one["train_loss"].to_numpy().astype(float)


def climb_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """`climb` of every run on a plateau, a row each."""
    rows = []
    for name, run in _named_on_plateau(runs):
        found = climb(run)
        if found is None:
            continue
        rows.append(
            (
                name,
                regimes.minimum(run["train_loss"].isel(replica=0)).epoch,
                found.dead_at_minimum,
                f"{found.crossing.start} to {found.crossing.end}",
                found.dead_at_start,
                "" if found.half is None else str(found.half),
                found.dead_at_half,
            )
        )
    columns = [
        "run", "lowest train loss at epoch", "dead there", "crossing", "dead at its start",
        "half of the loss is of dead samples from epoch", "dead then",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def name_of(run: xr.Dataset) -> str:
    """A run among those of all settings: dataset, width, mark, replica, and what is changed."""
    name = f"{dataset_label(run)}, {evidence.name_of(run)}"
    changed = value_of(run)
    return name if changed == "as in the paper" else f"{name}, {changed}"


def _named_on_plateau(runs: Sequence[xr.Dataset]) -> list[tuple[str, xr.Dataset]]:
    """`on_plateau`, each with its name, without the dataset where it is the same for all."""
    there = on_plateau(runs)
    one_dataset = len({dataset_label(run) for run in there}) == 1
    return [
        (name_of(run).removeprefix(f"{dataset_label(run)}, " if one_dataset else ""), run)
        for run in there
    ]
