"""Identical images in a dataset: between its train and test images, and under different labels."""

from dataclasses import dataclass

import numpy as np

from repro.data.datasets import DataSplit


@dataclass(frozen=True)
class DuplicateReport:
    """Numbers of images.

    test_images_in_train
        Test images that are identical, pixel by pixel, to some train image.
    ambiguous_images
        Images, train and test, that are identical to one with another label: of these no classifier
        gets all right.
    """

    test_images_in_train: int
    ambiguous_images: int


def duplicate_report(split: DataSplit) -> DuplicateReport:
    """Count the identical images of a dataset as it is divided by `split`."""
    groups: dict[bytes, int] = {}

    def group(images: np.ndarray) -> np.ndarray:
        """A number per image, equal for identical images."""
        return np.array([groups.setdefault(row.tobytes(), len(groups)) for row in images], np.int64)

    train, test = group(split.x_train), group(split.x_test)
    members = np.concatenate([train, test])
    labelled = np.column_stack([members, np.concatenate([split.y_train, split.y_test])])
    labels_in_group = np.bincount(np.unique(labelled, axis=0)[:, 0], minlength=len(groups))
    return DuplicateReport(
        test_images_in_train=int(np.isin(test, train).sum()),
        ambiguous_images=int((labels_in_group[members] > 1).sum()),
    )
