"""What the book says of the datasets, counted once and published, so that pages need no data.

``python -m repro.data.facts`` counts again and writes ``results/datasets.json``.
"""

from typing import Any

import numpy as np
import pandas as pd

from repro import sealed_json
from repro.data import datasets
from repro.places import published_path

FILE = "datasets.json"


def gather(name: str) -> dict[str, Any]:
    """Counts of a dataset (its first fold, where it has folds)."""
    data = datasets.load(name)
    counts = np.bincount(data.y_train, minlength=data.classes)
    in_train, ambiguous = duplicates(data)
    scale = 255 if data.x_train.dtype == np.uint8 else 1
    return {
        "train_images": len(data.y_train),
        "test_images": len(data.y_test),
        "pixels": data.x_train.shape[1],
        "classes": data.classes,
        "smallest_class": int(counts.min()),
        "largest_class": int(counts.max()),
        "mean_pixel": round(float(data.x_train.mean() / scale), 4),
        "test_images_in_train": in_train,
        "ambiguous_images": ambiguous,
    }


def duplicates(data: datasets.DataSplit) -> tuple[int, int]:
    """Test images identical, pixel by pixel, to a train image; ambiguous images.

    Those are the images, train and test, that are identical to one with another label: of these no
    classifier gets all right.
    """
    train, test = ([row.tobytes() for row in images] for images in (data.x_train, data.x_test))
    images = pd.DataFrame({"image": train + test, "label": [*data.y_train, *data.y_test]})
    ambiguous = images.groupby("image")["label"].transform("nunique") > 1
    known = set(train)
    return sum(image in known for image in test), int(ambiguous.sum())


def published(own: str | None = None) -> dict[str, dict[str, Any]]:
    """The published facts by dataset, with those of one's own by its name, counted now."""
    path = published_path() / FILE  # the published results may be elsewhere, without the facts
    facts = sealed_json.read(path) if path.is_file() else {}
    return facts if own is None or own in facts else facts | {own: gather(own)}


if __name__ == "__main__":
    sealed_json.write(published_path() / FILE, {name: gather(name) for name in datasets.NAMES})
