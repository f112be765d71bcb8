"""Sharpness against epoch beside 2 / learning rate, with the losses below it."""

from __future__ import annotations

import re

import numpy as np

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
from repro.investigations import stability
from repro.investigations.sharpness_record import SharpnessRecord


def stability_figure(record: SharpnessRecord) -> PageFigure:
    """One run: (a) its sharpness and the edge, (b) its train loss and its worst batch.

    The first spike is upright in both.
    """
    found = stability.stability(record)
    epochs, values = stability.series(record)
    name = stability.name_of(record)
    with styled():
        figure = new_figure(7.2, 4.6)
        above, below = figure.subplots(2, 1, sharex=True)
        above.plot(epochs, values, "o-", color=TEST, markersize=3, label="sharpness", zorder=3)
        above.axhline(
            found.edge, color="0.3", linestyle="--", linewidth=1, zorder=1,
            label=f"2 / learning rate = {found.edge:.3g}",
        )  # fmt: skip
        trained = np.arange(1, len(record.train_loss))
        for label, look in (
            ("train_loss", {"color": TRAIN, "label": "train loss"}),
            ("max_batch_loss", {"color": "0.55", "linewidth": 0.8, "label": "its worst batch"}),
        ):
            below.plot(trained, stability.losses(record, label)[1:], **look)
        if found.spike is not None:
            for axes in (above, below):
                axes.axvline(
                    found.spike, color=DIVERGENCE, linestyle=":", linewidth=1,
                    label="first spike" if axes is below else None,
                )  # fmt: skip
        below.set_yscale("log")
        plain_log_axis(below.yaxis)
        below.set_xlim(0, max(len(record.train_loss) - 1, 1))
        above.set_ylim(bottom=0)
        above.set_ylabel("largest eigenvalue")
        below.set_ylabel("loss")
        below.set_xlabel("epoch")
        panel_label(above, "a", f"{name}: sharpness")
        panel_label(below, "b", "losses of the same run")
        above.legend()
        below.legend()
    spiked = "no spike" if found.spike is None else f"the first spike at epoch {found.spike}"
    return figure.described(
        _named(record),
        f"{name}, {record.experiment.epochs} epochs. (a) Sharpness (largest eigenvalue of the "
        f"Hessian of the mean loss over {record.sample_size} training images) and 2 / learning "
        "rate; (b) train loss and the loss of each epoch's worst batch. Dotted upright: the first "
        "spike.",
        f"Two panels over epochs 0 to {record.experiment.epochs}: the sharpness, highest "
        f"{found.highest:.3g} at epoch {found.highest_epoch}, around a line at {found.edge:.3g}; "
        f"and the losses, with {spiked}.",
    )


def _named(record: SharpnessRecord) -> str:
    """The figure's name: the width, and what else is not the paper's setting or the first run."""
    replica = [f"replica {record.replica}"] if record.replica else []
    whole = " ".join(
        ["sharpness", str(record.experiment.width), *stability.changes(record), *replica]
    )
    return re.sub(r"[^0-9A-Za-z]+", "-", whole)
