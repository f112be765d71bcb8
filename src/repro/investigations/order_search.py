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

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.lines import Line2D

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import epochs_of, replica_of
from repro.experiment import Experiment
from repro.figures import style
from repro.investigations.choices import found
from repro.paper import Reading
from repro.store import record

WIDTHS = (150, 250)
EPOCHS = 450
ORDERS = (
    "fresh",
    *(f"cycle:{orders}" for orders in (1, 2, 5, 10, 20, 25, 50, 100, 200)),
    *(f"buffer:{samples}" for samples in (128, 400, 1500, 5000, 10000)),
)
"""The candidates, as `Experiment` names them."""

LOSS_EPOCHS = (100, 200, 300)


def experiment(order: str, width: int) -> Experiment:
    """The experiment of a candidate at a width."""
    return Experiment(paper.DATASET, width, EPOCHS, order=order)


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
    summary = regimes.summary(first).isel(replica=0)
    plateau = float(summary["divergence_epoch"])
    return {
        **{f"train_loss_at_{epoch}": float(train.sel(epoch=epoch)) for epoch in LOSS_EPOCHS},
        **{name: float(summary[name]) for name in paper.FIGURE_2},
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


def table(store: str | os.PathLike | None = None) -> pd.DataFrame:
    """A row a candidate and replica that has both widths, by distance; `store` as in `found`."""
    names = [f"{width} {name}" for width in WIDTHS for name in readings(width)]
    rows = []
    for order in ORDERS:
        ours: dict[int, dict[int, dict[str, float]]] = {}  # by replica and width
        for width in WIDTHS:
            for run in found(experiment(order, width), store):
                if epochs_of(run) >= EPOCHS:
                    ours.setdefault(replica_of(run), {})[width] = marks(run)
        for replica, by_width in ours.items():
            if len(by_width) == len(WIDTHS):
                values = [by_width[width][name] for width in WIDTHS for name in readings(width)]
                rows.append((order, replica, distance(by_width), *values))
    frame = pd.DataFrame(rows, columns=["order", "replica", "distance", *names])
    frame = frame.astype(dict.fromkeys(["distance", *names], float))
    return frame.sort_values("distance", ignore_index=True)


def curves(
    store: str | os.PathLike | None = None,
    orders: Sequence[str] = ORDERS,
    widths: Sequence[int] = WIDTHS,
    epochs: int = EPOCHS,
) -> pd.DataFrame:
    """The training loss of every run of these orders: `style.curves_of` and ``order``."""
    pairs = [(order, run) for width in widths for order in orders
             for run in found(experiment(order, width), store)]  # fmt: skip
    names = pd.Series([order for order, _ in pairs], dtype=str, name="order")
    frame = style.curves_of([run for _, run in pairs], "train_loss")
    return frame[frame["epoch"] <= epochs].join(names, on="run")


@style.styled()
def orders_figure(curves: pd.DataFrame, bold: str | None = None) -> style.PageFigure:
    """Training loss under each order of the samples (`curves`), and the paper's.

    ``bold`` is drawn thick.
    """
    if curves.empty:
        return style.nothing_to_draw("no run of any order")
    colours = {"fresh": style.BASELINE}
    for kind, palette in (("cycle", "flare"), ("buffer", "crest")):
        alike = [order for order in ORDERS if order.startswith(kind)]
        colours |= zip(alike, sns.color_palette(palette, len(alike)), strict=True)
    figure, [panels] = style.panels(3.9, sharey=True)
    for axes, letter, width in zip(panels, "ab", WIDTHS, strict=True):
        sns.lineplot(
            curves[curves["width"] == width], x="epoch", y="train_loss", hue="order",
            hue_order=ORDERS, palette=colours, size="order", size_order=ORDERS,
            sizes={order: 1.2 for order in ORDERS} | {"fresh": 0.6, bold: 2.4}, units="run",
            estimator=None, legend=False, ax=axes,
        )  # fmt: skip
        given, read = readings(width), paper.TRAIN_LOSS.get(width, {})
        points = [(Reading(epoch, loss.source, 0), loss) for epoch, loss in read.items()]
        points.append((given["epoch_of_minimum_train_loss"], given["minimum_train_loss"]))
        points.append((given["divergence_epoch"], paper.PLATEAU_LEVEL))
        for at, loss in points:
            axes.errorbar(
                at.value, loss.value, loss.value * loss.relative_error,
                at.value * at.relative_error, ecolor=style.PAPER, elinewidth=0.9, capsize=2,
                zorder=5, **style.paper_marker(),
            )  # fmt: skip
        axes.set(xlabel="epoch", ylabel="training loss", xlim=(0, EPOCHS))
        style.panel_label(axes, letter, f"$N$ = {width}")
    style.plain_log_axis(panels[0].yaxis)
    there = set(curves["order"])
    handles = [Line2D([], [], color=colours[one], label=one) for one in ORDERS if one in there]
    handles.append(Line2D([], [], label=style.PAPER_LABEL, **style.paper_marker()))
    figure.legend(handles=handles, loc="outside lower center", ncols=6)
    return figure
