"""Claims 2 and 3: deviation and loss jump together, and the lowest loss lies before the jump.

Within the crossing (`repro.analysis.regimes.crossing`) both rise from their level at its start to
that of the plateau; the **middle of a rise** is where the curve, linear and after a running median
of five, has come half of that way. Claim 3 does not ask how a run ends: after the first lasting
**excursion**, a loss far above the lowest so far for as long as a plateau must be, a lower loss at
any time speaks against it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro.analysis import evidence, regimes
from repro.analysis.captions import width_of
from repro.analysis.intervals import mean_interval
from repro.analysis.regimes import crossing, finite_or_infinite, smoothed
from repro.claims.verdict import Part, mean_part, nothing_met, share_part

# Middles nearer than this share of the loss's rise are together: the paper's figure could be read
# to about a quarter of a rise (3 % of epoch 420, in a rise of 50 epochs).
LAG_SHARE = 0.1
RESOLUTION = 2.0  # epochs within which middles are simultaneous: half the running median's window
# The middle of a run's deviation is nearer to that of its own loss than this share of its distance
# from the losses of other runs of the width, which may cross at nearly the same epoch.
EXCHANGED = 0.5
GROWTH = 2.0  # a deviation jumps where it grows so many times as fast as before the crossing
ABRUPT = 2.0  # a rise of the deviation is as abrupt where it takes less than so many times as long
NO_JUMP = 100.0  # so many times as long is the rise of a deviation that does not jump
MOST_RATIO = 1e6  # ratios beyond this (a loss that is never finite again) count as this
SHARES = (0.1, 0.5, 0.9)

Epochs = tuple[float, float, float]


class RiseEpochs(NamedTuple):
    """When loss and deviation have come 10, 50 and 90 % of their way in a crossing, in epochs.

    NaN for a deviation that does not rise. ``lag`` is its middle behind the loss's, ``rise`` what
    the loss takes from 10 to 90 %, ``distance`` that of the middles: at most a whole rise.
    """

    loss: Epochs
    deviation: Epochs
    start: int
    end: int
    lag: float
    rise: float
    jumps: bool
    distance: float


class Excursion(NamedTuple):
    """First epoch far above the lowest loss; the lowest before it, and from it on, in nats."""

    epoch: int
    lowest_before: float
    lowest_after: float


def rise_epochs(run: xr.Dataset) -> RiseEpochs | None:
    """When loss and deviation of a single run rise; None where it diverges to no finite loss."""
    loss = finite_or_infinite(run.variables["train_loss"].values[0])
    between = crossing(loss)
    if between is None or not np.isfinite(loss[between.end :]).any():
        return None
    spread = smoothed(finite_or_infinite(evidence.of_layer(run, "deviation_std")))
    losses, deviations = _reached(smoothed(loss), *between), _reached(spread, *between)
    low, high = int(losses[0]), int(np.ceil(losses[2]))
    before = spread[between.start] - spread[max(between.start - (high - low), 0)]
    lag, rise = deviations[1] - losses[1], max(losses[2] - losses[0], 1.0)
    jumps = bool(spread[high] - spread[low] >= GROWTH * max(before, 1e-9) and np.isfinite(lag))
    distance = min(abs(lag), rise) if jumps else rise
    return RiseEpochs(losses, deviations, *between, lag, rise, jumps, distance)


def _reached(smooth: NDArray[np.float64], start: int, end: int) -> Epochs:
    """Where the curve comes to each of ``SHARES`` of its way for the last time."""
    low, high = smooth[start], np.median(smooth[end : end + regimes.PLATEAU_EPOCHS])
    if not low < high < np.inf:
        return (np.nan,) * 3
    found = []
    for level in low + np.array(SHARES) * (high - low):
        below = start + int(np.flatnonzero(smooth[start : end + 1] < level)[-1])
        after = smooth[min(below + 1, len(smooth) - 1)]
        found.append(below + min((level - smooth[below]) / max(after - smooth[below], 1e-12), 1.0))
    return tuple(found)


def lag_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """The rises of the runs that diverge, by width: means, and the lag's interval, in epochs."""
    rows = [
        {"width": width_of(run)}
        | {f"loss {share:.0%}": at for share, at in zip(SHARES, one.loss, strict=True)}
        | {f"deviation {share:.0%}": at for share, at in zip(SHARES, one.deviation, strict=True)}
        | {"lag": one.lag, "lag / rise": one.distance / one.rise}
        for run in evidence.complete(runs)
        if (one := rise_epochs(run)) is not None
    ]
    if not rows:
        return pd.DataFrame()
    groups = pd.DataFrame(rows).groupby("width")
    limits = np.array([mean_interval(lags) or (np.nan, np.nan) for _, lags in groups["lag"]])
    more = {"runs": groups.size(), "lag from": limits[:, 0], "lag to": limits[:, 1]}
    return groups.mean().assign(**more).reset_index()


def judge_jump(whole: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 2."""
    told = [(run, found) for run in whole if (found := rise_epochs(run)) is not None]
    share, size = "lag of the deviation's middle, share of the loss's rise", "size of the lag"
    if not told:
        questions = ((share, "measurement"), (size, "wording"))
        return [nothing_met(whole, "diverges", *asked) for asked in questions]
    diverged, rises = zip(*told, strict=True)
    ratios = [
        (one.deviation[2] - one.deviation[0]) / one.rise if one.jumps else np.inf for one in rises
    ]
    about = {"above": False, "kind": "diverged run of the paper's length"}
    null = mean_part(
        *_beside_others(told), threshold=EXCHANGED, above=False, needed=False,
        statistic="size of the lag, share of that between different runs of a width",
        kind="pair of diverged runs of a width",
    )  # fmt: skip
    if null.answer == "holds":  # nearer than chance is needed, and not enough
        null = replace(null, answer="told")
    return [
        mean_part(
            diverged, [one.distance / one.rise for one in rises], statistic=share,
            threshold=LAG_SHARE, **about,
        ),
        null,
        mean_part(
            diverged, [one.distance for one in rises], statistic=size, unit="epochs",
            threshold=RESOLUTION, question="wording", **about,
        ),
        mean_part(
            diverged, np.minimum(ratios, NO_JUMP), threshold=ABRUPT, question="wording",
            statistic="length of the deviation's rise over that of the loss", **about,
        ),
    ]  # fmt: skip


def _beside_others(told: Sequence[tuple[xr.Dataset, RiseEpochs]]) -> tuple[list, list[float]]:
    """Runs, and their lag's size over the mean size of the lag behind other runs of the width."""
    runs, shares = [], []
    for run, own in told:
        others = [one for beside, one in told if width_of(beside) == width_of(run)]
        if lags := [abs(own.deviation[1] - one.loss[1]) for one in others if one is not own]:
            share = abs(own.lag) / max(np.mean(lags), 1e-9)
            runs.append(run)
            shares.append(float(share) if np.isfinite(share) else 1.0)
    return runs, shares


def excursion(train_loss: ArrayLike) -> Excursion | None:
    """The first stretch of ``PLATEAU_EPOCHS`` in which a run has left its low loss."""
    loss = finite_or_infinite(train_loss)
    smooth = smoothed(loss)
    far = smooth >= regimes.far_above(smooth[0], np.minimum.accumulate(smooth))
    length = regimes.PLATEAU_EPOCHS
    if len(far) < length:
        return None
    lasting = np.lib.stride_tricks.sliding_window_view(far, length).all(axis=1)
    if not lasting.any():
        return None
    epoch = int(np.argmax(lasting))
    return Excursion(epoch, float(loss[:epoch].min(initial=np.inf)), float(loss[epoch:].min()))


def judge_only_near(whole: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 3."""
    found = [(run, excursion(run.variables["train_loss"].values[0])) for run in whole]
    told = [(run, log_ratio(left)) for run, left in found if left and np.isfinite(left[1])]
    ratio = "log ratio of the lowest loss after the jump to the lowest before"
    share = "runs whose lowest loss lies before the jump"
    if not told:
        questions = ((ratio, "measurement"), (share, "wording"))
        return [nothing_met(whole, "leaves its low loss for long", *asked) for asked in questions]
    left, ratios = zip(*told, strict=True)
    before = sum(value > 0 for value in ratios)
    return [
        mean_part(
            left, ratios, statistic=ratio, threshold=0.0, above=True,
            kind="run of the paper's length that leaves its low loss for long",
        ),
        share_part(left, before, statistic=share),
        share_part(left, before, statistic=share, most=1.0, question="wording"),
    ]  # fmt: skip


def log_ratio(found: Excursion) -> float:
    """Log of the lowest loss after the excursion began to the lowest before it."""
    after = min(found.lowest_after, MOST_RATIO * found.lowest_before)
    tiny = np.finfo(np.float32).tiny  # a loss of exactly zero is lower than any
    return float(np.log(max(after, tiny) / max(found.lowest_before, tiny)))
