"""Claims 1 and 7: successful training ends near its start, and the start can still be recognised.

Both look at strong runs of the paper's length. What is *near* and what is *recognisable* the paper
does not put into numbers; here it is done beforehand. Near is taken literally: the typical link has
moved by less than the spread the links started with. For correlations and for the area under a ROC
curve the usual words for the size of an effect are used (J. Cohen, *Statistical Power Analysis for
the Behavioral Sciences*, 1988): a large effect is near, a medium one is recognisable. The paper's
own Figure 3 has, by its quartiles, a relative deviation of nearly 2: nothing here is fitted to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from repro import paper
from repro.analysis import evidence
from repro.analysis.captions import width_of
from repro.analysis.marks import contrast_of_run
from repro.claims.verdict import MINIMUM_RUNS, Part, mean_part
from repro.model.network import JUDGED_LAYER as LAYER
from repro.model.network import glorot_standard_deviation

WRITTEN = "2026-11-24"

NEAR_DEVIATION = 1.0
"""Near: the relative deviation is below this, the links' initial spread."""

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
"""Recognisable, besides: the correlation is this many times what a shuffled pairing scatters by."""

STRONG = "strong run of the paper's length"

NEAR_RULE = f"""On strong, unmarked runs of 1000 epochs, at their end and in the hidden-to-hidden
matrix: the mean relative deviation is below {NEAR_DEVIATION:g} and the mean correlation of w_f with
w_i above {NEAR_CORRELATION:g}; on strong marked runs, where there are any, the mean area under the
ROC curve of |w| is above {NEAR_AREA:g}. Each part needs {MINIMUM_RUNS} runs, a 95 % interval of the
mean that lies wholly on the claim's side, and the mean of every width there, too.
Reproduced where all parts hold, not reproduced where all fail."""

TRACES_RULE = f"""On strong, unmarked runs of 1000 epochs: the mean correlation of w_f with w_i in
the hidden-to-hidden matrix is above {RECOGNISABLE_CORRELATION:g}, and above {NULL_ERRORS} times the
scatter of a shuffled pairing, which has correlation 0 within 1/√(links) = 1/N; on strong marked
runs, where there are any, the mean area under the ROC curve of |w| is above
{RECOGNISABLE_AREA:g} (0.5 is no trace); and where there are diverged runs, the mean correlation of
the strong ones is above the mean of theirs. Each mean needs {MINIMUM_RUNS} runs and a 95 % interval
wholly above, and every width's mean above. Reproduced where all parts hold, not reproduced where
all fail."""

_QUARTILES_APART = 1.349  # in standard deviations of a normal distribution


def papers_relative_deviation() -> float:
    """Relative deviation of the paper's network of Figure 3, by the quartiles read off it.

    That of the links that started at zero, as if their deviations were normally distributed, in
    units of the Glorot standard deviation. Wide tails would make it larger.
    """
    lower, upper = (paper.FIGURE_3[0.0, quantile].value for quantile in (0.25, 0.75))
    spread = (upper - lower) / _QUARTILES_APART
    width = paper.FIGURE_3_WIDTH
    return spread / glorot_standard_deviation(width, width)


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
    """Standard deviation of the correlation of w_f with w_i paired at random: 1/√(links)."""
    return 1.0 / width


def judge_near(runs: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 1 on the runs of one dataset (see ``NEAR_RULE``)."""
    strong = evidence.of_regime(evidence.complete(runs), "strong")
    plain, marked = evidence.unmarked(strong), evidence.marked(strong)
    return [
        mean_part(
            plain, [final_deviation(run) for run in plain],
            statistic="relative deviation at the end", unit="Glorot standard deviations",
            threshold=NEAR_DEVIATION, above=False, kind=f"{STRONG} without a mark",
        ),
        mean_part(
            plain, [final_correlation(run) for run in plain],
            statistic="correlation of w_f with w_i", unit="",
            threshold=NEAR_CORRELATION, above=True, kind=f"{STRONG} without a mark",
        ),
        mean_part(
            marked, [final_area(run) for run in marked],
            statistic="ROC area of the mark at the end", unit="",
            threshold=NEAR_AREA, above=True, kind=f"marked {STRONG}", needed=False,
        ),
    ]  # fmt: skip


def judge_traces(runs: Sequence[xr.Dataset]) -> list[Part]:
    """The parts of claim 7 on the runs of one dataset (see ``TRACES_RULE``)."""
    whole = evidence.complete(runs)
    strong = evidence.of_regime(whole, "strong")
    plain, marked = evidence.unmarked(strong), evidence.marked(strong)
    diverged = evidence.unmarked(evidence.of_regime(whole, "unstable"))
    correlations = [final_correlation(run) for run in plain]
    null = max((shuffled_scatter(width_of(run)) for run in plain), default=0.0)
    parts = [
        mean_part(
            plain, correlations,
            statistic="correlation of w_f with w_i", unit="",
            threshold=max(RECOGNISABLE_CORRELATION, NULL_ERRORS * null), above=True,
            kind=f"{STRONG} without a mark",
        ),
        mean_part(
            marked, [final_area(run) for run in marked],
            statistic="ROC area of the mark at the end", unit="",
            threshold=RECOGNISABLE_AREA, above=True, kind=f"marked {STRONG}", needed=False,
        ),
    ]  # fmt: skip
    if plain and diverged:
        theirs = float(np.mean([final_correlation(run) for run in diverged]))
        parts.append(_more_than_diverged(plain, correlations, theirs))
    return parts


def _more_than_diverged(
    strong: Sequence[xr.Dataset], correlations: Sequence[float], theirs: float
) -> Part:
    """Whether the strong runs keep more of their start than the mean of the diverged ones."""
    return mean_part(
        strong, [value - theirs for value in correlations],
        statistic="correlation of w_f with w_i, strong runs less the mean of the diverged",
        unit="", threshold=0.0, above=True, kind=f"{STRONG} without a mark",
    )  # fmt: skip
