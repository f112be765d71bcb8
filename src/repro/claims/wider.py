"""Claim 4: at the first crossing of any chosen loss, the deviation falls with width.

That is at the end of the first epoch at or below a share of the initial loss; a wide network
overshoots by more, which leans against the claim. Glorot's initial spread falls with width by
itself: *move less* holds where the relative deviation falls, too.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from repro.analysis import evidence
from repro.analysis.captions import width_of
from repro.analysis.intervals import SIGNIFICANT, jackknife_interval, permutation_probability
from repro.claims.verdict import MINIMUM_RUNS, MOST, Part, part_of

# The chosen losses, as shares of the initial loss: on HASYv2 from 3.0 to 0.03
LOSS_SHARES = (0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005)
MINIMUM_WIDTHS = 3  # must have reached a loss for it to count: two make no trend


def losses_reached(runs: Sequence[xr.Dataset]) -> list[float]:
    """The chosen losses, as shares of the initial loss, that enough widths reach."""
    there = {
        share: {width_of(r) for r in runs if first_crossing(r, share)} for share in LOSS_SHARES
    }
    return [share for share, widths in there.items() if len(widths) >= MINIMUM_WIDTHS]


def first_crossing(run: xr.Dataset, share: float) -> int | None:
    """The first epoch of a single run at or below a share of its initial train loss, from 1 on."""
    loss = run.variables["train_loss"].values[0].astype(float)
    reached = np.flatnonzero(loss[1:] <= share * loss[0])
    return int(reached[0]) + 1 if reached.size else None


def deviation_at(run: xr.Dataset, share: float, variable: str = "deviation_std") -> float:
    """A variable (hidden-to-hidden) at the `first_crossing` of a loss, NaN where there is none."""
    epoch = first_crossing(run, share)
    return float("nan") if epoch is None else float(evidence.of_layer(run, variable)[epoch])


def exponent(
    widths: Sequence[float], deviations: Sequence[Sequence[float]], losses: Sequence[int]
) -> float:
    """The slope of log deviation (runs, losses) against log width, averaged over some columns.

    Deviations that are NaN are left out; NaN where fewer than two widths remain.
    """
    width, table = np.log(np.asarray(widths, float)), np.asarray(deviations, float)
    slopes = []
    for column in losses:
        there = np.isfinite(table[:, column]) & (table[:, column] > 0)
        if np.unique(width[there]).size < 2:
            return float("nan")
        centred = width[there] - width[there].mean()
        slopes.append(float(centred @ np.log(table[there, column]) / (centred @ centred)))
    return float(np.mean(slopes))


def falls_by_chance(widths: Sequence[float], deviations: ArrayLike) -> NDArray[np.float64]:
    """Probability that shuffled widths make deviations (runs,) or (runs, columns) fall as much."""
    width, columns = np.asarray(widths, float), np.asarray(deviations, float).T
    # The random orders must not depend on the runs' order.
    ordered = [row[np.lexsort((row, width))] for row in np.atleast_2d(columns)]
    ranks = rankdata(ordered, axis=-1).reshape(columns.shape)
    return permutation_probability(rankdata(np.sort(width)), lambda x: x @ -ranks.T)


def judge_wider(whole: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 4."""
    plain = evidence.unmarked(whole)
    losses = losses_reached(plain)
    reach = [run for run in plain if any(first_crossing(run, share) for share in losses)]
    widths = np.array([width_of(run) for run in reach])
    tables = [
        np.array([[deviation_at(run, share, name) for share in losses] for run in reach])
        for name in ("deviation_std", "relative_deviation")
    ]
    falling = _falling(widths, np.hstack(tables)).reshape(2, -1).sum(axis=1)
    words = "standard deviation of the deviation", "relative deviation"
    measured, relative = map(_part, [reach] * 2, tables, falling, words)
    any_loss = replace(measured, question="wording")
    if measured.answer == "holds" and falling[0] < len(losses):
        any_loss = replace(any_loss, answer="mixed")
    return [measured, any_loss, replace(relative, question="wording")]


def _falling(widths: NDArray[np.int_], table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each column falls beyond chance; the same runs are dealt out once."""
    there = np.isfinite(table)
    falls = np.zeros(table.shape[-1], dtype=bool)
    for runs in np.unique(there, axis=1).T if there.size else ():
        alike = (runs == there.T).all(axis=1)
        falls[alike] = falls_by_chance(widths[runs], table[runs][:, alike]) < SIGNIFICANT
    return falls


def _part(runs: Sequence[xr.Dataset], table: NDArray, below: int, what: str) -> Part:
    """On the exponent of a table (runs, losses), of which so many columns fall."""
    statistic = f"exponent of the {what} against width"
    if not table.size:
        reason = f"no loss is reached by {MINIMUM_WIDTHS} widths of the paper's length"
        return Part(statistic=statistic, answer="open", reason=reason)
    widths, number = np.array([width_of(run) for run in runs]), table.shape[1]

    def slope(rows: list[int]) -> float:
        return exponent(widths[rows], table[rows], range(number))

    rows = list(range(len(runs)))
    effect, interval = slope(rows), jackknife_interval(slope, rows)
    reason = f"{statistic}: {effect:.2f}; falls beyond chance at {below} of {number} losses"
    answer = "open"
    if len(runs) < MINIMUM_RUNS or interval is None:
        reason += "; too few runs for an interval"
    elif interval[1] < 0:
        answer = "holds" if below >= MOST * number else "mixed"
    elif interval[0] > 0:
        answer = "fails"
    else:
        reason += "; its interval reaches across zero"
    return part_of(
        runs, statistic=statistic, effect=effect, interval=interval, answer=answer, reason=reason
    )
