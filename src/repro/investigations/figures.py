"""The figures of this room's pages: frames in, figures out."""

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from repro import paper
from repro.analysis.captions import width_of
from repro.analysis.regimes import crossing
from repro.figures import style
from repro.figures.run_lines import nothing_to_draw
from repro.figures.style import DIVERGENCE, PAPER, TEST, TRAIN, panel_label
from repro.investigations import order_mechanism, order_search, stability
from repro.investigations.controls import CHANGES
from repro.investigations.plateau import cost_of_dead

BASELINE = "0.45"
MARGIN = 0.25  # share of a crossing's length shown before and after it


def controls_figure(curves: pd.DataFrame) -> Figure:
    """Training loss of the controls (`controls.curves`) beside the baseline."""
    if curves.empty:
        return nothing_to_draw("There is no control run to draw.")
    widths = sorted(curves["width"].unique())
    names = list(dict.fromkeys(curves["label"]))
    colours = dict(zip(names, sns.color_palette("colorblind"), strict=False))
    colours["baseline"] = BASELINE
    with style.styled():
        figure = style.new_figure(7.2, 1.3 + 1.5 * len(widths))
        panels = figure.subplots(len(widths), len(CHANGES), sharex=True, sharey=True, squeeze=False)
        for letter, ((row, column), axes) in zip("abcdefghi", np.ndenumerate(panels), strict=False):
            shown = (curves["width"] == widths[row]) & curves["changed"].isin(("", CHANGES[column]))
            _lines(axes, curves[shown], "train_loss", hue="label", palette=colours, units="run")
            axes.set(ylabel=f"$N$ = {widths[row]}\ntraining loss")
            panel_label(axes, letter, CHANGES[column].replace("_", " "))
        _log_losses(panels[0, 0])
        handles = [Line2D([], [], color=colours[name], label=name) for name in names]
        figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def climb_figure(run: xr.Dataset) -> Figure:
    """One run's climb: (a) shares dead and misclassified, (b) its loss and what the dead cost."""
    between = crossing(run["train_loss"].isel(replica=0))
    if between is None:
        return nothing_to_draw(f"N = {width_of(run)} does not diverge.")
    margin = max(int(MARGIN * (between.end - between.start)), 5)
    shown = slice(max(between.start - margin, 1), between.end + margin + 1)
    one = run.isel(replica=0, epoch=shown)
    dead = one["dead_fraction"]
    frame = pd.DataFrame(
        {
            "epoch": one["epoch"], "dead": dead, "misclassified": 1 - one["train_accuracy"],
            "training loss": one["train_loss"],
            r"$-\ln\,\epsilon\,\cdot$ share dead": (cost_of_dead(run) * dead).where(dead > 0),
        }
    )  # fmt: skip
    with style.styled():
        figure = style.new_figure(7.2, 2.8)
        left, right = figure.subplots(1, 2)
        for axes, names, colours in (
            (left, frame.columns[1:3], (TEST, BASELINE)),
            (right, frame.columns[3:], (TRAIN, TEST)),
        ):
            tidy = frame.melt("epoch", list(names), "what", "value").dropna()
            _lines(axes, tidy, "value", hue="what", style="what", palette=list(colours))
            axes.axvline(between.end, color=DIVERGENCE, linestyle=":", linewidth=0.9)
            axes.legend(title=None, loc="upper left")
        _log_losses(right)
        left.set_ylabel("share of the training set")
        right.set_ylabel("training loss")
        panel_label(left, "a", f"$N$ = {width_of(run)}")
        panel_label(right, "b")
    return figure


def sharpness_figure(record: stability.SharpnessRecord) -> Figure:
    """One record: (a) its sharpness and the edge, (b) its training loss and its worst batch."""
    row = stability.table([record]).iloc[0]
    with style.styled():
        figure = style.new_figure(7.2, 2.8)
        left, right = figure.subplots(1, 2, sharex=True)
        left.plot(stability.series(record), "o-", color=TEST, markersize=3, linewidth=1)
        left.axhline(row["edge"], color=DIVERGENCE, linestyle="--", linewidth=1)
        left.text(1, row["edge"], " 2 / learning rate", ha="right", va="bottom", fontsize=8,
                  transform=left.get_yaxis_transform())  # fmt: skip
        for losses, colour, what in ((record.max_batch_loss, BASELINE, "worst batch"),
                                     (record.train_loss, TRAIN, "training loss")):  # fmt: skip
            right.plot(pd.Series(losses, dtype=float)[1:], color=colour, label=what)
        for axes in (left, right) if row["spike"] > 0 else ():
            axes.axvline(row["spike"], color=DIVERGENCE, linestyle=":", linewidth=0.9)
        _log_losses(right)
        left.set(ylim=(0, None), xlabel="epoch", ylabel="largest eigenvalue")
        right.set(xlabel="epoch", ylabel="loss")
        right.legend()
        panel_label(left, "a", f"$N$ = {record.experiment.width}, {row['changed']}")
        panel_label(right, "b")
    return figure


def orders_figure(curves: pd.DataFrame, bold: str | None = None) -> Figure:
    """Training loss under each order of the samples (`order_search.curves`), and the paper's.

    Cycles and buffers each have a range of colours, the baseline's runs are grey; ``bold`` is drawn
    thick. A column ``trial`` that is true makes a line dotted.
    """
    if curves.empty:
        return nothing_to_draw("There is no run of any order to draw.")
    curves = curves.assign(trial=curves["trial"].eq(True) if "trial" in curves else False)
    colours = {"fresh": BASELINE}
    for kind, palette in (("cycle", "flare"), ("buffer", "crest")):
        alike = [order for order in order_search.ORDERS if order.startswith(kind)]
        colours |= zip(alike, sns.color_palette(palette, len(alike)), strict=True)
    with style.styled():
        figure = style.new_figure(7.2, 3.9)
        panels = figure.subplots(1, len(order_search.WIDTHS), sharey=True)
        for axes, letter, width in zip(panels, "ab", order_search.WIDTHS, strict=True):
            for order in order_search.ORDERS:
                here = curves[(curves["width"] == width) & (curves["order"] == order)]
                _lines(
                    axes, here, "train_loss", style="trial", units="run", color=colours[order],
                    alpha=0.5 if order == "fresh" else 1, style_order=[False, True],
                    linewidth=2.4 if order == bold else 0.8 if order == "fresh" else 1.2,
                )  # fmt: skip
            for epoch, loss, epochs, losses in _papers_points(width):
                axes.errorbar(epoch, loss, losses, epochs, ecolor=PAPER, elinewidth=0.9, capsize=2,
                              zorder=5, **style.paper_marker())  # fmt: skip
            axes.set(ylabel="training loss", xlim=(0, order_search.EPOCHS))
            panel_label(axes, letter, f"$N$ = {width}")
        _log_losses(panels[0])
        handles = [Line2D([], [], color=colours[order], label=order)
                   for order in order_search.ORDERS if order in set(curves["order"])]  # fmt: skip
        handles.append(Line2D([], [], label=style.PAPER_LABEL, **style.paper_marker()))
        figure.legend(handles=handles, loc="outside lower center", ncols=6)
    return figure


def turns_figure(curves: pd.DataFrame, turns: pd.DataFrame) -> Figure:
    """`order_mechanism.curves`, and `order_mechanism.turns` against the steps to a batch's turn."""
    if curves.empty:
        return nothing_to_draw("There is no run of any order to draw.")
    colours = dict(zip(order_mechanism.ARMS, sns.color_palette("colorblind"), strict=False))
    colours["fresh"] = BASELINE
    with style.styled():
        figure = style.new_figure(7.2, 3.6)
        left, right = figure.subplots(1, 2, sharey=True)
        _lines(left, curves, "train_loss", hue="order", palette=colours, units="run")
        sns.lineplot(
            turns, x="steps", y="mean", hue="order", palette=colours, ax=right, marker="o",
            units=np.sign(turns["steps"]), estimator=None,
        )  # fmt: skip
        right.set_xscale("symlog", linthresh=1, linscale=0.25)
        ticks = [-256, -16, -1, 1, 16, 256]
        right.set_xticks(ticks, [str(abs(steps)) for steps in ticks], minor=False)
        right.set_xticks([], minor=True)
        right.set(xlabel="steps since its turn | until its turn", xlim=(-700, 700))
        right.axvline(0, color=PAPER, linewidth=0.9)
        _log_losses(left)
        left.set_ylabel("loss")
        for axes, letter, text in ((left, "a", "training"), (right, "b", "of a batch")):
            panel_label(axes, letter, text)
            axes.legend().remove()
        shown = [order for order in colours if order in set(curves["order"])]
        handles = [Line2D([], [], color=colours[order], label=order) for order in shown]
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _lines(axes: Axes, frame: pd.DataFrame, y: str, **looks: object) -> None:
    """A line a run, without intervals: the room's `seaborn.lineplot`."""
    sns.lineplot(frame, x="epoch", y=y, estimator=None, ax=axes, **{"linewidth": 1.1} | looks)
    axes.set_xlabel("epoch")
    if (legend := axes.get_legend()) is not None:
        legend.remove()


def _log_losses(axes: Axes) -> None:
    """Losses on a logarithmic axis, here and where it is shared."""
    axes.set_yscale("log")
    style.plain_log_axis(axes.yaxis)


def _papers_points(width: int) -> list[tuple[float, float, float, float]]:
    """Epoch, loss and the errors of both, of the paper's losses, minimum and plateau."""
    given, curve = order_search.readings(width), paper.TRAIN_LOSS.get(width, {})
    points = [(paper.Reading(epoch, loss.source, 0), loss) for epoch, loss in curve.items()]
    points.append((given["epoch_of_minimum_train_loss"], given["minimum_train_loss"]))
    points.append((given["divergence_epoch"], paper.PLATEAU_LEVEL))
    return [(at.value, loss.value, at.value * at.relative_error, loss.value * loss.relative_error)
            for at, loss in points]  # fmt: skip
