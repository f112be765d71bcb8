"""The climb: when a network that diverges leaves its low loss for good, and how long it climbs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from repro import paper
from repro.analysis import evidence, regimes
from repro.analysis.captions import setting, width_of
from repro.analysis.intervals import mean_and_deviation


def widths_with_several(runs: Sequence[xr.Dataset]) -> dict[int, list[xr.Dataset]]:
    """Complete unmarked runs by width, where there are three or more and one of them climbs."""
    return {
        width: group
        for width, group in _by_width(runs).items()
        if len(group) >= 3
        and any(
            regimes.crossing(loss) or regimes.ends_far_above_minimum(loss)
            for loss in map(train_loss, group)
        )
    }


def table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """By width, over the runs that diverge: epochs of the climb, means and standard deviations."""
    rows = []
    for width, group in _by_width(runs).items():
        losses = [loss for run in group if regimes.crossing(loss := train_loss(run))]
        if not losses:
            continue
        lowest = np.array([regimes.minimum(loss).epoch for loss in losses])
        left, plateau = np.array([regimes.crossing(loss) for loss in losses]).T
        rows.append(
            {
                "width": width, "diverged": f"{len(losses)} of {len(group)}",
                "lowest at": _spread(lowest), "left at": _spread(left),
                "plateau at": _spread(plateau), "climb": _spread(plateau - left),
                "lowest to plateau": _spread(plateau - lowest),
                "paper: lowest to plateau": _paper(width, str(setting(group[0], "dataset"))),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def train_loss(run: xr.Dataset) -> NDArray[np.float32]:
    """The train loss of a single run, shape (epochs + 1,)."""
    return run.variables["train_loss"].values[0]


def _by_width(runs: Sequence[xr.Dataset]) -> dict[int, list[xr.Dataset]]:
    found: dict[int, list[xr.Dataset]] = {}
    for run in evidence.unmarked(evidence.complete(runs)):
        found.setdefault(width_of(run), []).append(run)
    return dict(sorted(found.items()))


def _spread(values: np.ndarray) -> str:
    mean, deviation = mean_and_deviation(values.astype(float))
    return f"{mean:.0f}" if np.isnan(deviation) else f"{mean:.0f} ± {deviation:.0f}"


def _paper(width: int, dataset: str) -> str:
    low = paper.read("epoch_of_minimum_train_loss", width, dataset)
    high = paper.read("divergence_epoch", width, dataset)
    if low is None or high is None or low.is_lower_bound or high.kind == "none by":
        return ""
    return f"{'at least ' if high.is_lower_bound else ''}{high.value - low.value:.0f}"
