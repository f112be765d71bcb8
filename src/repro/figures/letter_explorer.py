"""The letter's fading: the marked matrix, the loss and the deviation, moving together."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro.analysis.captions import dataset_label, epochs_of, width_of
from repro.analysis.joint import GLOROT_LIMIT
from repro.analysis.marks import contrast_of_run, one_replica
from repro.errors import ReproError
from repro.figures.explorer import Explorer, rounded
from repro.figures.figure_1 import FULL_INK, INK, LAYER, PICTURE_ROWS, block_mean
from repro.figures.style import width_colour

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

    Raises
    ------
    ReproError
        For no runs, or a run without a matrix or that replica.
    """
    chosen = [one_replica(run, replica) for run in runs.values()]
    if not chosen:
        raise ReproError(
            "The letter needs at least one marked run, such as by_width(..., mark='a')."
        )
    limit = histogram_limit(chosen)
    networks = [_network(run, np.linspace(-limit, limit, BINS + 1)) for run in chosen]
    steps = {0}.union(
        *({*one["matrixEpochs"], *one["histogramEpochs"], one["epochs"]} for one in networks)
    )
    highest = max(
        max(shares[: BINS // 2] + shares[BINS // 2 + 1 :])  # silent units' weights stay at zero
        for one in networks
        for epoch, shares in zip(one["histogramEpochs"], one["histograms"], strict=True)
        if epoch >= EARLY or epoch == one["histogramEpochs"][-1]
    )
    data = {"steps": sorted(steps), "limit": limit, "highest": highest, "networks": networks}
    return Explorer("letter", "The letter in the weights, epoch by epoch", data)


def picture(matrix: ArrayLike, glorot_std: float) -> bytes:
    """A PNG of the size of the weights: white is zero, darkest twice the Glorot limit and more.

    Its pixels are indices 0 to ``LEVELS`` - 1 into a palette, even in the mean of abs(w).
    """
    from PIL import Image

    share = block_mean(np.abs(matrix), PICTURE_ROWS) / (FULL_INK * GLOROT_LIMIT * glorot_std)
    image = Image.fromarray(np.rint((LEVELS - 1) * share.clip(0, 1)).astype(np.uint8), mode="P")
    image.putpalette(INK(np.linspace(0, 1, LEVELS), bytes=True)[:, :3].tobytes())
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return file.getvalue()


def shares_between(counts: ArrayLike, edge: ArrayLike, grid: ArrayLike) -> NDArray[np.float64]:
    """Share of the weights in each bin of ``grid``, from counts in other bins.

    Within a bin of ``edge`` the counts are taken as spread evenly. ``counts`` (bin,), ``edge``
    (bin + 1,) increasing, its ends infinite; weights in the open bins are in no bin of the grid.
    """
    number = np.asarray(counts, dtype=np.float64)
    reached = np.cumsum(number)[:-1]  # by each finite edge
    return np.diff(np.interp(grid, np.asarray(edge)[1:-1], reached)) / number.sum()


def histogram_limit(runs: Iterable[xr.Dataset]) -> float:
    """Where the histograms end, in Glorot standard deviations: 99 % of the weights lie within."""
    farthest = 1.0
    for run in runs:
        one = run["deviation_quantiles"].sel(layer=LAYER, quantile=[0.01, 0.99])
        size = np.abs(one / run["glorot_std"].sel(layer=LAYER)).to_numpy()
        farthest = max(farthest, float(np.max(size[np.isfinite(size)], initial=0.0)))
    return float(np.ceil(min(farthest, MOST_DEVIATIONS)))


def _network(run: xr.Dataset, grid: NDArray[np.float64]) -> dict[str, Any]:
    one = run.sel(layer=LAYER)
    matrices = one["matrix"].transpose("matrix_epoch", "row", "column").to_numpy()
    pictures = (picture(matrix, float(one["glorot_std"])) for matrix in matrices)
    counts = one["deviation_histogram"].transpose("histogram_epoch", "bin").to_numpy()
    edge = one["bin_edge"].to_numpy()
    return {
        "name": f"N = {width_of(run)}",
        "about": dataset_label(run),
        "epochs": epochs_of(run),
        "colour": width_colour(width_of(run)),
        "colourOnDark": width_colour(width_of(run), on_dark=True),
        "trainLoss": rounded(one["train_loss"].to_numpy()),
        "relativeDeviation": rounded(one["relative_deviation"].to_numpy()),
        "matrixEpochs": one["matrix_epoch"].to_numpy().tolist(),
        "contrasts": rounded(contrast_of_run(run).to_numpy()),
        "pictures": [base64.b64encode(one).decode() for one in pictures],
        "histogramEpochs": one["histogram_epoch"].to_numpy().tolist(),
        "histograms": [rounded(shares_between(one, edge, grid)) for one in counts],
    }
