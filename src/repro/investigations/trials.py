"""What was tried in the engine in search of the paper's faster climb: published curves.

A trial is one run of `WIDTH` units with the baseline's settings, in which one thing was done as the
paper's software may have done it instead. The code that did it is in the history of this file (the
``code_version`` of each row). ``results/trials.json`` keeps the curves, ``results/last-batch.json``
the test loss before and after the last, smaller batch of an epoch. Trials are no results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from repro import sealed_json
from repro.places import published_path

FILE, LAST_BATCH_FILE = "trials.json", "last-batch.json"
WIDTH = 150
ORDERS = {
    "one order": "cycle:1", "a buffer of 10,000": "buffer:10000", "a buffer of 1,000": "buffer:1000"
}  # fmt: skip
"""The trials of what is now the field ``order`` of `Experiment`."""

COMPARED_AT = 250
"""The epoch that all trials have."""

LAST = 10
"""Epochs over which the loss there is averaged: it scatters."""


def published() -> list[dict[str, Any]]:
    """The trials: ``name``, ``train_loss`` by epoch from 1, what made it; none without the file."""
    return _rows(FILE)


def of_orders() -> pd.DataFrame:
    """The trials of orders, as `order_search.curves` has its runs, with a column ``trial``."""
    parts = [
        pd.DataFrame(
            {
                "width": WIDTH, "order": ORDERS[row["name"]], "replica": number, "trial": True,
                "epoch": np.arange(1, len(row["train_loss"]) + 1), "train_loss": row["train_loss"],
            }
        )
        for number, row in enumerate(published())
        if row["name"] in ORDERS
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def table(curves: Iterable[tuple[str, Sequence[float]]]) -> pd.DataFrame:
    """Training losses, by name and from epoch 1 on, compared as far as all trials go.

    Returns
    -------
    A row a curve: ``name``, ``epochs``, ``at_100``, ``minimum`` up to `COMPARED_AT` and its epoch
    ``minimum_at``, and ``at_250``, the mean over the `LAST` epochs up to there; NaN where the curve
    is shorter. Losses in nats.
    """
    rows = []
    for name, values in curves:
        curve = np.asarray(values, dtype=float)
        first = curve[:COMPARED_AT] if len(curve) >= COMPARED_AT else np.array([np.nan])
        at_100 = curve[99] if len(curve) >= 100 else np.nan
        at = np.nan if np.isnan(first).all() else first.argmin() + 1.0
        rows.append((name, len(curve), at_100, first.min(), at, first[-LAST:].mean()))
    return pd.DataFrame(
        rows, columns=["name", "epochs", "at_100", "minimum", "minimum_at", "at_250"]
    )


def last_batch() -> pd.DataFrame:
    """The lowest test loss of the first epochs ``before`` and ``after`` the step on the last batch.

    Returns
    -------
    A row a ``split``, with the ``samples`` in that batch; losses in nats.
    """
    rows = [
        (str(row["split"]), row["samples"], min(row["before"]), min(row["after"]))
        for row in _rows(LAST_BATCH_FILE)
    ]
    return pd.DataFrame(rows, columns=["split", "samples", "before", "after"])


def _rows(file: str) -> list[dict[str, Any]]:
    path = published_path() / file
    return sealed_json.read(path)["rows"] if path.is_file() else []
