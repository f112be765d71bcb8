"""The climb to the plateau: dead samples and loss on the same epochs, and what predicts it."""

from __future__ import annotations

import xarray as xr

from repro.analysis.captions import width_of
from repro.figures.jump import shown_epochs
from repro.figures.run_lines import nothing_to_draw
from repro.figures.style import (
    DIVERGENCE,
    TEST,
    TRAIN,
    PageFigure,
    new_figure,
    panel_label,
    plain_log_axis,
    styled,
)
from repro.investigations import plateau


def climb_figure(run: xr.Dataset) -> PageFigure:
    """One run's climb: (a) shares dead and misclassified, (b) train loss and dead samples' cost.

    Over the crossing of `claim_jump`, and ``MARGIN`` of it on either side.
    """
    found = plateau.climb(run)
    name = plateau.name_of(run)
    if found is None:
        return nothing_to_draw(f"{name} does not diverge.")
    end = found.crossing.end
    low, high = shown_epochs(run, found.crossing)
    one = run.isel(replica=0, epoch=slice(low, high + 1))
    epoch, dead = one["epoch"], one["dead_fraction"]
    with styled():
        figure = new_figure(7.2, 4.6)
        above, below = figure.subplots(2, 1, sharex=True)
        above.plot(epoch, dead, color=TEST, label="dead", zorder=3)
        above.plot(
            epoch, 1 - one["train_accuracy"], color="0.35", linestyle="--", label="misclassified"
        )
        below.plot(epoch, one["train_loss"], color=TRAIN, label="train loss", zorder=3)
        # On the logarithmic scale no dead sample is not shown.
        part = plateau.cost_of_dead(run) * dead
        below.plot(
            epoch, part.where(part > 0), color=TEST, linestyle="--",
            label=r"$-\ln\,\epsilon\,\cdot$ share dead",
        )  # fmt: skip
        below.set_yscale("log")
        plain_log_axis(below.yaxis)
        for axes in (above, below):
            axes.axvline(end, color=DIVERGENCE, linestyle=":", linewidth=0.9)
            axes.legend(loc="upper left")
        above.set_ylim(-0.02, 1.05)
        above.set_ylabel("share of training set")
        below.set_ylabel("train loss")
        below.set_xlabel("epoch")
        below.set_xlim(low, high)
        panel_label(above, "a", name)
        panel_label(below, "b", "the loss, and what dead samples cost")
    half = "never" if found.half is None else f"from epoch {found.half} on"
    return figure.described(
        f"climb-{width_of(run)}",
        f"{name}. The climb to the plateau: (a) the share of training samples that are dead, and "
        "that are misclassified; (b) train loss, and what the dead samples cost. Dotted upright: "
        "the divergence epoch.",
        f"Two panels over epochs {low} to {high}. Dead samples carry at least half of the loss "
        f"{half}; the plateau begins at epoch {end}, with "
        f"{float(dead.sel(epoch=end)):.3g} of the samples dead.",
    )
