"""The climb: when a network that diverges leaves its low loss for good, and how long it climbs.

A spike may recover; one does not. From there the loss climbs, first slowly, to the plateau. The
paper shows the two ends of this, the epoch of the lowest loss and that of divergence; between them
lies the epoch at which the low loss is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike
from scipy.ndimage import median_filter

from repro import evidence, paper, regimes
from repro.captions import setting, width_of

LEFT = 2.0
"""The low loss is left where the train loss exceeds this many times its minimum for good."""

SEVERAL = 3
"""Runs of one width from which on they are shown beside each other."""


def begins(train_loss: ArrayLike) -> int | None:
    """The last epoch at which a diverging run still has a low loss; None where it does not diverge.

    Parameters
    ----------
    train_loss:
        One curve, shape (epochs + 1,), in nats. Low is up to ``LEFT`` times its minimum, after a
        running median that lets no spike of one or two epochs count.

    Raises
    ------
    ReproError
        As `regimes.minimum`.
    """
    plateau = regimes.divergence_epoch(train_loss)
    if plateau is None:
        return None
    curve = np.asarray(train_loss, dtype=float)[:plateau]
    smooth = median_filter(curve, size=2 * regimes.SPIKE_EPOCHS + 1, mode="nearest")
    low = np.flatnonzero(smooth <= LEFT * regimes.minimum(curve).value)
    return int(low[-1]) if low.size else None


def widths_with_several(runs: Sequence[xr.Dataset]) -> dict[int, list[xr.Dataset]]:
    """Complete unmarked runs by width, where there are ``SEVERAL`` and one of them diverges."""
    found: dict[int, list[xr.Dataset]] = {}
    for run in evidence.unmarked(evidence.complete(runs)):
        found.setdefault(width_of(run), []).append(run)
    return {
        width: group
        for width, group in sorted(found.items())
        if len(group) >= SEVERAL and any(_epochs(run)[1] is not None for run in group)
    }


def table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """By width, over the runs that diverge: means, with standard deviations where there are two.

    Returns
    -------
    Columns ``width``, ``diverged`` (of how many runs), ``lowest at``, ``left at``, ``plateau at``,
    ``climb`` (epochs from leaving to the plateau), ``lowest to plateau``, and of the paper, on its
    dataset, ``paper: lowest to plateau`` (empty where its figure shows none).
    """
    by_width: dict[int, list[xr.Dataset]] = {}
    for run in evidence.unmarked(evidence.complete(runs)):
        by_width.setdefault(width_of(run), []).append(run)
    rows = []
    for width, group in sorted(by_width.items()):
        found = np.array(
            [epochs for run in group if None not in (epochs := _epochs(run))], dtype=float
        )
        if not len(found):
            continue
        lowest, plateau, left = found.T
        rows.append(
            {
                "width": width, "diverged": f"{len(found)} of {len(group)}",
                "lowest at": _spread(lowest), "left at": _spread(left),
                "plateau at": _spread(plateau), "climb": _spread(plateau - left),
                "lowest to plateau": _spread(plateau - lowest),
                "paper: lowest to plateau": _paper(width, str(setting(group[0], "dataset"))),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _epochs(run: xr.Dataset) -> tuple[int, int | None, int | None]:
    loss = run["train_loss"].isel(replica=0).to_numpy()
    return regimes.minimum(loss).epoch, regimes.divergence_epoch(loss), begins(loss)


def _spread(values: np.ndarray) -> str:
    mean = f"{values.mean():.0f}"
    return mean if len(values) < 2 else f"{mean} ± {values.std(ddof=1):.0f}"


def _paper(width: int, dataset: str) -> str:
    low = paper.read("epoch_of_minimum_train_loss", width, dataset)
    high = paper.read("divergence_epoch", width, dataset)
    if low is None or high is None or low.is_lower_bound or high.kind == "none by":
        return ""
    return f"{'at least ' if high.is_lower_bound else ''}{high.value - low.value:.0f}"
