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

from repro.analysis.marks import letter_mask

LAYERS = ("input_hidden", "hidden_hidden", "hidden_output")
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
    """One loss curve, shape (epochs + 1,).

    Args:
        kind: which of the paper's kinds of run. epochs: length; a shorter curve is a longer one
        cut off. which: train or test loss. noise: relative scatter, epoch by epoch. spikes:
        epochs at which the loss leaps for two epochs and recovers. shift: stretches the time
        axis. classes: 369 as published; fewer classes scale the learning part to the smaller
        initial loss. seed: of the noise.
    """
    points = np.array(CONTROL_POINTS[kind])
    values = points[:, 1 if which == "train" else 2].copy()
    if classes != 369:
        plateau = values > 5.95
        values = np.where(plateau, values * (1 - 1 / classes), values * np.log(classes) / 5.93)
    time = points[:, 0] * shift
    epoch = np.arange(epochs + 1)
    smooth = PchipInterpolator(np.log1p(time), np.log(values))
    curve = np.exp(smooth(np.log1p(np.minimum(epoch, time[-1]))))
    random = np.random.default_rng([seed, which == "test"])
    curve *= np.exp(noise * random.standard_normal(epochs + 1))
    for at in spikes:
        for offset, height in ((0, 12.0), (1, 4.0)):
            if at + offset <= epochs:
                curve[at + offset] *= height
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
    spikes: tuple[int, ...] = (),
    shift: float = 1.0,
    joint_layers: tuple[str, ...] = LAYERS,
    seed: int = 0,
) -> xr.Dataset:
    """A made-up run with every dimension, variable and attribute of a real one."""
    pixels, classes = SHAPES[dataset]
    shapes = ((pixels, width), (width, width), (width, classes))
    glorot = np.array([np.sqrt(2 / (m + n)) for m, n in shapes])
    epoch = np.arange(epochs + 1)

    def kept(snapshots: tuple[int, ...], last: bool) -> list[int]:
        return sorted({e for e in snapshots if e <= epochs} | ({epochs} if last else set()))

    histogram_epochs = kept(HISTOGRAM_EPOCHS, last=False)
    joint_epochs = kept(JOINT_EPOCHS, last=True)
    matrix_epochs = kept(MATRIX_EPOCHS, last=True)
    bin_edge = np.concatenate([[-np.inf], np.linspace(-8, 8, 161), [np.inf]])
    initial_edge = np.linspace(-np.sqrt(3), np.sqrt(3), 66)
    final_edge = np.concatenate([[-np.inf], np.linspace(-8, 8, 201), [np.inf]])

    curves = {name: np.empty((replicas, epochs + 1)) for name in ("train", "test")}
    spread = np.empty((replicas, epochs + 1))
    histogram = np.zeros((replicas, len(histogram_epochs), 3, len(bin_edge) - 1), np.uint32)
    joint = np.zeros((replicas, len(joint_epochs), len(joint_layers), 65, 202), np.uint32)
    matrix = np.zeros((replicas, len(matrix_epochs), width, width), np.float32)
    moments = {name: np.empty((replicas, epochs + 1, 3)) for name in ("mean", "correlation")}
    mask = None if mark is None else letter_mask(mark, width)

    for replica in range(replicas):
        random = np.random.default_rng([seed, replica])
        stretch = shift * (1.0 if replicas == 1 else np.exp(0.08 * random.standard_normal()))
        for name in curves:
            curves[name][replica] = loss_curve(
                kind, epochs, which=name, noise=noise, spikes=spikes, shift=stretch,
                classes=classes, seed=1000 * seed + replica,
            )  # fmt: skip
        lost = np.maximum.accumulate(curves["train"][replica] / curves["train"][replica][0])
        jump = 5 * np.clip(lost - 1, 0, 1)
        spread[replica] = 0.33 * np.log1p(epoch) ** 0.8 * (100 / (100 + width)) ** 0.3 + jump
        moments["mean"][replica] = -0.02 * spread[replica][:, None]
        moments["correlation"][replica] = 1 / np.sqrt(1 + spread[replica][:, None] ** 2)

        for number, layer in enumerate(LAYERS):
            links = min(shapes[number][0] * shapes[number][1], 300_000)
            start = random.uniform(-np.sqrt(3), np.sqrt(3), links)
            if layer == "hidden_hidden" and mask is not None:
                start = np.where(mask.ravel(), start[: mask.size], 0.0)
            walk = random.standard_t(4, links) / np.sqrt(2)
            towards = np.abs(random.standard_normal(links)) * start / np.sqrt(3)

            def weights(at: int, start=start, walk=walk, towards=towards, r=replica):
                size = spread[r][at]
                return start + size * (0.9 * walk + 0.8 * towards)

            for i, at in enumerate(histogram_epochs):
                histogram[replica, i, number] = np.histogram(weights(at) - start, bin_edge)[0]
            if layer in joint_layers:
                for i, at in enumerate(joint_epochs):
                    joint[replica, i, joint_layers.index(layer)] = np.histogram2d(
                        start, weights(at), (initial_edge, final_edge)
                    )[0]
            if layer == "hidden_hidden" and mask is not None:
                for i, at in enumerate(matrix_epochs):
                    matrix[replica, i] = glorot[1] * weights(at).reshape(width, width)

    by_layer = ("replica", "epoch", "layer")
    unknown = np.where(epoch == 0, np.nan, 1.0)[None, :, None] * np.ones((replicas, 1, 3))
    relative = np.repeat(spread[:, :, None], 3, axis=2)
    normal = np.array([-3, -2.3, -1.6, -0.67, 0, 0.67, 1.6, 2.3, 3])
    variables: dict[str, tuple] = {
        "train_loss": (("replica", "epoch"), curves["train"]),
        "test_loss": (("replica", "epoch"), curves["test"]),
        "train_accuracy": (("replica", "epoch"), np.exp(-curves["train"])),
        "test_accuracy": (("replica", "epoch"), np.exp(-curves["test"])),
        "dead_fraction": (("replica", "epoch"), np.clip(curves["train"] / 16.118, 0, 1)),
        "max_batch_loss": (("replica", "epoch"), 1.5 * curves["train"]),
        "deviation_mean": (by_layer, moments["mean"] * glorot),
        "deviation_std": (by_layer, relative * glorot),
        "relative_deviation": (by_layer, relative),
        "deviation_skewness": (by_layer, 0.1 * unknown),
        "deviation_kurtosis": (by_layer, 1.5 * unknown),
        "weight_correlation": (by_layer, np.repeat(moments["correlation"], 1, axis=2)),
        "deviation_quantiles": (
            (*by_layer, "quantile"), (relative * glorot)[..., None] * normal
        ),
        "deviation_histogram": (("replica", "histogram_epoch", "layer", "bin"), histogram),
        "glorot_std": (("layer",), glorot),
    }  # fmt: skip
    dataset_of_run = xr.Dataset(
        {
            name: (dims, values if values.dtype == np.uint32 else values.astype(np.float32))
            for name, (dims, values) in variables.items()
        },
        coords={
            "replica": np.arange(replicas),
            "epoch": epoch,
            "layer": list(LAYERS),
            "quantile": np.array(QUANTILES, dtype=float),
            "histogram_epoch": histogram_epochs,
            "bin_edge": bin_edge,
            "initial_edge": initial_edge,
            "final_edge": final_edge,
        },
    )
    joint_array = xr.DataArray(
        joint,
        dims=("replica", "joint_epoch", "layer", "initial_bin", "final_bin"),
        coords={
            "replica": np.arange(replicas), "joint_epoch": joint_epochs, "layer": list(joint_layers)
        },
    )  # fmt: skip
    if list(joint_layers) != list(LAYERS):  # published runs may keep one layer only
        joint_array = joint_array.reindex(layer=list(LAYERS), fill_value=0)
    dataset_of_run["joint_histogram"] = joint_array
    if mask is not None:
        dataset_of_run["matrix"] = (("replica", "matrix_epoch", "row", "column"), matrix)
        dataset_of_run.coords["matrix_epoch"] = matrix_epochs
    described = {
        "dataset": dataset, "width": width, "epochs": epochs, "loss": loss, "pixels": "archived",
        "split": "fold-1" if dataset == "hasyv2" else None, "mark": mark, "learning_rate": 0.1,
        "batch_size": 128, "epsilon": 1e-7, "seed": seed,
    }  # fmt: skip
    dataset_of_run.attrs = {
        **{name: value for name, value in described.items() if value is not None},
        "experiment": json.dumps(described),
        "digest": f"{abs(hash(tuple(map(str, described.values())))):016x}"[:16],
        "code_version": "0.0.0+synthetic",
        "library_versions": json.dumps({"numpy": np.__version__}),
        "backend": "tensorflow",
        "device": "CPU, made up",
        "wall_seconds": 1.5 * epochs,
        "started": "2024-01-01T00:00:00+00:00",
        "finished": "2024-01-01T00:10:00+00:00",
    }
    return dataset_of_run


def with_final(
    run: xr.Dataset, *, deviation: float | None = None, correlation: float | None = None
) -> xr.Dataset:
    """The run with another relative deviation or correlation at its last epoch, in all layers."""
    changed = run.copy(deep=True)
    for name, value in (("relative_deviation", deviation), ("weight_correlation", correlation)):
        if value is not None:
            changed[name][:, -1, :] = value
    return changed


def with_curves(run: xr.Dataset, loss: np.ndarray, spread: np.ndarray) -> xr.Dataset:
    """The run with another train loss and relative deviation, both of shape (epochs + 1,).

    The deviation's standard deviation and its quantiles follow, in every replica and layer.
    """
    changed = run.copy(deep=True)
    glorot = run["glorot_std"].to_numpy()
    normal = np.array([-3, -2.3, -1.6, -0.67, 0, 0.67, 1.6, 2.3, 3])
    changed["train_loss"][:] = loss[None, :]
    changed["relative_deviation"][:] = spread[None, :, None]
    changed["deviation_std"][:] = spread[None, :, None] * glorot
    changed["deviation_quantiles"][:] = (spread[:, None] * glorot)[None, :, :, None] * normal
    return changed


def jumping_run(
    width: int, jump: int = 500, lag: int = 0, *, replica: int = 0, noise: float = 0.002
) -> xr.Dataset:
    """A run of 1000 epochs that diverges in steps, its deviation ``lag`` epochs after its loss.

    The loss climbs over forty epochs up to the plateau; most of the climb is one step.
    """
    random = np.random.default_rng([width, replica])
    epoch = np.arange(1001)
    loss = np.interp(epoch, [0, 20, 200, jump - 21, 1000], [5.9, 0.9, 0.3, 0.45, 0.45])
    climb = np.interp(epoch, [jump - 20, jump - 1], [0.45, 1.0]), np.full(1001, 15.7)
    loss = np.where(epoch < jump - 20, loss, np.where(epoch < jump, climb[0], climb[1]))
    loss *= np.exp(noise * random.standard_normal(1001))
    spread = 0.4 * np.log1p(epoch) + 9.0 * (epoch >= jump + lag)
    run = synthetic_run(width, 1000, "unstable", joint_layers=(), seed=0)
    return with_curves(run, loss, spread).assign_coords(replica=[replica])
