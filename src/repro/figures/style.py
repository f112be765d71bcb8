"""How the figures look, and how they draw runs: width by colour, regime by shape.

Runs are drawn of tidy frames, a row per run and epoch (`curves_of`) or a row per run (`ends_of`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap, ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray
from scipy.special import expit

from repro import paper
from repro.analysis.captions import epochs_of, width_of
from repro.analysis.evidence import regime_of
from repro.figures.files import write_where_asked
from repro.model.network import JUDGED_LAYER as LAYER

# Okabe and Ito's colours, told apart by colour-blind readers
TRAIN = "#0072B2"
TEST = "#D55E00"
DIVERGENCE = "#000000"
PAPER = "#8c8c8c"
PAPER_LABEL = "paper (read off)"
BASELINE = "0.45"
REGIONS = {"weak": "#e3f0fa", "unstable": "#fbd9b5", "strong": "#a8cbe8"}  # the paper's colours
REGIME_MARKERS = {"weak": "v", "unstable": "X", "strong": "o", "undecided": "s"}
NEARNESS = {
    "relative_deviation": "relative deviation",
    "weight_correlation": "correlation of $w(t)$ with $w_i$",
}

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
    """The colour of a width, the same in every figure, steepest where the regimes change."""
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
    return PageFigure(figsize=(width, height), layout="constrained")


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


def curves_of(runs: Sequence[xr.Dataset], *variables: str, layer: str = LAYER) -> pd.DataFrame:
    """Curves of single runs, from epoch 1 on, one row per run and epoch; infinite values are NaN.

    ``run`` is the place in ``runs``, ``short`` shorter than the paper's.
    """
    parts = [pd.DataFrame(columns=["run", "width", "short", "epoch", *variables], dtype=float)]
    for number, run in enumerate(runs):
        one = run.isel(replica=0, epoch=slice(1, None)).sel(layer=layer)
        row = {"run": number, "width": width_of(run), "short": epochs_of(run) < paper.EPOCHS}
        row |= {name: one[name].to_numpy().astype(float) for name in ("epoch", *variables)}
        parts.append(pd.DataFrame(row))
    frame = pd.concat(parts[1:] or parts, ignore_index=True)
    return frame.replace([np.inf, -np.inf], np.nan)


def ends_of(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """What single runs came to, one row each; losses as shares of the initial one."""
    rows = []
    for number, run in enumerate(runs):
        last = run.isel(replica=0, epoch=-1).sel(layer=LAYER)
        loss = run["train_loss"].isel(replica=0).to_numpy().astype(float)
        losses = np.nanmin(loss) / loss[0], loss[-1] / loss[0]
        moved = (float(last[name]) for name in NEARNESS)
        rows.append((number, width_of(run), regime_of(run), epochs_of(run), *losses, *moved))
    columns = ["run", "width", "regime", "epochs", "lowest", "final", *NEARNESS]
    return pd.DataFrame(rows, columns=columns).replace([np.inf, -np.inf], np.nan)


def colours(widths: Sequence[int] | pd.Series) -> dict[int, str]:
    """The colour of every width, as seaborn takes a palette."""
    return {int(width): width_colour(width) for width in sorted(set(widths))}


def draw_lines(axes: Axes, curves: pd.DataFrame, x: str, y: str, **look: Any) -> None:
    """A line for each run of `curves_of`, coloured by width; dotted where it is short."""
    look = {"linewidth": 0.8, "alpha": 0.8, "legend": False} | look
    sns.lineplot(
        curves, x=x, y=y, hue="width", palette=colours(curves["width"]), style="short",
        dashes={False: "", True: (1, 1)}, units="run", estimator=None, sort=False, ax=axes, **look,
    )  # fmt: skip


def draw_points(axes: Axes, ends: pd.DataFrame, y: str) -> None:
    """A point for each run of `ends_of` against width, its shape the regime; replicas apart."""
    there = ends.groupby("width")["run"]
    aside = there.cumcount() - (there.transform("size") - 1) / 2
    sns.scatterplot(
        ends, x=ends["width"] + 0.004 * ends["width"].max() * aside, y=y, hue="width",
        style="regime", palette=colours(ends["width"]), markers=REGIME_MARKERS, s=26,
        linewidth=0.4, ax=axes, legend=False,
    )  # fmt: skip
    axes.set_xlim(0, 1.07 * ends["width"].max())
    axes.set_xlabel("width $N$")


def regime_handles(ends: pd.DataFrame) -> list[Line2D]:
    """Legend entries of the regimes that occur."""
    return [
        Line2D([], [], marker=look, label=name, color="0.35", linestyle="none", markersize=5)
        for name, look in REGIME_MARKERS.items()
        if name in set(ends["regime"])
    ]


@styled()
def nothing_to_draw(what: str) -> PageFigure:
    """A figure that says there is nothing to draw, in place of one that would be empty."""
    figure = new_figure(PAGE_WIDTH, 0.7)
    figure.text(0.01, 0.5, what, va="center", color="0.35", style="italic")
    return figure
