"""What a page's cell shows in words: paragraphs, tables of sentences, and what rows share."""

from __future__ import annotations

import html
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
        shown = table.rename_axis(None).to_html(escape=False, classes="sentences", border=0)
    return Table(LONG_NAME.sub(lambda name: re.sub("(::|_)", r"\1<wbr>", name[0]), shown))


def shared_above(table: pd.DataFrame) -> Table:
    """A table as a page shows it, what is the same in every row told once above it.

    Columns that are empty in every row are left out.
    """
    shared = {}
    for name, column in table.astype(str).items():
        if len(table) > 1 and column.nunique() == 1:
            shared[name] = column.iloc[0]
    with pd.option_context("display.max_colwidth", None):
        shown = table.drop(columns=list(shared)).to_html(border=0)
    told = ", ".join(f"{name} {value}" for name, value in shared.items() if value)
    caption = f"<caption>In every row: {html.escape(told)}</caption>" if told else ""
    return Table(re.sub("(<table[^>]*>)", lambda tag: tag[0] + caption, shown, count=1))
