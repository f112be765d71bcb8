"""Claims 1 and 7: successful training ends near its start, and the start can still be recognised.

The paper's one measurement in numbers is its Figure 3: quantiles of w_f given w_i at N = 512. What
*close* and *recognisable* are it does not say. Close is taken literally: the typical weight has
moved by less than the spread the weights started with. For correlations and for the area under a
ROC curve the usual words for the size of an effect are used (J. Cohen, *Statistical Power Analysis
for the Behavioral Sciences*, 1988): a large effect is near, a medium one is recognisable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper
from repro.analysis import evidence
from repro.analysis.captions import setting, width_of
from repro.analysis.joint import GLOROT_LIMIT, conditional_quantiles, joint_counts, strip
from repro.analysis.marks import contrast_of_run
from repro.claims.large import has_final_counts
from repro.claims.verdict import Part, Question, mean_part, over_runs
from repro.model.network import JUDGED_LAYER as LAYER
from repro.model.network import glorot_standard_deviation

QUANTILE_DIFFERENCE = 0.1
"""A quantile agrees within this share of the paper's: twice the error of reading one that is only
*about* (6 %), rounded down."""

NEAR_DEVIATION = 1.0
"""Near: the relative deviation is below this, the weights' initial spread."""

NEAR_CORRELATION = 0.5
"""Near: the correlation of w_f with w_i is above this, a large effect."""

NEAR_AREA = 0.714
"""Near: the mark's area is above this: a large effect, two normal populations 0.8 standard
deviations apart."""

RECOGNISABLE_CORRELATION = 0.3
"""Recognisable: a medium effect."""

RECOGNISABLE_AREA = 0.638
"""Recognisable: a medium effect, 0.5 standard deviations."""

NULL_ERRORS = 5
"""More than chance: the correlation is this many times what a shuffled pairing scatters by."""

STRONG = "strong run of the paper's length"

_QUARTILES_APART = 1.349  # in standard deviations of a normal distribution


def papers_relative_deviation() -> float:
    """Relative deviation of the paper's network of Figure 3, by the quartiles read off it.

    That of the weights that started at zero, as if their deviations were normally distributed, in
    units of the Glorot standard deviation. Wide tails would make it larger.
    """
    lower, upper = (paper.FIGURE_3[0.0, quantile].value for quantile in (0.25, 0.75))
    width = paper.FIGURE_3_WIDTH
    return (upper - lower) / _QUARTILES_APART / glorot_standard_deviation(width, width)


def final_deviation(run: xr.Dataset, layer: str = LAYER) -> float:
    """The relative deviation of a layer at the end of a single run."""
    return float(run["relative_deviation"].isel(replica=0, epoch=-1).sel(layer=layer))


def final_correlation(run: xr.Dataset, layer: str = LAYER) -> float:
    """Pearson's correlation of w_f with w_i in a layer at the end of a single run."""
    return float(run["weight_correlation"].isel(replica=0, epoch=-1).sel(layer=layer))


def final_area(run: xr.Dataset) -> float:
    """The area under the ROC curve of abs(w) for the mark, at the end of a single marked run."""
    return float(contrast_of_run(run.isel(replica=0, matrix_epoch=[-1])).item())


def shuffled_scatter(width: int) -> float:
    """Standard deviation of the correlation of w_f with w_i paired at random: 1/√(weights)."""
    return 1.0 / width


def figure_3_quantiles(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """The quantiles of w_f given w_i that Figure 3 of the paper shows, beside ours.

    Parameters
    ----------
    runs:
        Single runs of one width with joint counts at their end.

    Returns
    -------
    Columns ``initial``, ``quantile``, ``theirs``, ``ours`` (weights; the mean over runs) and
    ``difference`` (ours over theirs less one).
    """
    rows = []
    for (place, level), theirs in paper.FIGURE_3.items():
        ours = float(np.mean([_final_quantile(run, place, level) for run in runs]))
        rows.append((place, level, theirs.value, ours, ours / theirs.value - 1))
    columns = ["initial", "quantile", "theirs", "ours", "difference"]
    return pd.DataFrame(rows, columns=columns)


def _final_quantile(run: xr.Dataset, initial: float, level: float) -> float:
    unit = float(run["glorot_std"].sel(layer=LAYER))
    counts = joint_counts(run, LAYER, replica=int(run["replica"].item()))
    place = np.sign(initial) * paper.OUTER_STRIP_SHARE * GLOROT_LIMIT
    weights = strip(counts, run["initial_edge"], place)[None, :]
    return float(conditional_quantiles(weights, run["final_edge"], [level])[0, 0]) * unit


def _figure_3_part(strong: Sequence[xr.Dataset], places: Sequence[float]) -> Part:
    """Whether every quantile that was read off Figure 3 at these w_i agrees with the paper's."""
    statistic = "largest difference of a quantile of Figure 3, share of the paper's value"
    width = paper.FIGURE_3_WIDTH
    same = [
        run for run in strong
        if width_of(run) == width and setting(run, "dataset") == paper.DATASET
        and has_final_counts(run)
    ]  # fmt: skip
    if not same:
        reason = f"no strong unmarked run on {paper.DATASET} at N = {width}"
        return Part(statistic, "", None, None, "no run", "absent", reason)
    table = figure_3_quantiles(same)
    table = table[table["initial"].isin(places)]
    difference = table["difference"].abs()
    good, largest = int((difference <= QUANTILE_DIFFERENCE).sum()), float(difference.max())
    answer = "holds" if good == len(table) else "mixed" if good > len(table) / 2 else "fails"
    reason = f"{good} of {len(table)} quantiles agree within {QUANTILE_DIFFERENCE:.0%} of the paper"
    reason += f"'s, the largest difference is {largest:.1%}"
    names = tuple(map(evidence.name_of, same))
    return Part(statistic, "", largest, None, over_runs(same), answer, reason, names)


def _strong(runs: Sequence[xr.Dataset]) -> tuple[list[xr.Dataset], list[xr.Dataset]]:
    """Strong runs of the paper's length, unmarked and marked."""
    strong = evidence.of_regime(evidence.complete(runs), "strong")
    return evidence.unmarked(strong), evidence.marked(strong)


def _correlation_part(plain: Sequence[xr.Dataset], limit: float | None, question: Question) -> Part:
    """The correlation at the end against a limit; without one, less what chance could do."""
    found = [final_correlation(run) for run in plain]
    statistic = "correlation of w_f with w_i"
    if limit is None:
        statistic += " less 5/N, more than shuffled pairs reach"
        found = [
            value - NULL_ERRORS * shuffled_scatter(width_of(run))
            for value, run in zip(found, plain, strict=True)
        ]
    return mean_part(
        plain, found, statistic=statistic, threshold=limit or 0.0, above=True,
        kind=f"{STRONG} without a mark", question=question,
    )  # fmt: skip


def _area_part(marked: Sequence[xr.Dataset], limit: float, question: Question) -> Part:
    return mean_part(
        marked, [final_area(run) for run in marked], statistic="ROC area of the mark at the end",
        threshold=limit, above=True, kind=f"marked {STRONG}", needed=False, question=question,
    )  # fmt: skip


def judge_near(runs: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 1 on the runs of one dataset."""
    plain, marked = _strong(runs)
    return [
        _figure_3_part(plain, paper.FIGURE_3_STRIPS),
        _correlation_part(plain, None, "measurement"),
        mean_part(
            plain, [final_deviation(run) for run in plain],
            statistic="relative deviation at the end", unit="Glorot standard deviations",
            threshold=NEAR_DEVIATION, above=False, kind=f"{STRONG} without a mark",
            question="wording",
        ),
        _correlation_part(plain, NEAR_CORRELATION, "wording"),
        _area_part(marked, NEAR_AREA, "wording"),
    ]  # fmt: skip


def judge_traces(runs: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 7 on the runs of one dataset."""
    plain, marked = _strong(runs)
    unstable = evidence.of_regime(evidence.complete(runs), "unstable")
    diverged = evidence.unmarked(unstable)
    theirs = float(np.mean([final_correlation(run) for run in diverged])) if diverged else 0.0
    return [
        _figure_3_part(plain, [place for place in paper.FIGURE_3_STRIPS if place]),
        _correlation_part(plain, None, "measurement"),
        mean_part(
            plain if diverged else [], [final_correlation(run) - theirs for run in plain],
            statistic="correlation of w_f with w_i, strong runs less the mean of the unstable",
            threshold=0.0, above=True, kind="pair of strong and unstable runs", needed=False,
        ),
        _area_part(marked, 0.5, "measurement"),
        _correlation_part(plain, RECOGNISABLE_CORRELATION, "wording"),
        _area_part(marked, RECOGNISABLE_AREA, "wording"),
    ]  # fmt: skip
