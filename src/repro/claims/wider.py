"""Claim 4: at the first crossing of any chosen loss, the deviation falls with width.

The loss is chosen on a grid of shares of the initial loss, so that it means the same for ten
classes and for 369. The deviation at the first epoch at or below a loss is that at the epoch's end;
a wide network, which learns faster, overshoots the loss by more, which raises its deviation: the
statistic leans against the claim.

The paper speaks of the deviation itself, so the standard deviation of d decides. Glorot's initial
spread falls with width by itself, and some of the fall may be no more than that: the relative
deviation is told beside it and does not decide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.stats import rankdata

from repro.analysis import evidence
from repro.analysis.captions import width_of
from repro.analysis.evidence import name_of
from repro.analysis.intervals import SIGNIFICANT, jackknife_interval, permutation_probability
from repro.claims.verdict import MINIMUM_RUNS, MOST, Answer, Part, over_runs
from repro.model.network import JUDGED_LAYER as LAYER

WRITTEN = "2026-11-24"

LOSS_SHARES = (0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005)
"""The chosen losses, as shares of the initial loss. On HASYv2 from 3.0 to 0.03."""

MINIMUM_WIDTHS = 3
"""Widths that must have reached a loss for it to count: two make no trend."""

RULE = f"""On unmarked runs of 1000 epochs, for each of {len(LOSS_SHARES)} train losses between
{max(LOSS_SHARES):g} and {min(LOSS_SHARES):g} of the initial loss that at least {MINIMUM_WIDTHS}
widths reach: the standard deviation of the deviation in the hidden-to-hidden matrix, at the first
epoch at or below the loss. The exponent of its dependence on width is the slope of log deviation
against log width over runs, averaged over the losses, with a 95 % jackknife interval over runs.
It holds where the interval lies below zero and at {MOST:.0%} of the losses the rank correlation
with width is negative beyond chance (one-sided permutation test, {SIGNIFICANT:g}): reproduced. It
is mixed where the interval lies below zero and fewer losses do: partly. Not reproduced where the
interval lies above zero; otherwise inconclusive. The exponent of the relative deviation is told
beside it and does not decide."""


def losses_reached(runs: Sequence[xr.Dataset]) -> list[float]:
    """The chosen losses, as shares of the initial loss, that enough widths reach."""
    return [
        share
        for share in LOSS_SHARES
        if len({width_of(run) for run in runs if first_crossing(run, share) is not None})
        >= MINIMUM_WIDTHS
    ]


def first_crossing(run: xr.Dataset, share: float) -> int | None:
    """The first epoch of a single run at or below a share of its initial train loss, from 1 on."""
    loss = run.variables["train_loss"].values[0].astype(float)
    reached = np.flatnonzero(loss[1:] <= share * loss[0])
    return int(reached[0]) + 1 if reached.size else None


def deviation_at(
    run: xr.Dataset, share: float, variable: str = "deviation_std", layer: str = LAYER
) -> float:
    """The deviation of a layer at the first crossing of a loss.

    Parameters
    ----------
    run:
        A single run.
    share:
        The loss, as a share of the initial one.
    variable:
        ``deviation_std`` (units of weight) or ``relative_deviation``.
    layer:
        Whose deviation.

    Returns
    -------
    The deviation; NaN where the run never reaches the loss.
    """
    epoch = first_crossing(run, share)
    if epoch is None:
        return float("nan")
    number = run.variables["layer"].values.tolist().index(layer)
    return float(run.variables[variable].values[0, epoch, number])


def exponent(
    widths: Sequence[float], deviations: Sequence[Sequence[float]], losses: Sequence[int]
) -> float:
    """The slope of log deviation against log width over runs, averaged over losses.

    Parameters
    ----------
    widths:
        One per run.
    deviations:
        One row per run, one column per loss; NaN where the run never reaches the loss.
    losses:
        The columns to average over.

    Returns
    -------
    The mean slope; NaN where a loss is left with fewer than two widths.
    """
    width, table = np.log(np.asarray(widths, float)), np.asarray(deviations, float)
    slopes = []
    for column in losses:
        there = np.isfinite(table[:, column]) & (table[:, column] > 0)
        if np.unique(width[there]).size < 2:
            return float("nan")
        centred = width[there] - width[there].mean()
        slopes.append(float(centred @ np.log(table[there, column]) / (centred @ centred)))
    return float(np.mean(slopes)) if slopes else float("nan")


def falls_by_chance(widths: Sequence[float], deviations: Sequence[float]) -> float:
    """Probability that widths dealt out at random fall as much (rank correlation, one-sided)."""
    width, deviation = np.asarray(widths, float), np.asarray(deviations, float)
    order = np.lexsort((deviation, width))  # the random orders must not depend on the runs' order
    ranks = rankdata(deviation[order])
    return permutation_probability(rankdata(width[order]), lambda x: -(x * ranks).sum(axis=-1))


def judge_wider(runs: Sequence[xr.Dataset]) -> list[Part]:
    """The part of claim 4 on the runs of one dataset (see ``RULE``), and the one told beside it."""
    whole = evidence.in_order(evidence.unmarked(evidence.complete(runs)))
    losses = losses_reached(whole)
    reach = [run for run in whole if any(first_crossing(run, share) for share in losses)]
    return [
        _part(reach, losses, "deviation_std", "standard deviation of the deviation", True),
        _part(reach, losses, "relative_deviation", "relative deviation", False),
    ]


def _part(
    runs: Sequence[xr.Dataset], losses: Sequence[float], variable: str, words: str, decides: bool
) -> Part:
    statistic = f"exponent of the {words} against width"
    if not losses:
        return Part(
            statistic, "", None, None, "no run", "open" if decides else "told",
            f"no loss is reached by {MINIMUM_WIDTHS} widths of the paper's length",
        )  # fmt: skip
    widths = [width_of(run) for run in runs]
    table = [[deviation_at(run, share, variable) for share in losses] for run in runs]
    rows = list(zip(widths, table, strict=True))
    columns = range(len(losses))

    def slope(chosen: list) -> float:
        return exponent([width for width, _ in chosen], [row for _, row in chosen], columns)

    effect, interval = slope(rows), jackknife_interval(slope, rows)
    below = sum(_significant(widths, [row[column] for row in table]) for column in columns)
    what = (
        f"{statistic}: {effect:.2f}; falls with width beyond chance at {below} of {len(losses)} "
        "losses"
    )
    answer: Answer = "open"
    reason = f"{what}; its interval reaches across zero, or there is none"
    if not decides:
        answer, reason = "told", what
    elif len(runs) < MINIMUM_RUNS or interval is None:
        reason = f"{what}; too few runs for an interval"
    elif interval[1] < 0:
        enough = below >= MOST * len(losses)
        answer, reason = "holds" if enough else "mixed", what
    elif interval[0] > 0:
        answer, reason = "fails", what
    return Part(
        statistic, "", effect, interval, over_runs(runs), answer, reason, tuple(map(name_of, runs))
    )


def _significant(widths: Sequence[float], deviations: Sequence[float]) -> bool:
    there = [
        (width, value)
        for width, value in zip(widths, deviations, strict=True)
        if np.isfinite(value)
    ]
    return falls_by_chance(*zip(*there, strict=True)) < SIGNIFICANT
