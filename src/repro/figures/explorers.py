"""Figures that move: data and a script in one piece of HTML, without a network."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from repro.analysis import regimes
from repro.analysis.captions import LOSS_NAMES, dataset_label, epochs_of, in_words, width_of
from repro.analysis.weights import GLOROT_LIMIT, contrast_of_run
from repro.errors import ReproError
from repro.figures.figure_1 import FULL_INK, INK, block_mean, first_replica
from repro.figures.style import width_colour
from repro.model.network import JUDGED_LAYER as LAYER
from repro.runs import existing_folder, stored
from repro.store.record import experiment_of

LEVELS = 64  # shades of a picture
LIMIT, BINS = 6, 61  # of the histogram, in Glorot standard deviations; zero is inside a bin
EARLY = 10  # before this epoch the histogram is taller than its panel, to be seen at all later
DRAWN = ["train_loss", "test_loss", "relative_deviation"]
POINTS = 90  # epochs of a curve in the page; minima and divergence are taken from all epochs


@dataclass(frozen=True, repr=False)
class Explorer:
    """Data and their ``kind`` in ``explorer.js``; a screen reader announces the ``label``."""

    kind: str
    label: str
    data: dict[str, Any]

    def __repr__(self) -> str:
        return f"<{self.kind} explorer>"  # the same in every execution

    def _repr_html_(self) -> str:
        data = json.dumps(self.data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        identity = f"explorer-{hashlib.sha256(data.encode()).hexdigest()[:8]}"
        look, script = (
            (files("repro.figures") / f"explorer.{kind}").read_text(encoding="utf-8").strip()
            for kind in ("css", "js")
        )
        return (
            f'<div class="explorer" id="{identity}" data-kind="{escape(self.kind)}" role="group" '
            f'aria-label="{escape(self.label)}">\n<style>{look}</style>\n'
            f'<script type="application/json">{data}</script>\n<script>{script}\n'
            f'reproExplore(document.getElementById("{identity}"));</script>\n</div>'
        )


def rounded(values: ArrayLike, digits: int = 4) -> list[float | None]:
    """Numbers with so many significant digits, as JSON has them; what is not finite is None."""
    return [
        float(f"{value:.{digits}g}") if np.isfinite(value) else None
        for value in np.asarray(values, dtype=float)
    ]


def letter_explorer(runs: Mapping[int, xr.Dataset]) -> Explorer:
    """A slider over the epochs at which something is kept of marked networks, by width."""
    if not runs:
        raise ReproError("The letter needs at least one marked run: by_width(..., mark='a').")
    networks = [_network(first_replica(run)) for run in runs.values()]
    kept = ([*one["matrixEpochs"], *one["histogramEpochs"], one["epochs"]] for one in networks)
    highest = max(
        max(shares[: BINS // 2] + shares[BINS // 2 + 1 :])  # silent units' weights stay at zero
        for one in networks
        for epoch, shares in zip(one["histogramEpochs"], one["histograms"], strict=True)
        if epoch >= EARLY or epoch == one["histogramEpochs"][-1]
    )
    data = {"steps": sorted({0}.union(*kept)), "limit": LIMIT, "highest": highest}
    label = "The letter in the weights, epoch by epoch"
    return Explorer("letter", label, data | {"networks": networks})


def picture(matrix: ArrayLike, glorot_std: float) -> bytes:
    """A PNG of the size of the weights: white is zero, darkest twice the Glorot limit and more."""
    from PIL import Image

    share = block_mean(np.abs(matrix)) / (FULL_INK * GLOROT_LIMIT * glorot_std)
    image = Image.fromarray(np.rint((LEVELS - 1) * share.clip(0, 1)).astype(np.uint8), mode="P")
    image.putpalette(INK(np.linspace(0, 1, LEVELS), bytes=True)[:, :3].tobytes())
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return file.getvalue()


def shares_between(counts: ArrayLike, edge: ArrayLike) -> NDArray[np.float64]:
    """Share of the weights in each of ``BINS`` even bins, from counts between other edges."""
    number = np.asarray(counts, dtype=np.float64)
    reached = np.cumsum(number)[:-1]  # by each finite edge
    grid = np.linspace(-LIMIT, LIMIT, BINS + 1)
    return np.diff(np.interp(grid, np.asarray(edge)[1:-1], reached)) / number.sum()


def _network(run: xr.Dataset) -> dict[str, Any]:
    one = run.sel(layer=LAYER)
    matrices = one["matrix"].transpose("matrix_epoch", "row", "column").to_numpy()
    pictures = (picture(matrix, float(one["glorot_std"])) for matrix in matrices)
    counts = one["deviation_histogram"].transpose("histogram_epoch", "bin").to_numpy()
    return {
        "name": f"N = {width_of(run)}", "colour": width_colour(width_of(run)),
        "about": dataset_label(run), "epochs": epochs_of(run),
        "trainLoss": rounded(one["train_loss"]),
        "relativeDeviation": rounded(one["relative_deviation"]),
        "matrixEpochs": one["matrix_epoch"].to_numpy().tolist(),
        "contrasts": rounded(contrast_of_run(run)),
        "pictures": [base64.b64encode(one).decode() for one in pictures],
        "histogramEpochs": one["histogram_epoch"].to_numpy().tolist(),
        "histograms": [rounded(shares_between(row, one["bin_edge"])) for row in counts],
    }  # fmt: skip


def published_unmarked() -> list[xr.Dataset]:
    """Every published unmarked run with hidden-to-hidden weights, of ``DRAWN`` alone."""
    return [
        results[DRAWN]
        for run, results in stored(existing_folder(None))
        if run.experiment.mark is None and run.experiment.hidden_layers > 1
    ]


def phase_explorer(runs: Iterable[xr.Dataset]) -> Explorer:
    """Choose a dataset and a width; see the curves of every unmarked run, and its outcome."""
    sets: dict[str, dict[int, dict[str, Any]]] = {}
    for run in sorted(runs, key=width_of):
        width = width_of(run)
        look = {"width": width, "colour": width_colour(width), "runs": []}
        members = sets.setdefault(set_name(run), {}).setdefault(width, look)["runs"]
        members += [_run(run.sel(replica=[number])) for number in run["replica"].values]
    if not sets:
        raise ReproError("The explorer needs at least one run of an unmarked network.")
    named = [
        {"name": name, "widths": list(sets[name].values())}
        for name in sorted(sets, key=lambda name: (-len(sets[name]), name))
    ]
    lengths = {run["epochs"] for one in named for width in one["widths"] for run in width["runs"]}
    data = {"at": {last: shown_epochs(last).tolist() for last in sorted(lengths)}, "sets": named}
    return Explorer("phases", "Phase diagram: choose a dataset and a width", data)


def set_name(run: xr.Dataset) -> str:
    """The runs of a phase diagram: the dataset, the loss, and what else is not as in the paper."""
    experiment = experiment_of(run)
    told = ("split", "loss", "seed")
    others = {name: value for name, value in experiment.unusual.items() if name not in told}
    words = dataset_label(run), LOSS_NAMES[experiment.loss], in_words(others)
    return ", ".join(filter(None, words))


def shown_epochs(last: int) -> NDArray[np.int64]:
    """About ``POINTS`` epochs from 0 to the last: half even in log(epoch), half in epoch."""
    even = np.linspace(0, last, POINTS // 2)
    by_log = np.geomspace(1, max(last, 1), POINTS // 2)
    return np.unique(np.rint(np.concatenate([[0], even, np.minimum(by_log, last)])).astype(int))


def _run(run: xr.Dataset) -> dict[str, Any]:
    """One replica: its curves at ``shown_epochs`` and its `regimes.summary`."""
    one = run.isel(replica=0).sel(epoch=shown_epochs(epochs_of(run)), layer=LAYER)
    summary = regimes.summary(run).isel(replica=0).reset_coords()
    facts = {name: value.item() for name, value in summary.items()}
    known = {name: value if value == value else None for name, value in facts.items()}
    return {name: rounded(one[name], 3) for name in DRAWN} | known
