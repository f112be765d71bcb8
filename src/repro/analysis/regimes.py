"""What became of a run, read off its loss curves: its minimum, divergence, crossing and regime.

A curve has one loss in nats for every epoch, the initial state (epoch 0) included. Levels are in
units of the run's own initial loss, which is close to the logarithm of the number of classes, so
that the same rules hold for ten classes and for 369.

- **minimum**: the lowest finite value, ``at_end`` where the run was still falling to it.
- **plateau**: the final flat stretch of the train loss, far above the minimum, from the
  **divergence epoch** on. After a running median (a spike or a dip of one or two epochs counts for
  nothing) the curve stays no more than ``PLATEAU_BAND`` below its level at the end, for at least
  ``PLATEAU_EPOCHS``, and does not drift in its later half, or it is still climbing or recovering. A
  loss that turns infinite or not-a-number for good has diverged at that epoch.
- **crossing**: from the last epoch near the minimum to the divergence epoch.
- **regime**: *weak* (never a low loss), *unstable* (a low loss, then divergence, or a low loss left
  for good and a loss that still rises when the run ends), *strong* (a low loss, still low at the
  end, neither of these) or *undecided*: a run shorter than the paper's 1000 epochs of which more
  epochs could still change the answer, or one that has lost its low loss but neither rises nor has
  come to rest.

All raise a `ReproError` for a curve that is empty, has several dimensions or no finite value.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro import paper
from repro.errors import ReproError

Regime = Literal["weak", "unstable", "strong", "undecided"]

# A loss is low below this share of the initial loss. On HASYv2 that is 0.53, halfway (in the
# logarithm) between the paper's minima at width 50 (0.69, in the region of low trainability) and at
# width 100 (0.41, which diverges).
LOW_LOSS_SHARE = 0.09
END_SHARE = 0.05  # of a run's epochs, its end
# A run has left its minimum for good where it does not come back near it in its last share: 100
# epochs, several times as long as a spike and its recovery. A loss this many times its lowest has
# left it: far more than epochs differ by at a minimum (a few per cent), and passed in Figure 2a
# about a hundred epochs after the minimum of width 150.
LEFT_SHARE, LEFT_RATIO = 0.1, 1.25
LEFT_FACTOR = 2.0  # the crossing begins where the loss is last within this factor of its minimum
# A plateau has lost at least this share of what the run had gained (initial loss less minimum), and
# is at least this many times the minimum: a run that never learned has none.
PLATEAU_SHARE, PLATEAU_RATIO = 0.25, 2.0
PLATEAU_BAND = 0.1  # on the plateau the curve stays no more than this share below its final level
PLATEAU_REACHED = 0.05  # it begins where, in that stretch, the curve first comes this near to it
PLATEAU_EPOCHS = 30  # it lasts at least so long; the last of them give its level
# Between the last two quarters of a plateau its level changes by no more than this share of it,
# beyond what its scatter explains. A straight climb through the whole band changes by 0.025.
PLATEAU_DRIFT = 0.015
SPIKE_EPOCHS = 2  # excursions up to so long do not count (half the width of the running median)


class Minimum(NamedTuple):
    """The lowest finite loss, its first epoch, and whether it is only "not before this epoch"."""

    epoch: int
    value: float
    at_end: bool


class Plateau(NamedTuple):
    """The divergence epoch, and the median loss from there on (infinite where none is finite)."""

    epoch: int
    level: float


class Crossing(NamedTuple):
    """First and last epoch of the stretch in which a run leaves its low loss for its plateau."""

    start: int
    end: int


def minimum(loss: ArrayLike) -> Minimum:
    """The lowest loss, ``at_end`` where it lies in the last ``END_SHARE`` and the median there is
    below that of the stretch of the same length before.
    """
    curve = loss_curve(loss)
    epoch = int(np.argmin(curve))
    end = max(1, int(np.ceil(END_SHARE * (len(curve) - 1))))
    at_end = epoch >= len(curve) - end
    if at_end and len(curve) >= 2 * end:
        at_end = bool(np.median(curve[-end:]) < np.median(curve[-2 * end : -end]))
    return Minimum(epoch, float(curve[epoch]), at_end)


def plateau(train_loss: ArrayLike) -> Plateau | None:
    """The final plateau far above the minimum; None where the run has not reached one."""
    curve = loss_curve(train_loss)
    lost_at = int(np.flatnonzero(np.isfinite(curve))[-1]) + 1  # infinite from here to the end
    found = _flat_plateau(curve[:lost_at])
    if found is None and lost_at < len(curve):
        return Plateau(lost_at, float("inf"))
    return found


def divergence_epoch(train_loss: ArrayLike) -> int | None:
    """The first epoch of the `plateau`, None where there is none."""
    found = plateau(train_loss)
    return None if found is None else found.epoch


def crossing(train_loss: ArrayLike) -> Crossing | None:
    """Where a run crosses into untrainability; None where it does not diverge."""
    end = divergence_epoch(train_loss)
    if end is None:
        return None
    smooth = smoothed(finite_or_infinite(train_loss))
    near = np.flatnonzero(smooth[:end] <= LEFT_FACTOR * np.min(smooth[:end], initial=np.inf))
    return Crossing(int(near[-1]) if near.size else 0, end)


def regime(train_loss: ArrayLike, full_length: int = paper.EPOCHS) -> Regime:
    """Weak, unstable, strong, or undecided: a run short of ``full_length`` that did not diverge."""
    curve = loss_curve(train_loss)
    low = LOW_LOSS_SHARE * _initial(curve)
    reached_low = minimum(curve).value < low
    if plateau(curve) is not None:
        return "unstable" if reached_low else "weak"
    if len(curve) - 1 < full_length:
        return "undecided"
    if not reached_low:
        return "weak"
    if _rises_at_end(curve):
        return "unstable"
    return "strong" if np.median(curve[-PLATEAU_EPOCHS:]) < low else "undecided"


def outcome(train_loss: ArrayLike, test_loss: ArrayLike) -> dict[str, Any]:
    """What became of one run: the variables of `summary`."""
    train, test = minimum(train_loss), minimum(test_loss)
    diverged, level = plateau(train_loss) or (np.nan, np.nan)
    return {
        "minimum_train_loss": train.value, "epoch_of_minimum_train_loss": train.epoch,
        "minimum_at_end": train.at_end, "minimum_test_loss": test.value,
        "epoch_of_minimum_test_loss": test.epoch, "test_minimum_at_end": test.at_end,
        "divergence_epoch": float(diverged), "plateau_level": level, "regime": regime(train_loss),
    }  # fmt: skip


def summary(dataset: xr.Dataset) -> xr.Dataset:
    """What became of every replica of an experiment: an `outcome` each, and the scalar ``epochs``.

    Over ``replica``; ``divergence_epoch`` and ``plateau_level`` are NaN where there is none.
    """
    curves = zip(dataset["train_loss"].values, dataset["test_loss"].values, strict=True)
    rows = [outcome(train, test) for train, test in curves]
    found = {name: ("replica", [row[name] for row in rows]) for name in rows[0]}
    found |= {"epochs": int(dataset["epoch"].max())}
    return xr.Dataset(found, coords={"replica": dataset["replica"]})


AT_END = {
    "epoch_of_minimum_train_loss": "minimum_at_end",
    "epoch_of_minimum_test_loss": "test_minimum_at_end",
}


def happened(summary: Any, quantity: str) -> NDArray[np.float64]:
    """The epochs of one quantity of a `summary` or an `outcome`, NaN where not by the end."""
    epoch = np.asarray(summary[quantity], dtype=np.float64)
    return np.where(summary[AT_END[quantity]], np.nan, epoch) if quantity in AT_END else epoch


def ends_far_above_minimum(train_loss: ArrayLike) -> bool:
    """Whether a curve ends (its median over ``PLATEAU_EPOCHS``) as far up as a plateau must be."""
    curve = np.asarray(train_loss, dtype=np.float64)
    far = far_above(curve[0], minimum(curve).value)
    return not np.median(curve[-PLATEAU_EPOCHS:]) < far  # so that not-a-number is


def loss_curve(loss: ArrayLike) -> NDArray[np.float64]:
    """The curve as float64, not-a-number made infinite: neither is a loss one could train from."""
    curve = finite_or_infinite(loss)
    if curve.ndim != 1 or not np.isfinite(curve).any():
        raise ReproError(
            "A loss curve is that of one replica, with a finite value at least, not of shape "
            f"{curve.shape}."
        )
    return curve


def finite_or_infinite(values: ArrayLike) -> NDArray[np.float64]:
    """As float64, not-a-number made infinite."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(array), np.inf, array)


def smoothed(curve: NDArray[np.float64], beyond: str = "nearest") -> NDArray[np.float64]:
    """A running median that leaves nothing of excursions up to ``SPIKE_EPOCHS`` long."""
    from scipy.ndimage import median_filter

    return median_filter(curve, 2 * SPIKE_EPOCHS + 1, mode=beyond)


def _initial(curve: NDArray[np.float64]) -> float:
    """The loss before training (the first finite one)."""
    return float(curve[np.isfinite(curve)][0])


def far_above(initial: float, lowest: Any) -> Any:
    """The loss from which on a plateau is far above the lowest (one or an array)."""
    gained = np.maximum(initial - lowest, 0.0)
    return np.maximum(PLATEAU_RATIO * lowest, lowest + PLATEAU_SHARE * gained)


def _rises_at_end(curve: NDArray[np.float64]) -> bool:
    """Whether a run has left its minimum for good and still rises, by more than its scatter."""
    last = int(np.ceil(LEFT_SHARE * (len(curve) - 1)))
    if len(curve) < 2 * last or last < 2 * PLATEAU_EPOCHS:
        return False
    smooth = smoothed(curve)
    if not (smooth[-last:] > LEFT_RATIO * smooth.min()).all():
        return False
    earlier, later = curve[-last : -last // 2], curve[-last // 2 :]
    change = np.median(later) - np.median(earlier)
    return bool(change > _scatter_of_medians(curve[-last:], len(later)))


def _flat_plateau(curve: NDArray[np.float64]) -> Plateau | None:
    """As `plateau`, for a curve whose last value is finite."""
    if len(curve) <= PLATEAU_EPOCHS:
        return None
    level = float(np.median(curve[-PLATEAU_EPOCHS:]))
    if not far_above(_initial(curve), curve.min()) <= level < np.inf:
        return None
    smooth = smoothed(curve, "reflect")
    below = np.flatnonzero(smooth < (1 - PLATEAU_BAND) * level)
    start = int(below[-1]) + 1 if below.size else 0
    stretch = curve[start:][np.isfinite(curve[start:])]
    if len(stretch) < PLATEAU_EPOCHS or _drifts(stretch, level):
        return None
    reached = (1 - PLATEAU_REACHED) * level
    here = (smooth >= reached) & (curve >= reached)  # the median may lift a first low value
    start += int(np.argmax(here[start:]))
    return Plateau(start, float(np.median(curve[start:][np.isfinite(curve[start:])])))


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
