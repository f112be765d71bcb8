"""Intervals over runs, two-sided: of a mean, of a share, and of any statistic of a set of runs.

Where there are too few runs for one, the answer is None.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95  # of every interval
SIGNIFICANT = 0.05  # a permutation test counts below this probability
PERMUTATIONS = 9999  # random orders drawn where there are too many to go through all of them

Interval = tuple[float, float]


def mean_interval(values: ArrayLike) -> Interval | None:
    """Student's interval of the mean of independent runs; None for fewer than two."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.size < 2:
        return None
    half = _students(sample.size - 1) * sample.std(ddof=1) / np.sqrt(sample.size)
    return float(sample.mean() - half), float(sample.mean() + half)


def share_interval(successes: int, runs: int) -> Interval | None:
    """Clopper and Pearson's exact interval of a share of runs; None for fewer than two."""
    if runs < 2:
        return None
    limits = stats.binomtest(int(successes), int(runs)).proportion_ci(LEVEL, method="exact")
    return float(limits.low), float(limits.high)


def jackknife_interval(statistic: Callable[[list], float], runs: Sequence) -> Interval | None:
    """The interval of a statistic of a set of runs, by Tukey's jackknife around that of all.

    None for fewer than three runs, or where the statistic (NaN) cannot be had without one of them.
    """
    number = len(runs)
    if number < 3:
        return None
    whole = statistic(list(runs))
    without = np.array([statistic([*runs[:out], *runs[out + 1 :]]) for out in range(number)])
    if not (np.isfinite(whole) and np.isfinite(without).all()):
        return None
    variance = (number - 1) * np.mean((without - without.mean()) ** 2)
    half = _students(number - 1) * np.sqrt(variance)
    return float(whole - half), float(whole + half)


def permutation_probability(labels: ArrayLike, statistic: Callable[[NDArray], NDArray]) -> Any:
    """The probability that shuffled labels, one for every run, do as well as these.

    By a ``statistic`` along the last axis; of all orders, or of ``PERMUTATIONS`` random ones.
    """
    values = np.asarray(labels, dtype=np.float64)
    if values.size < 2:
        return 1.0
    result = stats.permutation_test(
        (values,), lambda x, axis: statistic(np.moveaxis(x, axis, -1)),
        permutation_type="pairings", vectorized=True, alternative="greater",
        n_resamples=PERMUTATIONS, rng=np.random.default_rng(0),
    )  # fmt: skip
    return result.pvalue


def _students(freedom: int) -> float:
    """Student's two-sided limit at ``LEVEL``."""
    return stats.t.ppf(0.5 + LEVEL / 2, freedom)
