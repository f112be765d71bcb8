"""What the book says of the datasets, counted once and published, so that pages need no data.

``python -m repro.data.facts`` counts again and writes ``results/datasets.json``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repro import sealed_json
from repro.data import datasets
from repro.places import published_path

FILE = "datasets.json"
EXAMPLES = 12
SETS = ("train", "test")


def gather(name: str) -> dict[str, Any]:
    """Counts and a few examples of a dataset (its first fold, where it has folds)."""
    data = datasets.load(name)
    report = duplicate_report(data)
    # Spread over the training set, so that they show different classes.
    chosen = np.linspace(0, len(data.y_train) - 1, EXAMPLES).astype(int)
    of_class = [np.bincount(y, minlength=data.classes) for y in (data.y_train, data.y_test)]
    pixels = data.x_train if data.x_train.dtype == np.uint8 else _as_pixels(data.x_train)
    scale = 255 if data.x_train.dtype == np.uint8 else 1
    return {
        "train_images": len(data.y_train),
        "test_images": len(data.y_test),
        "pixels": data.x_train.shape[1],
        "classes": data.classes,
        "smallest_class": int(of_class[0].min()),
        "largest_class": int(of_class[0].max()),
        "mean_pixel": round(float(data.x_train.mean() / scale), 4),
        "test_images_in_train": report.test_images_in_train,
        "ambiguous_images": report.ambiguous_images,
        "test_images_of_folds": _fold_sizes(name),
        "train_class_counts": of_class[0].tolist(),
        "test_class_counts": of_class[1].tolist(),
        "image_shape": list(data.image_shape),
        "examples": [pixels[index].tobytes().hex() for index in chosen],
    }


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


def duplicate_report(split: datasets.DataSplit) -> DuplicateReport:
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


def published(required: bool = True) -> dict[str, dict[str, Any]]:
    """The published facts by dataset, the examples as uint8 arrays (example, row, column).

    Without the class counts: see `published_class_counts`. Nothing, unless they are ``required``,
    where the published results are elsewhere, without the facts.
    """
    return {name: _shown(fact) for name, fact in _read(required).items()}


def published_with(dataset: str) -> dict[str, dict[str, Any]]:
    """The same, with those of a dataset of one's own, which are counted now.

    ``dataset`` is what an experiment calls it. Numbers that are no pixels are shown as shades of
    grey, from the lowest to the highest.
    """
    facts = published()
    return facts if dataset in facts else {**facts, dataset: _shown(gather(dataset))}


def published_class_counts() -> dict[str, dict[str, np.ndarray]]:
    """Images of each class, shape (class,), by dataset and by set: ``train`` or ``test``.

    Nothing where the published results are elsewhere, without the facts.
    """
    return {
        name: {which: np.asarray(fact[f"{which}_class_counts"]) for which in SETS}
        for name, fact in _read(required=False).items()
    }


def published_fold_sizes(dataset: str) -> dict[str, int]:
    """Test images by fold (``fold-1`` ...) of a published dataset; empty where it has none."""
    sizes = _read(required=True)[dataset]["test_images_of_folds"]
    return {f"fold-{number}": size for number, size in enumerate(sizes, start=1)}


def _fold_sizes(name: str) -> list[int]:
    """Test images of each fold in order; empty where the dataset has none."""
    known = datasets.DATASETS.get(name)
    folds = range(1, 1 + (known.folds if known else 0))
    return [len(datasets.load(name, split=f"fold-{number}").y_test) for number in folds]


def _read(required: bool) -> dict[str, dict[str, Any]]:
    """The published facts as they stand in their file; nothing where it may be and is missing."""
    path = published_path() / FILE
    return sealed_json.read(path) if required or path.is_file() else {}


def _shown(fact: dict[str, Any]) -> dict[str, Any]:
    """A dataset's facts without long lists, its examples as uint8 (example, row, column)."""
    pixels = np.frombuffer(bytes.fromhex("".join(fact["examples"])), np.uint8)
    long = ("class_counts", "of_folds")
    shown = {name: value for name, value in fact.items() if not name.endswith(long)}
    return shown | {"examples": pixels.reshape(-1, *fact["image_shape"])}


def _as_pixels(values: np.ndarray) -> np.ndarray:
    """Numbers as uint8, the lowest as 0 and the highest as 255."""
    low, high = float(values.min()), float(values.max())
    return np.rint(255 * (values - low) / ((high - low) or 1)).astype(np.uint8)


def main(folder: Path | None = None) -> None:
    """Write the facts of every dataset."""
    facts = {name: gather(name) for name in datasets.NAMES}
    sealed_json.write((folder or published_path()) / FILE, facts)


if __name__ == "__main__":
    main()
