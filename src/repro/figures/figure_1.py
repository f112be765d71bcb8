"""Figure 1: a letter written into the weights, and the loss while it stays or goes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.image import AxesImage
from matplotlib.patches import ConnectionPatch
from numpy.typing import ArrayLike, NDArray

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import dataset_label, epochs_of, setting, width_of
from repro.analysis.joint import GLOROT_LIMIT
from repro.analysis.marks import contrast_of_run, one_replica
from repro.figures import style

PICTURES = 5
PICTURE_ROWS = 64
"""Rows of a picture in print: of larger matrices the mean over square blocks is drawn."""

LAYER = "hidden_hidden"
INK = LinearSegmentedColormap.from_list(
    "ink", ["#ffffff", "#c6d6e6", "#5f86ad", "#1d3f66", "#081a30"]
)
FULL_INK = 2.0
"""Size of a weight drawn darkest, in units of the Glorot limit."""


def figure_1(stable: xr.Dataset, unstable: xr.Dataset, *, replica: int = 0) -> style.PageFigure:
    """Loss against epoch of two marked networks, with pictures of their hidden-to-hidden matrices.

    (a) train and test loss of a wide, stable network; (b) train loss of a narrower, unstable one.
    Each picture shows the size of the weights and is tied to its epoch; the number above it is the
    letter's contrast (:func:`repro.analysis.marks.mark_contrast`). Grey: read off the paper's
    figure, where the widths and the dataset are the paper's.

    Raises
    ------
    ReproError
        For a run without a mark or without that replica.
    """
    runs = [one_replica(run, replica) for run in (stable, unstable)]
    with style.styled():
        figure = style.new_figure(7.2, 7.8)
        figure.get_layout_engine().set(w_pad=0.02, wspace=0)
        for part, run, letter in zip(figure.subfigures(2, 1), runs, "ab", strict=True):
            top = part.add_gridspec(2, 1, height_ratios=(1.75, 1.7))
            row = top[0].subgridspec(1, PICTURES + 1, width_ratios=(*[1] * PICTURES, 0.07))
            loss = part.add_subplot(top[1], label=f"losses {letter}")
            _losses(loss, run, with_test=letter == "a")
            epochs = picture_epochs(run)
            contrasts = contrast_of_run(run.sel(matrix_epoch=epochs))
            for place, epoch in enumerate(epochs):
                axes = part.add_subplot(row[place], label=f"matrix at epoch {epoch}")
                image = draw_matrix(axes, run, epoch)
                contrast = float(contrasts.sel(matrix_epoch=epoch))
                axes.set_title(
                    f"epoch {epoch}\ncontrast {contrast:.2f}", fontsize=8.5, loc="center", pad=3
                )
                _tie(loss, axes, epoch, float(run["train_loss"].sel(epoch=epoch)))
            bar = part.colorbar(
                image, cax=part.add_subplot(row[-1]), extend="max", label="|weight| / limit"
            )
            bar.outline.set_linewidth(0.5)
            part.suptitle(
                rf"$\bf{{({letter})}}$ {dataset_label(run)}, $N$ = {width_of(run)}, "
                f"marked “{setting(run, 'mark')}”",
                x=0.01, ha="left", fontsize=10,
            )  # fmt: skip
    return figure


def draw_matrix(axes: Axes, run: xr.Dataset, epoch: int, most: int = PICTURE_ROWS) -> AxesImage:
    """The size of one replica's hidden-to-hidden weights at an epoch; the darker, the larger."""
    limit = GLOROT_LIMIT * float(run["glorot_std"].sel(layer=LAYER))
    matrix = np.abs(run["matrix"].sel(matrix_epoch=epoch).transpose("row", "column")) / limit
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color="0.6", linewidth=0.6)
    return axes.imshow(
        block_mean(matrix, most), cmap=INK, vmin=0, vmax=FULL_INK, interpolation="nearest"
    )


def block_mean(matrix: ArrayLike, most: int) -> NDArray[np.float64]:
    """The mean of a square matrix over square blocks, so that at most so many rows are left.

    Blocks at the right and lower edge are smaller where the size is not a multiple of theirs.
    """
    values = np.asarray(matrix, dtype=np.float64)
    starts = np.arange(0, len(values), -(-len(values) // most))
    sums = np.add.reduceat(np.add.reduceat(values, starts, axis=0), starts, axis=1)
    side = np.diff(np.append(starts, len(values)))
    return sums / np.outer(side, side)


def picture_epochs(run: xr.Dataset) -> list[int]:
    """The epochs whose matrices are pictured: the paper's where the run has them, else spread out.

    At most ``PICTURES``, increasing, among those the run kept the matrix at.
    """
    kept = run["matrix_epoch"].to_numpy()
    wanted = paper.MATRIX_EPOCHS.get(width_of(run), ())
    if wanted and set(wanted) <= set(kept.tolist()):
        return list(wanted)
    goals = np.linspace(0, kept.max(), PICTURES)
    return sorted({int(kept[np.abs(kept - goal).argmin()]) for goal in goals})


def figure_1_numbers(stable: xr.Dataset, unstable: xr.Dataset, replica: int = 0) -> pd.DataFrame:
    """Figure 1 in numbers: what was read off its two panels (``paper``), and the same of ours.

    Columns ``panel``, ``quantity``, ``paper`` (a `paper.Reading` or None), ``ours`` (NaN: none) and
    ``later_than`` (the length of a run that has not diverged, NaN otherwise); losses in nats.
    """
    rows = []
    for panel, name, run in (("a", "stable", stable), ("b", "unstable", unstable)):
        one = run.sel(replica=[replica])
        ours = {
            quantity: float(value.item())
            for quantity, value in regimes.summary(one).items()
            if value.dims and value.dtype.kind in "fi"
        }
        ends = one.isel(replica=0, epoch=-1)
        if epochs_of(run) >= paper.EPOCHS:
            ours |= {
                f"final_{which}_loss": float(ends[f"{which}_loss"]) for which in ("train", "test")
            }
        if epochs_of(run) >= 200:
            ours["train_loss_at_200"] = float(one["train_loss"].isel(replica=0).sel(epoch=200))
        contrast = contrast_of_run(
            ends[["matrix"]].assign_attrs(run.attrs).isel(matrix_epoch=[0, -1])
        )
        for epoch, value in zip(contrast["matrix_epoch"].values, contrast.values, strict=True):
            ours[f"contrast_at_{epoch}"] = float(value)
        theirs = paper.FIGURE_1 if is_papers(run) else {}
        for quantity, value in ours.items():
            reading = theirs.get(f"{name}_{quantity}")
            open_end = quantity == "divergence_epoch" and np.isnan(value)
            rows.append((panel, quantity, reading, value, epochs_of(run) if open_end else np.nan))
    return pd.DataFrame(rows, columns=["panel", "quantity", "paper", "ours", "later_than"])


def is_papers(run: xr.Dataset) -> bool:
    """Whether Figure 1 of the paper shows this network."""
    return setting(run, "dataset") == paper.DATASET and width_of(run) in paper.FIGURE_1_TRAIN


def _losses(axes: Axes, run: xr.Dataset, *, with_test: bool) -> None:
    if is_papers(run):
        _draw_paper(axes, width_of(run), epochs_of(run), with_test=with_test)
    axes.plot(run["epoch"], run["train_loss"], color=style.TRAIN, label="train loss", zorder=3)
    if with_test:
        axes.plot(run["epoch"], run["test_loss"], color=style.TEST, label="test loss", zorder=3)
    axes.set(yscale="log", ylabel="loss", xlim=(0, epochs_of(run)))
    axes.set_xlabel("epoch", loc="right", labelpad=1)
    axes.margins(y=0.1)
    style.plain_log_axis(axes.yaxis)
    style.clear_legend(
        axes, ncols=4, loc="upper left", bbox_to_anchor=(0, -0.12), columnspacing=1.2, borderpad=0
    )


def _tie(loss: Axes, picture: Axes, epoch: int, value: float) -> None:
    """A line from a picture to its point on the train loss."""
    if not np.isfinite(value):
        return
    tie = ConnectionPatch(
        (0.5, 0), (epoch, value), picture.transAxes, loss.transData, color="0.6", linewidth=0.7,
        shrinkB=2, zorder=2, clip_on=False,
    )  # fmt: skip
    tie.set_in_layout(False)
    loss.add_artist(tie)
    loss.plot(epoch, value, "o", color=style.TRAIN, markersize=4, zorder=5, clip_on=False)


def _draw_paper(axes: Axes, width: int, last: int, *, with_test: bool) -> None:
    """What was read off the paper's panel."""
    points = paper.FIGURE_1_TRAIN[width] + (paper.FIGURE_1_TEST[width] if with_test else ())
    seen = [(epoch, loss.value) for epoch, loss in points if epoch <= last]
    if seen:
        look = style.paper_marker(label=style.PAPER_LABEL, zorder=2.5, clip_on=False)
        axes.plot(*zip(*seen, strict=True), **look)
    spikes = [epoch for epoch in paper.FIGURE_1_SPIKES[width] if epoch <= last]
    axes.plot(
        spikes, [0.03] * len(spikes), transform=axes.get_xaxis_transform(),
        **style.paper_marker(marker="^", label="spikes in the paper", zorder=2.5),
    )  # fmt: skip
    start = paper.FIGURE_1["unstable_divergence_epoch"].value
    if width == paper.UNSTABLE_WIDTH and start < last:
        level, error = paper.PLATEAU_LEVEL.value, paper.PLATEAU_LEVEL.error
        axes.fill_between(
            [start, last], level - error, level + error, color=style.PAPER, alpha=0.45,
            linewidth=0, zorder=1, label="plateau in the paper",
        )  # fmt: skip
