"""Figure 1: a letter written into the weights, and the loss while it stays or goes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike, NDArray

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import dataset_label, epochs_of, setting, width_of
from repro.analysis.weights import GLOROT_LIMIT, contrast_of_run
from repro.errors import ReproError
from repro.figures import style
from repro.figures.figure_2 import handles, phase_diagram
from repro.model.network import JUDGED_LAYER as LAYER

PICTURES = 5
PICTURE_ROWS = 64  # at most: of larger matrices the mean over square blocks is drawn
FULL_INK = 2.0  # size of a weight drawn darkest, in units of the Glorot limit
INK = LinearSegmentedColormap.from_list(
    "ink", ["#ffffff", "#c6d6e6", "#5f86ad", "#1d3f66", "#081a30"]
)


@style.styled()
def figure_1(stable: xr.Dataset, unstable: xr.Dataset) -> style.PageFigure:
    """Loss against epoch of two marked networks, with pictures of their hidden-to-hidden matrices.

    (a) train and test loss of a wide, stable network; (b) train loss of a narrower, unstable one.
    Each picture shows the size of the weights and the letter's contrast
    (:func:`repro.analysis.weights.mark_contrast`). Grey: read off the paper's figure. Of the first
    replicas; a run without a mark is a `ReproError`.
    """
    runs = [first_replica(run) for run in (stable, unstable)]
    figure = style.new_figure(style.PAGE_WIDTH, 7.8)
    figure.get_layout_engine().set(w_pad=0.02, wspace=0)
    for part, run, letter in zip(figure.subfigures(2, 1), runs, "ab", strict=True):
        top = part.add_gridspec(2, 1, height_ratios=(1.75, 1.7))
        row = top[0].subgridspec(1, PICTURES + 1, width_ratios=(*[1] * PICTURES, 0.07))
        loss = part.add_subplot(top[1], label=f"losses {letter}")
        _losses(loss, run, with_test=letter == "a")
        epochs = picture_epochs(run)
        contrasts = contrast_of_run(run.sel(matrix_epoch=epochs)).to_numpy()
        for place, (epoch, contrast) in enumerate(zip(epochs, contrasts, strict=True)):
            axes = part.add_subplot(row[place], label=f"matrix at epoch {epoch}")
            image = draw_matrix(axes, run, epoch, f"\ncontrast {contrast:.2f}")
            point = epoch, float(run["train_loss"].sel(epoch=epoch))
            if np.isfinite(point[1]):
                style.tie(loss, point, axes, (0.5, 0), loss.transData)
                loss.plot(*point, "o", color=style.TRAIN, markersize=4, zorder=5, clip_on=False)
        scale = part.add_subplot(row[-1])
        part.colorbar(image, cax=scale, extend="max", label="|weight| / limit")
        title = f"{dataset_label(run)}, $N$ = {width_of(run)}, marked “{setting(run, 'mark')}”"
        part.suptitle(rf"$\bf{{({letter})}}$ {title}", x=0.01, ha="left")
    return figure


@style.styled()
def front_figure(marked: Mapping[int, xr.Dataset], found: pd.DataFrame) -> style.PageFigure:
    """The letter before and after training, a row for each marked run, and the phase diagram."""
    figure = style.new_figure(style.PAGE_WIDTH, 3.5)
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.35))
    panels = left.subplots(max(len(marked), 1), 2, squeeze=False)
    for row, run in zip(panels, marked.values(), strict=False):
        one = first_replica(run)
        for axes, epoch in zip(row, one["matrix_epoch"].to_numpy()[[0, -1]], strict=True):
            draw_matrix(axes, one, int(epoch))
        row[0].set_ylabel(f"$N$ = {width_of(one)}, {regimes.regime(one['train_loss'])}")
    diagram = right.subplots()
    phase_diagram(diagram, found)
    diagram.set_title("phase diagram")
    right.legend(handles=handles(found), loc="outside lower center", ncols=2)
    return figure


def first_replica(run: xr.Dataset) -> xr.Dataset:
    """The first replica of a marked run, with the matrices it has kept."""
    if "matrix" not in run:
        raise ReproError(f"The run of width {width_of(run)} has no mark: run it with mark='a'.")
    return run.isel(replica=0).dropna("matrix_epoch", how="all", subset=["matrix"])


def draw_matrix(axes: Axes, run: xr.Dataset, epoch: int, more: str = "") -> AxesImage:
    """The size of one replica's hidden-to-hidden weights at an epoch; the darker, the larger."""
    limit = GLOROT_LIMIT * float(run["glorot_std"].sel(layer=LAYER))
    matrix = np.abs(run["matrix"].sel(matrix_epoch=epoch).transpose("row", "column")) / limit
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"epoch {epoch}{more}", fontsize=8.5, loc="center", pad=3)
    axes.spines[:].set(visible=True, color="0.6", linewidth=0.6)
    return axes.imshow(block_mean(matrix), cmap=INK, vmin=0, vmax=FULL_INK, interpolation="nearest")


def block_mean(matrix: ArrayLike) -> NDArray[np.float64]:
    """The mean of a square matrix over square blocks, smaller at the right and lower edge."""
    values = np.asarray(matrix, dtype=np.float64)
    starts = np.arange(0, len(values), -(-len(values) // PICTURE_ROWS))
    sums = np.add.reduceat(np.add.reduceat(values, starts, axis=0), starts, axis=1)
    side = np.diff(np.append(starts, len(values)))
    return sums / np.outer(side, side)


def picture_epochs(run: xr.Dataset) -> list[int]:
    """The epochs whose matrices are pictured: the paper's where the run has them, or spread out."""
    kept = run["matrix_epoch"].to_numpy()
    wanted = paper.MATRIX_EPOCHS.get(width_of(run), ())
    goals = wanted if set(wanted) <= set(kept) else ()
    goals = goals or np.linspace(0, kept.max(), PICTURES)
    return sorted({int(kept[np.abs(kept - goal).argmin()]) for goal in goals})


def figure_1_numbers(stable: xr.Dataset, unstable: xr.Dataset) -> pd.DataFrame:
    """Figure 1 in numbers: what was read off its panels (``paper``), and ours, in nats."""
    rows = []
    for panel, name, run in (("a", "stable", stable), ("b", "unstable", unstable)):
        one, last = run.isel(replica=[0]), epochs_of(run)
        found = regimes.summary(one).isel(replica=0).drop_vars("epochs")
        ours = {key: float(value) for key, value in found.items() if value.dtype.kind in "fi"}
        if last >= paper.EPOCHS:
            ours |= {f"final_{which}_loss": float(one[f"{which}_loss"][0, -1])
                     for which in ("train", "test")}  # fmt: skip
        if last >= 200:
            ours["train_loss_at_200"] = float(one["train_loss"].sel(epoch=200).item())
        contrast = contrast_of_run(one.isel(replica=0, matrix_epoch=[0, -1])).to_series()
        ours |= {f"contrast_at_{epoch}": float(value) for epoch, value in contrast.items()}
        theirs = paper.FIGURE_1 if _is_papers(run) else {}
        for quantity, value in ours.items():
            open_end = quantity == "divergence_epoch" and np.isnan(value)
            reading = theirs.get(f"{name}_{quantity}")
            rows.append((panel, quantity, reading, value, last if open_end else np.nan))
    return pd.DataFrame(rows, columns=["panel", "quantity", "paper", "ours", "later_than"])


def _is_papers(run: xr.Dataset) -> bool:
    return setting(run, "dataset") == paper.DATASET and width_of(run) in paper.FIGURE_1_TRAIN


def _losses(axes: Axes, run: xr.Dataset, *, with_test: bool) -> None:
    """A panel's curves, and what was read off the paper's."""
    width, last = width_of(run), epochs_of(run)
    if _is_papers(run):
        points = paper.FIGURE_1_TRAIN[width] + (paper.FIGURE_1_TEST[width] if with_test else ())
        seen = [(epoch, loss.value) for epoch, loss in points if epoch <= last]
        look = style.paper_marker(label=style.PAPER_LABEL, zorder=2.5, clip_on=False)
        axes.plot(*zip(*seen, strict=True), **look)
        spikes = [epoch for epoch in paper.FIGURE_1_SPIKES[width] if epoch <= last]
        look = style.paper_marker(marker="^", label="spikes in the paper", zorder=2.5)
        axes.plot(spikes, [0.03] * len(spikes), transform=axes.get_xaxis_transform(), **look)
        start = paper.FIGURE_1["unstable_divergence_epoch"].value
        if width == paper.UNSTABLE_WIDTH and start < last:
            level, error = paper.PLATEAU_LEVEL.value, paper.PLATEAU_LEVEL.error
            axes.fill_between(
                [start, last], level - error, level + error, color=style.PAPER, alpha=0.45,
                linewidth=0, zorder=1, label="plateau in the paper",
            )  # fmt: skip
    for which, colour in (("train", style.TRAIN), ("test", style.TEST))[: 1 + with_test]:
        loss = run[f"{which}_loss"]
        axes.plot(run["epoch"], loss, color=colour, label=f"{which} loss", zorder=3)
    axes.set(ylabel="loss", xlim=(0, last))
    axes.set_xlabel("epoch", loc="right", labelpad=1)
    axes.margins(y=0.1)
    style.plain_log_axis(axes.yaxis)
    axes.legend(ncols=4, loc="upper left", bbox_to_anchor=(0, -0.12), borderpad=0)
