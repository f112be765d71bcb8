"""The datasets by name: images as rows of pixels, labels, and their division into train and test.

Every file of this folder that has ``DATASETS`` adds its own; any other is one's own, in an .npz
file (`own`).
"""

import importlib
import numbers
import os
import pkgutil
from dataclasses import dataclass

import numpy as np

import repro.data
from repro.data import own
from repro.data.dataset import Dataset, Parts
from repro.errors import ReproError, shown

_FILES = [
    importlib.import_module(f"repro.data.{one.name}")
    for one in pkgutil.iter_modules(repro.data.__path__)
    if one.name not in ("datasets", "facts")  # which import this one
]
_ALL: list[Dataset] = [one for file in _FILES for one in getattr(file, "DATASETS", ())]
# By name, from the largest to the smallest.
DATASETS = {one.name: one for one in sorted(_ALL, key=lambda one: -one.samples)}
NAMES = tuple(DATASETS)


@dataclass(frozen=True)
class DataSplit:
    """A dataset, divided into train and test images; its arrays are read-only.

    x_train, x_test
        uint8 (images, pixels), row by row, as archived. One's own may be float32: numbers that are
        trained on as they are.
    y_train, y_test
        int32 (images,), classes from 0.
    split
        What divides them: "fold-1" to "fold-10", a share for training, or None (a fixed test set).
    """

    name: str
    split: str | float | None
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int
    image_shape: tuple[int, int]
    class_names: list[str]


def identified(dataset: object) -> str:
    """The name by which a dataset is known: its own, or what `own.identified` makes of a file.

    A file is read, nothing is written. Raises ReproError for what is no dataset, and for a file
    that cannot be used.
    """
    if own.is_file(dataset):
        return own.identified(dataset)
    if isinstance(dataset, str) and (dataset in NAMES or own.is_name(dataset)):
        return dataset
    raise ReproError(
        f"dataset must be one of {', '.join(NAMES)}, or the path of an .npz file, not "
        f"{shown(dataset)}."
    )


def shape(name: str) -> tuple[int, int]:
    """(pixels, classes) of a dataset by name. Raises ReproError where one's own is not kept."""
    if own.is_name(name):
        return own.shape(name)
    rows, columns = DATASETS[name].image_shape
    return rows * columns, DATASETS[name].classes


def checked_split(name: str, split: object) -> str | float | None:
    """The split of a dataset: None, a fold or a share for training; None is the default.

    Raises ReproError where the dataset cannot be divided like this.
    """
    if own.is_name(name) or not DATASETS[name].folds:
        if split is not None:
            raise ReproError(
                f"split must be left out for {name}, whose test set is fixed, not {shown(split)}."
            )
        return None
    folds = [f"fold-{number}" for number in range(1, DATASETS[name].folds + 1)]
    if split is None or (isinstance(split, str) and split in folds):
        return split or folds[0]
    if isinstance(split, numbers.Real) and not isinstance(split, bool) and 0 < split < 1:
        return float(split)
    raise ReproError(
        f"split must be {folds[0]} to {folds[-1]} or a share between 0 and 1, not {shown(split)}."
    )


def load(
    name: str | os.PathLike, split: str | float | None = None, seed: int = 0, progress: bool = True
) -> DataSplit:
    """Load a dataset, downloading and preparing it where that has not been done yet.

    Parameters
    ----------
    name:
        One of `NAMES`, or one's own: the path of its .npz file, or what `identified` made of that.
    split:
        For hasyv2 one of its folds, "fold-1" (the default) to "fold-10", or a share between 0 and
        1: so many of all images, rounded, are drawn for training without replacement. None for all
        others, whose test set is fixed.
    seed:
        Of that draw.
    progress:
        Whether to show progress bars while downloading and decoding.

    Raises ReproError for an unknown name or split, and for files missing, damaged or out of reach.
    """
    name = identified(name)
    split = checked_split(name, split)
    parts: Parts
    if own.is_name(name):
        parts = own.load(name)
        pixels, classes = own.shape(name)
        image_shape, class_names = (1, pixels), [str(label) for label in range(classes)]
    else:
        dataset = DATASETS[name]
        parts = dataset.read(dataset, split, seed, progress)
        classes, image_shape = dataset.classes, dataset.image_shape
        class_names = list(dataset.class_names())
    for array in parts:
        array.flags.writeable = False
    return DataSplit(name, split, *parts, classes, image_shape, class_names)
