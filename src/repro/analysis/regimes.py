"""What became of a run: its minimum, its divergence, its regime.

Everything here is read off loss curves: one-dimensional arrays over epochs, epoch 0 (the initial
state) included. Levels are told in units of the run's own initial loss, which is close to the
logarithm of the number of classes, so that the same rules hold for ten classes and for 369.

The rules, in words:

- **minimum**: the lowest finite value; ``minimum_at_end`` where the run was still falling to it
  when it was stopped, so that the true minimum lies later.
- **divergence epoch**: the first epoch of the final flat stretch of the train loss, if that
  stretch is far above the minimum. The curve first passes a running median, so a spike or a dip
  of one or two epochs counts for nothing. The stretch is where the curve stays no more than
  ``PLATEAU_BAND`` below its level at the end; it must be ``PLATEAU_EPOCHS`` long, and its later
  half must not drift, or the curve is still climbing (or still recovering) and has no divergence
  epoch yet. Its first epoch is the first that comes within ``PLATEAU_REACHED`` of that level. A
  loss that turns infinite or not-a-number for good has diverged at that epoch.
- **regime**: *weak* (never a low loss), *unstable* (a low loss, then divergence, or a low loss left
  for good and a loss that still rises when the run ends), *strong* (a low loss, still low at the
  end, neither of these) or *undecided*: a run shorter than the paper's 1000 epochs of which more
  epochs could still change the answer, or one that has lost its low loss but neither rises nor has
  come to rest.
- **left for good**: through the whole last ``LEFT_SHARE`` of the run the loss, after the running
  median, lies above ``LEFT_RATIO`` times its lowest. It **still rises** where the median of the
  later half of that stretch is above that of the earlier by more than their scatter explains.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro.errors import ReproError

Regime = Literal["weak", "unstable", "strong", "undecided"]
REGIMES: tuple[Regime, ...] = ("weak", "unstable", "strong", "undecided")

PAPER_EPOCHS = 1000
"""The paper's length of a run: weak and strong are statements about this many epochs."""

LOW_LOSS_SHARE = 0.09
"""A loss is low below this share of the initial loss. On HASYv2 that is 0.53, halfway (in the
logarithm) between the paper's minima at width 50 (0.69, in the region of low trainability) and at
width 100 (0.41, which diverges)."""

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

END_SHARE = 0.05
"""The share of a run's epochs that counts as its end."""


LEFT_SHARE = 0.1
"""The last share of a run in which it must not come back near its minimum: 100 epochs, several
times as long as a spike and its recovery."""

LEFT_RATIO = 1.25
"""A loss this many times its lowest has left it: far more than epochs differ by at a minimum (a few
per cent), and passed in Figure 2a about a hundred epochs after the minimum of width 150."""


class Minimum(NamedTuple):
    """The lowest finite value of a curve.

    Attributes
    ----------
    epoch:
        The first epoch with that value.
    value:
        The loss there, in nats.
    at_end:
        True where the run was still falling when it was stopped: the minimum is only
        "not before this epoch".
    """

    epoch: int
    value: float
    at_end: bool


def minimum(loss: ArrayLike) -> Minimum:
    """The lowest value of a loss curve, its epoch, and whether the run ended while still falling.

    Parameters
    ----------
    loss:
        One curve, shape (epochs + 1,), in nats.

    Returns
    -------
    The minimum. ``at_end`` is True where it lies within the last ``END_SHARE`` of the run and the
    median of that end is below the median of the stretch of the same length before it.

    Raises
    ------
    ReproError
        For an empty curve, one with more than one dimension, or none finite.
    """
    curve = _curve(loss)
    epoch = int(np.nanargmin(np.where(np.isfinite(curve), curve, np.nan)))
    end = max(1, int(np.ceil(END_SHARE * (len(curve) - 1))))
    at_end = epoch >= len(curve) - end
    if at_end and len(curve) >= 2 * end:
        at_end = bool(np.median(curve[-end:]) < np.median(curve[-2 * end : -end]))
    return Minimum(epoch, float(curve[epoch]), at_end)


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
        As :func:`minimum`.
    """
    plateau = _plateau(_curve(train_loss))
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
        As :func:`minimum`.
    """
    plateau = _plateau(_curve(train_loss))
    return None if plateau is None else plateau[1]


def regime(train_loss: ArrayLike, full_length: int = PAPER_EPOCHS) -> Regime:
    """Weak, unstable, strong, or undecided.

    A divergence decides at once: unstable after a low loss, weak without one. Without divergence a
    run shorter than ``full_length`` is undecided, since it may still learn or still diverge.

    Parameters
    ----------
    train_loss:
        One curve, shape (epochs + 1,), in nats.
    full_length:
        Epochs after which "never" and "no divergence" may be said.

    Returns
    -------
    The regime.

    Raises
    ------
    ReproError
        As :func:`minimum`.
    """
    curve = _curve(train_loss)
    low = LOW_LOSS_SHARE * _initial(curve)
    reached_low = minimum(curve).value < low
    if _plateau(curve) is not None:
        return "unstable" if reached_low else "weak"
    if len(curve) - 1 < full_length:
        return "undecided"
    if not reached_low:
        return "weak"
    if rises_at_end(curve):
        return "unstable"
    return "strong" if np.median(curve[-PLATEAU_EPOCHS:]) < low else "undecided"


def rises_at_end(train_loss: ArrayLike) -> bool:
    """Whether a run has left its minimum for good and is still rising when it ends.

    Parameters
    ----------
    train_loss:
        One curve, shape (epochs + 1,), in nats.
    """
    curve = _curve(train_loss)
    last = int(np.ceil(LEFT_SHARE * (len(curve) - 1)))
    if len(curve) < 2 * last or last < 2 * PLATEAU_EPOCHS:
        return False
    smooth = smoothed(curve)
    if not (smooth[-last:] > LEFT_RATIO * smooth.min()).all():
        return False
    earlier, later = curve[-last : -last // 2], curve[-last // 2 :]
    change = np.median(later) - np.median(earlier)
    return bool(change > _scatter_of_medians(curve[-last:], len(later)))


def smoothed(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """A running median that leaves nothing of excursions up to ``SPIKE_EPOCHS`` long."""
    from scipy.ndimage import median_filter

    return median_filter(curve, 2 * SPIKE_EPOCHS + 1, mode="nearest")


def summary(dataset: xr.Dataset, full_length: int = PAPER_EPOCHS) -> xr.Dataset:
    """What became of every replica of an experiment.

    Parameters
    ----------
    dataset:
        A run with ``train_loss`` and ``test_loss`` over (replica, epoch).
    full_length:
        As for :func:`regime`.

    Returns
    -------
    Dataset over ``replica``: ``minimum_train_loss``, ``minimum_test_loss`` (nats),
    ``epoch_of_minimum_train_loss``, ``epoch_of_minimum_test_loss`` (int),
    ``minimum_at_end``, ``test_minimum_at_end`` (bool; see :func:`minimum`),
    ``divergence_epoch`` (float, NaN where none), ``plateau_level`` (nats, NaN where none),
    ``regime`` (str) and the scalar ``epochs``: how long the runs are.

    Raises
    ------
    ReproError
        For a dataset without the two losses, and as :func:`minimum`.
    """
    missing = [name for name in ("train_loss", "test_loss") if name not in dataset]
    if missing:
        raise ReproError(f"A run needs {' and '.join(missing)} over replica and epoch.")
    train = dataset["train_loss"].transpose("replica", "epoch").to_numpy()
    test = dataset["test_loss"].transpose("replica", "epoch").to_numpy()
    train_minima = [minimum(curve) for curve in train]
    test_minima = [minimum(curve) for curve in test]
    plateaus = [_plateau(_curve(curve)) or (np.nan, np.nan) for curve in train]
    first = int(dataset["epoch"][0])

    def per_replica(values: list, dtype: type) -> tuple[str, NDArray]:
        return ("replica", np.array(values, dtype=dtype))

    result = xr.Dataset(
        {
            "minimum_train_loss": per_replica([m.value for m in train_minima], float),
            "epoch_of_minimum_train_loss": per_replica(
                [m.epoch + first for m in train_minima], int
            ),
            "minimum_at_end": per_replica([m.at_end for m in train_minima], bool),
            "minimum_test_loss": per_replica([m.value for m in test_minima], float),
            "epoch_of_minimum_test_loss": per_replica([m.epoch + first for m in test_minima], int),
            "test_minimum_at_end": per_replica([m.at_end for m in test_minima], bool),
            "divergence_epoch": per_replica([epoch + first for epoch, _ in plateaus], float),
            "plateau_level": per_replica([level for _, level in plateaus], float),
            "regime": per_replica([regime(curve, full_length) for curve in train], str),
            "epochs": int(dataset["epoch"].max()),
        },
        coords={"replica": dataset["replica"]},
    )
    for name in ("minimum_train_loss", "minimum_test_loss", "plateau_level"):
        result[name].attrs["units"] = "nat"
    return result


def _curve(loss: ArrayLike) -> NDArray[np.float64]:
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


def far_above_minimum(initial: float, lowest: float) -> float:
    """The loss from which on a plateau is far above the lowest, given the initial loss."""
    gained = max(initial - lowest, 0.0)
    return max(PLATEAU_RATIO * lowest, lowest + PLATEAU_SHARE * gained)


def ends_far_above_minimum(train_loss: ArrayLike) -> bool:
    """Whether one curve, shape (epochs + 1,), ends as far above its lowest as a plateau must be.

    By the median over the epochs that a plateau must last.
    """
    curve = np.asarray(train_loss, dtype=float)
    far = far_above_minimum(curve[0], minimum(curve).value)
    return not np.median(curve[-PLATEAU_EPOCHS:]) < far  # so that not-a-number is


def _initial(curve: NDArray[np.float64]) -> float:
    """The loss before training (the first finite one)."""
    return float(curve[np.isfinite(curve)][0])


def _plateau(curve: NDArray[np.float64]) -> tuple[int, float] | None:
    """First epoch and level of the final plateau far above the minimum, or None."""
    finite = np.flatnonzero(np.isfinite(curve))
    lost_at = int(finite[-1]) + 1  # the loss is infinite from here to the end
    found = _flat_plateau(curve[:lost_at])
    if found is None and lost_at < len(curve):
        return lost_at, float("inf")
    return found


def _flat_plateau(curve: NDArray[np.float64]) -> tuple[int, float] | None:
    """As :func:`_plateau`, for a curve whose last value is finite."""
    from scipy.ndimage import median_filter

    if len(curve) <= PLATEAU_EPOCHS:
        return None
    lowest = curve.min()
    far_above = far_above_minimum(_initial(curve), lowest)
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
    tolerance = PLATEAU_DRIFT * level + _scatter_of_medians(stretch[-2 * quarter :], quarter)
    return bool(not change <= tolerance)


def _scatter_of_medians(stretch: NDArray[np.float64], number: int) -> float:
    """Two standard deviations of the difference of two medians over so many epochs each."""
    steps = np.abs(np.diff(stretch))
    scatter = 1.4826 * np.median(steps) / np.sqrt(2)  # a standard deviation, outliers apart
    return float(2 * 1.25 * scatter * np.sqrt(2 / number))


AT_END = {
    "epoch_of_minimum_train_loss": "minimum_at_end",
    "epoch_of_minimum_test_loss": "test_minimum_at_end",
}


def happened(summary: xr.Dataset, quantity: str) -> NDArray[np.float64]:
    """The epochs of one quantity of `summary` by replica, NaN where not by the end."""
    epoch = summary[quantity].to_numpy().astype(float)
    if quantity in AT_END:
        epoch = np.where(summary[AT_END[quantity]], np.nan, epoch)
    return epoch
