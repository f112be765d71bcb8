"""The letter that Figure 1 of the paper writes into a weight matrix."""

import functools
import unicodedata
from pathlib import Path

import numpy as np

from repro.errors import ReproError

_SMALLEST_SIZE = 8  # below this many rows a letter is no longer a letter
_FILLED_SHARE = 0.86  # of the matrix's side, by the longer side of the drawn character


def letter_mask(character: str, size: int) -> np.ndarray:
    """The strokes of one character, drawn large and centred: bool (size, size), True on them.

    The outline is that of DejaVu Sans as it ships with matplotlib, whatever fonts the machine has;
    row 0 is the top. Raises ReproError for no character, more than one, one without ink or glyph,
    or a size below 8.
    """
    # "e" and a combining accent are one character.
    composed = unicodedata.normalize("NFC", character) if isinstance(character, str) else ""
    if len(composed) != 1:
        raise ReproError(f"The mark must be exactly one character such as 'a', not {character!r}.")
    if size < _SMALLEST_SIZE:
        raise ReproError(
            f"A letter needs a matrix of at least {_SMALLEST_SIZE} rows and columns, not {size}: "
            "choose a wider network or no mark."
        )
    return _strokes(composed, size).copy()


@functools.lru_cache(maxsize=16)  # a page asks for the same letter for each of its networks
def _strokes(character: str, size: int) -> np.ndarray:
    from matplotlib.path import Path as Outline

    polygons = _outline(character)
    corners = np.concatenate(polygons)
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = _FILLED_SHARE * size / (high - low).max()
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


def _outline(character: str) -> list[np.ndarray]:
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
    # A large canvas keeps curves smooth: to_polygons draws them in steps of about a unit.
    large = Outline(np.asarray(vertices, dtype=float).reshape(-1, 2) * 20.0, codes)
    polygons = [p for p in large.to_polygons(closed_only=True) if _orientation(p) != 0]
    if not polygons:
        raise ReproError(
            f"The mark {character!r} is blank: choose a character that leaves ink, such as 'a'."
        )
    return polygons


def _orientation(polygon: np.ndarray) -> int:
    """1 for a polygon running anticlockwise, -1 for clockwise, 0 for one without area."""
    x, y = polygon[:, 0], polygon[:, 1]
    return int(np.sign(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))
