"""Claims 1 and 7: successful training ends near its start, and the start can still be recognised.

The paper does not say what that means. Near, the typical weight has moved by less than the spread
the weights started with; of correlations and ROC areas a large effect is near, a medium one
recognisable (J. Cohen, *Statistical Power Analysis for the Behavioral Sciences*, 1988).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper
from repro.analysis import evidence, weights
from repro.analysis.captions import replica_of, setting, width_of
from repro.claims.large import has_final_counts
from repro.claims.verdict import Part, mean_part, part_of
from repro.model.network import JUDGED_LAYER as LAYER
from repro.model.network import glorot_standard_deviation

QUANTILE_DIFFERENCE = 0.1  # share of the paper's: twice the error of reading *about*, rounded down
NEAR_DEVIATION = 1.0  # near: a relative deviation below this, the weights' initial spread
NEAR_CORRELATION = 0.5  # near: above this, a large effect
NEAR_AREA = 0.714  # a large effect: two normal populations 0.8 standard deviations apart
RECOGNISABLE_CORRELATION = 0.3  # a medium effect
RECOGNISABLE_AREA = 0.638  # a medium effect: 0.5 standard deviations
NULL_ERRORS = 5  # more than chance: so many times what a shuffled pairing scatters by

STRONG = "strong run of the paper's length"
PLAIN = f"{STRONG} without a mark"


def papers_relative_deviation() -> float:
    """Of the weights of Figure 3 that started at zero, by their quartiles, as if normal."""
    lower, upper = (paper.FIGURE_3[0.0, quantile].value for quantile in (0.25, 0.75))
    unit = glorot_standard_deviation(paper.FIGURE_3_WIDTH, paper.FIGURE_3_WIDTH)
    return (upper - lower) / 1.349 / unit  # a normal distribution's are so many deviations apart


def figure_3_quantiles(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """The quantiles of w_f given w_i that Figure 3 of the paper shows, beside the means of ours."""
    columns = ["initial", "quantile", "theirs"]
    rows = [(*place, theirs.value) for place, theirs in paper.FIGURE_3.items()]
    table = pd.DataFrame(rows, columns=columns)
    table["ours"] = np.mean([_final_quantiles(run) for run in runs], axis=0)
    return table.assign(difference=table["ours"] / table["theirs"] - 1)


def _final_quantiles(run: xr.Dataset) -> list[float]:
    """Of one run, as weights, in the order of `paper.FIGURE_3`."""
    unit = float(run["glorot_std"].sel(layer=LAYER))
    counts = weights.joint_counts(run, LAYER, replica=replica_of(run)).values
    found = []
    for initial, level in paper.FIGURE_3:
        place = np.sign(initial) * paper.OUTER_STRIP_SHARE * weights.GLOROT_LIMIT
        strip = counts[[weights.strip_index(run["initial_edge"], place)]]
        found.append(weights.conditional_quantiles(strip, run["final_edge"], [level]).item() * unit)
    return found


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
        return Part(statistic=statistic, answer="absent", reason=reason)
    table = figure_3_quantiles(same)
    difference = table["difference"][table["initial"].isin(places)].abs()
    good, largest = int((difference <= QUANTILE_DIFFERENCE).sum()), float(difference.max())
    number = len(difference)
    answer = "holds" if good == number else "mixed" if good > number / 2 else "fails"
    reason = f"{good} of {number} quantiles agree within {QUANTILE_DIFFERENCE:.0%} of the paper's"
    reason += f", the largest difference is {largest:.1%}"
    return part_of(same, statistic=statistic, effect=largest, answer=answer, reason=reason)


def _correlations(runs: Sequence[xr.Dataset]) -> list[float]:
    """Pearson's correlation of w_f with w_i at the end of each run."""
    return [float(evidence.of_layer(run, "weight_correlation")[-1]) for run in runs]


def _correlation_part(plain: Sequence[xr.Dataset], limit: float | None, **more: Any) -> Part:
    """The correlation at the end against a limit; without one, less what chance (1/N) could do."""
    found, statistic = _correlations(plain), "correlation of w_f with w_i"
    if limit is None:
        statistic += " less 5/N, more than shuffled pairs reach"
        found = [r - NULL_ERRORS / width_of(run) for r, run in zip(found, plain, strict=True)]
    return mean_part(
        plain, found, statistic=statistic, threshold=limit or 0.0, above=True, kind=PLAIN, **more
    )


def _area_part(marked: Sequence[xr.Dataset], limit: float, **more: Any) -> Part:
    """The area under the ROC curve of abs(w) for the mark, at the end of marked runs."""
    areas = [float(weights.contrast_of_run(run.isel(matrix_epoch=[-1])).item()) for run in marked]
    return mean_part(
        marked, areas, statistic="ROC area of the mark at the end", threshold=limit, above=True,
        kind=f"marked {STRONG}", needed=False, **more,
    )  # fmt: skip


def judge_near(whole: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 1."""
    strong = evidence.of_regime(whole, "strong")
    plain = evidence.unmarked(strong)
    ends = [float(evidence.of_layer(run, "relative_deviation")[-1]) for run in plain]
    return [
        _figure_3_part(plain, paper.FIGURE_3_STRIPS),
        _correlation_part(plain, None),
        mean_part(
            plain, ends, statistic="relative deviation at the end", threshold=NEAR_DEVIATION,
            unit="Glorot standard deviations", above=False, kind=PLAIN, question="wording",
        ),
        _correlation_part(plain, NEAR_CORRELATION, question="wording"),
        _area_part(evidence.marked(strong), NEAR_AREA, question="wording"),
    ]  # fmt: skip


def judge_traces(whole: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 7."""
    strong = evidence.of_regime(whole, "strong")
    plain, marked = evidence.unmarked(strong), evidence.marked(strong)
    diverged = evidence.unmarked(evidence.of_regime(whole, "unstable"))
    theirs = float(np.mean(_correlations(diverged))) if diverged else 0.0
    return [
        _figure_3_part(plain, [place for place in paper.FIGURE_3_STRIPS if place]),
        _correlation_part(plain, None),
        mean_part(
            plain if diverged else [], [found - theirs for found in _correlations(plain)],
            statistic="correlation of w_f with w_i, strong runs less the mean of the unstable",
            threshold=0.0, above=True, kind="pair of strong and unstable runs", needed=False,
        ),
        _area_part(marked, 0.5),
        _correlation_part(plain, RECOGNISABLE_CORRELATION, question="wording"),
        _area_part(marked, RECOGNISABLE_AREA, question="wording"),
    ]  # fmt: skip
