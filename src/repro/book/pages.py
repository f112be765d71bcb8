"""What the build adds to an executed page: figure numbers, texts for screen readers, files to take.

A figure's picture carries its name, caption and alternative text in the notebook (`style`); here
they become the settings by which MyST-NB makes a numbered figure of it. The label of a figure is
``fig-<page>-<name>``, for references such as ``{numref}`fig-figure-1-letter```.
"""

from __future__ import annotations

import base64
import copy
import re
from pathlib import Path
from typing import Any

from repro.figures.files import FORMATS, digest

FIGURES = "figures"
"""Folder beside the pages with the figures' files, one subfolder a picture."""

SEPARATOR = " · "

# Scripts that the theme puts on every page. Nothing here starts a kernel in the page (and the
# script is loaded from elsewhere); the icons come from the style sheet's own font as well.
_UNUSED = re.compile(
    r"\s*<script>const THEBE_JS_URL[^<]*</script>"
    r"|\s*<script[^>]*(?:sphinx-thebe|fontawesome)\.js[^>]*></script>"
)
_MATHEMATICS = re.compile(
    r"\s*<script>window\.MathJax[^<]*</script>|\s*<script[^>]*/mathjax/[^>]*></script>"
)
_EMPTY_HEADER = re.compile(r"<th([^>]*)></th>")
# What is edited of a notebook is its paired text.
_EDITED = re.compile(r"(/edit/[^\"]*/book/)([\w-]+)\.ipynb")
_FOR_SCREEN_READERS = {
    # An entry of a list must say so; the other role is no longer part of the standard.
    'role="doc-biblioentry"': 'role="listitem"',
    '<div id="pst-primary-sidebar" class="': '<div id="pst-primary-sidebar" role="region" '
    'aria-label="Contents of the book" class="',
}


def dressed(notebook: Any, page: str, stage: Path) -> Any:
    """A page as the book is built from it; the notebook given is left as it is.

    Parameters
    ----------
    notebook:
        The executed notebook.
    page:
        Its name.
    stage:
        The folder the book is built in: ``figures/`` there has the figures' files, ``take/`` the
        page as notebook and as text.
    """
    import nbformat

    page_of_book = copy.deepcopy(notebook)
    page_of_book.cells = [part for cell in page_of_book.cells for part in _one_picture_each(cell)]
    names: list[str] = []
    for cell in page_of_book.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                _describe(cell, output, page, names, stage)
            if "text/html" in output.get("data", {}):
                table = "".join(output["data"]["text/html"])
                # pandas leaves header cells empty, which a screen reader would announce
                output["data"]["text/html"] = _EMPTY_HEADER.sub(r"<td\1></td>", table)
    page_of_book.cells.append(nbformat.v4.new_markdown_cell(take_page(page, True), id="take"))
    return page_of_book


def pictures(notebook: Path) -> list[str]:
    """The digests (`figure_files.digest`) of an executed notebook's pictures."""
    import nbformat

    cells = nbformat.read(notebook, as_version=4).cells
    found = (
        out.get("data", {}).get("image/png") for cell in cells for out in cell.get("outputs", [])
    )
    return [digest(base64.b64decode(picture)) for picture in found if picture]


def mended(html: str) -> str:
    """A page as it is read: without scripts of no use to it, with the roles it should have.

    Its link to where it can be edited leads to its text.
    """
    html = _EDITED.sub(r"\1text/\2.md", _UNUSED.sub("", html))
    if not re.search(r'class="[^"]*\bmath\b', html):
        html = _MATHEMATICS.sub("", html)
    for wrong, right in _FOR_SCREEN_READERS.items():
        html = html.replace(wrong, right)
    return html


def _one_picture_each(cell: Any) -> list[Any]:
    """The cell, and one without source for every picture after its first: settings are by cell."""
    if sum("image/png" in output.get("data", {}) for output in cell.get("outputs", [])) < 2:
        return [cell]
    cells = [cell]
    outputs, cell.outputs = cell.outputs, []
    seen = 0
    for output in outputs:
        if "image/png" in output.get("data", {}):
            seen += 1
            if seen > 1:
                following = copy.deepcopy(cell)
                following["id"] = f"{cell['id']}-{seen}"
                following.metadata["tags"] = ["remove-input"]
                following.outputs = []
                cells.append(following)
        cells[-1].outputs.append(output)
    return cells


def _describe(cell: Any, output: Any, page: str, names: list[str], stage: Path) -> None:
    metadata = output.get("metadata", {}).get("image/png", {})
    alt = metadata.get("alt", "Figure")
    name = metadata.get("name", "figure")
    label = name if name not in names else f"{name}-{len(names) + 1}"
    names.append(label)
    picture = base64.b64decode(output["data"]["image/png"])
    paragraphs = [metadata.get("caption") or alt, _take_figure(digest(picture), stage)]
    cell.metadata["mystnb"] = {
        "image": {"alt": alt},
        "figure": {
            "name": f"fig-{page}-{label}",
            "caption": "\n\n".join(part for part in paragraphs if part),
        },
    }


def _take_figure(picture: str, stage: Path) -> str:
    """Links to the figure's files; nothing where the build has none."""
    folder = stage / FIGURES / picture
    links = [
        f"{{download}}`{suffix.upper()} <{FIGURES}/{picture}/{path.name}>`"
        for suffix in FORMATS
        for path in folder.glob(f"*.{suffix}")
    ]
    return f"Take this figure: {SEPARATOR.join(links)}" if links else ""


def take_page(page: str, is_notebook: bool) -> str:
    """The last lines of a page: links to its files, which are in ``take/`` beside the pages."""
    links = [f"{{download}}`notebook <take/{page}.ipynb>`"] if is_notebook else []
    links += [f"{{download}}`text <take/{page}.md>`", "[how to cite](references.md)"]
    return f":::{{div}} take-page\nTake this page: {SEPARATOR.join(links)}\n:::\n"
