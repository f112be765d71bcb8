"""The phase diagram to walk through: every published network's curves, deviation and regime."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from repro.analysis import regimes
from repro.analysis.captions import (
    LOSS_NAMES,
    dataset_label,
    epochs_of,
    in_words,
    setting,
    width_of,
)
from repro.data.datasets import identified
from repro.errors import ReproError
from repro.figures.explorer import Explorer, rounded
from repro.figures.figure_2 import figure_2
from repro.figures.style import width_colour
from repro.places import published_path
from repro.runs import published_runs
from repro.store.record import cut, experiment_of, joined
from repro.store.store import Store

LAYER = "hidden_hidden"
DRAWN = ("train_loss", "test_loss", "relative_deviation")
POINTS = 120
"""Epochs of a curve in the page, about: even in log(epoch) and in epoch, half and half. Minima and
divergence are taken from all epochs."""


def published_unmarked(dataset: str | None = None, epochs: int | None = None) -> list[xr.Dataset]:
    """Every published run of an unmarked network, one replica each, its ``DRAWN`` variables alone.

    Parameters
    ----------
    dataset:
        Of this dataset alone; None for all.
    epochs:
        Longer runs are cut to so many; None for as long as each is.
    """
    store = Store(published_path())
    dataset = None if dataset is None else identified(dataset)
    return [
        cut(store.load(run), epochs or run.epochs)[list(DRAWN)]  # hundreds of runs fit in memory
        for run in published_runs()
        if run.experiment.mark is None and dataset in (None, run.experiment.dataset)
    ]


def phase_explorer(runs: Iterable[xr.Dataset]) -> Explorer:
    """Choose a dataset and a width; see the curves of every run, and what became of it.

    Parameters
    ----------
    runs:
        Unmarked networks of any datasets, widths and lengths; such as :func:`published_unmarked`.

    Returns
    -------
    The explorer; without scripts, Figure 2 of the first dataset.

    Raises
    ------
    ReproError
        For no runs.
    """
    sets: dict[str, dict[int, list[xr.Dataset]]] = {}
    for run in sorted(runs, key=width_of):
        for replica in run["replica"].values:
            by_width = sets.setdefault(set_name(run), {})
            by_width.setdefault(width_of(run), []).append(run.sel(replica=[replica]))
    if not sets:
        raise ReproError("The explorer needs at least one run of an unmarked network.")
    order = sorted(sets, key=lambda name: (-len(sets[name]), name))
    data = {
        "sets": [
            {
                "name": name,
                "widths": [
                    {
                        "width": width,
                        "colour": width_colour(width),
                        "colourOnDark": width_colour(width, on_dark=True),
                        "runs": [_run(one) for one in members],
                    }
                    for width, members in sets[name].items()
                ],
            }
            for name in order
        ]
    }
    longest = {width: _longest(members) for width, members in sets[order[0]].items()}
    return Explorer(
        "phases", "Phase diagram: choose a dataset and a width", data, figure_2(longest)
    )


def set_name(run: xr.Dataset) -> str:
    """The runs of a phase diagram: the dataset, the loss, and what else is not as in the paper."""
    told = ("split", "loss", "seed")
    others = {name: value for name, value in experiment_of(run).unusual.items() if name not in told}
    words = dataset_label(run), LOSS_NAMES[setting(run, "loss")], in_words(others)
    return ", ".join(filter(None, words))


def shown_epochs(last: int, points: int = POINTS) -> NDArray[np.int64]:
    """About so many epochs from 0 to the last, both included, closer at the start."""
    even = np.linspace(0, last, points // 2)
    by_log = np.geomspace(1, max(last, 1), points // 2)
    return np.unique(np.rint(np.concatenate([[0], even, np.minimum(by_log, last)])).astype(int))


def _run(run: xr.Dataset) -> dict[str, Any]:
    """One replica: its curves at ``shown_epochs`` and its summary."""
    summary = regimes.summary(run).isel(replica=0)
    at = shown_epochs(epochs_of(run))
    one = run.isel(replica=0).sel(epoch=at)
    (divergence,) = rounded([float(summary["divergence_epoch"])])
    return {
        "replica": int(run["replica"][0]),
        "epochs": epochs_of(run),
        "at": at.tolist(),
        "train": rounded(one["train_loss"].to_numpy()),
        "test": rounded(one["test_loss"].to_numpy()),
        "deviation": rounded(one["relative_deviation"].sel(layer=LAYER).to_numpy()),
        "regime": str(summary["regime"].item()),
        "minimumTrain": rounded([float(summary["minimum_train_loss"])])[0],
        "minimumTrainEpoch": int(summary["epoch_of_minimum_train_loss"]),
        "minimumTrainAtEnd": bool(summary["minimum_at_end"]),
        "minimumTest": rounded([float(summary["minimum_test_loss"])])[0],
        "minimumTestEpoch": int(summary["epoch_of_minimum_test_loss"]),
        "divergence": None if divergence is None else int(divergence),
    }


def _longest(members: list[xr.Dataset]) -> xr.Dataset:
    """Those of a width's replicas that got farthest, as one dataset."""
    last = max(epochs_of(one) for one in members)
    return joined([one for one in members if epochs_of(one) == last])
