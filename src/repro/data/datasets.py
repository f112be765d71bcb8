"""The datasets by name: images as rows of pixels, labels, and their division into train and test.

Any other than `DATASETS` is one's own, in an .npz file (`own`).
"""

import numbers
import os
from dataclasses import dataclass

import numpy as np

from repro.data import hasyv2, mnist, own
from repro.errors import ReproError, shown

# From the largest to the smallest.
DATASETS = {one.name: one for one in (hasyv2.DATASET, *mnist.DATASETS)}
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
        What divides them, as `checked_split` has it.
    """

    name: str
    split: str | float | None
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int


def identified(dataset: object) -> str:
    """The name by which a dataset is known: its own, or what `own.identified` makes of a file.

    Raises ReproError for what is no dataset, and for a file that cannot be used.
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
    return DATASETS[name].pixels, DATASETS[name].classes


def checked_split(name: str, split: object) -> str | float | None:
    """The split of a dataset: a fold ("fold-1" for None) or a share for training, between 0 and 1.

    None for all but hasyv2, whose test set is fixed. Raises ReproError for what cannot be.
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

    ``name`` is one of `NAMES`, or one's own: the path of its .npz file, or what `identified` made
    of that; ``split`` as `checked_split` has it, and of a share, so many of all images, rounded,
    are drawn from the seed for training, without replacement; ``progress`` shows bars on the way.
    Raises ReproError for an unknown name or split, and for files missing, damaged or out of reach.
    """
    name = identified(name)
    split = checked_split(name, split)
    if own.is_name(name):
        parts = own.load(name)
    else:
        parts = DATASETS[name].read(DATASETS[name], split, seed, progress)
    for array in parts:
        array.flags.writeable = False
    return DataSplit(name, split, *parts, shape(name)[1])
