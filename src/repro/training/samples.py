"""The samples on the device: one copy for all that train at the same time."""

import functools
import threading
from typing import Any, NamedTuple

import numpy as np

from repro.data import datasets
from repro.data.hasyv2 import SYMBOL_IDS
from repro.experiment import Experiment
from repro.training.backend import ops

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
    """The samples of an experiment, its pixels inverted and its labels symbol ids where it
    asks for that.

    Those asked for last are kept, for the next experiment on the same dataset.

    Raises
    ------
    ReproError
        Where the data cannot be read.
    """
    # The seed is part of the samples only where it draws their split.
    seed = experiment.seed if isinstance(experiment.split, float) else 0
    with _ONE_AT_A_TIME:
        return _kept(
            experiment.dataset, experiment.split, seed, experiment.pixels == "inverted",
            experiment.labels == "symbol-ids",
        )  # fmt: skip


@functools.lru_cache(maxsize=2)
def _kept(
    dataset: str, split: str | float | None, seed: int, inverted: bool, symbol_ids: bool
) -> Samples:
    data = datasets.load(dataset, split, seed)

    def pixels(images: np.ndarray) -> Any:
        return ops.convert_to_tensor(255 - images if inverted else images)

    def labels(classes: np.ndarray) -> Any:
        return ops.convert_to_tensor(
            np.array(SYMBOL_IDS, np.int32)[classes] if symbol_ids else classes
        )

    return Samples(
        pixels(data.x_train), labels(data.y_train), pixels(data.x_test), labels(data.y_test)
    )
