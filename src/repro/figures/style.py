"""How the figures look: type, lines, colours. One colour per width, in every figure.

And the tables: a cell says what it has to say to its end, on every page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from repro.figures.files import write_where_asked

pd.set_option("display.max_colwidth", None)

# Okabe and Ito's colours, told apart by colour-blind readers
TRAIN = "#0072B2"
TEST = "#D55E00"
DIVERGENCE = "#000000"
PAPER = "#8c8c8c"
PAPER_LABEL = "paper (read off)"

LOW_TRAINABILITY = "#f6e8c3"
UNTRAINABILITY = "#d9d9d9"
HIGH_TRAINABILITY = "#d4e7f3"

# Dark blue to orange by way of purple: lightness rises all along, so that grey prints keep the
# order, and stops where a line would fade on white.
_WIDTHS = LinearSegmentedColormap.from_list(
    "width", ["#061458", "#5b0fa6", "#a8199a", "#d64071", "#ef7b3b", "#e0a000"], N=4096
)
# The same hues on a dark page: as many steps, lightness rising too, none too dark to see.
_WIDTHS_ON_DARK = LinearSegmentedColormap.from_list(
    "width on dark", ["#5f8bff", "#a07bff", "#dd7ae0", "#ff8c9c", "#ffb36b", "#ffe27a"], N=4096
)
NARROWEST, WIDEST = 10, 1000
_MIDDLE, _STEEPNESS = np.log10(200.0), 2.6

SETTINGS = {
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 7.5,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.borderpad": 0.3,
    "legend.handlelength": 1.6,
    "axes.linewidth": 0.7,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.5,
    "ytick.minor.width": 0.5,
    "lines.linewidth": 1.2,
    "lines.solid_joinstyle": "round",
    "mathtext.fontset": "dejavusans",
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
}


def width_colour(width: float, on_dark: bool = False) -> str:
    """The colour of a width, the same in every figure: continuous and monotonic in log width.

    The scale is steepest around 200 units, where the paper's networks change from one regime to
    another. Widths below 10 and above 1000 take the colours of the ends.

    Parameters
    ----------
    width:
        Units in each hidden layer.
    on_dark:
        For a dark page; else for a white one.

    Returns
    -------
    The colour as ``#rrggbb``.
    """

    def rise(value: float) -> float:
        return float(1 / (1 + np.exp(-_STEEPNESS * (np.log10(value) - _MIDDLE) * np.log(10) / 2)))

    low, high = rise(NARROWEST), rise(WIDEST)
    place = (rise(float(np.clip(width, NARROWEST, WIDEST))) - low) / (high - low)
    return to_hex((_WIDTHS_ON_DARK if on_dark else _WIDTHS)(place))


@contextmanager
def styled() -> Iterator[None]:
    """The look of all figures, for as long as they are being drawn."""
    with rc_context(SETTINGS):
        yield


PAGE_DPI = 100


@dataclass(frozen=True)
class Description:
    """What a reader needs to know of a figure apart from the picture.

    Attributes
    ----------
    name:
        Short and unique on its page (``losses``); part of the figure's address and file names.
    caption:
        Stands alone: what is drawn, of which runs. MyST Markdown, so mathematics is between
        dollars.
    alt:
        What a screen reader says in place of the picture: plain text, no markup.
    data:
        What is drawn, as a table; None for the values that are read off the figure's lines, points
        and histograms (:func:`repro.figures.files.drawn_values`).
    """

    name: str
    caption: str
    alt: str
    data: pd.DataFrame | None = None


class PageFigure(Figure):
    """A figure that a notebook shows without pyplot, sharp on screens of twice the pixels.

    The picture's metadata in the notebook carry the description, from which the book takes the
    figure's number, caption and alternative text (:mod:`repro.book.pages`).
    """

    description: Description | None = None

    def described(
        self, name: str, caption: str, alt: str, data: pd.DataFrame | None = None
    ) -> PageFigure:
        """The same figure, with a :class:`Description`."""
        self.description = Description(name, caption, alt, data)
        return self

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        picture = io.BytesIO()
        # No version of matplotlib inside, so that the same figure is the same bytes.
        self.savefig(picture, format="png", dpi=2 * PAGE_DPI, metadata={"Software": None})
        width, height = (round(PAGE_DPI * inches) for inches in self.get_size_inches())
        metadata: dict[str, Any] = {"width": width, "height": height, "alt": self.alternative()}
        if (said := self.description) is not None:
            metadata |= {"name": said.name, "caption": said.caption}
            write_where_asked(self, picture.getvalue(), said.data)
        else:
            write_where_asked(self, picture.getvalue())
        return picture.getvalue(), metadata

    def alternative(self) -> str:
        """The description's alternative text; without one, what the axes say of themselves."""
        if self.description is not None:
            return self.description.alt
        panels = []
        for axes in self.axes:
            title = axes.get_title(loc="left") or axes.get_title()
            labels = [text for text in (axes.get_ylabel(), axes.get_xlabel()) if text]
            said = ": ".join(text for text in (title, " against ".join(labels)) if text)
            if said:
                panels.append(re.sub(r"[$\\{}]|mathbf|bf", "", said).strip())
        return "; ".join(["Figure", *panels]) if panels else "Figure"


def new_figure(width: float, height: float, layout: str | None = "constrained") -> PageFigure:
    """An empty figure, in inches, unknown to pyplot (so that a notebook shows it once)."""
    figure = PageFigure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def panel_label(axes: Axes, letter: str, text: str = "") -> None:
    """``(a)`` and a few words above the panel's left corner."""
    axes.set_title(rf"$\bf{{({letter})}}$ {text}".rstrip(), pad=5)


def plain_log_axis(axis: Axis) -> None:
    """Plain numbers (0.1, 1, 10) on a logarithmic axis whose limits are set, and enough of them."""
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axis.set_major_locator(LogLocator(numticks=12))
    axis.set_major_formatter(plain)
    if decades < 2:
        axis.set_minor_locator(LogLocator(subs=(2, 5) if decades > 0.7 else range(2, 10)))
        axis.set_minor_formatter(plain)
    else:
        axis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=12))
        axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(which="minor", labelsize=7.5)


def clear_legend(axes: Axes, **changes: Any) -> Legend:
    """A legend that lines may pass under; what was read off the paper comes last."""
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda index: "paper" in labels[index])
    legend = axes.legend(
        [handles[index] for index in order],
        [labels[index] for index in order],
        **({"loc": "best"} | changes),
    )
    legend.set_zorder(6)
    return legend


def paper_marker(**changes: Any) -> dict[str, Any]:
    """The look of a value read off the paper."""
    look: dict[str, Any] = {
        "marker": "D",
        "markersize": 5,
        "markerfacecolor": "white",
        "markeredgecolor": PAPER,
        "markeredgewidth": 1.1,
        "color": PAPER,
        "linestyle": "none",
    }
    return look | changes
