"""What the book says of the datasets, counted once and published, so that pages need no data.

``python -m repro.dataset_facts`` counts again and writes ``results/datasets.json``.
"""

from pathlib import Path
from typing import Any

import numpy as np

from repro import datasets, sealed_json
from repro.duplicates import duplicate_report
from repro.store import published_path

FILE = "datasets.json"
EXAMPLES = 12
SETS = ("train", "test")


def gather(name: str) -> dict[str, Any]:
    """Counts and a few examples of a dataset (its first fold, where it has folds)."""
    split = None if name in datasets.FIXED_TEST_SET else "fold-1"
    data = datasets.load(name, split)
    report = duplicate_report(data)
    # Spread over the training set, so that they show different classes.
    chosen = np.linspace(0, len(data.y_train) - 1, EXAMPLES).astype(int)
    of_class = [np.bincount(y, minlength=data.classes) for y in (data.y_train, data.y_test)]
    return {
        "train_images": len(data.y_train),
        "test_images": len(data.y_test),
        "pixels": data.x_train.shape[1],
        "classes": data.classes,
        "smallest_class": int(of_class[0].min()),
        "largest_class": int(of_class[0].max()),
        "mean_pixel": round(float(data.x_train.mean() / 255), 4),
        "test_images_in_train": report.test_images_in_train,
        "ambiguous_images": report.ambiguous_images,
        "train_class_counts": of_class[0].tolist(),
        "test_class_counts": of_class[1].tolist(),
        "image_shape": list(data.image_shape),
        "examples": [data.x_train[index].tobytes().hex() for index in chosen],
    }


def published() -> dict[str, dict[str, Any]]:
    """The published facts by dataset, the examples as uint8 arrays (example, row, column).

    Without the class counts: see `published_class_counts`.
    """
    facts = sealed_json.read(published_path() / FILE)
    for fact in facts.values():
        for which in SETS:
            del fact[f"{which}_class_counts"]
        pixels = np.frombuffer(bytes.fromhex("".join(fact["examples"])), np.uint8)
        fact["examples"] = pixels.reshape(-1, *fact["image_shape"])
    return facts


def published_class_counts() -> dict[str, dict[str, np.ndarray]]:
    """Images of each class, shape (class,), by dataset and by set: ``train`` or ``test``.

    Nothing where the published results are elsewhere, without the facts.
    """
    if not (published_path() / FILE).is_file():
        return {}
    facts = sealed_json.read(published_path() / FILE)
    return {
        name: {which: np.asarray(fact[f"{which}_class_counts"]) for which in SETS}
        for name, fact in facts.items()
    }


def main(folder: Path | None = None) -> None:
    """Write the facts of every dataset."""
    facts = {name: gather(name) for name in datasets.NAMES}
    sealed_json.write((folder or published_path()) / FILE, facts)


if __name__ == "__main__":
    main()
