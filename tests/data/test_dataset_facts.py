"""What the book says of the datasets is what the datasets are."""

import json

import numpy as np
import pytest

from repro.data import datasets
from repro.data import facts as dataset_facts
from repro.places import published_path


@pytest.mark.parametrize("name", ["hasyv2", "mnist", "fashion-mnist"])
def test_published_facts_are_those_of_the_real_data(name, real_data_dir, prepared_cache):
    published = json.loads((published_path() / dataset_facts.FILE).read_text())
    assert dataset_facts.gather(name) == published[name]


def test_published_facts_of_the_digits():
    published = json.loads((published_path() / dataset_facts.FILE).read_text())
    assert dataset_facts.gather("digits") == published["digits"]


def test_examples_are_images():
    for name, fact in dataset_facts.published().items():
        assert fact["examples"].shape == (dataset_facts.EXAMPLES, *fact["image_shape"]), name
        assert fact["examples"].std() > 10


def test_ones_own_data_stands_beside_the_published(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    x = np.linspace(-1, 3, 20, dtype=np.float32).reshape(5, 4)
    np.savez(
        tmp_path / "mine.npz", x_train=x[:4], y_train=[0, 1, 0, 2], x_test=x[3:], y_test=[2, 1]
    )
    name = datasets.identified(str(tmp_path / "mine.npz"))
    facts = dataset_facts.published_with(name)
    assert facts.keys() - {name} == dataset_facts.published().keys()
    mine = facts[name]
    assert (mine["train_images"], mine["classes"], mine["test_images_in_train"]) == (4, 3, 1)
    assert mine["mean_pixel"] == pytest.approx(x[:4].mean(), abs=1e-4)
    assert mine["examples"].shape == (dataset_facts.EXAMPLES, 1, 4)
    assert (mine["examples"].min(), mine["examples"].max()) == (0, 255)
