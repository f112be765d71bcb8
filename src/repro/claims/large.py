"""Claim 5: weights that start larger are updated more, in the direction of their sign.

From the joint counts of (w_i, w_f) in the hidden-to-hidden matrix at the end of strong runs, two
functions of the initial size abs(w_i): the **outward update**, the mean of sign(w_i) (w_f - w_i),
and the **size of the update**, the mean of abs(w_f - w_i). The claim is that both rise.

What could fake a rise:

- *Regression to the mean* would come from conditioning on w_f, or on a w_i known with error. Here
  it is w_i that is conditioned on, and it is exact. Updates that know nothing of w_i give a slope
  of zero, a network that forgets its start gives -1: the bias of a mistake would be downwards.
- *A drift of all weights* one way cancels, since both signs are averaged. The bin that holds zero,
  where the sign is not known, is left out.
- *Binning*: within a bin the weights are taken at its middle. The error is at most half a bin
  (0.04 standard deviations) of w_f for any one bin of w_i, goes up and down along w_i, and for a
  frozen network gives a slope below ``BINNING`` (a test shows it).
- *The open bins* beyond 8 standard deviations count at their edge, which lowers the updates of the
  largest weights the most: against the claim. Where more than ``OPEN_SHARE`` lie there the run does
  not count.

Note of 2026-11-24, the day of the rule, before a run had counted for it: ``OPEN_SHARE`` was first
0.01. The paper's own Figure 3 has its 2 % and 98 % quantiles at 5.5 standard deviations, which puts
about one link in a hundred beyond 8: that limit could have left out the very network that the paper
shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro import paper
from repro.analysis import evidence
from repro.analysis.intervals import LEVEL, Interval
from repro.analysis.joint import joint_counts
from repro.claims.verdict import MINIMUM_RUNS, Part, mean_part
from repro.model.network import JUDGED_LAYER as LAYER

WRITTEN = "2026-11-24"

BINNING = 0.02
"""A slope up to this may come from the bins alone."""

OPEN_SHARE = 0.05
"""Share of links in the open outermost bins of w_f above which a run does not count."""

RESAMPLES = 2000
"""Bootstrap samples of the bins of w_i for the interval of one run."""

RULE = f"""On strong, unmarked runs of 1000 epochs, hidden-to-hidden, in units of the Glorot
standard deviation: the slopes of the mean outward update sign(w_i) (w_f - w_i), and of the mean
size of the update |w_f - w_i|, against |w_i| (least squares over the bins of w_i, weighted by their
links). Each part holds where the mean slope over at least {MINIMUM_RUNS} runs has a 95 % interval
wholly above {BINNING:g}, which bins alone could feign, and so has the mean of every width; it fails
where the interval lies wholly below. Reproduced where both hold, not reproduced where both fail.
A run with more than {OPEN_SHARE:.0%} of its links beyond the bins does not count."""


class Updates(NamedTuple):
    """Mean updates by initial size, in units of the Glorot standard deviation.

    Attributes
    ----------
    initial:
        Middles of the bins of abs(w_i), shape (bins,).
    outward:
        Mean of sign(w_i) (w_f - w_i), shape (bins,).
    size:
        Mean of abs(w_f - w_i), shape (bins,).
    links:
        Links per bin, shape (bins,).
    open_share:
        Share of all links whose w_f lies in an outermost, open bin.
    """

    initial: NDArray[np.float64]
    outward: NDArray[np.float64]
    size: NDArray[np.float64]
    links: NDArray[np.float64]
    open_share: float


def updates(counts: ArrayLike, initial_edge: ArrayLike, final_edge: ArrayLike) -> Updates:
    """Mean updates by initial size from joint counts, both signs of w_i together.

    Parameters
    ----------
    counts:
        Shape (initial bins, final bins); the initial bins are symmetric about zero.
    initial_edge, final_edge:
        Increasing edges, one more than bins; the outermost of the final ones may be infinite.

    Returns
    -------
    The means, for bins of abs(w_i) that have links; the middle bin of an odd number is left out.
    """
    number = np.asarray(counts, dtype=np.float64)
    start = np.asarray(initial_edge, dtype=np.float64)
    start = (start[:-1] + start[1:]) / 2
    end = _middles(np.asarray(final_edge, dtype=np.float64))
    moved = end[None, :] - start[:, None]
    links = number.sum(axis=1)
    outward = (number * moved).sum(axis=1) * np.sign(start)
    size = (number * np.abs(moved)).sum(axis=1)
    half = len(start) // 2

    def folded(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[-half:] + values[:half][::-1]

    there = folded(links) > 0
    total = folded(links)[there]
    edges = number[:, [0, -1]].sum() if np.isinf(np.asarray(final_edge, float)).any() else 0.0
    return Updates(
        start[-half:][there],
        folded(outward)[there] / total,
        folded(size)[there] / total,
        total,
        float(edges / max(number.sum(), 1.0)),
    )


def slope(initial: ArrayLike, update: ArrayLike, links: ArrayLike) -> float:
    """The slope of an update against the initial size, weighted by links; NaN for one bin."""
    x, y, weight = (np.asarray(values, dtype=np.float64) for values in (initial, update, links))
    return float("nan") if x.size < 2 else float(_slopes(x, y, weight))


def slope_interval(initial: ArrayLike, update: ArrayLike, links: ArrayLike) -> Interval | None:
    """The interval of one run's slope by a bootstrap over bins of abs(w_i).

    It tells how well a line fits the one run, not how runs differ. None for fewer than three bins.
    """
    x, y, weight = (np.asarray(values, dtype=np.float64) for values in (initial, update, links))
    if x.size < 3:
        return None
    random = np.random.default_rng(0)
    drawn = random.integers(x.size, size=(RESAMPLES, x.size))
    drawn = drawn[np.ptp(x[drawn], axis=1) > 0]
    slopes = _slopes(x[drawn], y[drawn], weight[drawn])
    low, high = np.quantile(slopes, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _slopes(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The slope of each row of bins, the last axis."""
    centred = x - np.average(x, axis=-1, weights=weight, keepdims=True)
    return (weight * centred * y).sum(axis=-1) / (weight * centred**2).sum(axis=-1)


def updates_of_run(run: xr.Dataset, layer: str = LAYER) -> Updates:
    """`updates` of a single run at the last epoch it kept joint counts of.

    Raises
    ------
    ReproError
        Where it kept none.
    """
    counts = joint_counts(run, layer, replica=int(run["replica"].item()))
    return updates(counts, run["initial_edge"], run["final_edge"])


def papers_slope() -> float:
    """The slope of the outward update from the median that Figure 3 of the paper shows.

    At its right strip, in units of weight per unit of weight: median of w_f less w_i over w_i.
    """
    place = paper.FIGURE_3_STRIPS[-1]
    return (paper.FIGURE_3[(place, 0.5)].value - place) / place


def judge_large(runs: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 5 on the runs of one dataset (see ``RULE``)."""
    strong = evidence.unmarked(evidence.of_regime(evidence.complete(runs), "strong"))
    told = [(run, updates_of_run(run)) for run in strong if has_final_counts(run)]
    told = [(run, found) for run, found in told if found.open_share <= OPEN_SHARE]
    counted = [run for run, _ in told]
    kind = "strong run of the paper's length without a mark and with joint counts"
    unit = "standard deviations per standard deviation"
    return [
        mean_part(
            counted, [slope(found.initial, found.outward, found.links) for _, found in told],
            statistic="slope of the outward update against |w_i|", unit=unit, threshold=BINNING,
            above=True, kind=kind,
        ),
        mean_part(
            counted, [slope(found.initial, found.size, found.links) for _, found in told],
            statistic="slope of the size of the update against |w_i|", unit=unit,
            threshold=BINNING, above=True, kind=kind,
        ),
    ]  # fmt: skip


def has_final_counts(run: xr.Dataset, layer: str = LAYER) -> bool:
    """Whether the run kept joint counts of the layer at its own last epoch."""
    if "joint_histogram" not in run or int(run["epoch"].max()) not in run["joint_epoch"]:
        return False
    counts = run["joint_histogram"].sel(layer=layer, joint_epoch=int(run["epoch"].max()))
    return bool(counts.sum() > 0)


def _middles(edge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Middles of bins; an open bin counts at its one edge."""
    low, high = edge[:-1], edge[1:]
    middle = np.where(np.isfinite(low), low, high)
    both = np.isfinite(low) & np.isfinite(high)
    middle[both] = (low[both] + high[both]) / 2
    return middle
