"""What a run leaves behind: its numbers per epoch, gathered while it trains, as a dataset."""

import json
from typing import Any

import numpy as np
import xarray as xr

from repro.experiment import Experiment
from repro.model import deviation
from repro.model.network import JUDGED_LAYER, glorot_standard_deviation, layer_shapes

CURVES = (
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "dead_fraction",
    "max_batch_loss",
)
DIMENSIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CURVES, ("replica", "epoch")),
    **dict.fromkeys(deviation.STATISTICS, ("replica", "epoch", "layer")),
    "deviation_quantiles": ("replica", "epoch", "layer", "quantile"),
    "glorot_std": ("layer",),
}
"""What every run has, and along which dimensions; ``replica`` is of length one in a run's file."""
DIMENSIONS_AT_SOME_EPOCHS: dict[str, tuple[str, ...]] = {
    "deviation_histogram": ("replica", "histogram_epoch", "layer", "bin"),
    "joint_histogram": ("replica", "joint_epoch", "layer", "initial_bin", "final_bin"),
    "matrix": ("replica", "matrix_epoch", "row", "column"),
}
"""The same of what is kept at some epochs only, and therefore may be missing."""
COORDINATES = (
    "replica", "epoch", "layer", "quantile", "histogram_epoch", "bin_edge", "joint_epoch",
    "initial_edge", "final_edge", "matrix_epoch",
)  # fmt: skip
"""Dimensions that have values."""


class Record:
    """The numbers of one replica, epoch by epoch; epoch 0 is the initial state."""

    def __init__(self, experiment: Experiment, replica: int) -> None:
        self.experiment = experiment
        self.replica = replica
        self._curves: dict[str, list[float]] = {name: [] for name in CURVES}
        self._statistics: list[np.ndarray] = []
        self._quantiles: list[np.ndarray] = []
        self._histograms: dict[int, np.ndarray] = {}
        self._joint: dict[int, np.ndarray] = {}
        self._matrices: dict[int, np.ndarray] = {}
        shapes = layer_shapes(experiment)
        self._glorot = {name: glorot_standard_deviation(*shape) for name, shape in shapes.items()}

    @property
    def epoch(self) -> int:
        """The last epoch recorded; -1 where there is none."""
        return len(self._statistics) - 1

    def append(
        self, curves: dict[str, float], statistics: np.ndarray, quantiles: np.ndarray
    ) -> None:
        """Add an epoch: CURVES, statistics (statistic, layer) and quantiles (layer, quantile)."""
        for name in CURVES:
            self._curves[name].append(curves[name])
        self._statistics.append(statistics)
        self._quantiles.append(quantiles)

    @property
    def broken(self) -> bool:
        """Whether nothing can change any more: the last two epochs are alike, with no loss left.

        Not-a-number in the weights spreads until every later epoch is the same.
        """
        if len(self._statistics) < 2 or np.isfinite(self._curves["train_loss"][-1]):
            return False
        alike = [
            np.array_equal(series[-1], series[-2], equal_nan=True)
            for series in (*self._curves.values(), self._statistics, self._quantiles)
        ]
        return all(alike)

    def repeat(self) -> None:
        """Add an epoch that is the last one again."""
        self.append(
            {name: values[-1] for name, values in self._curves.items()},
            self._statistics[-1],
            self._quantiles[-1],
        )

    def wants_weights(self, last: bool) -> bool:
        """Whether the weights of the epoch just appended are to be given to `look`."""
        epoch = self.epoch
        return (
            last
            or deviation.is_histogram_epoch(epoch)
            or deviation.is_joint_epoch(epoch)
            or (self.experiment.mark is not None and deviation.is_matrix_epoch(epoch))
        )

    def look(
        self, weights: dict[str, np.ndarray], initial: dict[str, np.ndarray], last: bool
    ) -> None:
        """Keep what is kept of the weights themselves, as due at the epoch just appended."""
        epoch = self.epoch

        def layered(function: Any) -> np.ndarray:
            parts = (function(weights[n], initial[n], std) for n, std in self._glorot.items())
            return np.stack(list(parts))

        if deviation.is_histogram_epoch(epoch):
            self._histograms[epoch] = layered(deviation.deviation_histogram)
        if last or deviation.is_joint_epoch(epoch):
            self._joint[epoch] = layered(deviation.joint_histogram)
        if self.experiment.mark is not None and (last or deviation.is_matrix_epoch(epoch)):
            self._matrices[epoch] = weights[JUDGED_LAYER].copy()

    def to_dataset(self, attributes: dict[str, Any]) -> xr.Dataset:
        """The run as SPEC section 6 has it, with a replica dimension of length one.

        ``attributes`` are those of the making (`provenance`); the experiment's are added.
        """
        statistics = np.stack(self._statistics)  # (epoch, statistic, layer)
        values: dict[str, np.ndarray] = {
            name: np.asarray([curve], np.float32) for name, curve in self._curves.items()
        }
        for index, name in enumerate(deviation.STATISTICS):
            values[name] = statistics[None, :, index]
        values["deviation_quantiles"] = np.stack(self._quantiles)[None]
        values["glorot_std"] = np.asarray(list(self._glorot.values()))
        coordinates: dict[str, Any] = {
            "replica": [self.replica],
            "epoch": np.arange(self.epoch + 1),
            "layer": list(self._glorot),
            "quantile": list(deviation.QUANTILES),
        }
        if self._histograms:
            values["deviation_histogram"] = np.stack(list(self._histograms.values()))[None]
            coordinates["histogram_epoch"] = list(self._histograms)
            coordinates["bin_edge"] = deviation.DEVIATION_EDGES
        if self._joint:
            values["joint_histogram"] = np.stack(list(self._joint.values()))[None]
            coordinates["joint_epoch"] = list(self._joint)
            coordinates["initial_edge"] = deviation.INITIAL_EDGES
            coordinates["final_edge"] = deviation.FINAL_EDGES
        if self._matrices:
            values["matrix"] = np.stack(list(self._matrices.values()))[None]
            coordinates["matrix_epoch"] = list(self._matrices)
        dimensions = DIMENSIONS | DIMENSIONS_AT_SOME_EPOCHS
        variables = {name: (dimensions[name], array) for name, array in values.items()}
        dataset = xr.Dataset(variables, coordinates)
        dataset.attrs = experiment_attributes(self.experiment) | attributes
        return dataset

    @classmethod
    def from_dataset(cls, experiment: Experiment, dataset: xr.Dataset) -> "Record":
        """The record that a run's file holds, to go on with.

        What was kept only because the run ended there is dropped, so that going on leaves the same
        record as never having stopped.
        """
        record = cls(experiment, int(dataset["replica"].item()))
        run = dataset.isel(replica=0)
        record._curves = {name: [float(value) for value in run[name].values] for name in CURVES}
        stacked = np.stack([run[name].values for name in deviation.STATISTICS], axis=1)
        record._statistics = list(stacked)
        record._quantiles = list(run["deviation_quantiles"].values)

        def kept(variable: str, dimension: str, due: Any) -> dict[int, Any]:
            if variable not in run:
                return {}
            pairs = zip(run[dimension].values, run[variable].values, strict=True)
            return {int(epoch): values for epoch, values in pairs if due(int(epoch))}

        record._histograms = kept(
            "deviation_histogram", "histogram_epoch", deviation.is_histogram_epoch
        )
        record._joint = kept("joint_histogram", "joint_epoch", deviation.is_joint_epoch)
        record._matrices = kept("matrix", "matrix_epoch", deviation.is_matrix_epoch)
        return record


def experiment_attributes(experiment: Experiment) -> dict[str, Any]:
    """The experiment as attributes of a dataset; None is written as an empty text."""
    named = {n: "" if v is None else v for n, v in experiment.parameters.items() if n != "epochs"}
    # Of a dataset's epochs the epoch axis tells; the experiment's JSON is what identifies the run.
    identity = json.dumps({n: v for n, v in experiment.parameters.items() if n != "epochs"})
    return {"experiment": identity, "digest": experiment.digest} | named


def experiment_of(dataset: xr.Dataset) -> Experiment:
    """The experiment of a run, with the epochs it got: the inverse of `experiment_attributes`."""
    parameters = json.loads(dataset.attrs["experiment"])
    return Experiment(**(parameters | {"epochs": int(dataset["epoch"].values[-1])}))


def cut(dataset: xr.Dataset, epochs: int) -> xr.Dataset:
    """The dataset as it was after so many epochs (what is kept at some epochs only included)."""
    for dimension in ("epoch", "histogram_epoch", "joint_epoch", "matrix_epoch"):
        if dimension in dataset.dims:
            dataset = dataset.isel({dimension: dataset[dimension].values <= epochs})
    return dataset


def joined(datasets: list[xr.Dataset]) -> xr.Dataset:
    """Replicas of one experiment as one dataset; all must have the same epochs.

    Attributes in which they differ become coordinates along ``replica``. A matrix that a replica
    has not kept (`publication`) is NaN.
    """
    ordered = sorted(datasets, key=lambda dataset: int(dataset["replica"].item()))
    names = sorted({name for dataset in ordered for name in dataset.attrs})
    varying = [
        name for name in names if len({str(dataset.attrs.get(name)) for dataset in ordered}) > 1
    ]
    labelled = [
        dataset.assign_coords(
            {name: ("replica", [dataset.attrs.get(name, "")]) for name in varying}
        )
        for dataset in ordered
    ]
    matrices = [dataset["matrix"] for dataset in labelled if "matrix" in dataset]
    others = [dataset.drop_dims("matrix_epoch", errors="ignore") for dataset in labelled]
    how: dict[str, Any] = {"coords": "minimal", "compat": "override"}
    together = xr.concat(
        others, "replica", data_vars="minimal", join="inner", combine_attrs="drop_conflicts", **how
    )
    if matrices:
        together["matrix"] = xr.concat(matrices, "replica", join="outer", **how)
    return together
