"""Claims 2 and 3: deviation and loss jump together, and the lowest loss lies before the jump.

The **crossing** of a run that diverges is the stretch from the last epoch at which its train loss
was still within twice its minimum to its divergence epoch. Within it loss and deviation rise from
their level at its start to that of the plateau, and the **middle of a rise** is where the curve, on
the linear scale and after a running median of five, has come half of that way.

Claim 3 does not ask how a run ends: it looks at the first lasting **excursion**, a loss far above
the lowest so far for as long as a plateau must be, and asks whether a lower loss is found at any
time after it. A run that recovers from its excursion and learns on speaks against the claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro.analysis import crossing as crossings
from repro.analysis import evidence
from repro.analysis.captions import width_of
from repro.analysis.crossing import crossing, finite_or_infinite, smoothed
from repro.analysis.intervals import mean_interval
from repro.claims.verdict import Part, mean_part, nothing_met, share_part
from repro.model.network import JUDGED_LAYER as LAYER

LAG_SHARE = 0.1
"""Middles nearer than this share of the loss's rise are together: the paper's figure could be read
to about a quarter of a rise (3 % of epoch 420, in a rise of 50 epochs)."""

RESOLUTION = 2.0
"""Epochs within which two middles are simultaneous: half the window of the running median."""

EXCHANGED = 0.5
"""The middle of a run's deviation is nearer to that of its own loss than this share of its distance
from the losses of other runs of the width, which may cross at nearly the same epoch."""

GROWTH = 2.0
"""A deviation jumps where it grows at least this many times as fast as before the crossing."""

ABRUPT = 2.0
"""A rise of the deviation is similarly abrupt where it takes less than so many times as long."""

NO_JUMP = 100.0
"""So many times as long is the rise of a deviation that does not jump."""

SHARES = (0.1, 0.5, 0.9)

DIVERGED = "diverged run of the paper's length"
LEFT = "run of the paper's length that leaves its low loss for long"

Epochs = tuple[float, float, float]


class RiseEpochs(NamedTuple):
    """When loss and deviation have come 10, 50 and 90 % of their way, in epochs.

    Attributes
    ----------
    loss, deviation:
        Interpolated between epochs; NaN for a deviation that does not rise.
    start, end:
        The crossing.
    growth:
        What the deviation gains in the loss's rise, over what it gained in as long a time before
        the crossing.
    """

    loss: Epochs
    deviation: Epochs
    start: int
    end: int
    growth: float

    @property
    def lag(self) -> float:
        """Epochs by which the deviation's middle follows the loss's."""
        return self.deviation[1] - self.loss[1]

    @property
    def rise(self) -> float:
        """Epochs that the loss's rise takes, from 10 to 90 %."""
        return max(self.loss[2] - self.loss[0], 1.0)

    @property
    def jumps(self) -> bool:
        """Whether the deviation rises, and faster than before the crossing."""
        return self.growth >= GROWTH and bool(np.isfinite(self.lag))

    @property
    def distance(self) -> float:
        """Epochs between the middles; a whole rise, and no more, where there is no jump."""
        return min(abs(self.lag), self.rise) if self.jumps else self.rise


class Excursion(NamedTuple):
    """The first lasting stretch far above the lowest loss so far.

    Attributes
    ----------
    epoch:
        Its first epoch.
    lowest_before, lowest_after:
        The lowest train loss before that epoch, and from it on, in nats.
    """

    epoch: int
    lowest_before: float
    lowest_after: float


def rise_epochs(run: xr.Dataset, layer: str = LAYER) -> RiseEpochs | None:
    """When loss and deviation of a single run rise in its crossing.

    Parameters
    ----------
    run:
        With ``train_loss`` and ``deviation_std``.
    layer:
        Whose deviation.

    Returns
    -------
    The epochs; None where the run does not diverge, or diverges to no finite loss.
    """
    one = run.isel(replica=0)
    loss = finite_or_infinite(one["train_loss"])
    between = crossing(loss)
    if between is None or not np.isfinite(loss[between.end :]).any():
        return None
    spread = finite_or_infinite(one["deviation_std"].sel(layer=layer))
    rise = _reached(loss, *between)
    low, high = int(rise[0]), int(np.ceil(rise[2]))
    smooth = smoothed(spread)
    before = smooth[between.start] - smooth[max(between.start - (high - low), 0)]
    growth = (smooth[high] - smooth[low]) / max(before, 1e-9)
    return RiseEpochs(rise, _reached(spread, *between), *between, float(np.nan_to_num(growth)))


def _reached(curve: NDArray[np.float64], start: int, end: int) -> Epochs:
    """Where the curve comes to each of ``SHARES`` of its way for the last time."""
    smooth = smoothed(curve)
    low, high = smooth[start], np.median(smooth[end : end + crossings.PLATEAU_EPOCHS])
    if not low < high < np.inf:
        return (np.nan,) * 3
    found = []
    for level in low + np.array(SHARES) * (high - low):
        below = start + int(np.flatnonzero(smooth[start : end + 1] < level)[-1])
        after = smooth[min(below + 1, len(smooth) - 1)]
        found.append(below + min((level - smooth[below]) / max(after - smooth[below], 1e-12), 1.0))
    return tuple(found)


def lag_table(runs: Sequence[xr.Dataset], layer: str = LAYER) -> pd.DataFrame:
    """The rises of the runs that diverge, by width: means, and the lag's 95 % interval.

    Returns
    -------
    Columns ``width``, ``runs``, ``loss 10 %`` to ``loss 90 %``, ``deviation 10 %`` to
    ``deviation 90 %``, ``lag``, ``lag from``, ``lag to`` (epochs) and ``lag / rise``.
    """
    of_width: dict[int, list[RiseEpochs]] = {}
    for run in evidence.complete(runs):
        if (found := rise_epochs(run, layer)) is not None:
            of_width.setdefault(width_of(run), []).append(found)
    rows = []
    for width, told in sorted(of_width.items()):
        row: dict[str, float] = {"width": width, "runs": len(told)}
        for name in ("loss", "deviation"):
            means = np.mean([getattr(one, name) for one in told], axis=0)
            row |= {f"{name} {s:.0%}": m for s, m in zip(SHARES, means, strict=True)}
        lags = [one.lag for one in told]
        row |= {"lag": np.mean(lags)}
        row |= dict(zip(("lag from", "lag to"), mean_interval(lags) or (np.nan,) * 2, strict=True))
        rows.append(row | {"lag / rise": np.mean([one.distance / one.rise for one in told])})
    return pd.DataFrame(rows)


def judge_jump(runs: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 2 on the runs of one dataset."""
    whole = evidence.complete(runs)
    told = [(run, found) for run in whole if (found := rise_epochs(run)) is not None]
    diverged = [run for run, _ in told]
    names = "lag of the deviation's middle, share of the loss's rise", "size of the lag"
    beside = "size of the lag, share of that between different runs of a width"
    abrupt = "length of the deviation's rise over that of the loss"
    if not told:
        return [
            nothing_met(names[0], whole, "diverges"),
            nothing_met(names[1], whole, "diverges", "wording"),
        ]
    ratios = [
        (found.deviation[2] - found.deviation[0]) / found.rise if found.jumps else np.inf
        for _, found in told
    ]
    null = mean_part(
        *_beside_others(told), statistic=beside, threshold=EXCHANGED, above=False,
        kind="pair of diverged runs of a width", needed=False,
    )  # fmt: skip
    if null.answer == "holds":  # nearer than chance is needed, and not enough
        null = replace(null, answer="told")
    return [
        mean_part(
            diverged, [found.distance / found.rise for _, found in told],
            statistic=names[0], threshold=LAG_SHARE, above=False, kind=DIVERGED,
        ),
        null,
        mean_part(
            diverged, [found.distance for _, found in told],
            statistic=names[1], unit="epochs", threshold=RESOLUTION, above=False, kind=DIVERGED,
            question="wording",
        ),
        mean_part(
            diverged, np.minimum(ratios, NO_JUMP), statistic=abrupt, threshold=ABRUPT,
            above=False, kind=DIVERGED, question="wording",
        ),
    ]  # fmt: skip


def _beside_others(told: Sequence[tuple[xr.Dataset, RiseEpochs]]) -> tuple[list, list[float]]:
    """Runs, and their lag's size over the mean size of the lag behind other runs of the width."""
    runs, shares = [], []
    for run, own in told:
        others = [
            abs(own.deviation[1] - other.loss[1]) for beside, other in told
            if beside is not run and width_of(beside) == width_of(run)
        ]  # fmt: skip
        if others:
            runs.append(run)
            share = abs(own.lag) / max(np.mean(others), 1e-9)
            shares.append(float(share) if np.isfinite(share) else 1.0)
    return runs, shares


def excursion(train_loss: ArrayLike) -> Excursion | None:
    """The first lasting stretch in which a run has left its low loss.

    Parameters
    ----------
    train_loss:
        One curve, shape (epochs + 1,), in nats.

    Returns
    -------
    The excursion; None where there is none of ``crossings.PLATEAU_EPOCHS`` epochs.
    """
    loss = finite_or_infinite(train_loss)
    smooth = smoothed(loss)
    lowest = np.minimum.accumulate(smooth)
    gained = np.maximum(smooth[0] - lowest, 0.0)
    far = smooth >= np.maximum(
        crossings.PLATEAU_RATIO * lowest, lowest + crossings.PLATEAU_SHARE * gained
    )
    length = crossings.PLATEAU_EPOCHS
    if len(far) < length:
        return None
    lasting = np.lib.stride_tricks.sliding_window_view(far, length).all(axis=1)
    if not lasting.any():
        return None
    epoch = int(np.argmax(lasting))
    return Excursion(epoch, float(loss[:epoch].min(initial=np.inf)), float(loss[epoch:].min()))


def judge_only_near(runs: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 3 on the runs of one dataset."""
    whole = evidence.complete(runs)
    found = [(run, excursion(run["train_loss"].isel(replica=0))) for run in whole]
    told = [(run, log_ratio(left)) for run, left in found if left and np.isfinite(left[1])]
    ratio = "log ratio of the lowest loss after the jump to the lowest before"
    share = "runs whose lowest loss lies before the jump"
    event = "leaves its low loss for long"
    if not told:
        return [nothing_met(ratio, whole, event), nothing_met(share, whole, event, "wording")]
    left, ratios = [run for run, _ in told], [value for _, value in told]
    return [
        mean_part(left, ratios, statistic=ratio, threshold=0.0, above=True, kind=LEFT),
        share_part(left, [value > 0 for value in ratios], statistic=share, kind=LEFT),
        share_part(
            left, [value > 0 for value in ratios], statistic=share, kind=LEFT, most=1.0,
            question="wording",
        ),
    ]  # fmt: skip


MOST_RATIO = 1e6
"""Ratios beyond this (a loss that is never finite again) count as this."""


def log_ratio(found: Excursion) -> float:
    """Log of the lowest loss after the excursion began to the lowest before it."""
    after = min(found.lowest_after, MOST_RATIO * found.lowest_before)
    tiny = np.finfo(np.float32).tiny  # a loss of exactly zero is lower than any
    return float(np.log(max(after, tiny) / max(found.lowest_before, tiny)))
