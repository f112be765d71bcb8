"""Figure 2: loss against epoch by width, the phase diagram, and the lowest losses reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D, Transform
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, minimum_filter

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import dataset_label, epochs_of, setting
from repro.analysis.intervals import mean_and_deviation
from repro.analysis.regimes import AT_END, happened
from repro.errors import ReproError
from repro.figures import style

MOST_LINES = 6
"""Single runs drawn in (a) and (b), at most."""

ALIKE = 1.7
"""Ratio of widths below which colours alone do not tell two lines apart."""

CURVES = (
    ("epoch_of_minimum_test_loss", "minimum test loss", style.TEST, "s"),
    ("epoch_of_minimum_train_loss", "minimum train loss", style.TRAIN, "o"),
    ("divergence_epoch", "divergence", style.DIVERGENCE, "X"),
)


def figure_2(
    datasets: Mapping[int, xr.Dataset], *, lines: Sequence[int] | None = None, replica: int = 0
) -> Figure:
    """Four panels on networks of several widths.

    (a) train loss and (b) test loss of single runs; (c) phase diagram: width against the epochs of
    minimum train loss, minimum test loss and divergence, mean and standard deviation over the
    replicas, with the regions between them shaded; (d) mean minimum train and test loss against
    width. What has not happened by the end of a run is drawn as an arrow at its length (and where
    that is most runs of a width, there is no mean). Grey: what was read off the paper's figure.

    Parameters
    ----------
    datasets:
        Runs by width, all of one dataset; one replica each is enough.
    lines:
        Widths drawn in (a) and (b); None for the paper's, or up to ``MOST_LINES`` spread over those
        there are where fewer than two of the paper's are there.
    replica:
        Number of the single run drawn in (a) and (b); the first there is where it is missing.

    Returns
    -------
    The figure.

    Raises
    ------
    ReproError
        For no runs, runs of several datasets, or lines that are not among them.
    """
    runs = {width: datasets[width] for width in sorted(datasets)}
    _check(runs)
    drawn = single_run_widths(list(runs)) if lines is None else list(lines)
    if missing := [width for width in drawn if width not in runs]:
        raise ReproError(
            f"There is no run of width {', '.join(map(str, missing))}: "
            f"choose lines from {', '.join(map(str, runs))}."
        )
    with style.styled():
        figure = style.new_figure(7.2, 6.4)
        panels = figure.subplots(2, 2)
        for axes, letter, which in ((panels[0, 0], "a", "train"), (panels[0, 1], "b", "test")):
            _losses(axes, runs, drawn, which, replica)
            style.panel_label(axes, letter, f"{which} loss, single runs")
        _phase_diagram(panels[1, 0], runs)
        style.panel_label(panels[1, 0], "c", f"phase diagram, {_replica_count(runs)}")
        _lowest(panels[1, 1], runs)
        style.panel_label(panels[1, 1], "d", f"lowest losses, {_replica_count(runs)}")
        figure.legend(
            *panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=6
        )
        figure.legend(handles=_marker_handles(runs), loc="outside lower center", ncols=5)
    return figure.described("losses-and-phases", _caption(runs, drawn), _alternative(runs))


def _caption(runs: Mapping[int, xr.Dataset], drawn: Sequence[int]) -> str:
    first = next(iter(runs.values()))
    return (
        f"Losses and phase diagram of {dataset_label(first)}, {_replica_count(runs)} of each width "
        f"$N$ = {', '.join(map(str, runs))}. (a), (b): train and test loss of single runs, $N$ = "
        f"{', '.join(map(str, drawn))}. (c): the epochs of minimum train loss, of minimum test "
        "loss and of divergence against the width; an arrow says *later than this run's length*. "
        "(d): the lowest losses against the width. Error bars: standard deviations, where a width "
        "has more than one run."
        + (" Grey: the paper's values, read off its figure." if _of_paper(runs) else "")
    )


def _alternative(runs: Mapping[int, xr.Dataset]) -> str:
    parts = []
    for width, run in runs.items():
        summary = regimes.summary(run)
        kinds = " and ".join(dict.fromkeys(str(kind) for kind in summary["regime"].values))
        lowest = float(summary["minimum_train_loss"].mean())
        parts.append(f"width {width}: {kinds}, lowest train loss {lowest:.2g}")
    return f"Four panels of losses and epochs against width. {'; '.join(parts)}."


def single_run_widths(widths: Sequence[int]) -> list[int]:
    """The widths drawn as single runs: the paper's where there are, else spread over all."""
    there = sorted(widths)
    of_paper = [width for width in there if width in paper.SINGLE_RUN_WIDTHS]
    if len(of_paper) >= 2 or len(there) <= 1:
        return of_paper or there
    places = np.linspace(0, len(there) - 1, min(MOST_LINES, len(there)))
    return [there[round(place)] for place in places]


def _check(runs: Mapping[int, xr.Dataset]) -> None:
    if not runs:
        raise ReproError("Figure 2 needs at least one run.")
    names = {str(setting(run, "dataset")) for run in runs.values()}
    if len(names) > 1:
        raise ReproError(
            f"Figure 2 shows one dataset at a time, not {' and '.join(sorted(names))}."
        )


def _replica_count(runs: Mapping[int, xr.Dataset]) -> str:
    counts = sorted({int(run.sizes["replica"]) for run in runs.values()})
    few, many = counts[0], counts[-1]
    number = str(many) if few == many else f"{few} to {many}"
    return f"{number} run{'' if many == 1 else 's'} per width"


def _losses(
    axes: Axes, runs: Mapping[int, xr.Dataset], drawn: Sequence[int], which: str, replica: int
) -> None:
    """Single runs on a logarithmic loss axis, each named at its line's end."""
    last = max(epochs_of(runs[width]) for width in drawn)
    for width, dashes in zip(drawn, _dashes(drawn), strict=True):
        run = runs[width]
        number = replica if replica in run["replica"] else int(run["replica"][0])
        axes.plot(
            run["epoch"], run[f"{which}_loss"].sel(replica=number),
            color=style.width_colour(width), label=f"$N$ = {width}", zorder=3, linewidth=1.1,
            linestyle=dashes,
        )  # fmt: skip
    if _of_paper(runs):
        _paper_minima(axes, drawn, which, last)
    axes.set_yscale("log")
    axes.set_xlim(0, last)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"{which} loss")
    style.plain_log_axis(axes.yaxis)


def _paper_minima(axes: Axes, drawn: Sequence[int], which: str, last: int) -> None:
    points = []
    for width in drawn:
        epoch = paper.read(f"epoch_of_minimum_{which}_loss", width)
        loss = paper.read(f"minimum_{which}_loss", width)
        if epoch and loss and not epoch.is_lower_bound and epoch.value <= last:
            points.append((epoch.value, loss.value))
    if points:
        look = style.paper_marker(label="minimum in the paper", zorder=2.5)
        axes.plot(*zip(*points, strict=True), **look)
    level = paper.PLATEAU_LEVEL
    if which == "train" and last > 300:
        axes.axhspan(
            level.value - level.error, level.value + level.error, color=style.PAPER, alpha=0.4,
            linewidth=0, zorder=1, label="plateau in the paper",
        )  # fmt: skip


def _phase_diagram(axes: Axes, runs: Mapping[int, xr.Dataset]) -> None:
    """Width (up) against epoch (across, logarithmic)."""
    summaries = {width: regimes.summary(run) for width, run in runs.items()}
    longest = max(epochs_of(run) for run in runs.values())
    shown = _draw_paper_epochs(axes, runs, longest)
    earliest = [10.0]
    for quantity, label, colour, marker in CURVES:
        for width, summary in summaries.items():
            epoch = happened(summary, quantity)
            mean, deviation = mean_and_deviation(epoch)
            if np.isnan(epoch).mean() > 0.5:
                mean = np.nan  # that of the few would mislead
            if not np.isnan(mean):
                error = min(np.nan_to_num(deviation), 0.9 * mean)  # the axis ends above zero
                axes.errorbar(
                    mean, width, xerr=error or None, elinewidth=1, capsize=2, zorder=4,
                    ecolor=colour, label=f"{label}, N = {width}", **_look(colour, marker),
                )  # fmt: skip
                earliest.append(mean)
            if np.isnan(epoch).any():
                height = {"s": 4.0, "o": 0.0, "X": -4.0}[marker]  # side by side, not hidden
                _arrow(axes, (float(summary["epochs"]), width), (0, height), (11, height), colour)
    widths = [*runs, *shown]
    axes.set_xscale("log")
    axes.set_xlim(max(0.75 * min(earliest), 0.75), 1.45 * longest)
    axes.set_ylim(min(widths) - 0.07 * max(widths), 1.07 * max(widths))
    _shade_regions(axes, runs, summaries, longest)
    axes.axvline(longest, color="0.45", linewidth=0.8, linestyle=(0, (1, 2)), zorder=2)
    style.plain_log_axis(axes.xaxis)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("epoch")
    axes.set_ylabel("width $N$")


def _dashes(widths: Sequence[int]) -> list[str | tuple[int, tuple[float, ...]]]:
    """Solid lines, but broken ones in turn where the colours of neighbours are much alike."""
    near = any(b / a < ALIKE for a, b in pairwise(sorted(widths)))
    pattern = ["-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5))]
    return [pattern[number % len(pattern)] if near else "-" for number in range(len(widths))]


def _arrow(
    axes: Axes,
    at: tuple[float, float],
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
) -> None:
    """An arrow near a point of the panel, its ends in printer's points from there."""
    axes.annotate(
        "", end, start, xycoords=_offset(axes, at), textcoords=_offset(axes, at), zorder=3.8,
        annotation_clip=False,
        arrowprops={
            "arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0, "linewidth": 0.9,
            "mutation_scale": 6,
        },
    )  # fmt: skip


def _offset(axes: Axes, at: tuple[float, float]) -> Callable[..., Transform]:
    """Coordinates in printer's points from a point of the panel, wherever that comes to lie."""

    def transform(_renderer: object) -> Transform:
        points = Affine2D().scale(axes.figure.dpi / 72)
        return points.translate(*axes.transData.transform(at))

    return transform


def _look(colour: str, marker: str) -> dict[str, Any]:
    """The look of a mean of ours."""
    return {
        "marker": marker, "color": colour, "linestyle": "none", "markersize": 5.5,
        "markeredgecolor": "white", "markeredgewidth": 0.5,
    }  # fmt: skip


def _marker_handles(runs: Mapping[int, xr.Dataset]) -> list[Line2D]:
    """What the markers of (c) and (d) mean."""
    handles = [
        Line2D([], [], label=label, **_look(colour, marker)) for _, label, colour, marker in CURVES
    ]
    if _of_paper(runs):
        handles.append(Line2D([], [], **style.paper_marker(label=style.PAPER_LABEL)))
    arrow = {"marker": r"$\rightarrow$", "markersize": 9, "color": "0.3", "linestyle": "none"}
    handles.append(Line2D([], [], label="not by the end of the runs", **arrow))
    return handles


def _of_paper(runs: Mapping[int, xr.Dataset]) -> bool:
    """Whether the paper shows this dataset."""
    return setting(next(iter(runs.values())), "dataset") == paper.DATASET


def _draw_paper_epochs(axes: Axes, runs: Mapping[int, xr.Dataset], longest: int) -> list[int]:
    """The paper's points, also where we have no run; their widths."""
    if not _of_paper(runs):
        return []
    shown = []
    for quantity, _, _, marker in CURVES:
        for width, reading in paper.FIGURE_2[quantity].items():
            if reading is None or reading.value > longest:
                continue
            shown.append(width)
            look = style.paper_marker(marker=marker, markersize=7)
            axes.errorbar(
                reading.value, width, xerr=reading.error, elinewidth=0.8, capsize=2, zorder=2.5,
                ecolor=style.PAPER, **look,
            )  # fmt: skip
            if reading.is_lower_bound:
                _arrow(axes, (reading.value, width), (4, 0), (13, 0), style.PAPER)
    return shown


def _shade_regions(
    axes: Axes, runs: Mapping[int, xr.Dataset], summaries: Mapping[int, xr.Dataset], longest: int
) -> None:
    """Low trainability, high trainability and, after the divergence, untrainability.

    The divergence epoch (the runs' length where there is none) and the lowest train loss are
    interpolated between widths. What lies next to a width whose regime is not
    decided yet stays blank.
    """
    if len(runs) < 2:
        return
    widths = np.array(list(runs), dtype=float)
    decided = np.array([(s["regime"] != "undecided").any().item() for s in summaries.values()])
    divergence = np.array(
        [float(s["divergence_epoch"].fillna(longest).mean()) for s in summaries.values()]
    )
    share = [
        float((s["minimum_train_loss"] / runs[width]["train_loss"].isel(epoch=0)).mean())
        for width, s in summaries.items()
    ]
    across = np.geomspace(axes.get_xlim()[0], longest, 240)
    up = np.linspace(widths[0], widths[-1], 240)
    limit = np.exp(np.interp(up, widths, np.log(np.maximum(divergence, 1.0))))
    low = np.interp(up, widths, np.log(share)) > np.log(regimes.LOW_LOSS_SHARE)
    known = np.interp(up, widths, decided.astype(float)) > 0.999  # so are both its neighbours
    lost = (across[None, :] >= limit[:, None]) & (limit < 0.999 * longest)[:, None]
    for name, colour, here in (
        ("low trainability", style.LOW_TRAINABILITY, ~lost & (low & known)[:, None]),
        ("high trainability", style.HIGH_TRAINABILITY, ~lost & (~low & known)[:, None]),
        ("untrainability", style.UNTRAINABILITY, lost & known[:, None]),
    ):
        if here.any(axis=1).sum() < 3:
            continue  # nothing, or one width between two that are undecided
        axes.contourf(across, up, here, levels=[0.5, 1.5], colors=[colour], zorder=0)
        _name_region(axes, across, up, here, name)


def _name_region(
    axes: Axes,
    across: NDArray[np.float64],
    up: NDArray[np.float64],
    here: NDArray[np.bool_],
    name: str,
) -> None:
    """The region's name where it fits, beside the markers if it can, farthest from them."""
    taken = np.ones(here.shape, dtype=bool)
    for line in axes.lines:
        for x, y in np.asarray(line.get_xydata(), dtype=float):
            inside = across[0] <= x <= across[-1] and up[0] <= y <= up[-1]
            if inside and line.get_marker() not in ("None", "none", "", "|"):
                taken[np.abs(up - y).argmin(), np.abs(np.log(across / x)).argmin()] = False
    away = distance_transform_edt(taken)
    left, right = np.log(axes.get_xlim())
    cells = len(across) / np.log(across[-1] / across[0]) * (right - left)  # per panel, across
    rows = len(up) / np.ptp(up) * np.ptp(axes.get_ylim())
    level = (0.075, 0.021 * len(name), 0)  # height and width as shares of the panel, degrees
    upright = (0.025 * len(name), 0.06, 90)
    for free, (high, wide, rotation) in (  # noqa: B007
        (here & taken, level), (here & taken, upright), (here, level), (here, upright)
    ):  # fmt: skip
        size = (max(int(high * rows), 1), max(int(wide * cells), 1))
        fits = minimum_filter(free, size=size, mode="constant", cval=False)
        if fits.any():
            break
    else:
        away, fits = distance_transform_edt(np.pad(here, 1))[1:-1, 1:-1], here
        if away.max() < 0.06 * len(up):
            return  # a sliver
    row, column = np.unravel_index(int(np.where(fits, away, -1).argmax()), fits.shape)
    axes.text(
        across[column], up[row], name, ha="center", va="center", fontsize=7.5, color="0.3",
        style="italic", zorder=1, rotation=rotation, clip_on=True,
    )  # fmt: skip


def _lowest(axes: Axes, runs: Mapping[int, xr.Dataset]) -> None:
    """Mean lowest losses against width."""
    summaries = {width: regimes.summary(run) for width, run in runs.items()}
    for which, colour, marker in (("train", style.TRAIN, "o"), ("test", style.TEST, "s")):
        quantity = f"minimum_{which}_loss"
        if _of_paper(runs):
            for width, reading in paper.FIGURE_2[quantity].items():
                if reading is None:
                    continue
                look = style.paper_marker(marker=marker, markersize=7)
                axes.errorbar(
                    width, reading.value, yerr=reading.error, elinewidth=0.8, capsize=2,
                    zorder=2.5, ecolor=style.PAPER, **look,
                )  # fmt: skip
        moments = [mean_and_deviation(s[quantity].to_numpy()) for s in summaries.values()]
        mean, deviation = np.array(moments).T
        axes.errorbar(
            list(runs), mean, yerr=None if np.isnan(deviation).all() else np.nan_to_num(deviation),
            fmt=f"{marker}-", color=colour, markeredgecolor="white", markeredgewidth=0.5,
            markersize=5.5, elinewidth=1, capsize=2, linewidth=0.9, zorder=4, label=f"{which} loss",
        )  # fmt: skip
        at_end = AT_END[f"epoch_of_{quantity}"]
        for (width, summary), loss in zip(summaries.items(), mean, strict=True):
            if summary[at_end].any():
                _arrow(axes, (width, loss), (0, -3), (0, -13), colour)
    axes.set_yscale("log")
    axes.margins(y=0.1)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("width $N$")
    axes.set_ylabel("minimum loss")
    style.plain_log_axis(axes.yaxis)
