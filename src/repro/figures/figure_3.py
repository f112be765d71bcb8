"""Figure 3: where the weights went, given where they started."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from repro import paper
from repro.analysis.captions import dataset_label, setting, width_of
from repro.analysis.joint import (
    GLOROT_LIMIT,
    conditional_quantiles,
    joint_counts,
    strip,
    strip_index,
)
from repro.figures import style

LAYER_NAMES = {
    "input_hidden": "input to hidden",
    "hidden_hidden": "hidden to hidden",
    "hidden_output": "hidden to output",
}
QUANTILES = (0.02, 0.25, 0.5, 0.75, 0.98)
HIGHEST_COUNT = 1000
"""Top of the paper's colour scale."""

COUNTS = LinearSegmentedColormap.from_list(
    "counts", ["#eaf1f8", "#b8cfe4", "#7fa6c9", "#4a78a6", "#244a78", "#0c1f3f"]
)
MEDIAN = "#D55E00"
MIDDLE_HALF = "#E69F00"
WHOLE = "#000000"


def figure_3(
    dataset: xr.Dataset,
    layer: str = "hidden_hidden",
    epoch: int | None = None,
    *,
    replica: int | None = None,
) -> Figure:
    """Joint counts of final against initial weights of a layer, with three strips above.

    Colour: number of links in a cell, logarithmic. Lines: median, middle half and 2-98 % band of
    the final weight given the initial one. Above: how the final weights of the links in three
    thin strips of initial weights are spread: the outer two at 0.98 of the Glorot limit, one at
    zero. Grey: what was read off the paper's figure, drawn only for the paper's width, dataset
    and layer.

    Parameters
    ----------
    dataset:
        A run of any width.
    layer:
        ``input_hidden``, ``hidden_hidden`` or ``hidden_output``.
    epoch:
        One at which the run kept its joint counts; None for the last of them.
    replica:
        The number of the replica to draw; None for the first there is.

    Returns
    -------
    The figure.

    Raises
    ------
    ReproError
        Where the run did not keep the joint counts asked for.
    """
    number = int(dataset["replica"][0]) if replica is None else replica
    counts = joint_counts(dataset, layer, epoch, number)
    unit = float(dataset["glorot_std"].sel(layer=layer))
    initial = dataset["initial_edge"].to_numpy().astype(float) * unit
    final = dataset["final_edge"].to_numpy().astype(float) * unit
    counted = counts.to_numpy()
    at = int(counts["joint_epoch"])
    with style.styled():
        figure = style.new_figure(6.0, 6.4)
        figure.get_layout_engine().set(hspace=0.07)  # room for the strips' ties
        grid = figure.add_gridspec(2, 3, height_ratios=(1, 3.1))
        joint = figure.add_subplot(grid[1, :], label="joint counts")
        top = _limit(counted, final)
        _joint(joint, counted, initial, final, top)
        if _is_papers(dataset, layer):
            _draw_paper(joint)
        figure.legend(*joint.get_legend_handles_labels(), loc="outside lower center", ncols=5)
        share = paper.OUTER_STRIP_SHARE * GLOROT_LIMIT * unit
        strips = [
            figure.add_subplot(grid[0, column], label=f"strip {column}") for column in range(3)
        ]
        for axes, place in zip(strips, (-share, 0.0, share), strict=True):
            _strip(axes, joint, strip(counted, initial, place), initial, final, place, top)
        strips[0].set_ylabel("links")
        figure.suptitle(
            f"{dataset_label(dataset)}, $N$ = {width_of(dataset)}, "
            f"{LAYER_NAMES.get(layer, layer)}, after {at} epoch{'' if at == 1 else 's'}",
            fontsize=9,
        )
    caption = (
        f"Final weight $w_f$ against initial weight $w_i$, {LAYER_NAMES.get(layer, layer)}, "
        f"{dataset_label(dataset)}, $N$ = {width_of(dataset)}, after {at} epochs. Below: links in "
        "each cell (colour), with the median, the quartiles and the band from 2 to 98 % of $w_f$ "
        "given $w_i$. Above: the links of three thin strips of $w_i$, near the lower end, zero and "
        "the upper end."
    )
    return figure.described("joint", caption, _alternative(counted, initial, final, at))


def _alternative(
    counted: NDArray[np.uint32], initial: NDArray[np.float64], final: NDArray[np.float64], at: int
) -> str:
    ends = counted[[0, len(counted) // 2, -1]]
    quartiles = conditional_quantiles(ends, final, (0.25, 0.5, 0.75))
    said = [
        f"from {start:.2g} the middle half of the links ends between {low:.2g} and {high:.2g}, "
        f"its median at {middle:.2g}"
        for start, (low, middle, high) in zip(
            (initial[0], 0.0, initial[-1]), quartiles.T, strict=True
        )
    ]
    return f"Weights after {at} epochs against where they started: {'; '.join(said)}."


def _is_papers(dataset: xr.Dataset, layer: str) -> bool:
    return (
        setting(dataset, "dataset") == paper.DATASET
        and width_of(dataset) == paper.FIGURE_3_WIDTH
        and layer == "hidden_hidden"
    )


def _limit(counted: NDArray[np.uint32], final: NDArray[np.float64]) -> float:
    """Half the height of the panel: all but a few of the links (or of the bins) lie within."""
    by_bin = counted.sum(axis=0).astype(float)
    centre = 0.5 * (final[1:] + final[:-1])
    inner = np.isfinite(centre)
    size = np.abs(np.where(inner, centre, np.nanmax(np.abs(final[np.isfinite(final)]))))
    order = np.argsort(size)
    reached = np.cumsum(by_bin[order]) / max(by_bin.sum(), 1)
    limit = size[order][min(np.searchsorted(reached, 0.9995), len(size) - 1)]
    return float(min(1.1 * limit, np.abs(final[np.isfinite(final)]).max()))


def _joint(
    axes: Axes,
    counted: NDArray[np.uint32],
    initial: NDArray[np.float64],
    final: NDArray[np.float64],
    top: float,
) -> None:
    inner = np.isfinite(final[:-1]) & np.isfinite(final[1:])
    edges = final[np.isfinite(final)]
    highest = 10 ** np.ceil(np.log10(max(counted[:, inner].max(), 2)))
    norm = LogNorm(1, max(highest, HIGHEST_COUNT if counted.sum() > 1e5 else 10))
    cells = np.ma.masked_less(counted[:, inner].T, 1)
    mesh = axes.pcolormesh(initial, edges, cells, norm=norm, cmap=COUNTS, rasterized=True)
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.015, aspect=30)
    bar.set_label("links per cell")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.outline.set_linewidth(0.5)

    centre = 0.5 * (initial[1:] + initial[:-1])
    lowest, quarter, median, three, highest = conditional_quantiles(counted, final, QUANTILES)
    for values, label in ((lowest, "2 % and 98 %"), (highest, None)):
        axes.plot(centre, values, color=WHOLE, linewidth=1.1, linestyle=(0, (1, 1.2)), label=label)
    for values, label in ((quarter, "quartiles"), (three, None)):
        axes.plot(centre, values, color=MIDDLE_HALF, linewidth=1.6, label=label)
    axes.plot(centre, median, color=MEDIAN, linewidth=1.8, label="median")
    axes.plot(
        initial[[0, -1]], initial[[0, -1]], color="white", linewidth=1.0, linestyle="--",
        label="$w_f = w_i$", path_effects=[withStroke(linewidth=2.0, foreground="0.25")],
    )  # fmt: skip
    axes.set_xlim(initial[0], initial[-1])
    axes.set_ylim(-top, top)
    axes.set_xlabel("initial weight $w_i$")
    axes.set_ylabel("final weight $w_f$")


def _draw_paper(axes: Axes) -> None:
    places = [place for place, _ in paper.FIGURE_3]
    values = [reading.value for reading in paper.FIGURE_3.values()]
    axes.plot(places, values, **style.paper_marker(label=style.PAPER_LABEL, zorder=4))


def _strip(
    axes: Axes,
    joint: Axes,
    counted: NDArray[np.uint32],
    initial: NDArray[np.float64],
    final: NDArray[np.float64],
    place: float,
    top: float,
) -> None:
    """The histogram of one strip, tied to its place on the joint panel."""
    inner = np.isfinite(final[:-1]) & np.isfinite(final[1:])
    axes.stairs(counted[inner], final[np.isfinite(final)], fill=True, color="#4a78a6", alpha=0.85)
    bin_ = strip_index(initial, place)
    centre = 0.5 * (initial[bin_] + initial[bin_ + 1])
    median = conditional_quantiles(counted[None, :], final, (0.5,)).item()
    axes.axvline(centre, color="0.25", linewidth=0.9, linestyle="--")
    axes.axvline(median, color=MEDIAN, linewidth=1.4)
    axes.set_xlim(-top, top)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.set_xlabel("$w_f$", labelpad=1)
    value = f"{centre:.3g}".replace("-", "\N{MINUS SIGN}")
    axes.set_title(f"$w_i$ ≈ {value}", fontsize=8.5, loc="center", pad=3)
    tie = ConnectionPatch(
        (0.5, -0.33), (centre, 1.0), axes.transAxes, joint.get_xaxis_transform(),
        color="0.5", linewidth=0.7, clip_on=False,
    )  # fmt: skip
    tie.set_in_layout(False)
    joint.add_artist(tie)
    joint.plot(
        centre, 1.0, "v", transform=joint.get_xaxis_transform(), color="0.35", markersize=5,
        clip_on=False, zorder=5,
    )  # fmt: skip
