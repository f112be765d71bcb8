"""What the book says of the datasets is what the datasets are."""

import numpy as np
import pytest

from repro import sealed_json
from repro.data import datasets, facts
from repro.places import published_path


def test_published_facts_are_those_of_the_real_data(dataset):
    assert facts.gather(dataset) == sealed_json.read(published_path() / facts.FILE)[dataset]


def test_of_hasyv2_the_duplicates_are_those_that_the_paper_trained_on():
    hasyv2 = facts.published()["hasyv2"]
    assert (hasyv2["test_images_in_train"], hasyv2["ambiguous_images"]) == (228, 1181)


def test_ones_own_data_stands_beside_the_published(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    x = np.linspace(-1, 3, 20, dtype=np.float32).reshape(5, 4)
    arrays = {"x_train": x[:4], "y_train": [0, 1, 0, 2], "x_test": x[3:], "y_test": [2, 1]}
    np.savez(tmp_path / "mine.npz", **arrays)
    name = datasets.identified(str(tmp_path / "mine.npz"))
    found = facts.published(name)
    assert found.keys() - {name} == facts.published().keys()
    mine = found[name]
    assert (mine["train_images"], mine["classes"], mine["test_images_in_train"]) == (4, 3, 1)
    assert mine["mean_pixel"] == pytest.approx(x[:4].mean(), abs=1e-4)


def test_duplicates_of_a_small_example():
    a, b, c, d = np.arange(16, dtype=np.uint8).reshape(4, 4)
    split = datasets.DataSplit(
        "example", None, np.stack([a, a, b, c]), np.array([0, 1, 1, 2], np.int32),
        np.stack([a, a, c, d]), np.array([0, 0, 2, 2], np.int32), 3,
    )  # fmt: skip
    # a is there four times under two labels, c in train and test under one.
    assert facts.duplicates(split) == (3, 4)
