"""Sharpness held against the stability of gradient descent: where is 2 / learning rate?

On a quadratic bowl gradient descent with learning rate r diverges along every direction whose
curvature is above 2 / r, and networks trained on their whole training set sharpen until they are
there (Cohen et al. 2021, arXiv:2103.00065). The rule by which a run is said to be at that edge was
written before the sharpness of any run had been measured up to its first spike:

- The **first spike** is the first epoch whose worst batch has ``SPIKE_RATIO`` times the loss that
  worst batches had in the ``SPIKE_BEFORE`` epochs before it (their median).
- The sharpness **before the spike** is the median of the measurements in the ``EPOCHS_BEFORE``
  epochs before it.
- The run is *at the edge* where that is within ``EDGE`` of 2 / r, *beyond* it where it is higher,
  and *below* it where it is lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from repro.analysis.captions import dataset_name
from repro.investigations.sharpness_record import SharpnessRecord
from repro.places import published_path
from repro.store.store import Store

SPIKE_RATIO = 1.5
SPIKE_BEFORE = 10
EPOCHS_BEFORE = 20
EDGE = 0.1


class Stability(NamedTuple):
    """A run's sharpness beside the edge of stability.

    Attributes
    ----------
    edge:
        2 / learning rate.
    spike:
        The first spike's epoch; None where there is none in the epochs trained.
    before:
        The sharpness before the spike; NaN where it was not measured there.
    measured:
        Over how many measurements.
    last_before, first_after:
        Epoch and sharpness of the measurements on either side of the spike, the second at the
        spike's own epoch or later; None where there is none. The rule does not ask for them.
    highest, highest_epoch:
        The highest sharpness of all measurements, and its epoch.
    above:
        The epochs measured, initial state included, whose sharpness is above the edge.
    answer:
        ``at the edge``, ``beyond the edge``, ``below the edge``, or ``no answer``.
    """

    edge: float
    spike: int | None
    before: float
    measured: int
    last_before: tuple[int, float] | None
    first_after: tuple[int, float] | None
    highest: float
    highest_epoch: int
    above: tuple[int, ...]
    answer: str


class Agreement(NamedTuple):
    """How far a run trained for its sharpness is the published one.

    Attributes
    ----------
    epochs:
        That both have.
    alike_until:
        The last epoch up to which all train losses are the same, to the last bit; -1 where none.
    largest:
        The largest relative difference between their train losses.
    """

    epochs: int
    alike_until: int
    largest: float


def first_spike(max_batch_loss: ArrayLike) -> int | None:
    """The epoch of a run's first spike, by this module's rule; None where there is none.

    Parameters
    ----------
    max_batch_loss:
        Shape (epochs + 1,), in nats; that of epoch 0 is not looked at.
    """
    worst = np.asarray(max_batch_loss, dtype=float)
    for epoch in range(SPIKE_BEFORE + 1, len(worst)):
        usual = np.median(worst[epoch - SPIKE_BEFORE : epoch])
        if not worst[epoch] <= SPIKE_RATIO * usual:  # so that not-a-number is a spike
            return epoch
    return None


def series(record: SharpnessRecord) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and sharpness of a record's measurements, NaN where there was no loss."""
    epochs = np.array([one.epoch for one in record.measurements], dtype=int)
    values = [np.nan if one.sharpness is None else one.sharpness for one in record.measurements]
    return epochs, np.array(values, dtype=float)


def losses(record: SharpnessRecord, name: str = "train_loss") -> np.ndarray:
    """The train loss, or ``max_batch_loss``, of every epoch trained for a record."""
    values = getattr(record, name)
    return np.array([np.nan if one is None else one for one in values], dtype=float)


def stability(record: SharpnessRecord) -> Stability:
    """A record's measurements beside the edge, by this module's rule."""
    edge = 2 / record.experiment.learning_rate
    epochs, values = series(record)
    spike = first_spike(losses(record, "max_batch_loss"))
    near = np.zeros(len(epochs), bool)
    if spike is not None:
        near = (epochs < spike) & (epochs >= spike - EPOCHS_BEFORE)
    before = float(np.median(values[near])) if near.any() else float("nan")
    answer = "no answer"
    if np.isfinite(before):
        place = before / edge
        answer = "beyond the edge" if place > 1 + EDGE else "at the edge"
        answer = "below the edge" if place < 1 - EDGE else answer
    sides: list[tuple[int, float] | None] = [None, None]
    if spike is not None:
        pairs = [(int(epoch), float(value)) for epoch, value in zip(epochs, values, strict=True)]
        sides[0] = max((pair for pair in pairs if pair[0] < spike), default=None)
        sides[1] = min((pair for pair in pairs if pair[0] >= spike), default=None)
    top = int(np.nanargmax(values)) if np.isfinite(values).any() else 0
    above = tuple(int(epoch) for epoch in epochs[values > edge])
    return Stability(
        edge, spike, before, int(near.sum()), *sides, float(values[top]), int(epochs[top]), above,
        answer,
    )  # fmt: skip


def published_run(record: SharpnessRecord) -> xr.Dataset | None:
    """The published run that a record is of; None where it is not published."""
    place = Store(published_path())
    run = place.find(record.experiment, record.replica)
    return None if run is None else place.load(run)


def agreement(record: SharpnessRecord, run: xr.Dataset) -> Agreement:
    """How far the train losses of a record are those of a run."""
    mine = losses(record).astype(np.float32)
    theirs = run["train_loss"].isel(replica=0).to_numpy().astype(np.float32)
    shared = min(len(mine), len(theirs))
    mine, theirs = mine[:shared], theirs[:shared]
    other = np.flatnonzero(mine != theirs)
    until = int(other[0]) - 1 if other.size else shared - 1
    largest = float(np.max(np.abs(mine / theirs - 1), initial=0.0))
    return Agreement(shared - 1, until, largest)


def stability_table(records: Sequence[SharpnessRecord]) -> pd.DataFrame:
    """A record a row: what was measured, the first spike, and the sharpness before it."""
    rows = []
    for record in records:
        found = stability(record)
        rows.append(
            (
                name_of(record),
                record.experiment.epochs,
                len(record.measurements),
                record.sample_size,
                found.edge,
                "" if found.spike is None else str(found.spike),
                found.before,
                found.measured,
                found.highest,
                found.highest_epoch,
                found.answer,
            )
        )
    columns = [
        "run", "epochs", "measurements", "images", "2 / learning rate", "first spike",
        "sharpness before it", "measured there", "highest", "at epoch", "answer",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def name_of(record: SharpnessRecord) -> str:
    """What a record is of: ``HASYv2, N = 150, replica 0``."""
    experiment = record.experiment
    words = [dataset_name(experiment.dataset), f"N = {experiment.width}", *changes(record)]
    return ", ".join([*words, f"replica {record.replica}"])


def changes(record: SharpnessRecord) -> list[str]:
    """What is not as in the paper, such as ``pixels inverted``."""
    unusual = record.experiment.unusual.items()
    return [f"{name.replace('_', ' ')} {value}" for name, value in unusual]
