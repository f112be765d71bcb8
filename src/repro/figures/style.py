"""How the figures look: type, lines, colours. One colour per width, in every figure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap, ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray
from scipy.special import expit

from repro.figures.files import write_where_asked

# Okabe and Ito's colours, told apart by colour-blind readers
TRAIN = "#0072B2"
TEST = "#D55E00"
DIVERGENCE = "#000000"
PAPER = "#8c8c8c"
PAPER_LABEL = "paper (read off)"

REGIONS = {"weak": "#e3f0fa", "unstable": "#fbd9b5", "strong": "#a8cbe8"}
"""The regions of the phase diagram, in the paper's colours."""

# Dark blue to orange by way of purple: lightness rises all along, so that grey prints keep the
# order, and stops where a line would fade on white.
_WIDTHS = LinearSegmentedColormap.from_list(
    "width", ["#061458", "#5b0fa6", "#a8199a", "#d64071", "#ef7b3b", "#e0a000"], N=4096
)
NARROWEST, WIDEST = 10, 1000
_MIDDLE, _STEEPNESS = 200, 3.0
PAGE_DPI = 100
PAGE_WIDTH = 7.2
LETTERS = "abcdefghijklmnop"

SETTINGS: dict[str, Any] = sns.axes_style("ticks") | sns.plotting_context("paper", 1.1) | {
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same everywhere
    "legend.edgecolor": "none", "legend.borderpad": 0.3, "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2, "legend.fontsize": 9, "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
}  # fmt: skip


@contextmanager
def styled() -> Iterator[None]:
    """The look of all figures, whatever the user's own settings; also a function's decorator."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def width_colour(width: float) -> str:
    """The colour of a width as ``#rrggbb``, the same in every figure: monotonic in log width.

    The scale is steepest around 200 units, where the paper's networks change from one regime to
    another. Widths below 10 and above 1000 take the colours of the ends.
    """
    widths = np.clip([NARROWEST, width, WIDEST], NARROWEST, WIDEST)
    low, place, high = expit(_STEEPNESS * np.log10(widths / _MIDDLE))
    return to_hex(_WIDTHS(float((place - low) / (high - low))))


def width_bar(figure: Figure, axes: Sequence[Axes], widths: Sequence[int]) -> Colorbar:
    """A bar with the colour of every width drawn in `width_colour`, in place of a legend."""
    there = sorted(set(widths))
    colours = ListedColormap([width_colour(width) for width in there])
    scale = ScalarMappable(BoundaryNorm(range(len(there) + 1), len(there)), colours)
    bar = figure.colorbar(scale, ax=axes, pad=0.02, aspect=30, label="width $N$")
    bar.set_ticks(np.arange(len(there)) + 0.5, labels=map(str, there))
    bar.ax.tick_params(which="both", length=0)
    return bar


class PageFigure(Figure):
    """A figure that a notebook shows without pyplot: two pixels for each of the page's."""

    @styled()
    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        from PIL import Image

        whole, small = io.BytesIO(), io.BytesIO()
        self.savefig(whole, format="png", dpi=2 * PAGE_DPI)
        picture = Image.open(whole).convert("RGB")
        picture = picture.quantize(256, kmeans=1, dither=Image.Dither.NONE)
        picture.save(small, format="png", optimize=True)  # no version of matplotlib inside
        write_where_asked(self, small.getvalue())
        width, height = (round(PAGE_DPI * inches) for inches in self.get_size_inches())
        return small.getvalue(), {"width": width, "height": height}


def new_figure(width: float, height: float) -> PageFigure:
    """An empty figure, in inches, unknown to pyplot (so that a notebook shows it once)."""
    figure = PageFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(
    height: float, rows: int = 1, columns: int = 2, **changes: Any
) -> tuple[PageFigure, NDArray]:
    """A figure of the page's width, and its panels, labelled (a), (b), ...; rows of an array."""
    figure = new_figure(PAGE_WIDTH, height)
    grid = figure.subplots(rows, columns, squeeze=False, **changes)
    for axes, letter in zip(grid.flat, LETTERS, strict=False):
        panel_label(axes, letter)
    return figure, grid


def panel_label(axes: Axes, letter: str, text: str = "") -> None:
    """``(a)`` and a few words above the panel's left corner."""
    axes.set_title(rf"$\bf{{({letter})}}$ {text}".rstrip(), pad=5)


def plain_log_axis(axis: Axis) -> None:
    """A logarithmic axis with plain numbers (0.1, 1, 10) and enough of them, of what is drawn."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    axis.set_major_locator(LogLocator(numticks=12))
    axis.set_major_formatter("{x:g}")
    subs = (2, 5) if 0.7 < decades < 2 else range(2, 10)
    axis.set_minor_locator(LogLocator(subs=subs, numticks=12))
    axis.set_minor_formatter("{x:g}" if decades < 2 else NullFormatter())
    axis.set_tick_params(which="minor", labelsize="small")


def tie(axes: Axes, place: tuple, above: Axes, start: tuple, transform: Any) -> None:
    """A thin line from a panel above to a place on this one."""
    line = ConnectionPatch(start, place, above.transAxes, transform, color="0.6", linewidth=0.7)
    line.set(in_layout=False, clip_on=False, zorder=2)
    axes.add_artist(line)


def paper_marker(**changes: Any) -> dict[str, Any]:
    """The look of a value read off the paper."""
    look = {"marker": "D", "markersize": 5, "markerfacecolor": "white", "markeredgewidth": 1.1}
    return look | {"markeredgecolor": PAPER, "color": PAPER, "linestyle": "none"} | changes
