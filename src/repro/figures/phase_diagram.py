"""The phase diagram: at which epoch networks of a width have their minima, and diverge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import setting, width_of
from repro.errors import ReproError
from repro.figures import style

LOOKS = {
    "minimum test loss": (style.TEST, "s"),
    "minimum train loss": (style.TRAIN, "o"),
    "divergence": (style.DIVERGENCE, "X"),
}
"""Colour and marker of what a curve is of."""

EPOCHS = {
    "epoch_of_minimum_test_loss": "minimum test loss",
    "epoch_of_minimum_train_loss": "minimum train loss",
    "divergence_epoch": "divergence",
}
LOSSES = {
    "minimum_test_loss": "minimum test loss",
    "minimum_train_loss": "minimum train loss",
}
"""Quantities of `regimes.summary`, and what they are called."""


def outcomes(runs: Iterable[xr.Dataset]) -> pd.DataFrame:
    """A row per run: ``width``, ``replica``, ``dataset`` and the columns of `regimes.summary`.

    ``low`` says whether the run reached a low loss; an epoch is NaN where it had not come by the
    end of the run.

    Raises
    ------
    ReproError
        For no runs or runs of several datasets.
    """
    rows = [
        regimes.summary(run)
        .to_dataframe()
        .reset_index()
        .assign(
            width=width_of(run),
            dataset=str(setting(run, "dataset")),
            initial=run["train_loss"].isel(epoch=0).to_numpy(),
        )
        for run in runs
    ]
    if not rows:
        raise ReproError("The phase diagram needs at least one run.")
    table = pd.concat(rows, ignore_index=True).sort_values(["width", "replica"])
    if table["dataset"].nunique() > 1:
        names = " and ".join(sorted(table["dataset"].unique()))
        raise ReproError(f"The phase diagram shows one dataset at a time, not {names}.")
    table["low"] = table["minimum_train_loss"] < regimes.LOW_LOSS_SHARE * table["initial"]
    for quantity, at_end in regimes.AT_END.items():
        table[quantity] = table[quantity].where(~table[at_end])
    return table


def means(found: pd.DataFrame) -> pd.DataFrame:
    """The means of `outcomes` by width, and the paper's beside them.

    Returns
    -------
    Columns ``width``, ``quantity``, ``ours`` (mean over the runs), ``deviation`` (their standard
    deviation, NaN for one), ``runs``, ``later_than`` (the runs' length where an epoch had not come
    by the end of more than half of them, else NaN: then the other two are NaN) and ``paper`` (a
    `paper.Reading` or None).
    """
    long = found.melt(["width", "epochs"], [*EPOCHS, *LOSSES], "quantity", "value")
    groups = long.groupby(["width", "quantity"])
    table = groups["value"].agg(ours="mean", deviation="std", runs="size", known="count")
    few = table.pop("known") < 0.5 * table["runs"]
    table.loc[few, ["ours", "deviation"]] = np.nan
    table["later_than"] = groups["epochs"].max().where(few)
    table = table.reset_index()
    table["paper"] = [
        paper.read(one.quantity, one.width, found["dataset"].iloc[0]) for one in table.itertuples()
    ]
    return table


def phase_diagram(axes: Axes, found: pd.DataFrame) -> None:
    """Epoch (up) against width (across), as in the paper's Figure 2c, from `outcomes`."""
    longest = int(found["epochs"].max())
    _shade(axes, found, longest)
    draw_means(axes, found, EPOCHS, shift=0.007 * found["width"].max())
    axes.set(ylim=(0, 1.08 * longest), ylabel="epoch")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))


def draw_means(
    axes: Axes, found: pd.DataFrame, quantities: dict[str, str], shift: float = 0.0
) -> None:
    """Means and standard deviations against width, ours filled and the paper's hollow.

    Arrows stand for what comes later than the end of the runs; ``shift``, in widths, sets ours and
    theirs apart.
    """
    longest, ours = int(found["epochs"].max()), means(found)
    for place, (quantity, name) in enumerate(quantities.items()):
        for theirs, table, side in (
            (True, _readings(quantity, found, longest), -shift),
            (False, ours[ours["quantity"] == quantity], shift),
        ):
            label = f"{name}, paper" if theirs else name
            there, later = table.dropna(subset="ours"), table.dropna(subset="later_than")
            if len(there):
                look = _look(name, theirs=theirs) | {"linestyle": (0, (3, 2)) if theirs else "-"}
                axes.errorbar(
                    there["width"] + side, there["ours"], there["deviation"].fillna(0),
                    elinewidth=1, capsize=2, linewidth=1, zorder=4 - theirs, label=label, **look,
                )  # fmt: skip
            if len(later):  # arrows side by side, not hidden
                axes.errorbar(
                    later["width"] + place * side, later["later_than"], 0.05 * longest,
                    lolims=True, linestyle="none", color=LOOKS[name][0], elinewidth=1, zorder=3,
                    clip_on=False, label=f"{label}, later",
                )  # fmt: skip
    axes.set(xlim=(0, 1.04 * found["width"].max()), xlabel="width $N$")


def handles(found: pd.DataFrame) -> list[Line2D]:
    """What the markers mean, for a legend."""
    named = [Line2D([], [], label=name, **_look(name)) for name in LOOKS]
    if found["dataset"].iloc[0] == paper.DATASET:
        hollow = _look("minimum train loss", theirs=True) | {"markeredgecolor": "0.3"}
        named.append(Line2D([], [], label="paper (hollow)", **hollow))
    arrow = {"marker": r"$\uparrow$", "markersize": 9, "color": "0.3", "linestyle": "none"}
    return [*named, Line2D([], [], label="not by the end", **arrow)]


def _look(name: str, *, theirs: bool = False) -> dict[str, Any]:
    colour, marker = LOOKS[name]
    face, edge = ("white", colour) if theirs else (colour, "white")
    return {
        "marker": marker, "color": colour, "linestyle": "none", "markersize": 5.5,
        "markerfacecolor": face, "markeredgecolor": edge, "markeredgewidth": 1 if theirs else 0.5,
    }  # fmt: skip


def _readings(quantity: str, found: pd.DataFrame, longest: float) -> pd.DataFrame:
    """The paper's values of a quantity, in the columns of `means`; none of another dataset."""
    there = paper.FIGURE_2[quantity] if found["dataset"].iloc[0] == paper.DATASET else {}
    rows = [
        (width, np.nan, None, one.value) if one.is_lower_bound
        else (width, one.value, one.error, np.nan)
        for width, one in there.items()
        if one is not None and (quantity in LOSSES or one.value <= longest)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["width", "ours", "deviation", "later_than"], dtype=float)


def _shade(axes: Axes, found: pd.DataFrame, longest: int) -> None:
    """Low trainability, high trainability and, after the divergence, untrainability.

    The mean divergence epoch (the runs' length where there is none) and the share of runs that
    reach a low loss are interpolated between widths; what is not decided yet stays blank.
    """
    decided = found[found["regime"] != "undecided"]
    if decided["width"].nunique() < 2:
        return
    limit = decided["divergence_epoch"].fillna(longest).groupby(decided["width"]).mean()
    low = decided["low"].groupby(decided["width"]).mean()
    across = np.linspace(limit.index[0], limit.index[-1], 400)
    up = np.interp(across, limit.index, limit)
    weak = np.interp(across, low.index, low) < 0.5
    for name, colour, bottom, top, here in (
        ("high trainability", style.HIGH_TRAINABILITY, 0 * up, up, ~weak),
        ("low trainability", style.LOW_TRAINABILITY, 0 * up, up, weak),
        ("untrainability", style.UNTRAINABILITY, up, 0 * up + longest, up < 0.999 * longest),
    ):
        if not here.any():
            continue
        until = here | np.append(here[1:], False)  # no gap to the neighbouring region
        axes.fill_between(across, bottom, top, where=until, color=colour, lw=0, zorder=0)
        height = np.where(here, top - bottom, 0)  # its name where it is highest
        wide = np.flatnonzero(height > 0.85 * height.max())
        at = int(np.quantile(wide, 0.65))
        axes.text(
            across[at], (top[at] + bottom[at]) / 2, name, ha="center", va="center", fontsize=8.5,
            color="0.3", style="italic", zorder=1,
            rotation=90 * (np.ptp(across[wide]) < 0.3 * np.ptp(across)),
        )  # fmt: skip
