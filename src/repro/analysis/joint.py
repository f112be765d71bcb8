"""From joint counts of initial and current weights to the distribution of one given the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro.errors import ReproError

GLOROT_LIMIT = float(np.sqrt(3.0))
"""Half the range of Glorot's uniform distribution, in units of its standard deviation."""


def joint_counts(
    dataset: xr.Dataset, layer: str, epoch: int | None = None, replica: int = 0
) -> xr.DataArray:
    """The joint counts of (initial weight, weight at an epoch) of one layer of one replica.

    Returns
    -------
    Counts over (initial_bin, final_bin), with the scalar coordinate ``joint_epoch``: the epoch
    asked for, or the last at which the run kept them.

    Raises
    ------
    ReproError
        Where the run did not keep them.
    """
    if "joint_histogram" not in dataset:
        raise ReproError("The run keeps no joint counts of initial and final weights.")
    counts = dataset["joint_histogram"]
    if epoch is None:
        epoch = int(counts["joint_epoch"].max())
    for dimension, label in (("replica", replica), ("layer", layer), ("joint_epoch", epoch)):
        kept = counts[dimension].to_numpy().tolist()
        if label not in kept:
            raise ReproError(
                f"The run keeps no joint counts at {dimension.replace('_', ' ')} {label}: "
                f"choose from {', '.join(map(str, kept))}."
            )
        counts = counts.sel({dimension: label})
    return counts.transpose("initial_bin", "final_bin")


def conditional_quantiles(
    counts: ArrayLike, final_edge: ArrayLike, quantiles: Sequence[float]
) -> NDArray[np.float64]:
    """Quantiles of the final weight given the initial weight, from joint counts.

    Within a bin the counts are taken as spread evenly, so a quantile is right to within one bin.

    Parameters
    ----------
    counts:
        Shape (initial bins, final bins).
    final_edge:
        Increasing, shape (final bins + 1,); the outermost may be infinite.
    quantiles:
        Numbers between 0 and 1.

    Returns
    -------
    Shape (quantiles, initial bins), in the unit of the edges. Infinite where the quantile falls in
    an outermost bin without an edge, NaN for an initial bin without counts.

    Raises
    ------
    ReproError
        For shapes that do not fit or quantiles outside 0 to 1.
    """
    number = np.asarray(counts, dtype=np.float64)
    edge = np.asarray(final_edge, dtype=np.float64)
    levels = np.asarray(quantiles, dtype=np.float64)
    if number.ndim != 2 or edge.shape != (number.shape[1] + 1,):
        raise ReproError(
            f"Joint counts of shape {number.shape} need one more edge than final bins, "
            f"not {edge.size}."
        )
    if not ((levels >= 0) & (levels <= 1)).all():
        raise ReproError(f"Quantiles lie between 0 and 1, not {list(quantiles)}.")
    result = np.full((len(levels), len(number)), np.nan)
    for column, row in enumerate(number):
        filled = np.flatnonzero(row)
        if not filled.size:
            continue
        reached = np.cumsum(row[filled])
        target = levels * reached[-1]
        index = np.minimum(np.searchsorted(reached, target), len(filled) - 1)
        low, high = edge[filled[index]], edge[filled[index] + 1]
        share = 1 - (reached[index] - target) / row[filled[index]]
        result[:, column] = np.where(
            np.isfinite(low) & np.isfinite(high),
            np.nan_to_num(low) * (1 - share) + np.nan_to_num(high) * share,
            np.where(np.isfinite(low), np.inf, -np.inf),
        )
    return result


def strip_index(initial_edge: ArrayLike, initial: float) -> int:
    """The index of the thin strip (initial bin) around an initial weight in the edges' unit.

    Raises
    ------
    ReproError
        For a value outside the edges.
    """
    edge = np.asarray(initial_edge, dtype=np.float64)
    if not edge[0] <= initial <= edge[-1]:
        raise ReproError(
            f"No initial weight lies at {initial:g}: choose between {edge[0]:g} and {edge[-1]:g}."
        )
    return int(np.clip(np.searchsorted(edge, initial, side="right") - 1, 0, len(edge) - 2))


def strip(counts: ArrayLike, initial_edge: ArrayLike, initial: float) -> NDArray[np.float64]:
    """The counts over final bins in the thin strip around an initial weight (`strip_index`)."""
    return np.asarray(counts)[strip_index(initial_edge, initial)]
