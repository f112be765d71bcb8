"""A page on its way into the book: what its notebook loses, and what the built page gains."""

from __future__ import annotations

import base64
import copy
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat

from repro.figures import files

# Scripts that the theme puts on every page. Nothing here starts a kernel in the page (and the
# script is loaded from elsewhere); the icons come from the style sheet's own font as well.
_UNUSED = re.compile(
    r"\s*<script>const THEBE_JS_URL[^<]*</script>"
    r"|\s*<script[^>]*(?:sphinx-thebe|fontawesome)\.js[^>]*></script>"
)
_MATHEMATICS = re.compile(
    r"\s*<script>window\.MathJax[^<]*</script>|\s*<script[^>]*/mathjax/[^>]*></script>"
)
_EMPTY_HEADER = re.compile(r"<th([^>]*)>(?:&nbsp;)?</th>")
# What is edited of a notebook is its paired text.
_EDITED = re.compile(r"(/edit/[^\"]*/book/)([\w-]+)\.ipynb")
_FOR_SCREEN_READERS = {
    # An entry of a list must say so; the other role is no longer part of the standard.
    'role="doc-biblioentry"': 'role="listitem"',
    '<div id="pst-primary-sidebar" class="': '<div id="pst-primary-sidebar" role="region" '
    'aria-label="Contents of the book" class="',
}
_METADATA = {
    "jupytext": {"default_lexer": "ipython3"},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
}


def lasting(notebook: Any) -> Any:
    """The notebook as it is committed, the same after every execution.

    Without times, paths and progress, and such that `jupytext --sync` leaves it alone.
    """
    notebook.metadata = nbformat.from_dict(_METADATA)
    for number, cell in enumerate(notebook.cells):
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if not cell.metadata.get("tags", ["some"]):
            del cell.metadata["tags"]
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def first_picture(notebook: Path) -> bytes:
    """The first picture that an executed notebook shows, as PNG."""
    cells = nbformat.read(notebook, as_version=4).cells
    shown = (output.get("data", {}) for cell in cells for output in cell.get("outputs", []))
    return base64.b64decode(next(data["image/png"] for data in shown if "image/png" in data))


def dressed(notebook: Any, stage: Path) -> Any:
    """A page as the book is built from it: each caption ends with links to the figure's files.

    Those are in ``figures/`` of the folder that the book is built in.
    """
    page = copy.deepcopy(notebook)
    for cell in page.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in {"text/html", "text/markdown"} & set(data):
                # pandas leaves header cells empty, which a screen reader would announce
                data[kind] = _EMPTY_HEADER.sub(r"<td\1></td>", "".join(data[kind]))
            figure = cell.metadata.get("mystnb", {}).get("figure")
            if "image/png" in data and figure:
                links = _links(base64.b64decode(data["image/png"]), figure["name"], stage)
                figure["caption"] = f"{figure.get('caption', '').rstrip()}\n\n{links}"
    return page


def mended(html: str) -> str:
    """A page as it is read: without scripts of no use to it, with the roles it should have."""
    html = _EDITED.sub(r"\1text/\2.md", _UNUSED.sub("", html))
    if not re.search(r'class="[^"]*\bmath\b', html):
        html = _MATHEMATICS.sub("", html)
    for wrong, right in _FOR_SCREEN_READERS.items():
        html = html.replace(wrong, right)
    return html


def _links(png: bytes, name: str, stage: Path) -> str:
    """Links to the figure's files, which take its name."""
    links = []
    for suffix in files.FORMATS:
        written = stage / files.FOLDER / files.digest(png) / f"figure.{suffix}"
        if written.is_file():
            named = stage / files.FOLDER / f"{name.removeprefix('fig-')}.{suffix}"
            shutil.copy(written, named)
            links.append(f"{{download}}`{suffix.upper()} <{files.FOLDER}/{named.name}>`")
    return " · ".join(links)
