"""Loss and deviation while a network crosses into untrainability: claims 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from repro.analysis import evidence
from repro.analysis.captions import epochs_of, width_of
from repro.analysis.crossing import Crossing
from repro.claims.jump import LARGEST_LAG, TOLERANCE, Jumps, crossing, excursion, jumps
from repro.figures.run_lines import looks, nothing_to_draw
from repro.figures.style import (
    DIVERGENCE,
    TEST,
    TRAIN,
    PageFigure,
    clear_legend,
    new_figure,
    panel_label,
    plain_log_axis,
    styled,
    width_colour,
)
from repro.model.network import JUDGED_LAYER as LAYER

BANDS = ((0.01, 0.99, 0.18), (0.05, 0.95, 0.28), (0.25, 0.75, 0.45))
"""Lower and upper quantile of each band of the deviation, and how dark it is drawn."""

MARGIN = 0.15
"""Share of the crossing's length shown before and after it."""

JUMP_LINES = (("loss", TRAIN, "-"), ("width", TEST, "--"), ("distribution", DIVERGENCE, ":"))


def diverged(runs: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """The runs with a crossing, of any length."""
    return [run for run in runs if crossing(run["train_loss"].isel(replica=0)) is not None]


def one_per_width(runs: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """The first run of each width and mark: those shown large."""
    first: dict[tuple[int, bool], xr.Dataset] = {}
    for run in runs:
        first.setdefault((width_of(run), bool(evidence.marked([run]))), run)
    return list(first.values())


def shown_epochs(run: xr.Dataset, between: Crossing) -> tuple[int, int]:
    """First and last epoch of a picture of a run's crossing, ``MARGIN`` of it on either side."""
    before = max(int(MARGIN * (between.end - between.start)), 5)
    return max(between.start - before, 1), min(between.end + before, epochs_of(run))


def jump_figure(run: xr.Dataset, layer: str = LAYER) -> PageFigure:
    """One run's crossing: loss, the whole distribution of the deviation, and their rises.

    (a) train loss; (b) the deviation's quantiles as bands, in Glorot standard deviations; (c) the
    rise of the logarithm of the loss and of the deviation's standard deviation from epoch to epoch.
    The epochs of the three jumps are marked in all panels.
    """
    found = jumps(run, layer)
    name = evidence.name_of(run)
    if found is None:
        return nothing_to_draw(f"{name} does not diverge.")
    low, high = shown_epochs(run, found.crossing)
    one = run.isel(replica=0).sel(layer=layer, epoch=slice(low, high))
    unit = float(run["glorot_std"].sel(layer=layer))
    with styled():
        figure = new_figure(7.2, 6.0)
        above, middle, below = figure.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": [1, 1.3, 1]}
        )
        epoch = one["epoch"]
        above.plot(epoch, one["train_loss"], color=TRAIN, zorder=3)
        above.set_yscale("log")
        plain_log_axis(above.yaxis)
        above.set_ylabel("train loss")
        ranks = one["deviation_quantiles"] / unit
        for lower, upper, strength in BANDS:
            middle.fill_between(
                epoch, ranks.sel(quantile=lower), ranks.sel(quantile=upper), color=TEST,
                alpha=strength, linewidth=0, label=f"{lower:.0%} to {upper:.0%}",
            )  # fmt: skip
        middle.plot(epoch, ranks.sel(quantile=0.5), color="0.15", linewidth=1, label="median")
        middle.set_ylabel("deviation /\nGlorot standard deviation")
        middle.legend(loc="upper left", ncols=4)
        _draw_rises(below, one)
        for axes in (above, middle, below):
            for field, colour, dashes in JUMP_LINES:
                axes.axvline(
                    getattr(found, field), color=colour, linestyle=dashes, linewidth=0.9, zorder=2
                )
        above.set_xlim(low, high)
        below.set_xlabel("epoch")
        panel_label(above, "a", f"{name}: train loss")
        panel_label(middle, "b", "the distribution of the deviation, hidden to hidden")
        panel_label(below, "c", "rise of the logarithm from one epoch to the next")
    return figure.described(
        f"crossing-{width_of(run)}",
        f"{evidence.shown_in_words([run])}. The crossing into untrainability: (a) train loss, (b) "
        "the deviation's quantiles, (c) rises from epoch to epoch. Upright lines: the jumps of the "
        "loss, of the deviation's standard deviation and of its whole distribution.",
        f"Three panels over epochs {low:g} to {high:g}. The largest rise of the loss is at epoch "
        f"{found.loss}, of the deviation's standard deviation at {found.width}, of its "
        f"distribution at {found.distribution}.",
    )


def overview_figure(runs: Sequence[xr.Dataset], layer: str = LAYER) -> PageFigure:
    """Loss above and relative deviation below, over whole runs; every run that diverges."""
    shown = diverged(runs)
    if not shown:
        return nothing_to_draw("There is no run that diverges.")
    with styled():
        figure = new_figure(7.2, 4.2)
        above, below = figure.subplots(2, 1, sharex=True)
        for run, look in looks(shown):
            one = run.isel(replica=0, epoch=slice(1, None)).sel(layer=layer)
            above.plot(one["epoch"], one["train_loss"], **look)
            below.plot(one["epoch"], one["relative_deviation"], **look)
        for axes, label in ((above, "train loss"), (below, "relative deviation")):
            axes.set_yscale("log")
            plain_log_axis(axes.yaxis)
            axes.set_ylabel(label)
        above.set_xlim(0, max(map(epochs_of, shown)))
        below.set_xlabel("epoch")
        clear_legend(above)
    return figure.described(
        "diverging",
        f"{evidence.shown_in_words(shown)}. Every run that diverges: train loss above, relative "
        "deviation of the hidden-to-hidden matrix below.",
        "Two panels of lines over the epochs, a line a run: the train loss falls, then climbs to a "
        "plateau; the relative deviation rises.",
    )


def together_figure(runs: Sequence[xr.Dataset], layer: str = LAYER) -> PageFigure:
    """Every run that diverges: (a) jumps of the deviation less that of the loss; (b) lowest losses.

    (a) by how many epochs the jump of the deviation follows that of the loss, against the epoch of
    the latter; the band is one epoch. (b) the lowest train loss after the jump against the lowest
    before, every run that leaves its low loss for long; below the diagonal a lower one was found.
    """
    told = [(run, found) for run in runs if (found := jumps(run, layer)) is not None]
    left_low = [
        (run, found)
        for run in runs
        if (found := excursion(run["train_loss"].isel(replica=0))) is not None
    ]
    if not told and not left_low:
        return nothing_to_draw("There is no run that leaves its low loss.")
    with styled():
        figure = new_figure(7.2, 3.2)
        left, right = figure.subplots(1, 2)
        left.axhspan(-TOLERANCE, TOLERANCE, color="0.88", zorder=0)
        for run, found in told:
            colour = width_colour(width_of(run))
            face = _face(run)
            lag = found.width - found.loss
            left.plot(found.loss, lag, "o", color=colour, markerfacecolor=face or colour)
            lag = found.distribution - found.loss
            left.plot(found.loss, lag, "D", color=colour, markerfacecolor="none", markersize=7)
            left.plot(found.loss, found.lag, "+", color=colour, markersize=9)
        left.set_yscale("symlog", linthresh=2)
        left.set_ylim(*_about_zero(left.get_ylim()))
        ticks = [tick for tick in (-100, -10, -1, 0, 1, 10, 100) if _within(tick, left.get_ylim())]
        left.set_yticks(ticks, [f"{tick:+d}" if tick else "0" for tick in ticks])
        left.set_yticks([], minor=True)
        left.set_xlabel("epoch of the loss's jump")
        left.set_ylabel("deviation's jump, epochs later")
        for marker, label in (("o", "width"), ("D", "distribution"), ("+", "best lag")):
            left.plot([], [], marker, color="0.35", markerfacecolor="none", label=label)
        clear_legend(left)
        for run, found in left_low:
            colour = width_colour(width_of(run))
            right.plot(
                found.lowest_before, found.lowest_after, "o", color=colour,
                markerfacecolor=_face(run) or colour,
            )  # fmt: skip
        limits = _both_limits(right)
        right.plot(limits, limits, color="0.5", linewidth=0.8, zorder=1)
        right.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
        plain_log_axis(right.xaxis)
        plain_log_axis(right.yaxis)
        right.set_xlabel("lowest train loss before the jump")
        right.set_ylabel("lowest after it")
        panel_label(left, "a", "do they jump together?")
        panel_label(right, "b", "is a lower loss found later?")
    lags = ", ".join(
        f"{found.width - found.loss:+d} at width {width_of(run)}" for run, found in told
    )
    return figure.described(
        "together",
        f"{evidence.shown_in_words([run for run, _ in told or left_low])}. (a) By how many epochs "
        "the deviation's jump follows the loss's. (b) The lowest train loss after a run has left "
        "its low loss, against the lowest before.",
        f"Two panels of points, a point a run. Epochs by which the deviation's jump is later: "
        f"{lags or 'none to tell'}.",
    )


def jump_table(runs: Sequence[xr.Dataset], layer: str = LAYER) -> pd.DataFrame:
    """Every run that diverges: its crossing, the epochs of the jumps, and its lowest losses."""
    rows = []
    for run in runs:
        found = jumps(run, layer)
        if found is None:
            continue
        left = excursion(run["train_loss"].isel(replica=0))
        relative = run["relative_deviation"].isel(replica=0).sel(layer=layer)
        rows.append(
            {
                "run": evidence.name_of(run),
                "crossing": f"{found.crossing.start} to {found.crossing.end}",
                "loss": found.loss,
                "width": found.width,
                "distribution": found.distribution,
                "best lag": _lag_in_words(found.lag),
                "lowest before": "" if left is None else f"{left.lowest_before:.3g}",
                "lowest after": "" if left is None else f"{left.lowest_after:.3g}",
                "relative deviation at both ends": _at_both_ends(relative, found),
            }
        )
    return pd.DataFrame(rows).set_index("run") if rows else pd.DataFrame()


def _draw_rises(axes: Axes, one: xr.Dataset) -> None:
    epoch = one["epoch"].to_numpy()[1:]
    for variable, colour, label in (
        ("train_loss", TRAIN, "train loss"),
        ("deviation_std", TEST, "deviation's standard deviation"),
    ):
        with np.errstate(all="ignore"):
            rise = np.diff(np.log(one[variable].to_numpy().astype(float)))
        largest = np.nanmax(np.abs(np.where(np.isfinite(rise), rise, np.nan)), initial=1e-12)
        axes.plot(
            epoch, rise / largest, color=colour, linewidth=0.9,
            label=f"{label} (1 is {largest:.2g})",
        )  # fmt: skip
    axes.axhline(0, color="0.6", linewidth=0.6)
    axes.set_ylabel("share of the largest")
    axes.set_ylim(-1.1, 1.45)
    axes.legend(loc="upper left", ncols=2)


def _lag_in_words(lag: float) -> str:
    """The lag with its sign; at the end of the search it may be longer."""
    if np.isnan(lag):
        return ""
    return f"{lag:+.0f}" + (" or more" if abs(lag) == LARGEST_LAG else "")


def _face(run: xr.Dataset) -> str | None:
    """Hollow where a run is too short to count."""
    return "white" if evidence.short([run]) else None


def _about_zero(limits: tuple[float, float]) -> tuple[float, float]:
    return min(limits[0], -3.0) * 1.1, max(limits[1], 3.0) * 1.1


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _both_limits(axes: Axes) -> tuple[float, float]:
    values = np.concatenate([np.ravel(line.get_xydata()) for line in axes.get_lines()] or [[1.0]])
    values = values[np.isfinite(values) & (values > 0)]
    return (0.6 * values.min(), 1.6 * values.max()) if values.size else (0.1, 10.0)


def _at_both_ends(relative: xr.DataArray, found: Jumps) -> str:
    ends = [float(relative.sel(epoch=epoch)) for epoch in found.crossing]
    return " to ".join(f"{value:.3g}" for value in ends)
