"""Marks: a letter written into a weight matrix, and how well it can still be seen.

Figure 1 of the paper marks the hidden-to-hidden matrix before training: the strokes of a letter
keep their Glorot values, every other link starts at zero. If training moves the weights little,
the letter is still there afterwards.
"""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from repro.captions import width_of
from repro.errors import ReproError

if TYPE_CHECKING:
    import xarray as xr

SMALLEST_SIZE = 8
"""Below this many rows a letter is no longer a letter."""

FILLED_SHARE = 0.86
"""Share of the matrix's side that the longer side of the drawn character takes."""


def letter_mask(character: str, size: int) -> NDArray[np.bool_]:
    """The strokes of one character, drawn large and centred in a square matrix.

    The outline is that of DejaVu Sans as it ships with matplotlib, so the mask depends neither on
    the fonts of the machine nor on a screen. Row 0 is the top: the letter stands upright where
    the matrix is drawn with ``imshow(..., origin="upper")``.

    Parameters
    ----------
    character:
        Any one character of DejaVu Sans that leaves ink.
    size:
        Rows and columns of the matrix, at least ``SMALLEST_SIZE``.

    Returns
    -------
    Boolean array of shape ``(size, size)``: True on the strokes (these links keep their Glorot
    values), False outside (these start at zero).

    Raises
    ------
    ReproError
        For no character, more than one, one without ink or glyph, or a size too small.
    """
    character = _one_character(character)
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < SMALLEST_SIZE:
        raise ReproError(
            f"A letter needs a matrix of at least {SMALLEST_SIZE} rows and columns, not {size!r}: "
            "choose a wider network or no mark."
        )
    return _strokes(character, int(size)).copy()


@functools.lru_cache(maxsize=16)  # a page asks for the same letter for each of its networks
def _strokes(character: str, size: int) -> NDArray[np.bool_]:
    from matplotlib.path import Path as Outline

    polygons = _outline(character)
    corners = np.concatenate(polygons)
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = FILLED_SHARE * size / (high - low).max()
    shift = size / 2 - scale * (low + high) / 2

    centres = np.arange(size) + 0.5
    x, y = np.meshgrid(centres, centres[::-1])  # the outline's y points up, the rows go down
    points = np.column_stack([x.ravel(), y.ravel()])
    winding = np.zeros(len(points), dtype=int)
    for polygon in polygons:  # counters (the hole of an "a") turn the other way round
        placed = polygon * scale + shift
        winding += _orientation(placed) * Outline(placed).contains_points(points)
    mask = (winding != 0).reshape(size, size)
    if not mask.any():
        raise ReproError(
            f"The strokes of {character!r} are too thin for a matrix of {size} rows: "
            "choose a wider network or a bolder character."
        )
    return mask


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


def _one_character(character: str) -> str:
    """The character in composed form ("e" and a combining accent are one character)."""
    if not isinstance(character, str):
        raise ReproError(f"The mark must be one character such as 'a', not {character!r}.")
    composed = unicodedata.normalize("NFC", character)
    if len(composed) != 1:
        raise ReproError(f"The mark must be exactly one character such as 'a', not {character!r}.")
    return composed


def _outline(character: str) -> list[NDArray[np.float64]]:
    """The closed polygons of the character's outline, each of shape (points, 2)."""
    import matplotlib
    from matplotlib.font_manager import FontProperties, get_font
    from matplotlib.path import Path as Outline
    from matplotlib.textpath import TextToPath

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    if get_font(str(file)).get_char_index(ord(character)) == 0:
        raise ReproError(
            f"The mark {character!r} cannot be drawn: the font DejaVu Sans has no such character, "
            "choose another such as 'a'."
        )
    properties = FontProperties(fname=str(file))
    vertices, codes = TextToPath().get_text_path(properties, character, ismath=False)
    polygons = []
    if len(vertices):
        # A large canvas keeps curves smooth: to_polygons draws them in steps of about a unit.
        large = Outline(np.asarray(vertices, dtype=float) * 20.0, codes)
        polygons = [p for p in large.to_polygons(closed_only=True) if _orientation(p) != 0]
    if not polygons:
        raise ReproError(
            f"The mark {character!r} is blank: choose a character that leaves ink, such as 'a'."
        )
    return polygons


def _orientation(polygon: NDArray[np.float64]) -> int:
    """1 for a polygon running anticlockwise, -1 for clockwise, 0 for one without area."""
    x, y = polygon[:, 0], polygon[:, 1]
    return int(np.sign(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))


def silent_share(run: xr.Dataset) -> float:
    """Share of the second hidden layer's units whose incoming links are all still zero at the end.

    ``run`` is a marked network's; the mean over its replicas. Such a unit never gets a gradient.
    """
    last = run["matrix"].isel(matrix_epoch=-1)
    return float((last == 0).all("row").mean())
