"""The digits of scikit-learn: 8 x 8 pixels, nothing to download; for tests and first tries."""

import hashlib

import numpy as np

from repro.data.dataset import Dataset, Parts
from repro.errors import ReproError

# Of the pixels and labels, all images in scikit-learn's order.
CONTENT = "ed5d0ee6d5a61b611d6cad96c6bd69386d32550c51b259a59996b65ad132fa6c"


def read(dataset: Dataset, split: None, seed: int, progress: bool) -> Parts:
    """Every fifth image, from the first, is for testing; pixels are round(value * 255 / 16)."""
    from sklearn.datasets import load_digits  # slow, and no other dataset needs it

    values, labels = load_digits(return_X_y=True)
    pixels = np.rint(values * (255 / 16)).astype(np.uint8)
    labels = labels.astype(np.int32)
    if hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest() != CONTENT:
        raise ReproError("scikit-learn's digits are not the published ones: install it again.")
    test = np.arange(len(labels)) % 5 == 0
    return pixels[~test], labels[~test], pixels[test], labels[test]


DATASETS = (
    Dataset(
        name="digits",
        label="digits",
        samples=1_437,
        image_shape=(8, 8),
        classes=10,
        class_names=lambda: tuple("0123456789"),
        read=read,
    ),
)
