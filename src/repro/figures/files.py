"""A figure's files for reuse: vector graphics, and the values drawn as a table.

Where the environment variable ``REPRO_FIGURES`` names a folder, every figure that a notebook shows
is written there too, as PDF, SVG and CSV. The book's build sets it and offers the files below the
figure.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from numpy.typing import NDArray

FOLDER = "figures"
"""Beside the book's pages, where the build puts them."""

FORMATS = ("pdf", "svg", "csv")
_VARIABLE = "REPRO_FIGURES"

# Without times and random names, so that the same figure is the same bytes; texts stay texts in
# the PDF, and are outlines in the SVG, where a reader may lack the font.
_PDF = {"Creator": None, "Producer": None, "CreationDate": None}
_SVG = {"Creator": None, "Date": None}
_SETTINGS: dict[str, Any] = {"svg.hashsalt": "repro", "pdf.fonttype": 42}
_PICTURE_DPI = 150  # of pictures and meshes inside the vector graphics


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """Have every notebook that starts within the block leave its figures' files in the folder."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE)
        if before is not None:
            os.environ[_VARIABLE] = before


def write_where_asked(figure: Figure, png: bytes, data: pd.DataFrame | None = None) -> None:
    """Write the figure's files into the folder of ``REPRO_FIGURES``, where that is set.

    They go to a subfolder named by `digest` of ``png``, the picture as the notebook shows it, by
    which the book finds them; ``data`` as `write` takes it.
    """
    folder = os.environ.get(_VARIABLE)
    if not folder:
        return
    # Everything stays where the picture has it; laying out is half the time of saving.
    layout = figure.get_layout_engine()
    figure.set_layout_engine("none")
    try:
        write(figure, Path(folder) / digest(png), data)
    finally:
        figure.set_layout_engine(layout)


def digest(png: bytes) -> str:
    """The name of a picture by its content."""
    return hashlib.sha256(png).hexdigest()[:16]


def write(figure: Figure, folder: Path, data: pd.DataFrame | None = None) -> None:
    """Write the figure as ``figure.pdf`` and ``figure.svg`` and its values as ``figure.csv``.

    ``data`` is the table of its values; None for what is read off it (`drawn_values`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context(_SETTINGS):
        figure.savefig(folder / "figure.pdf", metadata=_PDF, dpi=_PICTURE_DPI)
        figure.savefig(folder / "figure.svg", metadata=_SVG, dpi=_PICTURE_DPI)
    table = drawn_values(figure) if data is None else data
    table.to_csv(folder / "figure.csv", index=False, float_format="%.6g", lineterminator="\n")


def drawn_values(figure: Figure) -> pd.DataFrame:
    """The values behind the lines, points, histograms and meshes of a figure.

    Returns
    -------
    Columns ``panel`` (its number, from 1), ``panel_title``, ``x_label``, ``y_label``, ``series``
    (its label in the legend, or ``line 3`` for the third line without one), ``x``, ``y`` and
    ``value`` (of a mesh: what its colour says; empty cells are left out). Pictures of matrices
    have no rows: they are in the published runs.
    """
    parts: list[_Values] = []
    where = []
    for number, axes in enumerate((one for one in figure.axes if one.axison), start=1):
        titles = (
            axes.get_title(loc="left") or axes.get_title(),
            axes.get_xlabel(),
            axes.get_ylabel(),
        )
        for series, values in _series(axes):
            parts.append(values)
            where.append((number, *titles, series))
    named = pd.DataFrame(
        where, columns=["panel", "panel_title", "x_label", "y_label", "series"], dtype=object
    )
    table = named.loc[np.repeat(named.index, [len(values) for values in parts])]
    table = table.reset_index(drop=True).astype({"panel": int})
    table[["x", "y", "value"]] = np.concatenate([*parts, np.empty((0, 3))])
    return table.dropna(subset=["x", "y"])


_Values = NDArray[np.float64]
"""What is drawn of a series: rows of x, y and value (of a mesh; NaN otherwise)."""


def _series(axes: Axes) -> list[tuple[str, _Values]]:
    """What an axes draws in data coordinates, by name."""
    found = []
    for number, line in enumerate(axes.get_lines(), start=1):
        x, y = np.ma.filled(np.ma.asarray(line.get_xydata(), dtype=float), np.nan).T
        found.append((_named(line, f"line {number}"), _columns(x, y)))
    for number, container in enumerate(axes.containers, start=1):
        if isinstance(container, BarContainer):
            places = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in container]
            if container.orientation == "horizontal":
                places = [
                    (bar.get_width(), bar.get_y() + bar.get_height() / 2) for bar in container
                ]
            found.append(
                (_named(container, f"bars {number}"), _columns(*zip(*places, strict=True)))
            )
    for number, collection in enumerate(axes.collections, start=1):
        if isinstance(collection, PathCollection):
            x, y = np.ma.filled(collection.get_offsets(), np.nan).astype(float).T
            found.append((_named(collection, f"points {number}"), _columns(x, y)))
        elif isinstance(collection, LineCollection):  # error bars among them
            segments = (one for one in collection.get_segments() if np.ndim(one) == 2)
            points = np.concatenate([*segments, np.empty((0, 2))])
            found.append((_named(collection, f"segments {number}"), _columns(*points.T)))
        elif isinstance(collection, QuadMesh) and axes.get_label() != "<colorbar>":
            corners = collection.get_coordinates()
            centres = (corners[1:, 1:] + corners[:-1, :-1]) / 2
            values = np.ma.asarray(collection.get_array(), dtype=float).filled(np.nan).ravel()
            mesh = _columns(centres[..., 0].ravel(), centres[..., 1].ravel(), values)
            found.append((_named(collection, f"mesh {number}"), mesh[~np.isnan(mesh).any(axis=1)]))
    for number, patch in enumerate(axes.patches, start=1):
        if isinstance(patch, StepPatch):
            values, edges, _ = patch.get_data()
            centres = (np.asarray(edges)[1:] + np.asarray(edges)[:-1]) / 2
            found.append((_named(patch, f"histogram {number}"), _columns(centres, values)))
    return found


def _columns(x: Any, y: Any, value: Any = None) -> _Values:
    x = np.asarray(x, float)
    return np.column_stack([x, np.asarray(y, float), np.full(len(x), np.nan) if value is None
                            else np.asarray(value, float)])  # fmt: skip


def _named(artist: Any, otherwise: str) -> str:
    label = str(artist.get_label())
    return otherwise if label.startswith("_") or not label else label
