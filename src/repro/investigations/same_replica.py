"""One replica trained twice, on different devices: what of a run is the network's, what chance.

Both begin with the same weights and see the same samples in the same order; sums differ in their
last digit. The second training of each is kept in ``results/again``, apart from the published runs,
so that no replica counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from repro.analysis import regimes
from repro.analysis.captions import epochs_of, made, short_device
from repro.analysis.evidence import name_of
from repro.figures.style import TEST, TRAIN, PageFigure, new_figure, plain_log_axis, styled
from repro.places import published_path
from repro.provenance import THEN, handovers, makers
from repro.store.record import cut, joined
from repro.store.store import Store

FOLDER = "again"
_EARLY = 20
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
            both = (joined([cut(store.load(one), epochs)])
                    for store, one in ((first, other), (second, run)))  # fmt: skip
            found.append(Pair(*both))
    return found


def table(found: Sequence[Pair]) -> pd.DataFrame:
    """Each training a row: where, and what became of it.

    Returns
    -------
    Columns ``run``, ``device``, ``train loss at 1`` and ``at 20``, ``lowest``, ``at epoch``,
    ``spikes`` (epochs by whose end the train loss has doubled), ``diverged at`` (NaN: not by the
    end).
    """
    rows = []
    for run in (run for pair in found for run in pair):
        loss = run["train_loss"].to_numpy()[0].astype(float)
        lowest, diverged = regimes.minimum(loss), regimes.divergence_epoch(loss)
        rows.append(
            {
                "run": name_of(run), "device": _device(run),
                "train loss at 1": loss[1], f"at {_EARLY}": loss[min(_EARLY, len(loss) - 1)],
                "lowest": lowest.value, "at epoch": lowest.epoch,
                "spikes": int((loss[2:] > 2 * loss[1:-1]).sum()),
                "diverged at": np.nan if diverged is None else float(diverged),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def apart(pair: Pair) -> float:
    """How far the train losses of the first epochs are apart: the mean of abs(log ratio)."""
    one, other = (run["train_loss"].to_numpy()[0, 1 : _EARLY + 1] for run in pair)
    return float(np.mean(np.abs(np.log(one / other))))


def words(found: Sequence[Pair]) -> str:
    """What the pairs say, in sentences."""
    told = []
    for pair in found:
        ends = []
        for run in pair:
            diverged = regimes.divergence_epoch(run["train_loss"].to_numpy()[0])
            became = (
                f"has not diverged by epoch {epochs_of(run)}"
                if diverged is None
                else f"diverges at epoch {diverged}"
            )
            ends.append(f"on {_device(run)} it {became}")
        told.append(
            f"{name_of(pair.published)}: in the first {_EARLY} epochs the train losses differ by "
            f"{apart(pair):.2%} on average; {', '.join(ends)}."
        )
    return " ".join(told) or "No replica has been trained twice."


def _device(run: xr.Dataset) -> str:
    """Where it was trained as far as it is shown: without what went on elsewhere later."""
    first, *later = makers(made(run, "device"))
    _, epochs = handovers(made(run, "device"))
    shown = [one for one, epoch in zip(later, epochs, strict=True) if epoch <= epochs_of(run)]
    return short_device(THEN.join([first, *shown]))


def figure(found: Sequence[Pair]) -> PageFigure:
    """Train loss of both trainings of each replica."""
    with styled():
        page = new_figure(7.2, 2.6 * max(len(found), 1))
        panels = page.subplots(max(len(found), 1), 1, squeeze=False)[:, 0]
        for axes, pair in zip(panels, found, strict=False):
            for run, colour in zip(pair, (TRAIN, TEST), strict=True):
                device = _device(run)
                loss = run["train_loss"].to_numpy()[0]
                axes.plot(np.arange(1, len(loss)), loss[1:], color=colour, label=device)
            axes.set_yscale("log")
            plain_log_axis(axes.yaxis)
            axes.set(xlabel="epoch", ylabel="train loss", title=name_of(pair.published))
            axes.legend()
    return page.described(
        "same-replica",
        "Train loss of one replica trained twice: the same initial weights and the same order of "
        "the samples, on two devices.",
        f"Two lines over the epochs. {words(found)}",
    )
