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

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from repro.investigations.controls import label
from repro.investigations.sharpness_record import SharpnessRecord
from repro.places import published_path
from repro.store.store import Store

SPIKE_RATIO = 1.5
SPIKE_BEFORE = 10
EPOCHS_BEFORE = 20
EDGE = 0.1


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


def series(record: SharpnessRecord) -> pd.Series:
    """The sharpness by epoch, NaN where there was no loss."""
    values = {one.epoch: one.sharpness for one in record.measurements}
    return pd.Series(values, dtype=float, name="sharpness")


def losses(record: SharpnessRecord, name: str = "train_loss") -> np.ndarray:
    """The training loss, or ``max_batch_loss``, of every epoch trained for a record."""
    return np.array(getattr(record, name), dtype=float)


def table(records: Sequence[SharpnessRecord]) -> pd.DataFrame:
    """Every record beside its edge, by this module's rule.

    Returns
    -------
    A row a record: ``dataset``, ``width``, ``changed``, ``replica``, ``epochs``, ``measured``
    (epochs), ``edge`` (2 / learning rate), ``spike`` (the first one's epoch), ``before`` (sharpness
    before it) and over how many measurements (``measured_before``), ``ratio`` to the edge,
    ``highest`` and its epoch ``highest_at``, ``above`` (how many measurements are above the edge),
    ``residual`` (the largest), ``same_until``, the last epoch up to which all training losses are
    the published run's to the last bit, and ``answer``. NaN where there is none.
    """
    return pd.DataFrame(map(_row, records), columns=list(_COLUMNS))


_COLUMNS = (
    "dataset", "width", "changed", "replica", "epochs", "measured", "edge", "spike", "before",
    "measured_before", "ratio", "highest", "highest_at", "above", "residual", "same_until",
    "answer",
)  # fmt: skip


def _row(record: SharpnessRecord) -> dict[str, object]:
    experiment, values = record.experiment, series(record)
    edge = 2 / experiment.learning_rate
    spike = first_spike(losses(record, "max_batch_loss"))
    near = values[:0] if spike is None else values.loc[spike - EPOCHS_BEFORE : spike - 1]
    ratio = float(near.median(skipna=False)) / edge
    answer = "no answer"
    if np.isfinite(ratio):
        answer = "beyond the edge" if ratio > 1 + EDGE else "at the edge"
        answer = "below the edge" if ratio < 1 - EDGE else answer
    finite = values.dropna()
    return {
        "dataset": experiment.dataset, "width": experiment.width, "changed": label(experiment),
        "replica": record.replica, "epochs": experiment.epochs, "measured": len(values),
        "edge": edge, "spike": np.nan if spike is None else spike, "before": ratio * edge,
        "measured_before": len(near), "ratio": ratio, "highest": values.max(),
        "highest_at": finite.idxmax() if len(finite) else np.nan,
        "above": int((values > edge).sum()),
        "residual": max((one.residual or 0 for one in record.measurements), default=0.0),
        "same_until": same_until(record), "answer": answer,
    }  # fmt: skip


def same_until(record: SharpnessRecord) -> float:
    """The last epoch up to which a record's training losses are the published run's, to the last
    bit; -1: none are, NaN: no such run is published."""
    place = Store(published_path())
    run = place.find(record.experiment, record.replica)
    if run is None:
        return float("nan")
    mine = losses(record).astype(np.float32)
    theirs = place.load(run)["train_loss"].isel(replica=0).to_numpy().astype(np.float32)
    shared = min(len(mine), len(theirs))
    other = np.flatnonzero(mine[:shared] != theirs[:shared])
    return int(other[0]) - 1 if other.size else shared - 1
