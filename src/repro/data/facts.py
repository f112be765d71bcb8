"""What the book says of the datasets, counted once and published, so that pages need no data.

``python -m repro.data.facts`` counts again and writes ``results/datasets.json``.
"""

from typing import Any

import numpy as np

from repro import sealed_json
from repro.data import datasets
from repro.places import published_path

FILE = "datasets.json"
SETS = ("train", "test")
_COUNTS = "_class_counts"


def gather(name: str) -> dict[str, Any]:
    """Counts of a dataset (its first fold, where it has folds)."""
    data = datasets.load(name)
    counts = [np.bincount(y, minlength=data.classes) for y in (data.y_train, data.y_test)]
    in_train, ambiguous = duplicates(data)
    scale = 255 if data.x_train.dtype == np.uint8 else 1
    return {
        "train_images": len(data.y_train),
        "test_images": len(data.y_test),
        "pixels": data.x_train.shape[1],
        "classes": data.classes,
        "smallest_class": int(counts[0].min()),
        "largest_class": int(counts[0].max()),
        "mean_pixel": round(float(data.x_train.mean() / scale), 4),
        "test_images_in_train": in_train,
        "ambiguous_images": ambiguous,
        **{which + _COUNTS: count.tolist() for which, count in zip(SETS, counts, strict=True)},
    }


def duplicates(data: datasets.DataSplit) -> tuple[int, int]:
    """Test images identical, pixel by pixel, to a train image; ambiguous images.

    Those are the images, train and test, that are identical to one with another label: of these no
    classifier gets all right.
    """
    groups: dict[bytes, int] = {}

    def group(images: np.ndarray) -> np.ndarray:
        """A number per image, equal for identical images."""
        return np.array([groups.setdefault(row.tobytes(), len(groups)) for row in images], np.int64)

    train, test = group(data.x_train), group(data.x_test)
    members = np.concatenate([train, test])
    labelled = np.column_stack([members, np.concatenate([data.y_train, data.y_test])])
    labels_in_group = np.bincount(np.unique(labelled, axis=0)[:, 0], minlength=len(groups))
    return int(np.isin(test, train).sum()), int((labels_in_group[members] > 1).sum())


def published() -> dict[str, dict[str, Any]]:
    """The published facts by dataset, without the class counts (`published_class_counts`).

    Nothing where the published results are elsewhere, without the facts.
    """
    return {name: _short(fact) for name, fact in _read().items()}


def published_with(dataset: str) -> dict[str, dict[str, Any]]:
    """The same, with those of a dataset of one's own, by its name in experiments: counted now."""
    facts = published()
    return facts if dataset in facts else {**facts, dataset: _short(gather(dataset))}


def published_class_counts() -> dict[str, dict[str, np.ndarray]]:
    """Images of each class, shape (class,), by dataset and by set: ``train`` or ``test``."""
    return {
        name: {which: np.asarray(fact[which + _COUNTS]) for which in SETS}
        for name, fact in _read().items()
    }


def _read() -> dict[str, dict[str, Any]]:
    path = published_path() / FILE
    return sealed_json.read(path) if path.is_file() else {}


def _short(fact: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fact.items() if not name.endswith(_COUNTS)}


if __name__ == "__main__":
    sealed_json.write(published_path() / FILE, {name: gather(name) for name in datasets.NAMES})
