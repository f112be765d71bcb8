"""Figure 1: a letter written into the weights, and the loss while it stays or goes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from repro import paper
from repro.analysis.captions import dataset_label, epochs_of, setting, width_of
from repro.analysis.joint import GLOROT_LIMIT
from repro.analysis.marks import contrast_of_run, one_replica
from repro.errors import ReproError
from repro.figures import style

INSETS = 5

# Inches: the pictures stand in a row above their panel, and so need fixed places
PAGE_WIDTH, LEFT, PANEL_WIDTH = 7.2, 0.62, 5.72
BLOCK_HEIGHT, TITLE, PICTURE, GAP, PANEL = 3.92, 0.6, 1.04, 0.26, 1.58

INK = LinearSegmentedColormap.from_list(
    "ink", ["#ffffff", "#c6d6e6", "#5f86ad", "#1d3f66", "#081a30"]
)
FULL_INK = 2.0
"""Size of a weight drawn darkest, in units of the Glorot limit."""


def figure_1(
    stable: xr.Dataset, unstable: xr.Dataset, *, replica: int = 0, until: int | None = None
) -> Figure:
    """Loss against epoch of two marked networks, with pictures of their hidden-to-hidden matrices.

    (a) train and test loss of a wide, stable network; (b) train loss of a narrower, unstable one.
    Each picture shows the size of the weights and is tied to its epoch; the number above it is the
    mark's contrast (:func:`repro.analysis.marks.mark_contrast`). Grey: what was read off the paper's figure,
    drawn only for the paper's own widths and dataset.

    Parameters
    ----------
    stable, unstable:
        Runs of marked networks, of any width and length.
    replica:
        The number of the replica to draw.
    until:
        Last epoch on the axes; None for each run's own length.

    Returns
    -------
    The figure.

    Raises
    ------
    ReproError
        For a run without a mark or without that replica.
    """
    with style.styled():
        height = 2 * BLOCK_HEIGHT
        figure = style.new_figure(PAGE_WIDTH, height, layout=None)
        panels = []
        for block in (1, 0):
            top = (block + 1) * BLOCK_HEIGHT
            bottom = top - TITLE - PICTURE - GAP - PANEL
            panels.append(
                figure.add_axes(
                    (LEFT / PAGE_WIDTH, bottom / height, PANEL_WIDTH / PAGE_WIDTH, PANEL / height)
                )
            )
        for axes, letter, run, with_test in (
            (panels[0], "a", stable, True),
            (panels[1], "b", unstable, False),
        ):
            _panel(axes, letter, _one_replica(run, replica), with_test=with_test, until=until)
        scale = ScalarMappable(Normalize(0, FULL_INK), INK)
        place = figure.add_axes((0.912, 0.3, 0.016, 0.4), label="colour bar")
        bar = figure.colorbar(scale, cax=place, extend="max")
        bar.set_label(r"size of the weight, $|w|$ / Glorot limit")
        bar.outline.set_linewidth(0.5)
    shown = [_one_replica(run, replica) for run in (stable, unstable)]
    return figure.described("letter", _caption(*shown), _alternative(*shown))


def _caption(stable: xr.Dataset, unstable: xr.Dataset) -> str:
    mark = setting(stable, "mark")
    return (
        f"The letter “{mark}” in the hidden-to-hidden matrix while two networks train on "
        f"{dataset_label(stable)}. (a) Train and test loss of the network of width $N$ = "
        f"{width_of(stable)}, {epochs_of(stable)} epochs; (b) train loss at $N$ = "
        f"{width_of(unstable)}, {epochs_of(unstable)} epochs. Each picture shows the size of the "
        "weights at the epoch it is tied to, one row for each unit of the first hidden layer and "
        "one column for each of the second; the darker, the larger. Contrast: how well the letter "
        "can be told, 1 at the start, 0.5 where nothing is left. Grey: read off the paper's figure."
    )


def _alternative(stable: xr.Dataset, unstable: xr.Dataset) -> str:
    parts = []
    for run in (stable, unstable):
        last = picture_epochs(run)[-1]
        contrast = float(contrast_of_run(run.sel(matrix_epoch=[last])).item())
        parts.append(
            f"at width {width_of(run)} the train loss ends at "
            f"{float(run['train_loss'][-1]):.2g} after {epochs_of(run)} epochs, and at epoch "
            f"{last} the letter's contrast is {contrast:.2f}"
        )
    return f"Loss curves with pictures of the marked weight matrix above them: {'; '.join(parts)}."


def picture_epochs(run: xr.Dataset) -> list[int]:
    """The epochs whose matrices are pictured: the paper's where the run has them, else spread out.

    Parameters
    ----------
    run:
        A run of a marked network.

    Returns
    -------
    At most ``INSETS`` epochs, increasing, among those the run kept the matrix at.
    """
    kept = [int(epoch) for epoch in run["matrix_epoch"]]
    wanted = paper.MATRIX_EPOCHS.get(width_of(run), ())
    if wanted and set(wanted) <= set(kept):
        return list(wanted)
    last = max(kept)
    chosen: list[int] = []
    for goal in np.linspace(0, last, INSETS):
        nearest = min(kept, key=lambda epoch: abs(epoch - goal))
        if nearest not in chosen:
            chosen.append(nearest)
    return sorted(chosen)


def _panel(axes: Axes, letter: str, run: xr.Dataset, *, with_test: bool, until: int | None) -> None:
    epochs = epochs_of(run)
    width = width_of(run)
    last = epochs if until is None else until
    _draw_paper(axes, run, last, with_test=with_test)
    axes.plot(run["epoch"], run["train_loss"], color=style.TRAIN, label="train loss", zorder=3)
    if with_test:
        axes.plot(run["epoch"], run["test_loss"], color=style.TEST, label="test loss", zorder=3)
    axes.set_yscale("log")
    axes.set_ylabel("loss" if with_test else "train loss")
    axes.set_xlim(0, last)
    axes.margins(y=0.1)
    axes.set_xlabel("epoch", labelpad=1, loc="right")
    style.plain_log_axis(axes.yaxis)
    _draw_pictures(axes, run)
    style.clear_legend(
        axes, loc="upper left", bbox_to_anchor=(0, -0.13), ncols=4, borderpad=0, columnspacing=1.5
    )
    length = f"{epochs} epoch{'' if epochs == 1 else 's'}"
    mark = setting(run, "mark")
    axes.set_title(
        rf"$\bf{{({letter})}}$ {dataset_label(run)}, $N$ = {width}, marked “{mark}”, {length}",
        y=1 + (GAP + PICTURE + 0.36) / PANEL, pad=0,
    )  # fmt: skip


def _draw_pictures(axes: Axes, run: xr.Dataset) -> None:
    """A row of square pictures above the panel, each tied to its point on the train loss."""
    shown = picture_epochs(run)
    contrasts = contrast_of_run(run.sel(matrix_epoch=shown))
    limit = GLOROT_LIMIT * float(run["glorot_std"].sel(layer="hidden_hidden"))
    last = axes.get_xlim()[1]
    side, height = PICTURE / PANEL_WIDTH, PICTURE / PANEL
    places = _spread([epoch / last for epoch in shown], 1.08 * side)
    for place, epoch in zip(places, shown, strict=True):
        picture = axes.inset_axes(
            (place - side / 2, 1 + GAP / PANEL, side, height), label=f"matrix at epoch {epoch}"
        )
        matrix = run["matrix"].sel(matrix_epoch=epoch).transpose("row", "column")
        picture.imshow(
            np.abs(matrix) / limit, cmap=INK, vmin=0, vmax=FULL_INK, origin="upper",
            interpolation="auto", aspect="equal",
        )  # fmt: skip
        picture.set(xticks=[], yticks=[])
        for spine in picture.spines.values():
            spine.set(color="0.4", linewidth=0.6)
        contrast = float(contrasts.sel(matrix_epoch=epoch))
        picture.set_title(
            f"epoch {epoch}\ncontrast {contrast:.2f}", fontsize=7, loc="center", pad=2.5
        )
        loss = float(run["train_loss"].sel(epoch=epoch))
        if not np.isfinite(loss):
            continue
        axes.add_artist(
            ConnectionPatch(
                (0.5, 0), (epoch, loss), picture.transAxes, axes.transData,
                color="0.55", linewidth=0.6, shrinkA=0, shrinkB=2, zorder=2, clip_on=False,
            )
        )  # fmt: skip
        axes.plot(
            epoch, loss, "o", color=style.TRAIN, markersize=3.5, markeredgecolor="white",
            markeredgewidth=0.6, zorder=5, clip_on=False,
        )  # fmt: skip


def _draw_paper(axes: Axes, run: xr.Dataset, last: int, *, with_test: bool) -> None:
    """What was read off the paper's panel, where this is the paper's network."""
    width = width_of(run)
    if setting(run, "dataset") != paper.DATASET or width not in paper.FIGURE_1_TRAIN:
        return
    points = paper.FIGURE_1_TRAIN[width] + (paper.FIGURE_1_TEST[width] if with_test else ())
    seen = [point for point in points if point.epoch <= last]
    axes.plot(
        [point.epoch for point in seen], [point.loss.value for point in seen],
        **style.paper_marker(label=style.PAPER_LABEL, zorder=2.5, clip_on=False),
    )  # fmt: skip
    spikes = [epoch for epoch in paper.FIGURE_1_SPIKES[width] if epoch <= last]
    axes.plot(
        spikes, [0.03] * len(spikes), transform=axes.get_xaxis_transform(),
        **style.paper_marker(marker="^", label="spikes in the paper", zorder=2.5),
    )  # fmt: skip
    if width == paper.UNSTABLE_WIDTH:
        start = paper.FIGURE_1["unstable_divergence_epoch"].value
        level, error = paper.PLATEAU_LEVEL.value, paper.PLATEAU_LEVEL.error or 0.0
        if start < last:
            axes.fill_between(
                [start, last], level - error, level + error, color=style.PAPER, alpha=0.45,
                linewidth=0, zorder=1, label="plateau in the paper",
            )  # fmt: skip


def _spread(wanted: list[float], apart: float) -> NDArray[np.float64]:
    """Places along the panel as near to the wanted ones as pictures that far apart allow."""
    steps = apart * np.arange(len(wanted))
    placed = isotonic_regression(np.asarray(wanted) - steps).x
    return np.clip(placed, apart / 2, 1 - apart / 2 - steps[-1]) + steps


def _one_replica(run: xr.Dataset, replica: int) -> xr.Dataset:
    if "matrix" not in run:
        raise ReproError(
            f"Figure 1 shows marked networks, and the run of width {width_of(run)} has no mark: "
            "run an experiment with one, such as mark='a'."
        )
    return one_replica(run, replica)
