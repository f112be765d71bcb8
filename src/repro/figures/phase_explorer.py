"""The phase diagram to walk through: every published network's curves, deviation and regime."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from repro.analysis import regimes
from repro.analysis.captions import LOSS_NAMES, dataset_label, epochs_of, in_words, width_of
from repro.data.datasets import identified
from repro.errors import ReproError
from repro.figures.explorer import Explorer, rounded
from repro.figures.style import width_colour
from repro.runs import existing_folder, stored
from repro.store.record import cut, experiment_of

LAYER = "hidden_hidden"
DRAWN = ("train_loss", "test_loss", "relative_deviation")
POINTS = 90
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
    name = None if dataset is None else identified(dataset)
    return [
        cut(results, epochs or run.epochs)[list(DRAWN)]
        for run, results in stored(existing_folder(None), name)
        if run.experiment.mark is None
    ]


def phase_explorer(runs: Iterable[xr.Dataset]) -> Explorer:
    """Choose a dataset and a width; see the curves of every run, and its outcome.

    Parameters
    ----------
    runs:
        Unmarked networks of any datasets, widths and lengths; such as :func:`published_unmarked`.

    Raises
    ------
    ReproError
        For no runs.
    """
    sets: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for run in sorted(runs, key=width_of):
        at_width = sets.setdefault(set_name(run), {}).setdefault(width_of(run), [])
        at_width += [_run(run.sel(replica=[number])) for number in run["replica"].values]
    if not sets:
        raise ReproError("The explorer needs at least one run of an unmarked network.")
    lengths = {run["epochs"] for one in sets.values() for runs in one.values() for run in runs}
    data = {
        "at": {length: shown_epochs(length).tolist() for length in sorted(lengths)},
        "sets": [
            {
                "name": name,
                "widths": [
                    {
                        "width": width,
                        "colour": width_colour(width),
                        "colourOnDark": width_colour(width, on_dark=True),
                        "runs": members,
                    }
                    for width, members in sets[name].items()
                ],
            }
            for name in sorted(sets, key=lambda name: (-len(sets[name]), name))
        ],
    }
    return Explorer("phases", "Phase diagram: choose a dataset and a width", data)


def set_name(run: xr.Dataset) -> str:
    """The runs of a phase diagram: the dataset, the loss, and what else is not as in the paper."""
    experiment = experiment_of(run)
    told = ("split", "loss", "seed")
    others = {name: value for name, value in experiment.unusual.items() if name not in told}
    words = dataset_label(run), LOSS_NAMES[experiment.loss], in_words(others)
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
    lowest = rounded([summary["minimum_train_loss"], summary["minimum_test_loss"]])
    divergence = float(summary["divergence_epoch"])
    return {
        "replica": int(run["replica"][0]),
        "epochs": epochs_of(run),
        "train": rounded(one["train_loss"].to_numpy(), 3),
        "test": rounded(one["test_loss"].to_numpy(), 3),
        "deviation": rounded(one["relative_deviation"].sel(layer=LAYER).to_numpy(), 3),
        "regime": str(summary["regime"].item()),
        "minimumTrain": lowest[0],
        "minimumTrainEpoch": int(summary["epoch_of_minimum_train_loss"]),
        "minimumTrainAtEnd": bool(summary["minimum_at_end"]),
        "minimumTest": lowest[1],
        "minimumTestEpoch": int(summary["epoch_of_minimum_test_loss"]),
        "divergence": None if np.isnan(divergence) else int(divergence),
    }
