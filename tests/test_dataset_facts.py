"""What the book says of the datasets is what the datasets are."""

import json

import pytest

from repro import dataset_facts
from repro.store import published_path


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
