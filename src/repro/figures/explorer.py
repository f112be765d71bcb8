"""Figures that move: data and a script in one piece of HTML, without a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

DIGITS = 4
"""Significant digits of the numbers in the page."""


@dataclass(frozen=True, repr=False)
class Explorer:
    """A moving figure for a notebook and the book.

    Attributes
    ----------
    kind:
        Which of the kinds of ``explorer.js`` draws it.
    label:
        What it is, in a few words: a screen reader announces the figure by it.
    data:
        What the script draws; numbers, texts, lists and dictionaries.
    """

    kind: str
    label: str
    data: dict[str, Any]

    def __repr__(self) -> str:
        return f"<{self.kind} explorer>"  # the same in every execution

    def _repr_html_(self) -> str:
        data = json.dumps(self.data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        identity = f"explorer-{hashlib.sha256(data.encode()).hexdigest()[:8]}"
        return (
            f'<div class="explorer" id="{identity}" data-kind="{escape(self.kind)}" role="group" '
            f'aria-label="{escape(self.label)}">\n<style>{_file("explorer.css")}</style>\n'
            f'<script type="application/json">{data}</script>\n'
            f"<script>{_file('explorer.js')}\n"
            f'reproExplore(document.getElementById("{identity}"));</script>\n</div>'
        )


def rounded(values: Iterable[float], digits: int = DIGITS) -> list[float | None]:
    """Numbers with so many significant digits, as JSON has them; what is not finite is None."""
    return [
        float(f"{value:.{digits}g}") if np.isfinite(value) else None
        for value in np.asarray(list(values), dtype=float)
    ]


def _file(name: str) -> str:
    return (files("repro.figures") / name).read_text(encoding="utf-8").strip()
