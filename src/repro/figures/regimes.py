"""The regimes by width, and the crossing into untrainability: claims 2, 3 and 6."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from numpy.typing import NDArray

from repro import paper
from repro.analysis import evidence, regimes
from repro.analysis.captions import setting, width_of
from repro.analysis.intervals import mean_interval
from repro.claims.jump import excursion, rise_epochs
from repro.claims.regimes import RANKS, boundaries, comparisons
from repro.figures import style
from repro.model.network import JUDGED_LAYER as LAYER

MARGIN = 0.15  # share of the crossing's length shown before and after it
CURVES = {"loss": style.TRAIN, "deviation": style.TEST}


def crossings(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Loss and deviation of every unmarked run that crosses, aligned at the middle of its rise.

    ``share`` is 0 where the crossing starts, 1 where it ends, after a running median.
    """
    parts = []
    for number, run in enumerate(evidence.unmarked(runs)):
        if (found := rise_epochs(run)) is None:
            continue
        one = run.isel(replica=0).sel(layer=LAYER)
        of_run = {"run": number, "width": width_of(run), "lag": found.lag, "rise": found.rise}
        for curve, name in zip(CURVES, ("train_loss", "deviation_std"), strict=True):
            values = regimes.smoothed(regimes.finite_or_infinite(one[name]))
            plateau = np.median(values[found.end :][: regimes.PLATEAU_EPOCHS])
            start = values[found.start]
            row = of_run | {"curve": curve, "epoch": np.arange(len(values)) - found.loss[1]}
            row |= {"share": (values - start) / (plateau - start)}
            beside = max(int(MARGIN * (found.end - found.start)), 5)
            parts.append(pd.DataFrame(row)[max(found.start - beside, 1) : found.end + beside + 1])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


@style.styled()
def jump_figure(runs: Sequence[xr.Dataset]) -> style.PageFigure:
    """`crossings`, a panel a width, and their lags with the 95 % interval of each width's mean."""
    curves = crossings(runs)
    if curves.empty:
        return style.nothing_to_draw("no run crosses")
    behind = curves.drop_duplicates("run")
    widths = sorted(set(curves["width"]))
    figure = style.new_figure(style.PAGE_WIDTH, max(1.1 * len(widths), 2.8))
    left, right = figure.subfigures(1, 2, width_ratios=(2, 0.9))
    panels, lag = _panels(left, widths), right.subplots()
    rise = behind["rise"].mean()
    for axes, width in zip(panels, widths, strict=True):
        sns.lineplot(
            curves[curves["width"] == width], x="epoch", y="share", hue="curve", palette=CURVES,
            units="run", estimator=None, linewidth=0.8, alpha=0.8, ax=axes, legend=False,
        )  # fmt: skip
        axes.axvline(0, color="0.6", linewidth=0.7, zorder=0)
        axes.set(xlim=(-2.5 * rise, 1.5 * rise), ylim=(-0.15, 1.15), xlabel="", ylabel="")
    for axes in panels[-2:]:
        axes.set_xlabel("epochs from the\nmiddle of the loss's rise")
    for axes in panels[::2]:
        axes.set_ylabel("share of the rise")
    for place, (name, colour) in zip((0.75, 0.05), CURVES.items(), strict=True):
        panels[0].text(place, 0.3, name, color=colour, transform=panels[0].transAxes)
    lag.axhline(0, color="0.6", linewidth=0.7, zorder=0)
    look: dict[str, Any] = {"x": "width", "y": "lag", "ax": lag, "legend": False}
    sns.stripplot(
        behind, hue="width", palette=style.colours(widths), size=4, alpha=0.6, jitter=False, **look
    )
    sns.pointplot(
        behind, color="0.15", errorbar=lambda lags: mean_interval(lags) or (np.nan, np.nan),
        linestyle="none", marker="_", markersize=12, capsize=0.2, err_kws={"linewidth": 1.2},
        **look,
    )  # fmt: skip
    lag.set(xlabel="width $N$", ylabel="lag of the deviation, epochs")
    style.panel_label(lag, style.LETTERS[len(widths)], "lag")
    return figure


@style.styled()
def climb_figure(runs: Sequence[xr.Dataset]) -> style.PageFigure:
    """Train loss of every replica, a panel a width; dots where the low loss is left for good.

    Of the widths with three complete unmarked runs or more, of which one climbs.
    """
    groups: dict[int, list[xr.Dataset]] = {}
    for run in evidence.unmarked(evidence.complete(runs)):
        groups.setdefault(width_of(run), []).append(run)
    losses = {n: [run["train_loss"].values[0] for run in group] for n, group in groups.items()}
    groups = {n: group for n, group in groups.items()
              if len(group) > 2 and any(map(_climbs, losses[n]))}  # fmt: skip
    if not groups:
        return style.nothing_to_draw("no width with several runs of which one diverges")
    figure = style.new_figure(style.PAGE_WIDTH, 0.9 * len(groups) + 1.2)
    panels = _panels(figure, groups)
    for axes, (width, group) in zip(panels, groups.items(), strict=True):
        curves = style.curves_of(group, "train_loss")
        style.draw_lines(axes, curves, "epoch", "train_loss", linewidth=0.6)
        for loss in losses[width]:
            if found := regimes.crossing(loss):
                axes.plot(found.start, loss[found.start], "o", color=style.DIVERGENCE, markersize=4)
        axes.set(xlabel="", ylabel="train loss")
    for axes in panels[-2:]:
        axes.set_xlabel("epoch")
    style.plain_log_axis(panels[0].yaxis)
    return figure


def _climbs(loss: NDArray[np.floating]) -> bool:
    return regimes.crossing(loss) is not None or regimes.ends_far_above_minimum(loss)


def lowest_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Mean lowest train loss before and after a run leaves it (`excursion`), by width, in nats."""
    rows = [
        (width_of(run), left.lowest_before, left.lowest_after)
        for run in evidence.complete(runs)
        if (left := excursion(run["train_loss"].isel(replica=0)))
    ]
    table = pd.DataFrame(rows, columns=["width", "before", "after"])
    table["lower"] = table["after"] < table["before"]
    columns = {
        "runs": ("before", "size"), "before": ("before", "mean"), "after": ("after", "mean"),
        "lower after": ("lower", "sum"),
    }  # fmt: skip
    return table.groupby("width", as_index=False).agg(**columns)


@style.styled()
def regimes_figure(runs: Sequence[xr.Dataset]) -> style.PageFigure:
    """Lowest (a) and final (b) train loss of every unmarked run, as shares of the initial loss."""
    ends = style.ends_of(evidence.unmarked(runs))
    if ends.empty:
        return style.nothing_to_draw("no unmarked run")
    figure, [panels] = style.panels(3.3, sharey=True)
    for axes, letter, name in zip(panels, "ab", ("lowest", "final"), strict=True):
        style.draw_points(axes, ends, name)
        axes.axhline(regimes.LOW_LOSS_SHARE, color="0.45", linewidth=0.8, linestyle="--", zorder=1)
        cuts = np.clip([0, *regime_boundaries(ends), np.inf], 0, axes.get_xlim()[1])
        for shade, low, high in zip(style.REGIONS.values(), cuts, cuts[1:], strict=False):
            axes.axvspan(low, high, color=shade, alpha=0.6, linewidth=0, zorder=0)
        axes.set_ylabel("train loss / initial loss")
        style.panel_label(axes, letter, name)
        style.plain_log_axis(axes.yaxis)
    figure.legend(handles=style.regime_handles(ends), loc="outside lower center", ncols=4)
    return figure


def agreement_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Every value read off Figures 2c and 2d at a width we have, beside ours (`comparisons`)."""
    whole = evidence.unmarked(evidence.complete(runs))
    return comparisons([run for run in whole if setting(run, "dataset") == paper.DATASET])


def regime_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """By width: unmarked runs of each regime, and the epoch of divergence beside the paper's."""
    ends = style.ends_of(evidence.unmarked(runs))
    counts = pd.crosstab(ends["width"], ends["regime"])
    counts = counts[[name for name in (*RANKS, "undecided") if name in counts]].reset_index()
    counts.columns.name = None
    told = agreement_table(runs)
    told = told[told["quantity"] == "divergence_epoch"]
    if told.empty:
        return counts
    return counts.merge(told[["width", "theirs", "ours", "difference"]], how="left", on="width")


def regime_boundaries(ends: pd.DataFrame) -> tuple[float, float]:
    """The `boundaries` of the runs of `ends_of` of the paper's length; infinite for none."""
    counted = ends[(ends["epochs"] >= paper.EPOCHS) & ends["regime"].isin(list(RANKS))]
    if counted.empty:
        return np.inf, np.inf
    return boundaries(counted["width"].tolist(), counted["regime"].map(RANKS).tolist())[:2]


def _panels(figure: FigureBase, widths: Collection[int]) -> list[Axes]:
    """A panel for each width, two abreast, on the same axes."""
    grid = figure.subplots((len(widths) + 1) // 2, 2, sharex=True, sharey=True, squeeze=False)
    for axes, letter, width in zip(grid.flat, style.LETTERS, widths, strict=False):
        style.panel_label(axes, letter, f"$N$ = {width}")
    for axes in grid.flat[len(widths) :]:
        axes.remove()
    panels = list(grid.flat[: len(widths)])
    panels[max(len(widths) - 2, 0)].tick_params(labelbottom=True)
    return panels
