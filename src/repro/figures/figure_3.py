"""Figure 3: where the weights went, given where they started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.patches import ConnectionPatch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from repro import paper
from repro.analysis.captions import dataset_label, setting, width_of
from repro.analysis.joint import GLOROT_LIMIT, conditional_quantiles, joint_counts, strip_index
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
MEDIAN, MIDDLE_HALF, WHOLE = "#D55E00", "#E69F00", "#000000"


@dataclass(frozen=True)
class Joint:
    """Joint counts of one layer of one replica, with their edges in the weights' own unit.

    ``counts`` has shape (initial bins, final bins); the outermost edges of ``final`` are infinite.
    ``strips`` are the three initial weights of the thin strips: 0.98 of the Glorot limit, and zero.
    """

    counts: NDArray[np.uint32]
    initial: NDArray[np.float64]
    final: NDArray[np.float64]
    epoch: int
    of_paper: bool
    strips: tuple[float, float, float]

    @classmethod
    def of(
        cls, run: xr.Dataset, layer: str, epoch: int | None = None, replica: int | None = None
    ) -> Joint:
        """The counts at an epoch (None: the last kept) of a replica (None: the first)."""
        number = int(run["replica"][0]) if replica is None else replica
        counts = joint_counts(run, layer, epoch, number)
        unit = float(run["glorot_std"].sel(layer=layer))
        outer = paper.OUTER_STRIP_SHARE * GLOROT_LIMIT * unit
        kind = setting(run, "dataset"), width_of(run), layer, int(counts["joint_epoch"])
        return cls(
            counts.to_numpy(),
            run["initial_edge"].to_numpy().astype(float) * unit,
            run["final_edge"].to_numpy().astype(float) * unit,
            int(counts["joint_epoch"]),
            kind == (paper.DATASET, paper.FIGURE_3_WIDTH, "hidden_hidden", paper.EPOCHS),
            (-outer, 0.0, outer),
        )

    @property
    def strip_bins(self) -> list[int]:
        """The initial bins of the three strips."""
        return [strip_index(self.initial, place) for place in self.strips]


def figure_3(
    dataset: xr.Dataset,
    layer: str = "hidden_hidden",
    epoch: int | None = None,
    *,
    replica: int | None = None,
) -> style.PageFigure:
    """Joint counts of final against initial weights of a layer, with three strips above.

    Colour: number of weights in a cell, logarithmic. Lines: median, quartiles and 2-98 % band of
    the final weight given the initial one. Above: the final weights of three thin strips of initial
    weights. Grey: read off the paper's figure, for the paper's width, dataset and layer.

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

    Raises
    ------
    ReproError
        Where the run did not keep the joint counts asked for.
    """
    joint = Joint.of(dataset, layer, epoch, replica)
    with style.styled():
        figure = style.new_figure(7.2, 6.6)
        figure.get_layout_engine().set(hspace=0.06)  # room for the strips' ties
        grid = figure.add_gridspec(2, 3, height_ratios=(1, 2.7))
        below = figure.add_subplot(grid[1, :], label="joint counts")
        top = _reach(joint)
        _draw_joint(below, joint, top)
        figure.legend(
            *below.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False,
            columnspacing=1.3,
        )  # fmt: skip
        for column, bin_ in enumerate(joint.strip_bins):
            axes = figure.add_subplot(grid[0, column], label=f"strip {column}")
            _draw_strip(axes, below, joint, bin_, top)
            if column == 0:
                axes.set_ylabel("weights")
        figure.suptitle(
            f"{dataset_label(dataset)}, $N$ = {width_of(dataset)}, "
            f"{LAYER_NAMES.get(layer, layer)}, epoch {joint.epoch}",
            x=0.01, ha="left", fontsize=10,
        )  # fmt: skip
    return figure


def figure_3_numbers(
    dataset: xr.Dataset,
    layer: str = "hidden_hidden",
    epoch: int | None = None,
    *,
    replica: int | None = None,
) -> pd.DataFrame:
    """Figure 3 in numbers: quantiles of the final weight in the three strips.

    Columns ``initial weight``, ``quantile``, ``paper`` (a `paper.Reading` or None) and ``ours``
    (infinite where the quantile lies in an outermost bin, which has no edge).
    """
    joint = Joint.of(dataset, layer, epoch, replica)
    found = conditional_quantiles(joint.counts[joint.strip_bins], joint.final, QUANTILES)
    rows = [
        (place, quantile, paper.FIGURE_3.get((read, quantile)) if joint.of_paper else None, value)
        for place, read, values in zip(joint.strips, paper.FIGURE_3_STRIPS, found.T, strict=True)
        for quantile, value in zip(QUANTILES, values, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["initial weight", "quantile", "paper", "ours"])
    return table.round({"initial weight": 4})


def _reach(joint: Joint) -> float:
    """Half the height of the panel: all but a few of the weights lie within, or the bins end."""
    edges = joint.final[1:-1]
    centres = np.abs(np.concatenate([edges[:1], 0.5 * (edges[1:] + edges[:-1]), edges[-1:]]))
    order = np.argsort(centres)
    reached = np.cumsum(joint.counts.sum(axis=0)[order]) / max(joint.counts.sum(), 1)
    limit = centres[order][min(np.searchsorted(reached, 0.9995), len(order) - 1)]
    return float(min(1.1 * limit, np.abs(edges).max()))


def _draw_joint(axes: Axes, joint: Joint, top: float) -> None:
    inner = joint.counts[:, 1:-1]
    highest = 10 ** np.ceil(np.log10(max(inner.max(), 2)))
    norm = LogNorm(1, max(highest, HIGHEST_COUNT if joint.counts.sum() > 1e5 else 10))
    mesh = axes.pcolormesh(
        joint.initial, joint.final[1:-1], np.ma.masked_less(inner.T, 1), norm=norm, cmap=COUNTS,
        rasterized=True,
    )  # fmt: skip
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.015, aspect=30, label="weights per cell")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.outline.set_linewidth(0.5)
    centre = 0.5 * (joint.initial[1:] + joint.initial[:-1])
    lines = conditional_quantiles(joint.counts, joint.final, QUANTILES)
    dotted = {"color": WHOLE, "linewidth": 1.2, "linestyle": (0, (1, 1.2))}
    looks = (dotted, {"color": MIDDLE_HALF, "linewidth": 1.7}, {"color": MEDIAN, "linewidth": 2})
    names = ("2 % and 98 %", "quartiles", "median", None, None)
    for values, look, label in zip(lines, (*looks, looks[1], looks[0]), names, strict=True):
        axes.plot(centre, values, label=label, **look)
    ends = joint.initial[[0, -1]]
    axes.plot(
        ends, ends, color="white", linewidth=1.1, linestyle="--", label="$w_f = w_i$",
        path_effects=[withStroke(linewidth=2.1, foreground="0.25")],
    )  # fmt: skip
    if joint.of_paper:
        values = [reading.value for reading in paper.FIGURE_3.values()]
        look = style.paper_marker(label=style.PAPER_LABEL, zorder=4, clip_on=False)
        axes.plot([place for place, _ in paper.FIGURE_3], values, **look)
    axes.set(xlim=ends, ylim=(-top, top))
    axes.set(xlabel="initial weight $w_i$", ylabel="final weight $w_f$")


def _draw_strip(axes: Axes, below: Axes, joint: Joint, bin_: int, top: float) -> None:
    """The histogram of one strip, tied to its place on the joint panel."""
    row = joint.counts[bin_]
    axes.stairs(row[1:-1], joint.final[1:-1], fill=True, color="#4a78a6")
    centre = 0.5 * (joint.initial[bin_] + joint.initial[bin_ + 1])
    median = conditional_quantiles(row[None, :], joint.final, (0.5,)).item()
    axes.axvline(centre, color="0.25", linewidth=1, linestyle="--", zorder=0.5)
    axes.axvline(median, color=MEDIAN, linewidth=1.6, zorder=0.5)
    axes.set(xlim=(-top, top), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    value = f"{centre:.3g}".replace("-", "\N{MINUS SIGN}")
    axes.set_title(f"$w_f$ where $w_i$ ≈ {value}", fontsize=9, loc="center", pad=3)
    tie = ConnectionPatch(
        (0.5, -0.2), (centre, 1.0), axes.transAxes, below.get_xaxis_transform(),
        color="0.5", linewidth=0.7, clip_on=False,
    )  # fmt: skip
    tie.set_in_layout(False)
    below.add_artist(tie)
    below.plot(
        centre, 1.0, "v", transform=below.get_xaxis_transform(), color="0.35", markersize=5,
        clip_on=False, zorder=5,
    )  # fmt: skip
