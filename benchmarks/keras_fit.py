"""`keras.Model.fit` at its best settings, as `repro bench` measures it.

Compiled by XLA, all steps in one execution, no metric but the loss. Of the ways to feed it (arrays,
cached or gathered datasets, float32 or uint8) this is the fastest of those that let every epoch
have its own order: batches of uint8 gathered and prefetched by tf.data, scaled in the program.
Replicas train one after another: that is all it can do.
"""

import time

import keras
import numpy as np
import tensorflow

from repro.bench.worker import Workload


class Engine:
    """One model, given each replica's weights in turn."""

    def __init__(self, work: Workload) -> None:
        self._batch_size = work.batch_size
        self._model = self._compiled(work)
        parts = work.initial_parameters()
        self._replicas = [[part[replica] for part in parts] for replica in range(work.replicas)]

    def _compiled(self, work: Workload) -> keras.Model:
        with tensorflow.device("CPU"):  # tf.data gathers there
            self._pixels = tensorflow.constant(work.data.x_train)
            self._labels = tensorflow.constant(work.data.y_train)
        model = keras.Sequential(
            [
                keras.Input((work.data.x_train.shape[1],), dtype="uint8"),
                keras.layers.Rescaling(1 / 255),
                *self._layers(work),
            ]
        )
        model.compile(
            optimizer=keras.optimizers.SGD(work.experiment.learning_rate),
            loss=self._loss(),
            jit_compile=True,
            steps_per_execution=work.steps,
        )
        return model

    @staticmethod
    def _layers(work: Workload) -> list[keras.Layer]:
        return [
            keras.layers.Dense(work.width, activation="relu"),
            keras.layers.Dense(work.width, activation="relu"),
            keras.layers.Dense(work.data.classes),
        ]

    @staticmethod
    def _loss() -> keras.Loss:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def run(self, order: np.ndarray) -> float:
        """Train in this order; returns the seconds between begin and end of the epochs.

        What `fit` does once before its first epoch is not counted: in 1000 epochs it is nothing.
        """
        seconds = 0.0
        for replica, batches in enumerate(order):
            # Keras lists each layer's weights and biases together.
            together = np.reshape(range(6), (2, 3)).T.ravel()
            self._model.set_weights([self._replicas[replica][index] for index in together])
            clock = _Clock()
            self._fit(batches, clock)
            seconds += clock.seconds
            trained = self._model.get_weights()
            self._replicas[replica] = trained[::2] + trained[1::2]
        return seconds

    def parameters(self) -> tuple[np.ndarray, ...]:
        """Weights, then biases, with the replica in front."""
        return tuple(np.stack(parts) for parts in zip(*self._replicas, strict=True))

    def _fit(self, batches: np.ndarray, clock: keras.callbacks.Callback) -> None:
        self._model.fit(
            self._dataset(batches), epochs=1, shuffle=False, verbose=0, callbacks=[clock]
        )

    def _dataset(self, order: np.ndarray) -> tensorflow.data.Dataset:
        def gather(chosen: tensorflow.Tensor) -> tuple:
            return tensorflow.gather(self._pixels, chosen), tensorflow.gather(self._labels, chosen)

        batches = tensorflow.data.Dataset.from_tensor_slices(order.reshape(-1, self._batch_size))
        return batches.map(gather, num_parallel_calls=1).prefetch(8)


class _Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        float(logs["loss"])  # waits for the device
        self.seconds = time.perf_counter() - self._start


def device() -> str:
    """What it runs on."""
    return ", ".join(
        sorted({each.device_type for each in tensorflow.config.list_logical_devices()})
    )


def versions() -> dict[str, str]:
    """Of the libraries used."""
    return {"keras": keras.__version__, "tensorflow": tensorflow.__version__}
