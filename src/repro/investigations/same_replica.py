"""One replica trained twice, on different devices: what of a run is the network's, what chance.

Both begin with the same weights and see the same samples in the same order; sums differ in their
last digit. The second training is kept in ``results/again``, so that no replica counts twice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from repro.analysis import regimes
from repro.analysis.captions import width_of
from repro.places import published_path
from repro.store.record import cut, joined
from repro.store.store import Store

FOLDER = "again"
EARLY = 20
"""Epochs at the start over which the losses of the two are compared."""


class Pair(NamedTuple):
    """The published training of a replica, and the other one, cut to the same epochs."""

    published: xr.Dataset
    again: xr.Dataset


def pairs() -> list[Pair]:
    """Every replica whose second training is kept, in the order of their names."""
    first, second = Store(published_path()), Store(published_path() / FOLDER)
    found = []
    for run in second.runs():
        other = first.find(run.experiment, run.replica)
        if other is not None:
            epochs = min(run.epochs, other.epochs)
            both = ((first, other), (second, run))
            found.append(Pair(*(joined([cut(s.load(one), epochs)]) for s, one in both)))
    return found


def table(found: list[Pair]) -> pd.DataFrame:
    """The trainings of every pair.

    Returns
    -------
    A row a training: ``width``, ``replica``, ``device``, ``minimum`` of the training loss (nats),
    ``minimum_at``, ``spikes`` (epochs in which it has doubled), ``diverged`` (NaN: not by the end)
    and ``apart``, of the pair: the mean of abs(log ratio) of the first `EARLY` epochs' losses.
    """
    rows = []
    for pair in found:
        one, other = (run["train_loss"].to_numpy()[0].astype(float) for run in pair)
        apart = np.abs(np.log(one / other))[1 : EARLY + 1].mean()
        for run, loss in zip(pair, (one, other), strict=True):
            lowest, diverged = regimes.minimum(loss), regimes.divergence_epoch(loss)
            rows.append(
                {
                    "width": width_of(run), "replica": int(run["replica"].item()),
                    "device": run.attrs["device"], "minimum": lowest.value,
                    "minimum_at": lowest.epoch, "spikes": int((loss[2:] > 2 * loss[1:-1]).sum()),
                    "diverged": np.nan if diverged is None else float(diverged), "apart": apart,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
