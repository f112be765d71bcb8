"""What a page's cell shows in words: paragraphs, and tables of sentences rather than numbers."""

from __future__ import annotations

import re

import pandas as pd

LONG_NAME = re.compile(r"[\w.:]{30,}")
"""A name in code that would push a table over the page's edge."""


class Prose(str):
    """Markdown that a notebook shows as text."""

    def _repr_markdown_(self) -> str:
        return str(self)


class Table(str):
    """HTML that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        return str(self)


def in_sentences(table: pd.DataFrame) -> Table:
    """A table of words as a page shows it: whole, left-aligned, its index without a name.

    HTML in its cells is kept. Long names in code may be broken after their underscores.
    """
    with pd.option_context("display.max_colwidth", None):  # pandas shortens texts
        html = table.rename_axis(None).to_html(escape=False, classes="sentences", border=0)
    return Table(LONG_NAME.sub(lambda name: re.sub("(::|_)", r"\1<wbr>", name[0]), html))
