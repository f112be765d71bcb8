"""What runs keep of single weights: joint counts of initial and current ones, and marked matrices.

Marked: the strokes of a letter keep their Glorot values, every other weight starts at zero.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from repro.errors import ReproError
from repro.model.letter import letter_mask

GLOROT_LIMIT = float(np.sqrt(3.0))
"""Half the range of Glorot's uniform distribution, in units of its standard deviation."""


def joint_counts(
    dataset: xr.Dataset, layer: str, epoch: int | None = None, replica: int = 0
) -> xr.DataArray:
    """The counts (initial_bin, final_bin) of one layer of a replica at an epoch (None: the last).

    Raises a `ReproError` where the run did not keep them.
    """
    if "joint_histogram" not in dataset:
        raise ReproError("The run keeps no joint counts of initial and final weights.")
    counts = dataset["joint_histogram"]
    if epoch is None:
        epoch = int(counts["joint_epoch"].max())
    wanted = {"replica": replica, "layer": layer, "joint_epoch": epoch}
    for dimension, label in wanted.items():
        kept = counts[dimension].values.tolist()
        if label not in kept:
            raise ReproError(
                f"The run keeps no joint counts at {dimension.replace('_', ' ')} {label}: "
                f"choose from {', '.join(map(str, kept))}."
            )
    return counts.sel(wanted)


def conditional_quantiles(
    counts: ArrayLike, final_edge: ArrayLike, quantiles: Sequence[float]
) -> NDArray[np.float64]:
    """Quantiles of the final weight given the initial weight, from joint counts.

    Counts (initial bins, final bins), taken as spread evenly within a bin, give (quantiles, initial
    bins). Infinite where a quantile falls in an open bin, NaN for an initial bin without counts.
    """
    number = np.asarray(counts, dtype=np.float64)
    edge = np.asarray(final_edge, dtype=np.float64)
    levels = np.asarray(quantiles, dtype=np.float64)
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
    """The initial bin, a thin strip, of an initial weight; a `ReproError` outside the edges."""
    edge = np.asarray(initial_edge, dtype=np.float64)
    if not edge[0] <= initial <= edge[-1]:
        raise ReproError(
            f"No initial weight lies at {initial:g}: choose between {edge[0]:g} and {edge[-1]:g}."
        )
    return int(np.clip(np.searchsorted(edge, initial, side="right") - 1, 0, len(edge) - 2))


def mark_contrast(matrix: ArrayLike, mask: ArrayLike) -> float:
    """How well the letter can be told from its surroundings by the size of the weights.

    The area under the ROC curve of abs(w) for "this weight is on the letter": 1 at the start, 0.5
    where no trace is left, NaN where a weight is NaN. Columns without a stroke are left out: no
    gradient ever reaches the weights into such a unit, and they stay zero.
    """
    size = np.abs(np.asarray(matrix, dtype=np.float64))
    inside = np.asarray(mask, dtype=bool)
    crossed = inside.any(axis=0)
    size, inside = size[:, crossed], inside[:, crossed]
    letter = int(inside.sum())
    outside = inside.size - letter
    ranks = rankdata(size, axis=None)  # all NaN where one weight is
    surplus = ranks[inside.ravel()].sum() - letter * (letter + 1) / 2
    return float(surplus / (letter * outside))


def contrast_of_run(run: xr.Dataset) -> xr.DataArray:
    """The contrast (`mark_contrast`) of a marked run by replica and epoch of its matrix."""
    mask = letter_mask(run.attrs["mark"], run.sizes["row"])
    return xr.apply_ufunc(
        mark_contrast, run["matrix"], input_core_dims=[["row", "column"]], vectorize=True,
        kwargs={"mask": mask},
    ).rename("mark_contrast")  # fmt: skip


def silent_share(run: xr.Dataset) -> float:
    """Share of a marked layer's units without a weight at the end; they never get a gradient."""
    last = run["matrix"].isel(matrix_epoch=-1)
    return float((last == 0).all("row").mean())
