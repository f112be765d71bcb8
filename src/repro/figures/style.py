"""How the figures look: type, lines, colours. One colour per width, in every figure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import FuncNorm, LinearSegmentedColormap, ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from repro.figures.files import write_where_asked

# Okabe and Ito's colours, told apart by colour-blind readers
TRAIN = "#0072B2"
TEST = "#D55E00"
DIVERGENCE = "#000000"
PAPER = "#8c8c8c"
PAPER_LABEL = "paper (read off)"

# The regions of the phase diagram, in the paper's colours
LOW_TRAINABILITY = "#e3f0fa"
UNTRAINABILITY = "#fbd9b5"
HIGH_TRAINABILITY = "#a8cbe8"

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
_MIDDLE, _STEEPNESS = np.log10(200.0), 3.0

PAGE_DPI = 100
_COLOURS = 256

SETTINGS: dict[str, Any] = sns.axes_style("ticks") | {
    "figure.dpi": 110,
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same everywhere
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 8.5,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.borderpad": 0.3,
    "legend.handlelength": 1.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlelocation": "left",
    "xtick.major.size": 3.5,
    "ytick.major.size": 3.5,
    "xtick.minor.size": 2,
    "ytick.minor.size": 2,
    "lines.linewidth": 1.4,
    "lines.solid_joinstyle": "round",
}


@contextmanager
def styled() -> Iterator[None]:
    """The look of all figures, whatever the user's own settings of matplotlib are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def _rise(width: ArrayLike) -> NDArray[np.float64]:
    """A width's place on the scale of colours, steepest around 200 units."""
    return 1 / (1 + np.exp(-_STEEPNESS * (np.log10(np.maximum(width, 1e-9)) - _MIDDLE)))


def _fall(place: ArrayLike) -> NDArray[np.float64]:
    """The width at a place: the inverse of `_rise`."""
    share = np.clip(place, 1e-6, 1 - 1e-6)
    return 10 ** (_MIDDLE + np.log(share / (1 - share)) / _STEEPNESS)


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
    low, high = _rise(NARROWEST), _rise(WIDEST)
    place = (_rise(np.clip(width, NARROWEST, WIDEST)) - low) / (high - low)
    return to_hex((_WIDTHS_ON_DARK if on_dark else _WIDTHS)(float(place)))


def width_bar(
    figure: Figure, axes: Axes | Sequence[Axes], widths: Sequence[int], **changes: Any
) -> Colorbar:
    """One colour bar for the widths of lines drawn in `width_colour`, in place of a legend.

    A tick at every width, a number where there is room.

    Parameters
    ----------
    figure, axes:
        The figure, and the panels whose room the bar takes some of.
    widths:
        The widths drawn, at least one.
    changes:
        For ``figure.colorbar``, such as ``location="top"``.
    """
    low, high = min(widths), max(widths)
    if low == high:
        low, high = low / 1.3, high * 1.3
    places = np.linspace(_rise(low), _rise(high), 256)
    colours = ListedColormap([width_colour(width) for width in _fall(places)])
    scale = ScalarMappable(FuncNorm((_rise, _fall), low, high), colours)
    flat = changes.get("location") in ("top", "bottom")
    looks: dict[str, Any] = {"pad": 0.02, "aspect": 60 if flat else 30}
    bar = figure.colorbar(scale, ax=axes, **(looks | changes))
    told: list[int] = []
    for width in sorted(set(widths), reverse=True):
        place = (_rise(width) - places[0]) / np.ptp(places)
        if not told or (_rise(told[-1]) - places[0]) / np.ptp(places) - place > 0.055:
            told.append(width)
    bar.set_ticks(told, labels=[str(width) for width in told])
    bar.set_ticks([width for width in set(widths) - set(told)], minor=True)
    bar.set_label("width $N$")
    bar.outline.set_visible(False)
    return bar


class PageFigure(Figure):
    """A figure that a notebook shows without pyplot, sharp on screens of twice the pixels.

    Attributes
    ----------
    data:
        What is drawn, as a table for the figure's CSV; None for the values that are read off its
        lines, points and histograms (:func:`repro.figures.files.drawn_values`).
    """

    data: pd.DataFrame | None = None

    def png(self) -> bytes:
        """The picture, at two pixels for each of the page's, in a palette of 256 colours."""
        from PIL import Image

        whole, small = io.BytesIO(), io.BytesIO()
        with styled():
            self.savefig(whole, format="png", dpi=2 * PAGE_DPI)
        picture = Image.open(whole).convert("RGB")
        picture = picture.quantize(_COLOURS, kmeans=1, dither=Image.Dither.NONE)
        picture.save(small, format="png", optimize=True)  # no version of matplotlib inside
        return small.getvalue()

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        picture = self.png()
        width, height = (round(PAGE_DPI * inches) for inches in self.get_size_inches())
        with styled():
            write_where_asked(self, picture, self.data)
        return picture, {"width": width, "height": height}


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
    plain = FuncFormatter(
        lambda value, _: f"{value:g}" if value > 5e-4 else f"$10^{{{np.log10(value):.0f}}}$"
    )
    axis.set_major_locator(LogLocator(numticks=12))
    axis.set_major_formatter(plain)
    if decades < 2:
        axis.set_minor_locator(LogLocator(subs=(2, 5) if decades > 0.7 else range(2, 10)))
        axis.set_minor_formatter(plain)
    else:
        axis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=12))
        axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(which="minor", labelsize=8.5)


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
