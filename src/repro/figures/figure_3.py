"""Figure 3: where the weights went, given where they started."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from repro import paper
from repro.analysis.captions import dataset_label, setting, width_of
from repro.analysis.weights import GLOROT_LIMIT, conditional_quantiles, joint_counts, strip_index
from repro.figures import style
from repro.model.network import JUDGED_LAYER as LAYER

LAYER_NAMES = {
    "input_hidden": "input to hidden",
    "hidden_hidden": "hidden to hidden",
    "hidden_output": "hidden to output",
}
QUANTILES = (0.02, 0.25, 0.5, 0.75, 0.98)
HIGHEST_COUNT = 1000  # top of the paper's colour scale
COUNTS = LinearSegmentedColormap.from_list(
    "counts", ["#eaf1f8", "#b8cfe4", "#7fa6c9", "#4a78a6", "#244a78", "#0c1f3f"]
)
MEDIAN, MIDDLE_HALF, WHOLE = "#D55E00", "#E69F00", "#000000"


class Joint:
    """Joint counts (initial bins, final bins) of a layer, their edges, and three thin strips."""

    def __init__(self, run: xr.Dataset, layer: str, epoch: int | None = None) -> None:
        counts = joint_counts(run, layer, epoch, int(run["replica"][0]))
        self.counts, self.epoch = counts.to_numpy(), int(counts["joint_epoch"])
        unit = float(run["glorot_std"].sel(layer=layer))
        self.initial = run["initial_edge"].to_numpy().astype(float) * unit
        self.final = run["final_edge"].to_numpy().astype(float) * unit
        outer = paper.OUTER_STRIP_SHARE * GLOROT_LIMIT * unit
        self.strips = (-outer, 0.0, outer)
        self.bins = [strip_index(self.initial, place) for place in self.strips]
        kind = setting(run, "dataset"), width_of(run), layer, self.epoch
        self.of_paper = kind == (paper.DATASET, paper.FIGURE_3_WIDTH, LAYER, paper.EPOCHS)


@style.styled()
def figure_3(dataset: xr.Dataset, layer: str = LAYER, epoch: int | None = None) -> style.PageFigure:
    """Joint counts of final against initial weights of a layer, with three strips above.

    Lines: median, quartiles and 2-98 % band of the final weight given the initial one. Grey: read
    off the paper's figure. Of the run's first replica, at the last epoch that kept joint counts, or
    at ``epoch``; a `ReproError` where it kept none.
    """
    joint = Joint(dataset, layer, epoch)
    figure = style.new_figure(style.PAGE_WIDTH, 6.6)
    figure.get_layout_engine().set(hspace=0.06)  # room for the strips' ties
    grid = figure.add_gridspec(2, 3, height_ratios=(1, 2.7))
    below = figure.add_subplot(grid[1, :], label="joint counts")
    all_but_a_few = (0.00025, 0.99975)
    ends = conditional_quantiles(joint.counts.sum(axis=0)[None], joint.final, all_but_a_few)
    top = float(min(1.1 * np.abs(ends).max(), joint.final[-2]))
    _draw_joint(below, joint, top)
    figure.legend(*below.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    for column, bin_ in enumerate(joint.bins):
        axes = figure.add_subplot(grid[0, column], label=f"strip {column}")
        _draw_strip(axes, below, joint, bin_, top)
        axes.set_ylabel("" if column else "weights")
    title = f"{dataset_label(dataset)}, $N$ = {width_of(dataset)}, {LAYER_NAMES.get(layer, layer)}"
    figure.suptitle(f"{title}, epoch {joint.epoch}", x=0.01, ha="left")
    return figure


def figure_3_numbers(dataset: xr.Dataset, layer: str = LAYER) -> pd.DataFrame:
    """Figure 3 in numbers: quantiles of the final weight in the three strips, theirs and ours."""
    joint = Joint(dataset, layer)
    found = conditional_quantiles(joint.counts[joint.bins], joint.final, QUANTILES)
    rows = [
        (place, quantile, paper.FIGURE_3.get((read, quantile)) if joint.of_paper else None, value)
        for place, read, values in zip(joint.strips, paper.FIGURE_3_STRIPS, found.T, strict=True)
        for quantile, value in zip(QUANTILES, values, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["initial weight", "quantile", "paper", "ours"])
    return table.round({"initial weight": 4})


def _draw_joint(axes: Axes, joint: Joint, top: float) -> None:
    inner = joint.counts[:, 1:-1]
    highest = 10 ** np.ceil(np.log10(max(inner.max(), 2)))
    norm = LogNorm(1, max(highest, HIGHEST_COUNT if joint.counts.sum() > 1e5 else 10))
    mesh = axes.pcolormesh(
        joint.initial, joint.final[1:-1], np.ma.masked_less(inner.T, 1), norm=norm, cmap=COUNTS,
        rasterized=True,
    )  # fmt: skip
    axes.figure.colorbar(
        mesh, ax=axes, pad=0.015, aspect=30, format="{x:g}", label="weights per cell"
    )
    middles = 0.5 * (joint.initial[1:] + joint.initial[:-1])
    lines = conditional_quantiles(joint.counts, joint.final, QUANTILES)
    dotted = {"color": WHOLE, "linewidth": 1.2, "linestyle": (0, (1, 1.2))}
    looks = (dotted, {"color": MIDDLE_HALF, "linewidth": 1.7}, {"color": MEDIAN, "linewidth": 2})
    names = ("2 % and 98 %", "quartiles", "median", None, None)
    for values, look, label in zip(lines, (*looks, looks[1], looks[0]), names, strict=True):
        axes.plot(middles, values, label=label, **look)
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
    middle = 0.5 * (joint.initial[bin_] + joint.initial[bin_ + 1])
    median = conditional_quantiles(row[None, :], joint.final, (0.5,)).item()
    axes.axvline(middle, color="0.25", linewidth=1, linestyle="--", zorder=0.5)
    axes.axvline(median, color=MEDIAN, linewidth=1.6, zorder=0.5)
    axes.set(xlim=(-top, top), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    value = f"{middle:.3g}".replace("-", "\N{MINUS SIGN}")
    axes.set_title(f"$w_f$ where $w_i$ ≈ {value}", fontsize=9, loc="center", pad=3)
    place = below.get_xaxis_transform()
    style.tie(below, (middle, 1.0), axes, (0.5, -0.2), place)
    below.plot(middle, 1.0, "v", transform=place, color="0.35", markersize=5, clip_on=False)
