"""Where a run that diverges leaves its low loss for good."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from repro.analysis import regimes
from repro.analysis.regimes import smoothed

LEFT_FACTOR = 2.0
"""The crossing begins where the loss is last within this factor of its minimum."""


class Crossing(NamedTuple):
    """First and last epoch of the stretch in which a run leaves its low loss for its plateau."""

    start: int
    end: int


def crossing(train_loss: ArrayLike) -> Crossing | None:
    """Where a run crosses into untrainability.

    Parameters
    ----------
    train_loss:
        One curve, shape (epochs + 1,), in nats.

    Returns
    -------
    The crossing; None where the run does not diverge.
    """
    end = regimes.divergence_epoch(train_loss)
    if end is None:
        return None
    smooth = smoothed(finite_or_infinite(train_loss))
    near = np.flatnonzero(smooth[:end] <= LEFT_FACTOR * np.min(smooth[:end], initial=np.inf))
    return Crossing(int(near[-1]) if near.size else 0, end)


def finite_or_infinite(values: ArrayLike) -> NDArray[np.float64]:
    """As float64, not-a-number made infinite."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(array), np.inf, array)
