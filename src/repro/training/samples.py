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
    """The samples, with pixels and labels as the experiment asks for them; the last two are kept.

    Raises ReproError where the data cannot be read.
    """
    # The seed is part of the samples only where it draws their split.
    seed = experiment.seed if isinstance(experiment.split, float) else 0
    inverted, symbol_ids = experiment.pixels == "inverted", experiment.labels == "symbol-ids"
    with _ONE_AT_A_TIME:
        return _kept(experiment.dataset, experiment.split, seed, inverted, symbol_ids)


@functools.lru_cache(maxsize=2)
def _kept(
    dataset: str, split: str | float | None, seed: int, inverted: bool, symbol_ids: bool
) -> Samples:
    data = datasets.load(dataset, split, seed)
    pixels = [255 - each if inverted else each for each in (data.x_train, data.x_test)]
    ids = np.array(SYMBOL_IDS, np.int32)
    labels = [ids[each] if symbol_ids else each for each in (data.y_train, data.y_test)]
    parts = (pixels[0], labels[0], pixels[1], labels[1])
    return Samples(*map(ops.convert_to_tensor, parts))
