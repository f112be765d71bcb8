"""Marks: a letter written into a weight matrix, and how well it can still be seen.

Figure 1 of the paper marks the hidden-to-hidden matrix before training: the strokes of a letter
keep their Glorot values, every other weight starts at zero. If training moves the weights little,
the letter is still there afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from repro.errors import ReproError
from repro.model.letter import letter_mask

if TYPE_CHECKING:
    import xarray as xr


def mark_contrast(matrix: ArrayLike, mask: ArrayLike) -> float:
    """How well the letter can be told from its surroundings by the size of the weights.

    The area under the receiver operating characteristic of abs(w) for "this weight is on the
    letter": 1 at the start (everything outside is zero), 0.5 where no trace is left.

    Columns without a stroke are left out: all weights into such a unit start at zero, so no
    gradient ever reaches them, and they stay zero whatever becomes of the letter.

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
        raise ReproError("The contrast of a mark needs weights on the letter and outside it.")
    ranks = rankdata(size, axis=None)  # all NaN where one weight is
    surplus = ranks[inside.ravel()].sum() - letter * (letter + 1) / 2
    return float(surplus / (letter * outside))


def contrast_of_run(run: xr.Dataset) -> xr.DataArray:
    """The contrast (:func:`mark_contrast`) of a marked run wherever it kept the matrix.

    ``run`` has ``matrix`` over (..., matrix_epoch, row, column) and the attribute ``mark``; the
    answer is over the matrix's other dimensions.
    """
    import xarray as xr

    mask = letter_mask(run.attrs["mark"], run.sizes["row"])
    return xr.apply_ufunc(
        mark_contrast, run["matrix"], input_core_dims=[["row", "column"]], vectorize=True,
        kwargs={"mask": mask},
    ).rename("mark_contrast")  # fmt: skip


def silent_share(run: xr.Dataset) -> float:
    """Share of the second hidden layer's units whose incoming weights are all zero at the end.

    ``run`` is a marked network's; the mean over its replicas. Such a unit never gets a gradient.
    """
    last = run["matrix"].isel(matrix_epoch=-1)
    return float((last == 0).all("row").mean())
