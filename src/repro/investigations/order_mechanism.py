"""Why a repeated order of the samples climbs sooner: the prediction, and the runs that test it.

Written on 2026-11-28 before any run of ``mirror`` or ``batches`` at this width. (At N = 150 a trial
with the batches of one order in fresh sequences had trained as the baseline.) To second order in
the learning rate, an epoch of batches with gradients g and Hessians H moves the weights by
-rate sum(g_b) + rate^2 sum over a before b of H_b g_a. The part of it that is antisymmetric in the
sequence, rate^2 / 2 sum over a before b of (H_b g_a - H_a g_b), vanishes in the mean over sequences
and changes its sign when one is read backwards. Fresh orders average it away; one order adds the
same push in every epoch, and it is not the gradient of any loss. If that is what holds up the
training loss at N = 250 (0.118 at epoch 100 under fresh orders, 0.208 under one), then the same
batches in fresh sequences (``batches``) and the same sequence to and fro (``mirror``) train as
fresh orders do: their loss at epoch 100 lies below the geometric mean of the two, `LIMIT`. If
instead it matters that the same samples meet in a batch again, both stay above.
"""

from __future__ import annotations

import os

import pandas as pd

from repro import paper
from repro.experiment import Experiment
from repro.investigations.found import found

WIDTH = 250
COMPARED_AT = 100
ARMS = ("fresh", "cycle:1", "batches", "mirror")
LIMIT = (0.118 * 0.208) ** 0.5
"""Training loss at `COMPARED_AT` that tells the two apart, nats."""


def curves(store: str | os.PathLike | None = None) -> pd.DataFrame:
    """Columns ``order``, ``replica``, ``epoch``, ``train_loss`` (nats), to `COMPARED_AT`."""
    parts = [
        run["train_loss"][0, 1 : COMPARED_AT + 1].to_dataframe().reset_index().assign(order=order)
        for order in ARMS
        for run in found(Experiment(paper.DATASET, WIDTH, COMPARED_AT, order=order), store)
    ]
    names = ["order", "replica", "epoch", "train_loss"]
    return pd.concat(parts)[names] if parts else pd.DataFrame(columns=names)
