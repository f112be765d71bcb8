"""The work that `repro bench` gives to every engine: the same samples, weights, order and steps."""

import functools
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import logsumexp

from repro.data import datasets
from repro.experiment import Experiment
from repro.model import network

# Training samples of the datasets, so that synthetic ones are as large.
_SAMPLES = {"hasyv2": 151_241, "mnist": 60_000, "fashion-mnist": 60_000, "digits": 1_437}
_JUDGED_SAMPLES = 1000


@dataclass(frozen=True)
class Workload:
    """So many SGD steps of some replicas; each call of an engine does them with a fresh order.

    The loss is the exact cross-entropy, the only one that every library brings along.

    Parameters
    ----------
    dataset, width, replicas, batch_size:
        As in an experiment.
    steps:
        Steps of one call, at most those of an epoch.
    synthetic:
        Random pixels and labels of the dataset's shape: needs no data.
    """

    dataset: str
    width: int
    replicas: int
    steps: int
    batch_size: int = 128
    synthetic: bool = False

    @property
    def experiment(self) -> Experiment:
        return Experiment(
            self.dataset, self.width, 1, loss="logits", batch_size=self.batch_size, seed=0
        )

    @property
    def parameters(self) -> dict[str, str | int | bool]:
        """All by name: `Workload(**parameters)` is the same."""
        return asdict(self)

    @property
    def steps_per_epoch(self) -> float:
        """Batches in an epoch, the smaller last one counted by its samples."""
        return _SAMPLES[self.dataset] / self.batch_size

    @property
    def products(self) -> list[tuple[int, int, int]]:
        """The matrix products of one step of one replica, as (rows, contracted, columns).

        Forward, gradient of the weights, and gradient of the inputs except for the first layer,
        whose inputs are the samples.
        """
        batch, products = self.batch_size, []
        for fan_in, fan_out in network.layer_shapes(self.experiment).values():
            products += [(batch, fan_in, fan_out), (fan_in, batch, fan_out)]
            products += [(batch, fan_out, fan_in)] if len(products) > 2 else []
        return products

    @property
    def operations_per_step(self) -> int:
        """Floating-point operations of one step of all replicas: two per multiply-add pair.

        Those of the matrix products alone; activations, loss and update are not counted.
        """
        return 2 * self.replicas * sum(m * k * n for m, k, n in self.products)

    @property
    def operations_per_epoch(self) -> float:
        return self.operations_per_step * self.steps_per_epoch

    @functools.cached_property
    def data(self) -> datasets.DataSplit:
        """The samples. Raises ReproError where they cannot be read."""
        if not self.synthetic:
            return datasets.load(self.dataset, self.experiment.split, progress=False)
        generator = np.random.default_rng(0)
        pixels, classes = datasets.shape(self.dataset)
        parts = []
        for samples in (_SAMPLES[self.dataset], max(self.batch_size, _JUDGED_SAMPLES)):
            parts.append(generator.integers(0, 256, (samples, pixels), np.uint8))
            parts.append(generator.integers(0, classes, samples, np.int32))
        shape = datasets.DATASETS[self.dataset].image_shape
        return datasets.DataSplit(self.dataset, None, *parts, classes, shape, [])

    def order(self, call: int) -> np.ndarray:
        """The samples of a call (the first is 0): int32 (replica, steps * batch_size)."""
        samples, used = len(self.data.y_train), self.steps * self.batch_size
        return np.stack(
            [
                network.sample_order(self.experiment, replica, call + 1, samples)[:used]
                for replica in range(self.replicas)
            ]
        )

    def initial_parameters(self) -> tuple[np.ndarray, ...]:
        """Weights (replica, fan-in, fan-out) of the layers, then biases (replica, fan-out)."""
        weights = [network.initial_weights(self.experiment, r) for r in range(self.replicas)]
        biases = [network.initial_biases(self.experiment)] * self.replicas
        parts = [[replica.values() for replica in part] for part in (weights, biases)]
        return tuple(np.stack(layer) for part in parts for layer in zip(*part, strict=True))

    def losses(self, parameters: tuple[np.ndarray, ...]) -> list[float]:
        """Loss of each replica on the first test samples, in float64 and by NumPy alone."""
        labels = self.data.y_test[:_JUDGED_SAMPLES]
        losses, half = [], len(parameters) // 2
        for replica in range(self.replicas):
            parts = [np.asarray(part[replica], np.float64) for part in parameters]
            outputs = self.data.x_test[:_JUDGED_SAMPLES].astype(np.float64) / 255
            for layer, (weights, bias) in enumerate(zip(parts[:half], parts[half:], strict=True)):
                outputs = (np.maximum(outputs, 0) if layer else outputs) @ weights + bias
            true = outputs[np.arange(len(labels)), labels]
            losses.append(float(np.mean(logsumexp(outputs, axis=1) - true)))
        return losses
