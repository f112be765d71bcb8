"""What the page on running it again needs: a folder to try commands in, and what came out of them.

The commands are cells of the page themselves; they run in processes of their own.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from repro.errors import ReproError
from repro.places import published_path

ROOT = Path(__file__).resolve().parents[3]


class Scratch:
    """A folder that stands for the root of the repository until it is removed.

    The working directory is moved there; it has the notebooks in ``book/`` and a store and a cache
    of its own, and `repro` and `papermill` are found by their names. What is published stays so.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="repro-")
        self._working_directory, self._environment = Path.cwd(), dict(os.environ)
        place = Path(self._folder.name)
        (place / "book").symlink_to(ROOT / "book")
        os.environ |= {
            "REPRO_PUBLISHED": str(published_path().resolve()),
            "REPRO_STORE": str(place / "store"),
            "REPRO_CACHE_DIR": str(place / "cache"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        }
        os.chdir(place)

    def remove(self) -> None:
        """Remove the folder and all in it; working directory and environment are as before."""
        os.chdir(self._working_directory)
        os.environ.clear()
        os.environ |= self._environment
        self._folder.cleanup()


class NotebookFigure:
    """A figure as an executed notebook shows it, with its caption and alternative text."""

    def __init__(self, png: bytes, metadata: dict[str, Any]) -> None:
        self.png, self.metadata = png, metadata

    def __repr__(self) -> str:
        return f"<the figure {self.metadata.get('name')!r} of a notebook>"

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        return self.png, self.metadata


def figure_of(notebook: str | os.PathLike, name: str | None = None) -> NotebookFigure:
    """A figure of an executed notebook.

    Parameters
    ----------
    notebook:
        Its path.
    name:
        The figure's own (`style.Description`); None for the first.

    Raises
    ------
    ReproError
        Where the notebook is not there or has no such figure.
    """
    import nbformat

    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except (OSError, ValueError) as error:
        raise ReproError(f"The notebook {notebook} cannot be read: {error}.") from error
    for cell in cells:
        for output in cell.get("outputs", []):
            metadata = output.get("metadata", {}).get("image/png", {})
            if "image/png" in output.get("data", {}) and name in (None, metadata.get("name")):
                return NotebookFigure(base64.b64decode(output["data"]["image/png"]), metadata)
    raise ReproError(f"The notebook {notebook} has no figure{f' {name!r}' if name else ''}.")
