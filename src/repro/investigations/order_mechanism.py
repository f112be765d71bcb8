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

The push itself was measured (order-push.json; by the code of commit 43c0620) where a run of one
order stands after an epoch: half of the difference between what its own sequence and the same
backwards do to the weights in one more epoch; half of their sum is what both do. Predicted, also
before it was looked at: the push keeps its direction (cosine at least 0.5 with that of ten epochs
earlier; with the part of a fresh order that is its own, about 0), what both do points against it (a
negative cosine), and one epoch in a fresh order brings the training loss lower than one in the
run's own.

What the push's measurement showed beside that: after its epoch 100 (loss 0.203, taken batch by
batch before each step) the run of one order has a loss of 0.679 over the whole training set. So a
batch's loss must be low only when its turn comes. Predicted before that was measured, for twelve
stretches of an epoch: after epoch 100 of one order, the loss of the stretch whose turn is next is
at most half of the mean over all; with the batches in fresh sequences it lies within a fifth of
that mean. Found for one order: 0.524 of 0.593, so a stretch of 98 batches is too coarse, or the
prediction wrong; `measurements/turns.py` goes down to single batches.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.lines import Line2D

from repro import sealed_json
from repro.figures import style
from repro.investigations import order_search
from repro.places import published_path

WIDTH = 250
COMPARED_AT = 100
ARMS = ("fresh", "cycle:1", "batches", "mirror")
LIMIT = (0.118 * 0.208) ** 0.5  # training loss at `COMPARED_AT` that tells the two apart, nats

TURNS = "order-turns.json"


def curves(store: str | os.PathLike | None = None) -> pd.DataFrame:
    """`order_search.curves` of the arms, to `COMPARED_AT`."""
    return order_search.curves(store, ARMS, (WIDTH,), COMPARED_AT)


def turns() -> pd.DataFrame:
    """What `measurements/turns.py` found, by ``order`` and ``steps``: the loss in nats of so many
    batches whose first comes next after so many steps (1 is the next, -1 the last one seen)."""
    return pd.DataFrame(sealed_json.read(published_path() / TURNS)["rows"])


@style.styled()
def turns_figure(curves: pd.DataFrame, turns: pd.DataFrame) -> style.PageFigure:
    """(a) `curves`, and (b) `turns` against the steps to a batch's turn."""
    if curves.empty:
        return style.nothing_to_draw("no run of any order")
    colours = dict(zip(ARMS, sns.color_palette("colorblind"), strict=False))
    colours["fresh"] = style.BASELINE
    figure, [[left, right]] = style.panels(3.6, sharey=True)
    look = {"hue": "order", "palette": colours, "estimator": None, "legend": False}
    sns.lineplot(curves, x="epoch", y="train_loss", units="run", linewidth=1.1, ax=left, **look)
    sides = np.sign(turns["steps"])
    sns.lineplot(turns, x="steps", y="mean", units=sides, marker="o", ax=right, **look)
    right.set_xscale("symlog", linthresh=1, linscale=0.25)
    ticks = [-256, -16, -1, 1, 16, 256]
    right.set_xticks(ticks, [str(abs(steps)) for steps in ticks], minor=False)
    right.set_xticks([], minor=True)
    right.set(xlabel="steps since its turn | until its turn", xlim=(-700, 700))
    right.axvline(0, color=style.PAPER, linewidth=0.9)
    style.plain_log_axis(left.yaxis)
    left.set_ylabel("loss")
    style.panel_label(left, "a", "training")
    style.panel_label(right, "b", "of a batch")
    shown = [order for order in colours if order in set(curves["order"])]
    handles = [Line2D([], [], color=colours[order], label=order) for order in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure
