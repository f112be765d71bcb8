"""Made-up runs in the schema of real ones, for tests of the analysis and the figures.

The curves follow the paper's three kinds of run through a few control points; the weights move as a
noisy, skewed walk whose size follows the run's kind. Nothing is trained.
"""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
import xarray as xr
from scipy.interpolate import PchipInterpolator

from repro import Experiment
from repro.model.letter import letter_mask

LAYERS = ("input_hidden", "hidden_hidden", "hidden_output")
NORMAL = np.array([-3, -2.3, -1.6, -0.67, 0, 0.67, 1.6, 2.3, 3])
QUANTILES = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)
HISTOGRAM_EPOCHS = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
JOINT_EPOCHS = (0, 75, 200, 250, 500, 750, 1000)
MATRIX_EPOCHS = (0, 25, 50, 75, 100, 150, 200, 250, 300, 350, 400, 500, 600, 750, 1000)
SHAPES = {"hasyv2": (1024, 369), "mnist": (784, 10), "fashion-mnist": (784, 10), "digits": (64, 10)}

Kind = Literal["weak", "unstable", "strong"]

# (epoch, train loss, test loss) at the paper's 1000 epochs on HASYv2
CONTROL_POINTS: dict[str, list[tuple[float, float, float]]] = {
    "weak": [
        (0, 5.93, 5.93), (1, 4.6, 4.1), (10, 2.75, 2.62), (100, 2.35, 2.12), (1000, 2.24, 2.15),
    ],
    "unstable": [
        (0, 5.93, 5.93), (1, 2.5, 1.9), (5, 1.2, 1.12), (24, 0.72, 0.94), (70, 0.42, 1.1),
        (165, 0.29, 1.6), (250, 0.40, 2.2), (320, 1.6, 4.5), (390, 12.0, 13.0),
        (421, 15.6, 15.6), (450, 15.7, 15.7), (1000, 15.7, 15.7),
    ],
    "strong": [
        (0, 5.93, 5.93), (1, 2.1, 1.6), (5, 1.0, 0.98), (17, 0.7, 0.84), (60, 0.36, 1.05),
        (150, 0.09, 1.45), (300, 0.032, 1.85), (600, 0.018, 2.05), (1000, 0.0155, 2.15),
    ],
}  # fmt: skip


def loss_curve(
    kind: Kind,
    epochs: int = 1000,
    *,
    which: Literal["train", "test"] = "train",
    noise: float = 0.01,
    spikes: tuple[int, ...] = (),
    shift: float = 1.0,
    classes: int = 369,
    seed: int = 0,
) -> np.ndarray:
    """One loss curve, shape (epochs + 1,); a shorter one is a longer one cut off."""
    points = np.array(CONTROL_POINTS[kind])
    values = points[:, 1 if which == "train" else 2]
    if classes != 369:
        plateau = values > 5.95
        values = np.where(plateau, values * (1 - 1 / classes), values * np.log(classes) / 5.93)
    time, epoch = points[:, 0] * shift, np.arange(epochs + 1)
    smooth = PchipInterpolator(np.log1p(time), np.log(values))
    curve = np.exp(smooth(np.log1p(np.minimum(epoch, time[-1]))))
    random = np.random.default_rng([seed, which == "test"])
    curve *= np.exp(noise * random.standard_normal(epochs + 1))
    for at in spikes:
        curve[at : at + 2] *= np.array([12.0, 4.0])[: epochs + 1 - at]
    return curve


def synthetic_run(
    width: int = 16,
    epochs: int = 30,
    kind: Kind = "strong",
    *,
    replicas: int = 1,
    mark: str | None = None,
    dataset: str = "hasyv2",
    loss: str = "clipped",
    noise: float = 0.01,
    shift: float = 1.0,
    joint_layers: tuple[str, ...] = LAYERS,
    seed: int = 0,
) -> xr.Dataset:
    """A made-up run with every dimension, variable and attribute of a real one."""
    pixels, classes = SHAPES[dataset]
    shapes = ((pixels, width), (width, width), (width, classes))
    glorot = np.array([np.sqrt(2 / (m + n)) for m, n in shapes])
    epoch = np.arange(epochs + 1)
    kept = [
        sorted({e for e in snapshots if e <= epochs} | last)
        for snapshots, last in (
            (HISTOGRAM_EPOCHS, set()), (JOINT_EPOCHS, {epochs}), (MATRIX_EPOCHS, {epochs})
        )
    ]  # fmt: skip
    bin_edge = np.concatenate([[-np.inf], np.linspace(-8, 8, 161), [np.inf]])
    initial_edge = np.linspace(-np.sqrt(3), np.sqrt(3), 66)
    final_edge = np.concatenate([[-np.inf], np.linspace(-8, 8, 201), [np.inf]])

    train, test, spread = (np.empty((replicas, epochs + 1)) for _ in range(3))
    histogram = np.zeros((replicas, len(kept[0]), 3, len(bin_edge) - 1), np.uint32)
    joint = np.zeros((replicas, len(kept[1]), len(joint_layers), 65, 202), np.uint32)
    matrix = np.zeros((replicas, len(kept[2]), width, width), np.float32)
    mask = None if mark is None else letter_mask(mark, width)

    for replica in range(replicas):
        random = np.random.default_rng([seed, replica])
        stretch = shift * (1.0 if replicas == 1 else np.exp(0.08 * random.standard_normal()))
        for which, curve in (("train", train), ("test", test)):
            curve[replica] = loss_curve(
                kind, epochs, which=which, noise=noise, shift=stretch, classes=classes,
                seed=1000 * seed + replica,
            )  # fmt: skip
        lost = np.maximum.accumulate(train[replica] / train[replica][0])
        grown = 0.33 * np.log1p(epoch) ** 0.8 * (100 / (100 + width)) ** 0.3
        spread[replica] = grown + 5 * np.clip(lost - 1, 0, 1)

        for number, layer in enumerate(LAYERS):
            links = min(shapes[number][0] * shapes[number][1], 300_000)
            start = random.uniform(-np.sqrt(3), np.sqrt(3), links)
            marked = layer == "hidden_hidden" and mask is not None
            if marked:
                start = np.where(mask.ravel(), start[: mask.size], 0.0)
            walk = random.standard_t(4, links) / np.sqrt(2)
            walk = 0.9 * walk + 0.8 * np.abs(random.standard_normal(links)) * start / np.sqrt(3)
            for i, at in enumerate(kept[0]):
                moved = spread[replica][at] * walk
                histogram[replica, i, number] = np.histogram(moved, bin_edge)[0]
            for i, at in enumerate(kept[1] if layer in joint_layers else ()):
                joint[replica, i, joint_layers.index(layer)] = np.histogram2d(
                    start, start + spread[replica][at] * walk, (initial_edge, final_edge)
                )[0]
            for i, at in enumerate(kept[2] if marked else ()):
                weights = start + spread[replica][at] * walk
                matrix[replica, i] = glorot[1] * weights.reshape(width, width)

    by_epoch, by_layer = ("replica", "epoch"), ("replica", "epoch", "layer")
    relative = np.repeat(spread[:, :, None], 3, axis=2)
    unknown = np.where(epoch == 0, np.nan, 1.0)[None, :, None] * np.ones_like(relative)
    variables: dict[str, tuple] = {
        "train_loss": (by_epoch, train),
        "test_loss": (by_epoch, test),
        "train_accuracy": (by_epoch, np.exp(-train)),
        "test_accuracy": (by_epoch, np.exp(-test)),
        "dead_fraction": (by_epoch, np.clip(train / 16.118, 0, 1)),
        "max_batch_loss": (by_epoch, 1.5 * train),
        "deviation_mean": (by_layer, -0.02 * relative * glorot),
        "deviation_std": (by_layer, relative * glorot),
        "relative_deviation": (by_layer, relative),
        "deviation_skewness": (by_layer, 0.1 * unknown),
        "deviation_kurtosis": (by_layer, 1.5 * unknown),
        "weight_correlation": (by_layer, 1 / np.sqrt(1 + relative**2)),
        "deviation_quantiles": ((*by_layer, "quantile"), (relative * glorot)[..., None] * NORMAL),
        "deviation_histogram": (("replica", "histogram_epoch", "layer", "bin"), histogram),
        "glorot_std": (("layer",), glorot),
    }
    run = xr.Dataset(
        {
            name: (dims, values if values.dtype == np.uint32 else values.astype(np.float32))
            for name, (dims, values) in variables.items()
        },
        coords={
            "replica": np.arange(replicas), "epoch": epoch, "layer": list(LAYERS),
            "quantile": np.array(QUANTILES, dtype=float), "histogram_epoch": kept[0],
            "bin_edge": bin_edge, "initial_edge": initial_edge, "final_edge": final_edge,
        },
    )  # fmt: skip
    dims = ("replica", "joint_epoch", "layer", "initial_bin", "final_bin")
    coords = {"replica": run["replica"], "joint_epoch": kept[1], "layer": list(joint_layers)}
    counts = xr.DataArray(joint, coords, dims)  # published runs may keep one layer only
    run["joint_histogram"] = counts.reindex(layer=list(LAYERS), fill_value=0)
    if mask is not None:
        run["matrix"] = (("replica", "matrix_epoch", "row", "column"), matrix)
        run.coords["matrix_epoch"] = kept[2]
    made = Experiment(dataset, width, epochs, loss, mark=mark, seed=seed)
    run.attrs = {name: value for name, value in made.parameters.items() if value is not None} | {
        "experiment": made.to_json(), "code_version": "0.0.0+synthetic", "digest": made.digest,
        "library_versions": json.dumps({"numpy": np.__version__}), "backend": "tensorflow",
        "device": "CPU, made up", "wall_seconds": 1.5 * epochs,
        "started": "2024-01-01T00:00:00+00:00", "finished": "2024-01-01T00:10:00+00:00",
    }  # fmt: skip
    return run


def with_final(
    run: xr.Dataset, *, deviation: float | None = None, correlation: float | None = None
) -> xr.Dataset:
    """The run with another relative deviation or correlation at its last epoch, in all layers."""
    changed = run.copy(deep=True)
    for name, value in (("relative_deviation", deviation), ("weight_correlation", correlation)):
        if value is not None:
            changed[name][:, -1, :] = value
    return changed
