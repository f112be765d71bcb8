"""Marks: a letter written into a weight matrix, and how well it can still be seen.

Figure 1 of the paper marks the hidden-to-hidden matrix before training: the strokes of a letter
keep their Glorot values, every other link starts at zero. If training moves the weights little,
the letter is still there afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from repro.analysis.captions import width_of
from repro.errors import ReproError
from repro.model.letter import letter_mask

if TYPE_CHECKING:
    import xarray as xr


def mark_contrast(matrix: ArrayLike, mask: ArrayLike) -> float:
    """How well the letter can be told from its surroundings by the size of the weights.

    The area under the receiver operating characteristic of abs(w) for "this link is on the letter":
    the probability that a link of the letter is larger in size than one outside, ties counted half.
    1 at the start (everything outside is zero), 0.5 where no trace is left.

    Columns without a stroke are left out. All links into such a unit start at zero, so does its
    bias: its input is exactly zero, a ReLU passes neither signal nor gradient there, and its links
    stay zero for ever, whatever becomes of the letter. Counted in, they alone would keep the area
    of a letter that takes two thirds of the columns above 0.7.

    Parameters
    ----------
    matrix:
        Weights of shape (units from, units to).
    mask:
        Boolean, the same shape; True on the letter.

    Returns
    -------
    The area, between 0 and 1; NaN where a weight is NaN.

    Raises
    ------
    ReproError
        Where the shapes differ or the mask has no inside or no outside.
    """
    from scipy.stats import rankdata

    size = np.abs(np.asarray(matrix, dtype=np.float64))
    inside = np.asarray(mask, dtype=bool)
    if size.shape != inside.shape or size.ndim != 2:
        raise ReproError(
            f"The mark's shape {inside.shape} is not the matrix's shape {size.shape}: "
            "make the mask with letter_mask(character, rows of the matrix)."
        )
    crossed = inside.any(axis=0)
    size, inside = size[:, crossed], inside[:, crossed]
    letter = int(inside.sum())
    outside = inside.size - letter
    if letter == 0 or outside == 0:
        raise ReproError("The contrast of a mark needs links on the letter and links outside it.")
    ranks = rankdata(size, axis=None)  # all NaN where one weight is
    surplus = ranks[inside.ravel()].sum() - letter * (letter + 1) / 2
    return float(surplus / (letter * outside))


def contrast_of_run(run: xr.Dataset) -> xr.DataArray:
    """The contrast of a marked run at every epoch it kept the matrix of.

    Taken from the matrix itself, so that it means the same whichever code trained the run.

    Parameters
    ----------
    run:
        With ``matrix`` over (..., matrix_epoch, row, column) and the attribute ``mark``.

    Returns
    -------
    :func:`mark_contrast` over the matrix's other dimensions.
    """
    import xarray as xr

    matrix = run["matrix"].transpose(..., "row", "column")
    mask = letter_mask(run.attrs["mark"], matrix.sizes["row"])
    values = [mark_contrast(one, mask) for one in matrix.values.reshape(-1, *mask.shape)]
    kept = matrix.dims[:-2]
    return xr.DataArray(
        np.reshape(values, matrix.shape[:-2]),
        dims=kept,
        coords={name: matrix.coords[name] for name in kept if name in matrix.coords},
        name="mark_contrast",
    )


def one_replica(run: xr.Dataset, replica: int) -> xr.Dataset:
    """One replica of a marked run, with the matrices it has kept.

    Raises
    ------
    ReproError
        Where the run has no replica of that number.
    """
    if replica not in run["replica"]:
        raise ReproError(
            f"There is no replica {replica} of the run at width {width_of(run)}, "
            f"only {', '.join(str(number) for number in run['replica'].values)}."
        )
    return run.sel(replica=replica).dropna("matrix_epoch", how="all", subset=["matrix"])


def silent_share(run: xr.Dataset) -> float:
    """Share of the second hidden layer's units whose incoming links are all still zero at the end.

    ``run`` is a marked network's; the mean over its replicas. Such a unit never gets a gradient.
    """
    last = run["matrix"].isel(matrix_epoch=-1)
    return float((last == 0).all("row").mean())
