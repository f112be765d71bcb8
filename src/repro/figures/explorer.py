"""Figures that move: data, a script and a still figure in one piece of HTML, without a network.

Where scripts are off, and on paper, the still figure stands in the moving one's place.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from repro.figures.style import PageFigure

DIGITS = 4
"""Significant digits of the numbers in the page."""


class Explorer:
    """A moving figure for a notebook and the book.

    Parameters
    ----------
    kind:
        Which of the kinds of ``explorer.js`` draws it.
    label:
        What it is, in a few words: a screen reader announces the figure by it.
    data:
        What the script draws; numbers, texts, lists and dictionaries.
    still:
        The figure that stands for it; its description's caption is not shown.
    """

    def __init__(self, kind: str, label: str, data: dict[str, Any], still: PageFigure) -> None:
        self.kind, self.label, self.data, self.still = kind, label, data, still

    def __repr__(self) -> str:
        return f"<Explorer: {self.label}>"

    def _repr_html_(self) -> str:
        data = json.dumps(self.data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        identity = f"explorer-{hashlib.sha256(data.encode()).hexdigest()[:8]}"
        picture, size = self.still._repr_png_()
        source = base64.b64encode(picture).decode()
        return (
            f'<div class="explorer" id="{identity}" data-kind="{escape(self.kind)}" role="group" '
            f'aria-label="{escape(self.label)}">\n<style>{_file("explorer.css")}</style>\n'
            f'<div class="explorer-still"><img src="data:image/png;base64,{source}" '
            f'width="{size["width"]}" height="{size["height"]}" alt="{escape(size["alt"])}"/>'
            "</div>\n"
            f'<div class="explorer-live" hidden></div>\n'
            f'<script type="application/json">{data}</script>\n'
            f"<script>{_file('explorer.js')}\n"
            f'reproExplore(document.getElementById("{identity}"));</script>\n</div>'
        )


def rounded(values: Iterable[float]) -> list[float | None]:
    """Numbers with ``DIGITS`` significant digits, as JSON has them; what is not finite is None."""
    return [
        float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
        for value in np.asarray(list(values), dtype=float)
    ]


def _file(name: str) -> str:
    return (files("repro.figures") / name).read_text(encoding="utf-8").strip()
