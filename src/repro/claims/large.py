"""Claim 5: weights that start larger are updated more, in the direction of their sign.

From the joint counts of (w_i, w_f), hidden-to-hidden, two functions of abs(w_i) that are to rise:
the **outward update**, the mean of sign(w_i) (w_f - w_i), and the **size of the update**, the mean
of abs(w_f - w_i). Regression to the mean cannot feign a rise, since w_i is exact, nor a drift of
all weights, since both signs are averaged; bins can, by less than ``BINNING``. Open bins count at
their edge, which works against the claim.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro.analysis import evidence
from repro.analysis.captions import epochs_of, replica_of
from repro.analysis.weights import joint_counts
from repro.claims.verdict import Part, Question, mean_part
from repro.model.network import JUDGED_LAYER as LAYER

BINNING = 0.02  # a slope up to this may come from the bins alone
OPEN_SHARE = 0.05  # of weights in the open outermost bins of w_f, above which a run does not count


class Updates(NamedTuple):
    """Mean updates by bin of the initial size, in Glorot standard deviations, with their numbers.

    ``open_share`` of all the weights end in an outermost, open bin.
    """

    initial: NDArray[np.float64]
    outward: NDArray[np.float64]
    size: NDArray[np.float64]
    weights: NDArray[np.float64]
    open_share: float


def updates(counts: ArrayLike, initial_edge: ArrayLike, final_edge: ArrayLike) -> Updates:
    """Mean updates by initial size, both signs of w_i, from counts (initial bins, final bins).

    The initial bins are symmetric about zero; those without weights are left out.
    """
    number, final = (np.asarray(values, dtype=np.float64) for values in (counts, final_edge))
    start, end = _middles(np.asarray(initial_edge, dtype=np.float64)), _middles(final)
    moved = end[None, :] - start[:, None]
    outward = (number * moved).sum(axis=1) * np.sign(start)
    half = len(start) // 2

    def folded(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[-half:] + values[:half][::-1]

    total = folded(number.sum(axis=1))
    there = total > 0
    edges = number[:, [0, -1]].sum() if np.isinf(final).any() else 0.0
    return Updates(
        start[-half:][there],
        folded(outward)[there] / total[there],
        folded((number * np.abs(moved)).sum(axis=1))[there] / total[there],
        total[there],
        float(edges / max(number.sum(), 1.0)),
    )


def slope(initial: ArrayLike, update: ArrayLike, weights: ArrayLike) -> float:
    """The slope of an update against the initial size, weighted by numbers; NaN for one bin."""
    x, y, number = (np.asarray(values, dtype=np.float64) for values in (initial, update, weights))
    if x.size < 2:
        return float("nan")
    centred = x - np.average(x, weights=number)
    return float((number * centred * y).sum() / (number * centred**2).sum())


def updates_of_run(run: xr.Dataset) -> Updates:
    """`updates` of a single run at the last epoch at which it kept joint counts, if it did."""
    counts = joint_counts(run, LAYER, replica=replica_of(run))
    return updates(counts, run["initial_edge"], run["final_edge"])


def has_final_counts(run: xr.Dataset) -> bool:
    """Whether the run kept joint counts of the judged layer at its own last epoch."""
    kept = run["joint_epoch"].values.tolist() if "joint_epoch" in run.variables else []
    if epochs_of(run) not in kept:
        return False
    place = kept.index(epochs_of(run)), run.variables["layer"].values.tolist().index(LAYER)
    return bool(run.variables["joint_histogram"].values[0][place].any())


def judge_large(whole: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 5."""
    strong = evidence.unmarked(evidence.of_regime(whole, "strong"))
    told = [(run, updates_of_run(run)) for run in strong if has_final_counts(run)]
    told = [(run, found) for run, found in told if found.open_share <= OPEN_SHARE]

    def part(update: str, statistic: str, question: Question) -> Part:
        slopes = [slope(one.initial, getattr(one, update), one.weights) for _, one in told]
        return mean_part(
            [run for run, _ in told], slopes, statistic=f"slope of the {statistic} against |w_i|",
            unit="standard deviations per standard deviation", threshold=BINNING, above=True,
            kind="strong unmarked run of the paper's length with joint counts", question=question,
        )  # fmt: skip

    return [
        part("outward", "outward update", "measurement"),
        part("size", "size of the update", "wording"),
    ]


def _middles(edge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Middles of bins; an open bin counts at its one edge."""
    low, high = edge[:-1], edge[1:]
    return (np.where(np.isfinite(low), low, high) + np.where(np.isfinite(high), high, low)) / 2
