"""What a run leaves behind: its numbers per epoch, gathered while it trains, as a dataset."""

import json
from typing import Any

import numpy as np
import xarray as xr

from repro.experiment import Experiment
from repro.model import deviation
from repro.model.network import JUDGED_LAYER, glorot_standard_deviation, layer_shapes

CURVES = (
    "train_loss", "train_accuracy", "test_loss", "test_accuracy", "dead_fraction", "max_batch_loss",
)  # fmt: skip
# ``replica`` is of length one in a run's file; what has _EDGES is kept at some epochs only.
DIMENSIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CURVES, ("replica", "epoch")),
    **dict.fromkeys(deviation.STATISTICS, ("replica", "epoch", "layer")),
    "deviation_quantiles": ("replica", "epoch", "layer", "quantile"),
    "glorot_std": ("layer",),
    "deviation_histogram": ("replica", "histogram_epoch", "layer", "bin"),
    "joint_histogram": ("replica", "joint_epoch", "layer", "initial_bin", "final_bin"),
    "matrix": ("replica", "matrix_epoch", "row", "column"),
}
# Dimensions that have values.
COORDINATES = (
    "replica", "epoch", "layer", "quantile", "histogram_epoch", "bin_edge", "joint_epoch",
    "initial_edge", "final_edge", "matrix_epoch",
)  # fmt: skip
_EDGES: dict[str, dict[str, np.ndarray]] = {
    "deviation_histogram": {"bin_edge": deviation.DEVIATION_EDGES},
    "joint_histogram": {
        "initial_edge": deviation.INITIAL_EDGES, "final_edge": deviation.FINAL_EDGES
    },
    "matrix": {},
}  # fmt: skip


class Record:
    """The numbers of one replica, epoch by epoch; epoch 0 is the initial state."""

    def __init__(self, experiment: Experiment, replica: int) -> None:
        self.experiment = experiment
        self.replica = replica
        self._curves: dict[str, list[float]] = {name: [] for name in CURVES}
        self._statistics: list[np.ndarray] = []
        self._quantiles: list[np.ndarray] = []
        self._kept: dict[str, dict[int, np.ndarray]] = {name: {} for name in _EDGES}  # by epoch
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
        """Whether nothing can change any more: NaN has spread, the last two epochs are alike."""
        if self.epoch < 1 or np.isfinite(self._curves["train_loss"][-1]):
            return False
        series = (*self._curves.values(), self._statistics, self._quantiles)
        return all(np.array_equal(one[-1], one[-2], equal_nan=True) for one in series)

    def repeat(self) -> None:
        """Add an epoch that is the last one again."""
        curves = {name: values[-1] for name, values in self._curves.items()}
        self.append(curves, self._statistics[-1], self._quantiles[-1])

    def look(
        self, weights: dict[str, np.ndarray], initial: dict[str, np.ndarray], last: bool
    ) -> None:
        """Keep what is due of the weights themselves."""
        for name in self.due(last):
            if name == "matrix":
                found = weights[JUDGED_LAYER].copy()
            else:
                counted = getattr(deviation, name)
                layers = self._glorot.items()
                found = np.stack([counted(weights[n], initial[n], std) for n, std in layers])
            self._kept[name][self.epoch] = found

    def due(self, last: bool) -> list[str]:
        """What `look` is to keep at the epoch just appended."""
        return [
            name
            for name in self._kept
            if (deviation.is_kept(name, self.epoch) or (last and name != "deviation_histogram"))
            and (name != "matrix" or self.experiment.mark is not None)
        ]

    def to_dataset(self, attributes: dict[str, Any]) -> xr.Dataset:
        """The run as SPEC section 6 has it, with a replica dimension of length one.

        ``attributes`` are those of the making (`provenance`); the experiment's are added.
        """
        statistics = np.stack(self._statistics)  # (epoch, statistic, layer)
        values = {name: np.asarray([each], np.float32) for name, each in self._curves.items()}
        values |= {n: statistics[None, :, i] for i, n in enumerate(deviation.STATISTICS)}
        values["deviation_quantiles"] = np.stack(self._quantiles)[None]
        values["glorot_std"] = np.asarray(list(self._glorot.values()))
        coordinates: dict[str, Any] = {
            "replica": [self.replica],
            "epoch": np.arange(self.epoch + 1),
            "layer": list(self._glorot),
            "quantile": list(deviation.QUANTILES),
        }
        for name, by_epoch in self._kept.items():
            if by_epoch:
                values[name] = np.stack(list(by_epoch.values()))[None]
                coordinates[DIMENSIONS[name][1]] = list(by_epoch)
                coordinates |= _EDGES[name]
        variables = {name: (DIMENSIONS[name], array) for name, array in values.items()}
        # The epoch axis tells the epochs; None is written as an empty text.
        told = {n: value for n, value in self.experiment.parameters.items() if n != "epochs"}
        identity = {"experiment": json.dumps(told), "digest": self.experiment.digest}
        told = {name: "" if value is None else value for name, value in told.items()}
        return xr.Dataset(variables, coordinates, identity | told | attributes)

    @classmethod
    def from_dataset(cls, experiment: Experiment, dataset: xr.Dataset) -> "Record":
        """The record that a run's file holds, to go on with as if it had never stopped.

        What was kept only because the run ended there is dropped.
        """
        record = cls(experiment, int(dataset["replica"].item()))
        run = dataset.isel(replica=0)
        record._curves = {name: [float(value) for value in run[name].values] for name in CURVES}
        stacked = np.stack([run[name].values for name in deviation.STATISTICS], axis=1)
        record._statistics = list(stacked)
        record._quantiles = list(run["deviation_quantiles"].values)
        for name in record._kept.keys() & set(run.data_vars):
            epochs = map(int, run[DIMENSIONS[name][1]].values)
            pairs = zip(epochs, run[name].values, strict=True)
            record._kept[name] = {e: values for e, values in pairs if deviation.is_kept(name, e)}
        return record


def experiment_of(dataset: xr.Dataset) -> Experiment:
    """The experiment of a run, with the epochs it got."""
    parameters = json.loads(dataset.attrs["experiment"])
    return Experiment(**(parameters | {"epochs": int(dataset["epoch"].values[-1])}))


def cut(dataset: xr.Dataset, epochs: int) -> xr.Dataset:
    """The dataset as it was after so many epochs (what is kept at some epochs only included)."""
    for dimension in ("epoch", "histogram_epoch", "joint_epoch", "matrix_epoch"):
        if dimension in dataset.dims:
            dataset = dataset.isel({dimension: dataset[dimension].values <= epochs})
    return dataset


def joined(datasets: list[xr.Dataset]) -> xr.Dataset:
    """Replicas of one experiment, of the same epochs, as one dataset.

    Attributes in which they differ become coordinates along ``replica``; a matrix that one has not
    kept (`publication`) is NaN.
    """
    ordered = sorted(datasets, key=lambda one: int(one["replica"].item()))
    names = sorted({name for one in ordered for name in one.attrs})
    varying = [name for name in names if len({str(one.attrs.get(name)) for one in ordered}) > 1]
    labelled = [
        one.assign_coords({name: ("replica", [one.attrs.get(name, "")]) for name in varying})
        for one in ordered
    ]
    matrices = [one["matrix"] for one in labelled if "matrix" in one]
    others = [one.drop_dims("matrix_epoch", errors="ignore") for one in labelled]
    how: dict[str, Any] = {"coords": "minimal", "compat": "override"}
    also: dict[str, Any] = {"join": "inner", "combine_attrs": "drop_conflicts"}
    together = xr.concat(others, "replica", data_vars="minimal", **also, **how)
    if matrices:
        together["matrix"] = xr.concat(matrices, "replica", join="outer", **how)
    return together
