"""Loss and deviation while a network crosses into untrainability: claims 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from repro.analysis import evidence
from repro.analysis.captions import epochs_of, width_of
from repro.analysis.crossing import finite_or_infinite, smoothed
from repro.analysis.intervals import mean_interval
from repro.analysis.regimes import PLATEAU_EPOCHS
from repro.claims.jump import RiseEpochs, excursion, rise_epochs
from repro.figures.run_lines import colours, nothing_to_draw
from repro.figures.style import TEST, TRAIN, new_figure, panel_label, styled
from repro.model.network import JUDGED_LAYER as LAYER

BANDS = ((0.01, 0.99, 0.18), (0.05, 0.95, 0.28), (0.25, 0.75, 0.45))
"""Lower and upper quantile of each band of the deviation, and how dark it is drawn."""

MARGIN = 0.15
"""Share of the crossing's length shown before and after it."""

CURVES = {"loss": TRAIN, "deviation": TEST}
LETTERS = "abcdefghijklmnop"


def crossings(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Loss and deviation of every unmarked run that crosses, aligned at the middle of its rise.

    Returns
    -------
    Columns ``run``, ``width``, ``epoch`` (from the middle of the loss's rise), ``curve`` (loss or
    deviation, the hidden-to-hidden standard deviation) and ``share``: 0 where the crossing starts,
    1 where it ends, after a running median of five epochs.
    """
    parts = []
    for number, run in enumerate(evidence.unmarked(runs)):
        found = rise_epochs(run)
        if found is None:
            continue
        shown, one = _shown(run, found), run.isel(replica=0).sel(layer=LAYER)
        for curve, name in zip(CURVES, ("train_loss", "deviation_std"), strict=True):
            values = smoothed(finite_or_infinite(one[name]))
            start, plateau = values[found.start], np.median(values[found.end :][:PLATEAU_EPOCHS])
            row = {"run": number, "width": width_of(run), "curve": curve}
            row |= {"epoch": np.arange(len(values)) - found.loss[1]}
            row |= {"share": (values - start) / (plateau - start)}
            parts.append(pd.DataFrame(row)[shown])
    columns = ["run", "width", "curve", "epoch", "share"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def lags(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Every unmarked run that crosses: ``width``, ``lag`` of its deviation's middle, ``rise``.

    Both in epochs; ``rise`` is what the loss takes from 10 to 90 per cent.
    """
    found = [(width_of(run), rise_epochs(run)) for run in evidence.unmarked(runs)]
    rows = [(width, one.lag, one.rise) for width, one in found if one is not None]
    return pd.DataFrame(rows, columns=["width", "lag", "rise"])


def jump_figure(runs: Sequence[xr.Dataset]) -> Figure:
    """Loss and deviation of every run that crosses, a panel a width, and the lag between the two.

    As `crossings` and `lags` have them; the lag with the 95 % interval of each width's mean.
    """
    curves, behind = crossings(runs), lags(runs)
    if curves.empty:
        return nothing_to_draw("no run crosses")
    widths = sorted(set(curves["width"]))
    rows = (len(widths) + 1) // 2
    with styled():
        figure = new_figure(7.2, max(2.2 * rows, 2.8))
        grid = figure.add_gridspec(rows, 3, width_ratios=(1, 1, 0.9))
        panels = [figure.add_subplot(grid[n // 2, n % 2]) for n in range(len(widths))]
        lag = figure.add_subplot(grid[:, 2])
        for axes, width in zip(panels, widths, strict=True):
            sns.lineplot(
                curves[curves["width"] == width], x="epoch", y="share", hue="curve",
                palette=CURVES, units="run", estimator=None, linewidth=0.8, alpha=0.8, ax=axes,
                legend=False,
            )  # fmt: skip
            axes.axvline(0, color="0.6", linewidth=0.7, zorder=0)
            rise = behind["rise"].mean()
            axes.set(xlim=(-2.5 * rise, 1.5 * rise), ylim=(-0.15, 1.15), xlabel="", ylabel="")
            axes.label_outer()
        for axes in panels[-2:]:
            axes.set_xlabel("epochs from the\nmiddle of the loss's rise")
            axes.tick_params(labelbottom=True)
        for axes in panels[::2]:
            axes.set_ylabel("share of the rise")
        for place, (name, colour) in zip((0.75, 0.05), CURVES.items(), strict=True):
            panels[0].text(place, 0.3, name, color=colour, transform=panels[0].transAxes)
        lag.axhline(0, color="0.6", linewidth=0.7, zorder=0)
        look: dict[str, Any] = {"x": "width", "y": "lag", "ax": lag, "legend": False}
        sns.stripplot(
            behind, hue="width", palette=colours(widths), size=4, alpha=0.6, jitter=False, **look
        )
        sns.pointplot(
            behind, color="0.15", errorbar=_interval, linestyle="none", marker="_", markersize=12,
            capsize=0.2, err_kws={"linewidth": 1.2}, **look,
        )  # fmt: skip
        lag.set(xlabel="width $N$", ylabel="lag of the deviation, epochs")
        titles = [f"$N$ = {width}" for width in widths]
        for axes, letter, title in zip([*panels, lag], LETTERS, [*titles, "lag"], strict=False):
            panel_label(axes, letter, title)
    return figure


def distribution_figure(runs: Sequence[xr.Dataset]) -> Figure:
    """One crossing of each width: loss above, the deviation's quantiles as bands below.

    Hidden-to-hidden, in Glorot standard deviations.
    """
    crossing = [run for run in evidence.unmarked(runs) if rise_epochs(run) is not None]
    if not crossing:
        return nothing_to_draw("no run crosses")
    first = {width_of(run): run for run in reversed(crossing)}
    with styled():
        figure = new_figure(7.2, 4.2)
        panels = figure.subplots(
            2, len(first), sharex="col", sharey="row", squeeze=False, height_ratios=(1, 1.6)
        )
        for (above, below), letter, width in zip(panels.T, LETTERS, sorted(first), strict=False):
            run = first[width]
            found = rise_epochs(run)
            one = run.isel(replica=0, epoch=_shown(run, found)).sel(layer=LAYER)
            above.plot(one["epoch"], one["train_loss"], color=TRAIN)
            ranks = one["deviation_quantiles"] / float(run["glorot_std"].sel(layer=LAYER))
            for lower, upper, strength in BANDS:
                below.fill_between(
                    one["epoch"], ranks.sel(quantile=lower), ranks.sel(quantile=upper), color=TEST,
                    alpha=strength, linewidth=0, label=f"{lower:.0%} to {upper:.0%}",
                )  # fmt: skip
            below.plot(one["epoch"], ranks.sel(quantile=0.5), color="0.15", label="median")
            for axes in (above, below):
                axes.axvline(found.loss[1], color="0.6", linewidth=0.7, zorder=0)
            below.set_xlabel("epoch")
            panel_label(above, letter, f"$N$ = {width}")
        panels[0, 0].set_ylabel("train loss")
        panels[1, 0].set_ylabel("deviation /\nGlorot standard deviation")
        handles = panels[1, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=4)
    return figure


def lowest_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Lowest train loss before and after a run leaves it for good or for long (`excursion`).

    Returns
    -------
    Columns ``width``, ``runs`` (of the paper's length), ``before`` and ``after`` (means, in nats),
    and ``lower after``: in how many runs a lower loss was found.
    """
    found = [
        (width_of(run), excursion(run["train_loss"].isel(replica=0)))
        for run in evidence.complete(runs)
    ]
    rows = [(width, one.lowest_before, one.lowest_after) for width, one in found if one is not None]
    table = pd.DataFrame(rows, columns=["width", "before", "after"])
    table["lower"] = table["after"] < table["before"]
    means = table.groupby("width", as_index=False).agg(
        runs=("before", "size"), before=("before", "mean"), after=("after", "mean"),
        lower=("lower", "sum"),
    )  # fmt: skip
    return means.rename(columns={"lower": "lower after"})


def _shown(run: xr.Dataset, found: RiseEpochs) -> slice:
    """The epochs of a picture of a run's crossing, ``MARGIN`` of it on either side."""
    beside = max(int(MARGIN * (found.end - found.start)), 5)
    return slice(max(found.start - beside, 1), min(found.end + beside, epochs_of(run)) + 1)


def _interval(values: pd.Series) -> tuple[float, float]:
    """Student's 95 % interval of the mean, as seaborn asks for it; NaN for one run."""
    return mean_interval(values) or (np.nan, np.nan)
