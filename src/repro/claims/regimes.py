"""Claim 6: three regimes ordered by width, and a phase diagram that agrees with Figure 2.

**Order.** Two boundaries in width part weak, unstable and strong, placed so that as many runs as
possible lie on their own side. **Agreement.** A value read off Figures 2c and 2d agrees with the
mean of ours where the error bars meet: theirs (the standard deviation if shown, and that of the
reading, twice where it is only *about*), and ours (half the interval of the mean, no more than
theirs). Where the paper gives a lower bound, ours must not come before.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from repro import paper
from repro.analysis import evidence, intervals
from repro.analysis.captions import setting, width_of
from repro.analysis.evidence import widths_in_words
from repro.analysis.intervals import SIGNIFICANT
from repro.analysis.regimes import happened, outcome
from repro.claims.verdict import HALF, MOST, Part, nothing_met, part_of, share_part
from repro.paper import Reading

RANKS = {"weak": 0, "unstable": 1, "strong": 2}
MINIMUM_READINGS = 10  # of the paper must be comparable: five for each of two widths


def boundaries(widths: Sequence[float], ranks: Sequence[int]) -> tuple[float, float, int]:
    """Two widths that part the regimes, with the most runs on their own side, and their number.

    Infinite where there is nothing on one side; the lowest of equally good ones.
    """
    width = np.asarray(widths, float)
    pairs, sides = _sides(width)
    numbers = (sides == np.asarray(ranks)).sum(axis=1)
    best = int(np.argmax(numbers))
    return *map(float, pairs[best]), int(numbers[best])


def order_by_chance(widths: Sequence[float], ranks: Sequence[int]) -> float:
    """Probability that regimes dealt out at random to the runs are ordered as well."""
    order = np.lexsort((np.asarray(ranks), np.asarray(widths)))
    width, rank = np.asarray(widths, float)[order], np.asarray(ranks)[order]
    _, sides = _sides(width)

    def in_order(shuffled: NDArray) -> NDArray:
        return np.max([(shuffled == side).sum(axis=-1) for side in sides], axis=0)

    return intervals.permutation_probability(rank, in_order)


def _sides(width: NDArray[np.float64]) -> tuple[list[tuple[float, float]], NDArray[np.int_]]:
    """Pairs of boundaries between widths or outside all, and the ranks they give (pairs, runs)."""
    unique = np.unique(width)
    cuts = [-np.inf, *np.sqrt(unique[:-1] * unique[1:]), np.inf]
    pairs = list(combinations_with_replacement(cuts, 2))
    return pairs, np.array([(width >= low).astype(int) + (width >= high) for low, high in pairs])


def comparisons(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Every value read off Figures 2c and 2d at a width we have, beside ours.

    ``runs`` are single ones of the paper's length on its dataset. ``theirs`` and ``ours`` are text,
    ``difference`` is NaN for limits, ``allowed`` are the error bars together.
    """
    rows = []
    for width in sorted({width_of(run) for run in runs}):
        read = {name: one for name in paper.FIGURE_2 if (one := paper.read(name, width))}
        outcomes = [
            outcome(*(run.variables[name].values[0] for name in ("train_loss", "test_loss")))
            for run in runs
            if read and width_of(run) == width
        ]
        for quantity, reading in read.items():
            values = np.array([happened(one, quantity) for one in outcomes])
            rows.append({"width": width, "quantity": quantity} | compared(reading, values))
    columns = ["width", "quantity", "theirs", "ours", "difference", "allowed", "agrees"]
    return pd.DataFrame(rows, columns=columns)


def compared(theirs: Reading, ours: NDArray[np.float64]) -> dict[str, Any]:
    """One of the paper's values beside ours, one per run: NaN where it had not happened."""
    known = ours[~np.isnan(ours)]
    interval = intervals.mean_interval(known)
    half = 0.0 if interval is None else (interval[1] - interval[0]) / 2
    reading = paper.READING_ERROR * theirs.value * (2 if theirs.kind == "about" else 1)
    allowed = (theirs.error or 0.0) + reading
    allowed += min(half, allowed)  # or runs that differ widely would agree with anything
    found = {"theirs": str(theirs), "ours": f"not by {paper.EPOCHS}", "difference": np.nan}
    if len(known) <= len(ours) / 2:  # mostly not by the end
        agrees = theirs.is_lower_bound or theirs.value + allowed >= paper.EPOCHS
        return found | {"allowed": allowed, "agrees": bool(agrees)}
    mean = float(known.mean())
    difference = mean - theirs.value
    agrees = difference >= -allowed if theirs.is_lower_bound else abs(difference) <= allowed
    found["ours"] = f"{mean:.3g}" + ("" if interval is None else f" ± {half:.2g}")
    if not theirs.is_lower_bound:
        found["difference"] = difference
    return found | {"allowed": allowed, "agrees": bool(agrees and theirs.kind != "none by")}


def judge_regimes(whole: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 6."""
    plain = evidence.unmarked(whole)
    order = _order(plain)
    return [order, _agreement(plain), replace(order, question="wording")]


def _order(runs: Sequence[xr.Dataset]) -> Part:
    statistic = "runs on their own side of two boundaries between the regimes"
    counted = [run for run in runs if evidence.regime_of(run) in RANKS]
    ranks = [RANKS[evidence.regime_of(run)] for run in counted]
    if RANKS["unstable"] not in ranks:
        return nothing_met(runs, "becomes unstable", statistic)
    widths = [width_of(run) for run in counted]
    words, undecided = widths_in_words(counted), len(runs) - len(counted)
    part = share_part(
        counted, boundaries(widths, ranks)[2], statistic=statistic,
        of=f"{words}, {undecided} more undecided" if undecided else words,
    )  # fmt: skip
    missing = [name for name, rank in RANKS.items() if rank not in ranks]
    if part.answer == "open":
        return part
    if missing:
        reason = f"{part.reason}; no run is {' or '.join(missing)}"
        return replace(part, answer="open", reason=reason)
    if (chance := order_by_chance(widths, ranks)) < SIGNIFICANT:
        return part
    reason = f"{part.reason}; shuffled regimes do as well with probability {chance:.2g}"
    return replace(part, answer="open" if part.answer == "holds" else "fails", reason=reason)


def _agreement(runs: Sequence[xr.Dataset]) -> Part:
    statistic = "values of Figures 2c and 2d that agree within the error bars"
    if not runs or setting(runs[0], "dataset") != paper.DATASET:
        reason = f"the paper's figures show {paper.DATASET} alone"
        return Part(statistic=statistic, answer="absent", reason=reason)
    table = comparisons(runs)
    number, good = len(table), int(table["agrees"].sum())
    share = good / number if number else 0.0
    counted = [run for run in runs if width_of(run) in set(table["width"])]
    over = f"{number} values, which are not independent, of {widths_in_words(counted)}"
    reason = f"{statistic}: {good} of {number}"
    answer = "holds" if share >= MOST else "mixed" if share >= HALF else "fails"
    if number < MINIMUM_READINGS:
        answer, reason = "open", f"{reason}; {MINIMUM_READINGS} are needed to decide"
    return part_of(
        counted, statistic=statistic, effect=share if number else None, over=over, answer=answer,
        reason=reason, interval=intervals.share_interval(good, number),
    )  # fmt: skip
