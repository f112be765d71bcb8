"""Which order of the samples is nearest to the paper's phase diagram: the candidates and the rule.

The rule, written on 2026-11-28, before the runs it ranks (of some candidates single curves had been
seen in prototypes, at N = 150 and 250; the rule does not depend on them):

- One replica of each candidate at N = 150 and 250, `EPOCHS` epochs, everything else the baseline.
- The **marks** at N = 150 are the training loss at epochs 100, 200 and 300, the minimum training
  loss and its epoch, the plateau's first epoch, the minimum test loss and its epoch; at N = 250 the
  same without the three losses, which the figures do not show there. All are taken from the first
  `EPOCHS` epochs; a plateau not reached by then counts as reached at the end, which favours the
  candidate.
- The **distance** is the root mean square, over all marks alike, of ln(ours / the paper's) in units
  of the relative error of that reading: the paper's bar where the figure draws one, else 3 %.
- The nearest three candidates get two more replicas, and N = 100, 200 and 275. The candidate with
  the least mean distance over its replicas is **the nearest order**. The baseline is a candidate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper
from repro.analysis import regimes
from repro.experiment import Experiment
from repro.paper import Reading
from repro.places import published_path
from repro.store import record
from repro.store.store import Store

WIDTHS = (150, 250)
EPOCHS = 450
ORDERS = (
    "fresh",
    *(f"cycle:{orders}" for orders in (1, 2, 5, 10, 20, 25, 50, 100, 200)),
    *(f"buffer:{samples}" for samples in (128, 400, 1500, 5000, 10000)),
)
"""The candidates, as `Experiment` names them."""

LOSS_EPOCHS = (100, 200, 300)


def experiment(order: str, width: int, epochs: int = EPOCHS) -> Experiment:
    """The experiment of a candidate at a width."""
    return Experiment(paper.DATASET, width, epochs, order=order)


def readings(width: int) -> Mapping[str, Reading]:
    """The paper's marks at a width, by name."""
    losses = {f"train_loss_at_{epoch}": paper.TRAIN_LOSS[width][epoch] for epoch in LOSS_EPOCHS
              if epoch in paper.TRAIN_LOSS.get(width, {})}  # fmt: skip
    means = {quantity: paper.read(quantity, width) for quantity in paper.FIGURE_2}
    return losses | {name: reading for name, reading in means.items() if reading is not None}


def marks(run: xr.Dataset) -> dict[str, float]:
    """A run's marks by name, from its first `EPOCHS` epochs: losses in nats, epochs."""
    first = record.cut(run.isel(replica=[0]), EPOCHS)
    train = first["train_loss"].isel(replica=0)
    found = regimes.summary(first).isel(replica=0)
    plateau = float(found["divergence_epoch"])
    return {
        **{f"train_loss_at_{epoch}": float(train.sel(epoch=epoch)) for epoch in LOSS_EPOCHS},
        **{name: float(found[name]) for name in paper.FIGURE_2},
        "divergence_epoch": EPOCHS if np.isnan(plateau) else plateau,
    }


def distance(by_width: Mapping[int, Mapping[str, float]]) -> float:
    """Root mean square over all marks of ln(ours / the paper's) / error; marks by width."""
    errors = [
        np.log(ours[name] / reading.value) / reading.relative_error
        for width, ours in by_width.items()
        for name, reading in readings(width).items()
    ]
    return float(np.sqrt(np.mean(np.square(errors))))


def table(orders: Sequence[str] = ORDERS, store: Store | None = None) -> pd.DataFrame:
    """The candidates with all marks.

    Returns
    -------
    A row a candidate and replica that has both widths: ``order``, ``replica``, ``distance``, and
    ``WIDTH mark`` for every mark the paper has; sorted by distance.
    """
    place = store or Store(published_path())
    rows = []
    for order in orders:
        wanted = {width: experiment(order, width) for width in WIDTHS}
        for replica in place.replicas(wanted[WIDTHS[0]]):
            runs = {width: place.find(each, replica) for width, each in wanted.items()}
            if any(run is None or run.epochs < EPOCHS for run in runs.values()):
                continue
            found = {width: marks(place.load(run)) for width, run in runs.items()}
            named = {
                f"{width} {name}": found[width][name]
                for width in WIDTHS
                for name in readings(width)
            }
            rows.append({"order": order, "replica": replica, "distance": distance(found), **named})
    return pd.DataFrame(rows).sort_values("distance", ignore_index=True) if rows else pd.DataFrame()
