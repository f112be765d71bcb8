"""When a run diverges, and where it leaves its low loss for good.

The **divergence epoch** is the first epoch of the final flat stretch of the train loss, if that
stretch is far above the minimum. The curve first passes a running median, so a spike or a dip of
one or two epochs counts for nothing. The stretch is where the curve stays no more than
``PLATEAU_BAND`` below its level at the end; it must be ``PLATEAU_EPOCHS`` long, and its later half
must not drift, or the curve is still climbing (or still recovering) and has no divergence epoch
yet. Its first epoch is the first that comes within ``PLATEAU_REACHED`` of that level. A loss that
turns infinite or not-a-number for good has diverged at that epoch. The **crossing** is the stretch
from the last epoch near the minimum to the divergence epoch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from repro.errors import ReproError

PLATEAU_SHARE = 0.25
"""A plateau has lost at least this share of what the run had gained (initial loss less minimum)."""

PLATEAU_RATIO = 2.0
"""A plateau is at least this many times the minimum: a run that never learned has none."""

PLATEAU_BAND = 0.1
"""On the plateau the curve stays no more than this share below its final level."""

PLATEAU_REACHED = 0.05
"""The plateau begins where, in that stretch, the curve first comes this near to its level."""

PLATEAU_EPOCHS = 30
"""A plateau lasts at least this many epochs; the last of them give its level."""

PLATEAU_DRIFT = 0.015
"""Between the last two quarters of a plateau its level changes by no more than this share of it,
beyond what its scatter explains. A straight climb through the whole band changes by 0.025."""

SPIKE_EPOCHS = 2
"""Excursions up to this many epochs long do not count (half the width of the running median)."""

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
    end = divergence_epoch(train_loss)
    if end is None:
        return None
    smooth = smoothed(finite_or_infinite(train_loss))
    near = np.flatnonzero(smooth[:end] <= LEFT_FACTOR * np.min(smooth[:end], initial=np.inf))
    return Crossing(int(near[-1]) if near.size else 0, end)


def finite_or_infinite(values: ArrayLike) -> NDArray[np.float64]:
    """As float64, not-a-number made infinite."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(array), np.inf, array)


def divergence_epoch(train_loss: ArrayLike) -> int | None:
    """The first epoch on the final flat plateau far above the minimum.

    Parameters
    ----------
    train_loss:
        One curve, shape (epochs + 1,), in nats.

    Returns
    -------
    The epoch, or None where the run did not diverge or has not reached its plateau.

    Raises
    ------
    ReproError
        For an empty curve, one with more than one dimension, or none finite.
    """
    plateau = plateau_of(loss_curve(train_loss))
    return None if plateau is None else plateau[0]


def plateau_level(train_loss: ArrayLike) -> float | None:
    """The median loss from the divergence epoch on, in nats; infinite where no loss is finite.

    Parameters
    ----------
    train_loss:
        One curve, shape (epochs + 1,), in nats.

    Returns
    -------
    The level, or None where :func:`divergence_epoch` is None.

    Raises
    ------
    ReproError
        For an empty curve, one with more than one dimension, or none finite.
    """
    plateau = plateau_of(loss_curve(train_loss))
    return None if plateau is None else plateau[1]


def far_above_minimum(initial: float, lowest: float) -> float:
    """The loss from which on a plateau is far above the lowest, given the initial loss."""
    gained = max(initial - lowest, 0.0)
    return max(PLATEAU_RATIO * lowest, lowest + PLATEAU_SHARE * gained)


def smoothed(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """A running median that leaves nothing of excursions up to ``SPIKE_EPOCHS`` long."""
    from scipy.ndimage import median_filter

    return median_filter(curve, 2 * SPIKE_EPOCHS + 1, mode="nearest")


def loss_curve(loss: ArrayLike) -> NDArray[np.float64]:
    """The curve as float64, not-a-number made infinite: neither is a loss one could train from."""
    curve = np.asarray(loss, dtype=np.float64)
    if curve.ndim != 1 or curve.size == 0:
        raise ReproError(
            f"A loss curve is one-dimensional, one value per epoch, not of shape {curve.shape}: "
            "select one replica."
        )
    curve = np.where(np.isnan(curve), np.inf, curve)
    if not np.isfinite(curve).any():
        raise ReproError(
            "The loss curve has no finite value: the run failed before its first epoch."
        )
    return curve


def initial_loss(curve: NDArray[np.float64]) -> float:
    """The loss before training (the first finite one)."""
    return float(curve[np.isfinite(curve)][0])


def plateau_of(curve: NDArray[np.float64]) -> tuple[int, float] | None:
    """First epoch and level of the final plateau far above the minimum, or None."""
    finite = np.flatnonzero(np.isfinite(curve))
    lost_at = int(finite[-1]) + 1  # the loss is infinite from here to the end
    found = _flat_plateau(curve[:lost_at])
    if found is None and lost_at < len(curve):
        return lost_at, float("inf")
    return found


def _flat_plateau(curve: NDArray[np.float64]) -> tuple[int, float] | None:
    """As `plateau_of`, for a curve whose last value is finite."""
    from scipy.ndimage import median_filter

    if len(curve) <= PLATEAU_EPOCHS:
        return None
    lowest = curve.min()
    far_above = far_above_minimum(initial_loss(curve), lowest)
    level = float(np.median(curve[-PLATEAU_EPOCHS:]))
    if not far_above <= level < np.inf:
        return None
    smooth = median_filter(curve, size=2 * SPIKE_EPOCHS + 1, mode="reflect")
    below = np.flatnonzero(smooth < (1 - PLATEAU_BAND) * level)
    start = int(below[-1]) + 1 if below.size else 0
    stretch = curve[start:][np.isfinite(curve[start:])]
    if len(stretch) < PLATEAU_EPOCHS or _drifts(stretch, level):
        return None
    reached = (1 - PLATEAU_REACHED) * level
    here = (smooth >= reached) & (curve >= reached)  # the median may lift a first low value
    start += int(np.argmax(here[start:]))
    return start, float(np.median(curve[start:][np.isfinite(curve[start:])]))


def _drifts(stretch: NDArray[np.float64], level: float) -> bool:
    """Whether the last two quarters of a stretch differ by more than its scatter explains."""
    quarter = len(stretch) // 4
    third, fourth = stretch[-2 * quarter : -quarter], stretch[-quarter:]
    change = abs(np.median(fourth) - np.median(third))
    tolerance = PLATEAU_DRIFT * level + scatter_of_medians(stretch[-2 * quarter :], quarter)
    return bool(not change <= tolerance)


def scatter_of_medians(stretch: NDArray[np.float64], number: int) -> float:
    """Two standard deviations of the difference of two medians over so many epochs each."""
    steps = np.abs(np.diff(stretch))
    scatter = 1.4826 * np.median(steps) / np.sqrt(2)  # a standard deviation, outliers apart
    return float(2 * 1.25 * scatter * np.sqrt(2 / number))
