"""The samples on the device: one copy for all that train at the same time."""

import functools
import threading
from typing import Any, NamedTuple

import numpy as np

from repro import datasets
from repro.backend import ops
from repro.experiment import Experiment

_ONE_AT_A_TIME = threading.Lock()


class Samples(NamedTuple):
    """Training and test set on the device.

    Pixels uint8 (sample, pixel), or float32 where one's own are; labels int32 (sample,).
    """

    x_train: Any
    y_train: Any
    x_test: Any
    y_test: Any


def of(experiment: Experiment) -> Samples:
    """The samples of an experiment, its pixels inverted where it asks for that.

    Those asked for last are kept, for the next experiment on the same dataset.

    Raises
    ------
    ReproError
        Where the data cannot be read.
    """
    # The seed is part of the samples only where it draws their split.
    seed = experiment.seed if isinstance(experiment.split, float) else 0
    with _ONE_AT_A_TIME:
        return _kept(experiment.dataset, experiment.split, seed, experiment.pixels == "inverted")


@functools.lru_cache(maxsize=2)
def _kept(dataset: str, split: str | float | None, seed: int, inverted: bool) -> Samples:
    data = datasets.load(dataset, split, seed)
    return Samples(
        *(
            ops.convert_to_tensor(255 - array if inverted and array.dtype == np.uint8 else array)
            for array in (data.x_train, data.y_train, data.x_test, data.y_test)
        )
    )
