"""Experiments: what is accepted, what is refused, and that the digest names the result."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro import Experiment, ReproError

PAPER = Experiment("hasyv2", 150, 1000)


def test_the_defaults_are_the_papers():
    assert (PAPER.learning_rate, PAPER.batch_size, PAPER.loss) == (0.1, 128, "clipped")
    assert (PAPER.pixels, PAPER.split, PAPER.epsilon) == ("archived", "fold-1", 1e-7)


def test_the_digest_does_not_change_from_one_version_to_the_next():
    # Published files are found by these: a change here orphans all of them.
    assert PAPER.digest == "c9bcd318236de359"
    assert Experiment("hasyv2", 512, 1000, mark="a").digest == "e4d6a0c6be866074"
    assert Experiment("mnist", 64, 5).digest == "39d5068520c093ac"


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "mnist", "split": None}, {"width": 151}, {"loss": "logits"}, {"seed": 1},
        {"pixels": "inverted"}, {"split": "fold-2"}, {"split": 0.85}, {"mark": "a"},
        {"learning_rate": 0.2}, {"batch_size": 64}, {"epsilon": 1e-6}, {"hidden_layers": 3},
        {"initializer": "he_normal"}, {"optimizer": "adam"}, {"order": "cycle:25"},
    ],
)  # fmt: skip
def test_everything_but_the_epochs_is_part_of_the_digest(change):
    assert PAPER.with_epochs(7).digest == PAPER.digest
    assert dataclasses.replace(PAPER, **change).digest != PAPER.digest


def test_the_digest_does_not_depend_on_how_numbers_are_written():
    numpy_numbers = Experiment(
        "hasyv2", np.int64(150), np.int32(1000), learning_rate=np.float64(0.1), seed=np.uint8(0)
    )
    assert numpy_numbers == PAPER and numpy_numbers.digest == PAPER.digest
    assert Experiment("hasyv2", 150, 1, learning_rate=1).digest == (
        Experiment("hasyv2", 150, 1, learning_rate=1.0).digest
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dataset": "cifar"}, "dataset must be one of hasyv2, mnist"),
        ({"width": 0}, "width must be a whole number from 1"),
        ({"width": True}, "width must be a whole number"),
        ({"loss": "mse"}, "loss must be one of clipped, logits"),
        ({"pixels": "grey"}, "pixels must be one of archived, inverted"),
        ({"split": "fold-11"}, "split must be fold-1 to fold-10 or a share"),
        ({"split": 1.0}, "split must be fold-1 to fold-10 or a share"),
        ({"dataset": "mnist", "split": 0.8}, "split must be left out for mnist"),
        ({"mark": "ab"}, "mark must be one printable character"),
        ({"learning_rate": math.nan}, "learning_rate must be a number"),
        ({"epsilon": 0.5}, "epsilon must be a number between 1e-30 and 0.5"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"initializer": "zeros"}, "initializer must be one of glorot_uniform"),
        ({"hidden_layers": 5}, "hidden_layers must be a whole number from 1 to 4"),
        ({"hidden_layers": 1, "mark": "a"}, "mark must be None with one hidden layer"),
        ({"order": "cycle:0"}, "order must be fresh, batches, mirror, or cycle:K"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_sentence(change, told):
    with pytest.raises(ReproError) as caught:
        dataclasses.replace(PAPER, **change)
    assert told in str(caught.value)
    assert str(caught.value).count("\n") == 0


@given(
    st.builds(
        Experiment,
        st.sampled_from(["hasyv2", "mnist", "digits"]),
        st.integers(1, 1000),
        st.integers(1, 5000),
        loss=st.sampled_from(["clipped", "logits"]),
        mark=st.none() | st.sampled_from("aZ€7"),
        initializer=st.sampled_from(["glorot_uniform", "he_normal"]),
        hidden_layers=st.integers(2, 4),
        order=st.sampled_from(["fresh", "cycle:25", "buffer:1500", "batches", "mirror"]),
        learning_rate=st.floats(1e-6, 10),
        epsilon=st.floats(1e-12, 0.4),
        seed=st.integers(0, 2**63 - 1),
    )
)
def test_json_is_read_back_as_the_same_experiment(experiment):
    again = Experiment.from_json(experiment.to_json())
    assert again == experiment and again.digest == experiment.digest
