"""`keras.Model.fit` as most write it, as `repro bench` measures it.

Arrays in memory, `compile` and `fit` with nothing but optimizer, loss and batch size. Replicas
train one after another.
"""

import keras
import keras_fit
import numpy as np
from keras_fit import device, versions

from repro.bench.worker import Workload

__all__ = ["Engine", "device", "versions"]


class Engine(keras_fit.Engine):
    """One model, given each replica's weights in turn, and its samples as float32 arrays."""

    def __init__(self, work: Workload) -> None:
        super().__init__(work)
        self._pixels = work.data.x_train.astype(np.float32) / np.float32(255)
        self._labels = work.data.y_train

    def _compiled(self, work: Workload) -> keras.Model:
        model = keras.Sequential([keras.Input((work.data.x_train.shape[1],)), *self._layers(work)])
        model.compile(
            optimizer=keras.optimizers.SGD(work.experiment.learning_rate), loss=self._loss()
        )
        return model

    def _fit(self, batches: np.ndarray, clock: keras.callbacks.Callback) -> None:
        # Put in order beforehand, so that all engines see the same batches; that is not counted.
        self._model.fit(
            self._pixels[batches], self._labels[batches], batch_size=self._batch_size, epochs=1,
            shuffle=False, verbose=0, callbacks=[clock],
        )  # fmt: skip
