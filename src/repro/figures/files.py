"""A figure's files for reuse: vector graphics, and the values drawn as a table.

Every figure that a notebook shows goes where the environment variable ``REPRO_FIGURES`` says.
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
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from numpy.typing import NDArray

FOLDER = "figures"  # beside the book's pages, where the build puts them
FORMATS = ("pdf", "svg", "csv")
COLUMNS = ["panel", "panel_title", "x_label", "y_label", "series", "x", "y", "value"]
_VARIABLE = "REPRO_FIGURES"

# Without times and random names, so that the same figure is the same bytes; texts stay texts in
# the PDF, and are outlines in the SVG, where a reader may lack the font.
_METADATA = {
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}
_SETTINGS: dict[str, Any] = {"svg.hashsalt": "repro", "pdf.fonttype": 42}
_PICTURE_DPI = 150  # of pictures and meshes inside the vector graphics


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """Have every notebook that starts within the block leave its figures' files in the folder."""
    os.environ[_VARIABLE] = str(folder)
    try:
        yield
    finally:
        del os.environ[_VARIABLE]


def digest(png: bytes) -> str:
    """The name of a picture by its content."""
    return hashlib.sha256(png).hexdigest()[:16]


def write_where_asked(figure: Figure, png: bytes) -> None:
    """Write the figure's files to a folder named by `digest`, where ``REPRO_FIGURES`` is set."""
    if not os.environ.get(_VARIABLE):
        return
    folder = Path(os.environ[_VARIABLE]) / digest(png)
    folder.mkdir(parents=True, exist_ok=True)
    # Everything stays where the picture has it; laying out is half the time of saving.
    layout = figure.get_layout_engine()
    figure.set_layout_engine("none")
    try:
        with rc_context(_SETTINGS):
            for suffix, metadata in _METADATA.items():
                figure.savefig(folder / f"figure.{suffix}", metadata=metadata, dpi=_PICTURE_DPI)
    finally:
        figure.set_layout_engine(layout)
    table = drawn_values(figure)
    table.to_csv(folder / "figure.csv", index=False, float_format="%.6g", lineterminator="\n")


def drawn_values(figure: Figure) -> pd.DataFrame:
    """The values behind the lines, points, histograms and meshes of a figure, as ``COLUMNS``.

    ``series`` is the legend's label, or such as ``line 3``; ``value`` is a mesh's.
    """
    parts = [pd.DataFrame(columns=COLUMNS)]
    for number, axes in enumerate((one for one in figure.axes if one.axison), start=1):
        title = axes.get_title(loc="left") or axes.get_title()
        for artist, name, values in _series(axes):
            label = str(artist.get_label())
            series = name if label.startswith("_") or not label else label
            named = (number, title, axes.get_xlabel(), axes.get_ylabel(), series)
            part = pd.DataFrame(values, columns=COLUMNS[5 : 5 + values.shape[1]])
            parts.append(part.assign(**dict(zip(COLUMNS, named, strict=False))))
    table = pd.concat(parts[1:] or parts, ignore_index=True)
    return table.reindex(columns=COLUMNS).dropna(subset=["x", "y"])


def _series(axes: Axes) -> Iterator[tuple[Any, str, NDArray[np.float64]]]:
    """What an axes draws in data coordinates: artist, name, rows of x, y and a mesh's value."""
    for number, line in enumerate(axes.get_lines(), start=1):
        yield line, f"line {number}", line.get_xydata()
    for number, one in enumerate(axes.collections, start=1):
        if isinstance(one, PathCollection):
            points = np.ma.filled(np.ma.asarray(one.get_offsets(), dtype=float), np.nan)
            yield one, f"points {number}", points
        elif isinstance(one, LineCollection):  # error bars among them
            segments = [np.reshape(segment, (-1, 2)) for segment in one.get_segments()]
            yield one, f"segments {number}", np.concatenate([*segments, np.empty((0, 2))])
        elif isinstance(one, QuadMesh) and axes.get_label() != "<colorbar>":
            corners, values = one.get_coordinates(), np.ma.asarray(one.get_array())
            cells = (corners[1:, 1:] + corners[:-1, :-1]).reshape(-1, 2) / 2
            there = ~np.ma.getmaskarray(values).ravel()
            yield one, f"mesh {number}", np.column_stack([cells, values.data.ravel()])[there]
    for number, patch in enumerate(axes.patches, start=1):
        if isinstance(patch, StepPatch):
            values, edges, _ = patch.get_data()
            middles = (np.asarray(edges)[1:] + np.asarray(edges)[:-1]) / 2
            yield patch, f"histogram {number}", np.column_stack([middles, values])
