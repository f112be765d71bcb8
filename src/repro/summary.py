"""All runs in one tidy table: what they are, what became of them, and what made them."""

import os
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from repro.analysis import regimes
from repro.analysis.captions import in_words
from repro.experiment import Experiment
from repro.runs import existing_folder, stored
from repro.store.run_file import Run

_LAYER = "hidden_hidden"  # and, of deeper networks, the first that is called so
_MADE = (
    "code_version", "backend", "device", "trained_together", "wall_seconds", "started", "finished",
)  # fmt: skip
_PARAMETERS = tuple(field.name for field in fields(Experiment) if field.name != "epochs")
_FOUND = (
    "minimum_train_loss", "epoch_of_minimum_train_loss", "minimum_at_end", "minimum_test_loss",
    "epoch_of_minimum_test_loss", "test_minimum_at_end", "divergence_epoch", "plateau_level",
    "regime",
)  # fmt: skip
_LAST = ("train_loss", "test_loss", "relative_deviation", "weight_correlation")
_COLUMNS = ("name", "changed", *_PARAMETERS, "replica", "epochs", *_FOUND, *_LAST, *_MADE, "file")


def summary(store: str | os.PathLike | None = None) -> pd.DataFrame:
    """A row for every run of the published results, or of a folder of runs.

    By dataset, width, name (of the experiment) and replica; with what is ``changed`` of the
    paper's setting, in words; with all parameters, minima, divergence and regime as
    `repro.analysis.regimes.summary` has them (losses in nats; no divergence is NaN), losses of
    the last epoch and, of the hidden-to-hidden weights, its ``relative_deviation`` (in Glorot
    standard deviations) and ``weight_correlation``; then what made it, and its ``file``.

    Raises ReproError where the folder does not exist, or holds a damaged file.
    """
    rows = [_row(run, results) for run, results in stored(existing_folder(store))]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.sort_values(["dataset", "width", "name", "replica"], ignore_index=True)


def _row(run: Run, results: xr.Dataset) -> dict[str, Any]:
    last = results.isel(replica=0, epoch=-1)
    layers = [name for name in last["layer"].values if str(name).startswith(_LAYER)]
    of_layer = last.sel(layer=layers[0]) if layers else dict.fromkeys(_LAST, np.array(np.nan))
    row = {name: getattr(run.experiment, name) for name in _PARAMETERS}
    row |= {"name": run.experiment.name, "changed": in_words(run.experiment.unusual)}
    row |= {"replica": run.replica, "epochs": run.epochs}
    became = regimes.summary(results).isel(replica=0)
    row |= {name: became[name].item() for name in _FOUND}
    row |= {name: last[name].item() for name in _LAST[:2]}
    row |= {name: of_layer[name].item() for name in _LAST[2:]}
    row |= {name: run.made.get(name) for name in _MADE}
    return row | {"file": str(run.path)}
