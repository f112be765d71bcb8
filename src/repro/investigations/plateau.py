"""The plateau of the clipped loss: its height predicted, and the climb to it.

Under the clipped loss a dead sample costs -ln(epsilon) and pulls on no weight. On the plateau all
that is wrong is dead: the loss is their share of -ln(epsilon), and what the others still cost. A
network that gave one answer whatever the input would at best lose ``constant``: -ln(epsilon) x (1 -
the share of the most frequent class).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from repro.analysis import regimes
from repro.analysis.captions import replica_of, setting, width_of
from repro.analysis.regimes import crossing
from repro.figures import style

MARGIN = 0.25  # share of a crossing's length shown before and after it

COLUMNS = (
    "width", "replica", "mark", "diverged", "train_loss", "test_loss", "dead", "wrong", "from_dead",
    "minimum_at", "dead_at_minimum", "left_at", "dead_when_left",
)  # fmt: skip


def on_plateau(runs: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """The runs with the clipped loss that have reached a finite plateau."""
    return [
        run
        for run in runs
        if setting(run, "loss") == "clipped"
        and np.isfinite(run["train_loss"][0, -1])
        and regimes.divergence_epoch(run["train_loss"][0]) is not None
    ]


def table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Every plateau of the clipped loss and the climb to it: `COLUMNS`.

    Of the plateau medians from ``diverged`` on, in nats; ``from_dead`` is what its dead cost. The
    run leaves twice its minimum for good at ``left_at``.
    """
    return pd.DataFrame([_row(run) for run in on_plateau(runs)], columns=list(COLUMNS))


def cost_of_dead(run: xr.Dataset) -> float:
    """What one dead sample costs, -ln(epsilon), in nats."""
    return -math.log(float(setting(run, "epsilon")))


@style.styled()
def climb_figure(run: xr.Dataset) -> style.PageFigure:
    """One run's climb: (a) shares dead and misclassified, (b) its loss and what the dead cost."""
    between = crossing(run["train_loss"].isel(replica=0))
    if between is None:
        return style.nothing_to_draw(f"N = {width_of(run)} does not diverge")
    margin = max(int(MARGIN * (between.end - between.start)), 5)
    shown = slice(max(between.start - margin, 1), between.end + margin + 1)
    one = run.isel(replica=0, epoch=shown)
    dead = one["dead_fraction"]
    cost = (cost_of_dead(run) * dead).where(dead > 0)
    figure, [[left, right]] = style.panels(2.8)
    for axes, label, values, colour, line in (
        (left, "dead", dead, style.TEST, "-"),
        (left, "misclassified", 1 - one["train_accuracy"], style.BASELINE, "--"),
        (right, "training loss", one["train_loss"], style.TRAIN, "-"),
        (right, r"$-\ln\,\epsilon\,\cdot$ share dead", cost, style.TEST, "--"),
    ):
        axes.plot(one["epoch"], values, color=colour, linestyle=line, linewidth=1.1, label=label)
    for axes, label in ((left, "share of the training set"), (right, "training loss")):
        axes.axvline(between.end, color=style.DIVERGENCE, linestyle=":", linewidth=0.9)
        axes.set(xlabel="epoch", ylabel=label)
        axes.legend(loc="upper left")
    style.plain_log_axis(right.yaxis)
    style.panel_label(left, "a", f"$N$ = {width_of(run)}")
    return figure


def _row(run: xr.Dataset) -> dict[str, Any]:
    one = run.isel(replica=0)
    between = crossing(one["train_loss"])
    flat = one.isel(epoch=slice(between.end, None)).median("epoch")
    lowest = regimes.minimum(one["train_loss"]).epoch
    dead = one["dead_fraction"].to_numpy().astype(float)
    return {
        "width": width_of(run), "replica": replica_of(run), "mark": setting(run, "mark") or "",
        "diverged": between.end, "train_loss": float(flat["train_loss"]),
        "test_loss": float(flat["test_loss"]), "dead": float(flat["dead_fraction"]),
        "wrong": 1 - float(flat["train_accuracy"]),
        "from_dead": cost_of_dead(run) * float(flat["dead_fraction"]),
        "minimum_at": lowest, "dead_at_minimum": dead[lowest],
        "left_at": between.start, "dead_when_left": dead[between.start],
    }  # fmt: skip
