"""Small figures beside the paper's: the examples, the mark, the dead samples, the spread."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from repro.analysis.captions import dataset_label
from repro.analysis.marks import contrast_of_run
from repro.figures.style import clear_legend, new_figure, panel_label, styled, width_colour

LAYER_NAMES = {
    "input_hidden": "input to hidden",
    "hidden_hidden": "hidden to hidden",
    "hidden_output": "hidden to output",
}


def examples(images: np.ndarray) -> Figure:
    """Images side by side: ``images`` uint8 (image, row, column), the lowest value black."""
    with styled():
        figure = new_figure(8.0, 8.0 / len(images) + 0.1)
        for axes, image in zip(figure.subplots(1, len(images)), images, strict=True):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
    return figure.described(
        "examples",
        f"{len(images)} training images, spread over the training set, as archived: the lowest "
        "value is black.",
        f"{len(images)} small images of the training set side by side.",
        _pixels(images),
    )


def _pixels(images: np.ndarray) -> pd.DataFrame:
    """The images as a table: image, row, column and value."""
    places = np.indices(images.shape).reshape(3, -1)
    columns = dict(zip(("image", "row", "column"), places, strict=True))
    return pd.DataFrame(columns | {"value": images.ravel()})


def mark_contrast_figure(runs: Mapping[int, xr.Dataset]) -> Figure:
    """How well the mark can be told against the epoch, and the training loss below it.

    ``runs``: marked networks by width; every replica is drawn.
    """
    with styled():
        figure = new_figure(6.4, 4.4)
        above, below = figure.subplots(2, 1, sharex=True)
        for width, run in runs.items():
            for replica in range(run.sizes["replica"]):
                one = run.isel(replica=replica)
                colour = width_colour(width)
                label = f"N = {width}" if replica == 0 else None
                contrast = contrast_of_run(one)
                above.plot(one.matrix_epoch, contrast, "o-", color=colour, label=label)
                below.plot(one.epoch[1:], one.train_loss[1:], color=colour)
        above.axhline(0.5, color="0.6", linestyle=":")
        above.set_ylabel("area under ROC curve")
        above.set_ylim(0.45, 1.03)
        below.set_ylabel("training loss")
        below.set_yscale("log")
        below.set_xlabel("epoch")
        clear_legend(above)
    last = [f"{float(contrast_of_run(run)[0, -1]):.2f} at width {w}" for w, run in runs.items()]
    return figure.described(
        "contrast",
        f"How well the mark can be told (area under the ROC curve of $|w|$, top) and the training "
        f"loss (bottom), {_of(runs)}, every run. Dotted: no trace left.",
        f"Contrast of the mark against the epoch; at the end it is {' and '.join(last)}.",
    )


def dead_fraction_figure(runs: Mapping[int, xr.Dataset]) -> Figure:
    """The share of dead samples against the epoch, with the training loss below it.

    ``runs`` by width; every replica is drawn. On a logarithmic scale no dead sample is not shown.
    """
    with styled():
        figure = new_figure(6.4, 4.4)
        above, below = figure.subplots(2, 1, sharex=True)
        for width, run in runs.items():
            for replica in range(run.sizes["replica"]):
                one, colour = run.isel(replica=replica, epoch=slice(1, None)), width_colour(width)
                label = f"N = {width}" if replica == 0 else None
                share = one.dead_fraction.where(one.dead_fraction > 0)
                above.plot(one.epoch, share, color=colour, label=label)
                below.plot(one.epoch, one.train_loss, color=colour)
        above.set_ylabel("share of dead samples")
        below.set_ylabel("training loss")
        below.set_xlabel("epoch")
        above.set_yscale("log")
        below.set_yscale("log")
        figure.legend(*above.get_legend_handles_labels(), loc="outside upper center", ncols=7)
    last = [f"{float(run.dead_fraction[0, -1]):.2g} at width {w}" for w, run in runs.items()]
    return figure.described(
        "dead-samples",
        f"The share of dead samples (top) and the training loss (bottom), {_of(runs)}, every run. "
        "On the logarithmic scale no dead sample is not shown.",
        f"Share of dead samples against the epoch; it ends at {', '.join(last)}.",
    )


def deviation_figure(runs: Mapping[int, xr.Dataset]) -> Figure:
    """Relative deviation and correlation with the initial weights against the epoch, by layer.

    ``runs`` by width; every replica is drawn.
    """
    styles = dict(zip(LAYER_NAMES, ("-", "--", ":"), strict=True))
    with styled():
        figure = new_figure(8.0, 3.4)
        left, right = figure.subplots(1, 2)
        for width, run in runs.items():
            for replica in range(run.sizes["replica"]):
                one = run.isel(replica=replica)
                for layer, style in styles.items():
                    chosen = one.sel(layer=layer)
                    label = f"N = {width}, {LAYER_NAMES[layer]}" if replica == 0 else None
                    look = {"color": width_colour(width), "linestyle": style, "label": label}
                    left.plot(one.epoch, chosen.relative_deviation, **look)
                    right.plot(one.epoch, chosen.weight_correlation, **look)
        panel_label(left, "a")
        panel_label(right, "b")
        left.set_ylabel("relative deviation")
        right.set_ylabel("correlation of $w(t)$ with $w_i$")
        right.set_ylim(min(0.0, right.get_ylim()[0]), 1.03)
        for axes in (left, right):
            axes.set_xlabel("epoch")
        clear_legend(right, fontsize=7.5)
    last = [
        f"{float(run.relative_deviation.sel(layer='hidden_hidden')[0, -1]):.2g} at width {w}"
        for w, run in runs.items()
    ]
    return figure.described(
        "spread",
        f"Relative deviation (a) and correlation of the weights with their initial values (b) "
        f"against the epoch, by layer, {_of(runs)}, every run.",
        "Relative deviation and correlation with the initial weights against the epoch; between "
        f"the hidden layers the deviation ends at {', '.join(last)}.",
    )


def _of(runs: Mapping[int, xr.Dataset]) -> str:
    """The runs drawn, for a caption."""
    first = next(iter(runs.values()))
    return f"{dataset_label(first)}, $N$ = {', '.join(map(str, runs))}"
