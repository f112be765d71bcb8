"""The letter's fading: the marked matrix, the loss and the deviation, moving together."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro.analysis.captions import dataset_label, epochs_of, setting, width_of
from repro.analysis.joint import GLOROT_LIMIT
from repro.analysis.marks import contrast_of_run, one_replica
from repro.errors import ReproError
from repro.figures.explorer import Explorer, rounded
from repro.figures.figure_1 import FULL_INK, INK, picture_epochs
from repro.figures.style import PageFigure, new_figure, styled, width_colour

LAYER = "hidden_hidden"
MOST_ROWS = 128
"""Rows of a matrix's picture, at most: of larger matrices the mean over square blocks is shown."""

STILL_ROWS = 64
"""The same for small pictures in print."""

LEVELS = 64
"""Shades of a picture: more would not be told apart, and take more bytes."""

BINS = 61
"""Of the histogram; an odd number puts zero inside a bin."""

MOST_DEVIATIONS = 6.0
"""The histogram reaches no farther than this many Glorot standard deviations."""

EARLY = 10
"""Before this epoch the histogram is taller than its panel, so that later it can be seen at all."""


def letter_explorer(runs: Mapping[int, xr.Dataset], replica: int = 0) -> Explorer:
    """A slider over the epochs at which something is kept of marked networks.

    Parameters
    ----------
    runs:
        Marked networks by width.
    replica:
        The number of the replica shown.

    Returns
    -------
    The explorer; without scripts, each network's matrix at a few epochs.

    Raises
    ------
    ReproError
        For no runs, or a run without a matrix, a histogram or that replica.
    """
    chosen = {width: _one(run, replica) for width, run in runs.items()}
    if not chosen:
        raise ReproError(
            "The letter needs at least one marked run, such as by_width(..., mark='a')."
        )
    limit = histogram_limit(chosen.values())
    grid = np.linspace(-limit, limit, BINS + 1)
    steps = {0}
    for run in chosen.values():
        steps |= {int(epoch) for name in ("matrix_epoch", "histogram_epoch") for epoch in run[name]}
        steps.add(epochs_of(run))
    data = {
        "steps": sorted(steps),
        "limit": limit,
        "networks": [_network(run, grid) for run in chosen.values()],
    }
    data["highest"] = max(
        max(shares[: BINS // 2] + shares[BINS // 2 + 1 :])  # silent units' links stay at zero
        for network in data["networks"]
        for epoch, shares in zip(network["histogramEpochs"], network["histograms"], strict=True)
        if epoch >= EARLY or epoch == network["histogramEpochs"][-1]
    )
    mark = setting(next(iter(chosen.values())), "mark")
    return Explorer(
        "letter", f"The letter “{mark}” in the weights, epoch by epoch", data, _still(chosen)
    )


def block_mean(matrix: ArrayLike, most: int = MOST_ROWS) -> NDArray[np.float64]:
    """The mean of a square matrix over square blocks, so that at most so many rows are left.

    Blocks at the right and lower edge are smaller where the size is not a multiple of theirs.
    """
    values = np.asarray(matrix, dtype=np.float64)
    starts = np.arange(0, len(values), -(-len(values) // most))
    sums = np.add.reduceat(np.add.reduceat(values, starts, axis=0), starts, axis=1)
    side = np.diff(np.append(starts, len(values)))
    return sums / np.outer(side, side)


def picture(matrix: ArrayLike, glorot_std: float) -> bytes:
    """A PNG of the size of the weights: white is zero, darkest twice the Glorot limit and more.

    Its pixels are indices 0 to ``LEVELS`` - 1 into a palette, even in the mean of abs(w).
    """
    from PIL import Image

    share = block_mean(np.abs(matrix)) / (FULL_INK * GLOROT_LIMIT * glorot_std)
    image = Image.fromarray(np.rint((LEVELS - 1) * share.clip(0, 1)).astype(np.uint8), mode="P")
    palette = INK(np.linspace(0, 1, LEVELS), bytes=True)[:, :3]
    image.putpalette(palette.tobytes())
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return file.getvalue()


def shares_between(counts: ArrayLike, edge: ArrayLike, grid: ArrayLike) -> NDArray[np.float64]:
    """Share of the links in each bin of ``grid``, from counts in other bins.

    Within a bin of ``edge`` the counts are taken as spread evenly. ``counts`` (bin,), ``edge``
    (bin + 1,) increasing, its ends infinite; links in the open bins are in no bin of the grid.
    """
    number = np.asarray(counts, dtype=np.float64)
    reached = np.cumsum(number)[:-1]  # by each finite edge
    return np.diff(np.interp(grid, np.asarray(edge)[1:-1], reached)) / number.sum()


def histogram_limit(runs: Any) -> float:
    """Where the histograms end, in Glorot standard deviations: 99 % of the links lie within."""
    farthest = 1.0
    for run in runs:
        one = run["deviation_quantiles"].sel(layer=LAYER, quantile=[0.01, 0.99])
        size = np.abs(one / run["glorot_std"].sel(layer=LAYER)).to_numpy()
        farthest = max(farthest, float(np.max(size[np.isfinite(size)], initial=0.0)))
    return float(np.ceil(min(farthest, MOST_DEVIATIONS)))


def _network(run: xr.Dataset, grid: NDArray[np.float64]) -> dict[str, Any]:
    width = width_of(run)
    glorot_std = float(run["glorot_std"].sel(layer=LAYER))
    matrices = run["matrix"].transpose("matrix_epoch", "row", "column").to_numpy()
    edge = run["bin_edge"].to_numpy()
    counts = run["deviation_histogram"].sel(layer=LAYER).transpose("histogram_epoch", "bin")
    return {
        "name": f"N = {width}",
        "about": f"{dataset_label(run)}, {epochs_of(run)} epochs",
        "colour": width_colour(width),
        "colourOnDark": width_colour(width, on_dark=True),
        "trainLoss": rounded(run["train_loss"].to_numpy()),
        "relativeDeviation": rounded(run["relative_deviation"].sel(layer=LAYER).to_numpy()),
        "matrixEpochs": run["matrix_epoch"].to_numpy().tolist(),
        "contrasts": rounded(contrast_of_run(run).to_numpy()),
        "pictures": [base64.b64encode(picture(one, glorot_std)).decode() for one in matrices],
        "histogramEpochs": run["histogram_epoch"].to_numpy().tolist(),
        "histograms": [rounded(shares_between(one, edge, grid)) for one in counts.to_numpy()],
    }


def _still(runs: Mapping[int, xr.Dataset]) -> PageFigure:
    with styled():
        rows = [(run, picture_epochs(run)) for run in runs.values()]
        columns = max(len(epochs) for _, epochs in rows)
        figure = new_figure(7.2, 1.85 * len(rows))
        panels = figure.subplots(len(rows), columns, squeeze=False)
        for axes in panels.ravel():
            axes.set_axis_off()
        for (run, epochs), line in zip(rows, panels, strict=True):
            contrasts = contrast_of_run(run.sel(matrix_epoch=epochs))
            top = FULL_INK * GLOROT_LIMIT * float(run["glorot_std"].sel(layer=LAYER))
            for axes, epoch in zip(line, epochs, strict=False):
                matrix = run["matrix"].sel(matrix_epoch=epoch).transpose("row", "column")
                small = block_mean(np.abs(matrix), STILL_ROWS)
                axes.imshow(small, cmap=INK, vmin=0, vmax=top, interpolation="nearest")
                axes.set_title(
                    f"N = {width_of(run)}, epoch {epoch}\n"
                    f"loss {float(run['train_loss'].sel(epoch=epoch)):.3g}, "
                    f"contrast {float(contrasts.sel(matrix_epoch=epoch)):.2f}",
                    fontsize=7, loc="center",
                )  # fmt: skip
    ends = " and ".join(f"epoch {epochs[-1]} at width {width_of(run)}" for run, epochs in rows)
    return figure.described(
        "letter-stills",
        "The marked matrices at a few epochs, with the train loss and the mark's contrast.",
        f"Pictures of the marked matrices at a few epochs, up to {ends}.",
    )


def _one(run: xr.Dataset, replica: int) -> xr.Dataset:
    missing = [name for name in ("matrix", "deviation_histogram") if name not in run]
    if missing:
        raise ReproError(
            f"The run of width {width_of(run)} keeps no {' and no '.join(missing)}: "
            "run an experiment with a mark, such as mark='a'."
        )
    return one_replica(run, replica)
