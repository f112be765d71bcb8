"""The climb: when a network that diverges leaves its low loss for good, and how long it climbs.

A spike may recover; one does not. From there the loss climbs, first slowly, to the plateau. The
paper shows the two ends of this, the epoch of the lowest loss and that of divergence; between them
lies the epoch at which the low loss is left: where the crossing (`claim_jump`) begins.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from repro import paper
from repro.analysis import evidence, regimes
from repro.analysis.captions import setting, width_of
from repro.analysis.crossing import crossing
from repro.analysis.intervals import mean_and_deviation

SEVERAL = 3
"""Runs of one width from which on they are shown beside each other."""


def widths_with_several(runs: Sequence[xr.Dataset]) -> dict[int, list[xr.Dataset]]:
    """Complete unmarked runs by width, where there are ``SEVERAL`` and one of them climbs."""
    return {
        width: group
        for width, group in _by_width(runs).items()
        if len(group) >= SEVERAL and any(climbs(train_loss(run)) for run in group)
    }


def climbs(loss: NDArray[np.floating]) -> bool:
    """Whether a run diverges, or ends as far above its lowest loss as a plateau would be."""
    return crossing(loss) is not None or regimes.ends_far_above_minimum(loss)


def table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """By width, over the runs that diverge: means, with standard deviations where there are two.

    Returns
    -------
    Columns ``width``, ``diverged`` (of how many runs), ``lowest at``, ``left at``, ``plateau at``,
    ``climb`` (epochs from leaving to the plateau), ``lowest to plateau``, and of the paper, on its
    dataset, ``paper: lowest to plateau`` (empty where its figure shows none).
    """
    rows = []
    for width, group in _by_width(runs).items():
        losses = [loss for run in group if crossing(loss := train_loss(run))]
        if not losses:
            continue
        lowest = np.array([regimes.minimum(loss).epoch for loss in losses])
        left, plateau = np.array([crossing(loss) for loss in losses]).T
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
    return run["train_loss"].isel(replica=0).to_numpy()


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
