"""What became of a run: its minimum, its divergence, its regime.

Everything here is read off loss curves: one-dimensional arrays over epochs, epoch 0 (the initial
state) included. Levels are told in units of the run's own initial loss, which is close to the
logarithm of the number of classes, so that the same rules hold for ten classes and for 369.

The rules, in words:

- **minimum**: the lowest finite value; ``minimum_at_end`` where the run was still falling to it
  when it was stopped, so that the true minimum lies later.
- **divergence epoch**: see `repro.analysis.crossing`.
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

from repro.analysis.crossing import (
    PLATEAU_EPOCHS,
    divergence_epoch,
    far_above_minimum,
    initial_loss,
    loss_curve,
    plateau_level,
    plateau_of,
    scatter_of_medians,
    smoothed,
)
from repro.errors import ReproError

__all__ = ["PLATEAU_EPOCHS", "divergence_epoch", "plateau_level", "smoothed"]

Regime = Literal["weak", "unstable", "strong", "undecided"]
REGIMES: tuple[Regime, ...] = ("weak", "unstable", "strong", "undecided")

PAPER_EPOCHS = 1000
"""The paper's length of a run: weak and strong are statements about this many epochs."""

LOW_LOSS_SHARE = 0.09
"""A loss is low below this share of the initial loss. On HASYv2 that is 0.53, halfway (in the
logarithm) between the paper's minima at width 50 (0.69, in the region of low trainability) and at
width 100 (0.41, which diverges)."""


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
    curve = loss_curve(loss)
    epoch = int(np.nanargmin(np.where(np.isfinite(curve), curve, np.nan)))
    end = max(1, int(np.ceil(END_SHARE * (len(curve) - 1))))
    at_end = epoch >= len(curve) - end
    if at_end and len(curve) >= 2 * end:
        at_end = bool(np.median(curve[-end:]) < np.median(curve[-2 * end : -end]))
    return Minimum(epoch, float(curve[epoch]), at_end)


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
    curve = loss_curve(train_loss)
    low = LOW_LOSS_SHARE * initial_loss(curve)
    reached_low = minimum(curve).value < low
    if plateau_of(curve) is not None:
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
    curve = loss_curve(train_loss)
    last = int(np.ceil(LEFT_SHARE * (len(curve) - 1)))
    if len(curve) < 2 * last or last < 2 * PLATEAU_EPOCHS:
        return False
    smooth = smoothed(curve)
    if not (smooth[-last:] > LEFT_RATIO * smooth.min()).all():
        return False
    earlier, later = curve[-last : -last // 2], curve[-last // 2 :]
    change = np.median(later) - np.median(earlier)
    return bool(change > scatter_of_medians(curve[-last:], len(later)))


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
    plateaus = [plateau_of(loss_curve(curve)) or (np.nan, np.nan) for curve in train]
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


def ends_far_above_minimum(train_loss: ArrayLike) -> bool:
    """Whether one curve, shape (epochs + 1,), ends as far above its lowest as a plateau must be.

    By the median over the epochs that a plateau must last.
    """
    curve = np.asarray(train_loss, dtype=float)
    far = far_above_minimum(curve[0], minimum(curve).value)
    return not np.median(curve[-PLATEAU_EPOCHS:]) < far  # so that not-a-number is


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
