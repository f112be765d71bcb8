"""The plateau of the clipped loss: its height predicted, and the climb to it.

Under the clipped loss a dead sample costs -ln(epsilon) and pulls on no weight. On the plateau all
that is wrong is dead: the loss is their share of -ln(epsilon), and what the others still cost. A
network that gave one answer whatever the input would at best lose ``constant``: -ln(epsilon) x (1 -
the share of the most frequent class).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from repro.analysis import regimes
from repro.analysis.captions import replica_of, setting, width_of
from repro.analysis.regimes import crossing
from repro.figures import style

MARGIN = 0.25  # share of a crossing's length shown before and after it
Counts = Mapping[str, Mapping[str, np.ndarray]]  # of images of each class, by dataset and set

COLUMNS = (
    "width", "replica", "mark", "diverged", "train_loss", "test_loss", "dead", "wrong", "from_dead",
    "from_wrong", "test_from_wrong", "constant", "right_images", "one_answer", "at_rest_since",
    "moved", "minimum_at", "dead_at_minimum", "left_at", "dead_when_left", "half_from",
    "dead_at_half",
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


def table(runs: Sequence[xr.Dataset], counts: Counts) -> pd.DataFrame:
    """Every plateau of the clipped loss, measured and predicted, and the climb to it: `COLUMNS`.

    Medians from ``diverged`` on, in nats; ``one_answer``: how many classes have just as many images
    in both sets as are right there; from ``at_rest_since`` on the same numbers are right and dead,
    and no layer's deviation has ``moved`` more; from ``half_from`` on the dead carry half the loss.
    """
    return pd.DataFrame([_row(run, counts) for run in on_plateau(runs)], columns=list(COLUMNS))


def share_of_dead(run: xr.Dataset) -> np.ndarray:
    """The share of the training loss that dead samples carry, by epoch."""
    dead, loss = (run[name].to_numpy()[0].astype(float) for name in ("dead_fraction", "train_loss"))
    return cost_of_dead(run) * dead / loss


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


def _row(run: xr.Dataset, counts: Counts) -> dict[str, Any]:
    one = run.isel(replica=0)
    between = crossing(one["train_loss"])
    flat = one.isel(epoch=slice(between.end, None))
    losses, accuracies = ("train_loss", "test_loss"), ("train_accuracy", "test_accuracy")
    on_it = {name: float(flat[name].median()) for name in (*losses, *accuracies, "dead_fraction")}
    wrong, test_wrong = (1 - on_it[name] for name in accuracies)
    cost, dead = cost_of_dead(run), one["dead_fraction"].to_numpy().astype(float)
    changes = [np.flatnonzero(np.diff(one[name])) for name in ("train_accuracy", "dead_fraction")]
    rest = max([between.end, *(int(each[-1]) + 1 for each in changes if each.size)])
    after = one["relative_deviation"].isel(epoch=slice(rest, None))
    below = np.flatnonzero(share_of_dead(run) < 0.5)
    half = int(below[-1]) + 1 if below.size else 0
    lowest = regimes.minimum(one["train_loss"]).epoch
    return {
        "width": width_of(run), "replica": replica_of(run), "mark": setting(run, "mark") or "",
        "diverged": between.end, **{name: on_it[name] for name in losses},
        "dead": on_it["dead_fraction"], "wrong": wrong, "from_dead": cost * on_it["dead_fraction"],
        "from_wrong": cost * wrong, "test_from_wrong": cost * test_wrong,
        **_of_classes(run, counts, wrong, test_wrong),
        "at_rest_since": rest, "moved": float(abs(after / after.isel(epoch=0) - 1).max()),
        "minimum_at": lowest, "dead_at_minimum": dead[lowest],
        "left_at": between.start, "dead_when_left": dead[between.start],
    } | ({"half_from": half, "dead_at_half": dead[half]} if half < len(dead) else {})  # fmt: skip


def _of_classes(
    run: xr.Dataset, counts: Counts, wrong: float, test_wrong: float
) -> dict[str, float]:
    """What follows from the images of each class; nothing where those of the split are unknown."""
    name = str(setting(run, "dataset"))
    if name not in counts or setting(run, "split") not in (None, "fold-1"):
        return {}
    train, test = counts[name]["train"], counts[name]["test"]
    right = (1 - wrong) * train.sum()
    fits = (abs(train - right) < 0.5) & (abs(test - (1 - test_wrong) * test.sum()) < 0.5)
    constant = cost_of_dead(run) * (1 - train.max() / train.sum())
    return {"constant": constant, "right_images": round(right), "one_answer": int(fits.sum())}
