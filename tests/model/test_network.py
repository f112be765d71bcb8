"""The network: its layers, its initial weights, its mark, and the order of the samples."""

import numpy as np
import pytest
from scipy import stats

from repro import Experiment
from repro.experiment import INITIALIZERS
from repro.model import network

PAPER = Experiment("hasyv2", 150, 1000)


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_initial_weights_are_distributed_as_those_of_keras(initializer):
    keras = pytest.importorskip("keras")
    experiment = Experiment("mnist", 100, 1, initializer=initializer)
    ours = network.initial_weights(experiment, 0)["input_hidden"]
    theirs = np.asarray(keras.initializers.get(initializer)(ours.shape))
    assert ours.dtype == np.float32
    assert ours.std() == pytest.approx(theirs.std(), rel=0.01)
    assert abs(ours).max() == pytest.approx(abs(theirs).max(), rel=1e-3)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).statistic < 0.012  # p about 0.001


def test_layers_follow_from_the_depth():
    shapes = network.layer_shapes(Experiment("digits", 5, 1, hidden_layers=4))
    assert list(shapes.items()) == [
        ("input_hidden", (64, 5)), ("hidden_hidden", (5, 5)), ("hidden_hidden_2", (5, 5)),
        ("hidden_hidden_3", (5, 5)), ("hidden_output", (5, 10)),
    ]  # fmt: skip
    assert network.layer_shapes(PAPER)["hidden_output"] == (150, 369)
    assert network.layer_names(1) == ("input_hidden", "hidden_output")


def test_the_mark_leaves_the_letter_as_it_would_have_been():
    plain = network.initial_weights(Experiment("hasyv2", 64, 1), 0)
    marked = network.initial_weights(Experiment("hasyv2", 64, 1, mark="a"), 0)
    letter = marked["hidden_hidden"] != 0
    assert 0.2 < letter.mean() < 0.5
    np.testing.assert_array_equal(marked["hidden_hidden"][letter], plain["hidden_hidden"][letter])
    for layer in ("input_hidden", "hidden_output"):
        np.testing.assert_array_equal(marked[layer], plain[layer])


def test_replicas_and_seeds_draw_differently_and_again_the_same():
    def drawn(seed, replica):
        experiment = Experiment("digits", 8, 1, seed=seed)
        return network.initial_weights(experiment, replica)["hidden_hidden"]

    np.testing.assert_array_equal(drawn(0, 3), drawn(0, 3))
    different = {drawn(seed, replica).tobytes() for seed in range(3) for replica in range(3)}
    assert len(different) == 9


def test_every_epoch_shows_every_sample_once_in_another_order():
    orders = [network.sample_order(PAPER, 0, epoch, 1000) for epoch in (1, 2, 3)]
    orders.append(network.sample_order(PAPER, 1, 1, 1000))
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    assert len({order.tobytes() for order in orders}) == 4


def _order(order: str, epoch: int, samples: int = 200, replica: int = 0) -> np.ndarray:
    experiment = Experiment("digits", 8, 1, order=order)
    return network.sample_order(experiment, replica, epoch, samples)


@pytest.mark.parametrize("orders", [1, 3])
def test_a_cycle_comes_back_after_so_many_epochs(orders):
    found = [_order(f"cycle:{orders}", epoch).tolist() for epoch in range(1, 2 * orders + 1)]
    assert found[:orders] == found[orders:]
    assert len({tuple(each) for each in found}) == orders
    assert found[0] == _order("fresh", 1).tolist()


@pytest.mark.parametrize("capacity", [1, 7, 1000])
def test_a_buffer_draws_from_the_next_of_one_fixed_order(capacity):
    fixed = _order("buffer:1", 1).tolist()  # a buffer of one changes nothing
    first, second = (_order(f"buffer:{capacity}", epoch) for epoch in (1, 2))
    for order in (first, second):
        np.testing.assert_array_equal(np.sort(order), np.arange(200))
        assert all(fixed.index(one) < place + capacity for place, one in enumerate(order))
    assert np.array_equal(first, second) == (capacity == 1)
    assert fixed != _order("buffer:1", 1, replica=1).tolist()


def test_batches_and_mirror_keep_the_batches_of_one_order():
    samples, size = 300, 128

    def batches(order: str, epoch: int) -> list[tuple[int, ...]]:
        drawn = _order(order, epoch, samples=samples).tolist()
        return [tuple(drawn[start : start + size]) for start in range(0, samples, size)]

    one = batches("cycle:1", 1)
    assert [batches("mirror", epoch) for epoch in (1, 2, 3)] == [one, [*one[1::-1], one[2]], one]
    sequences = {tuple(batches("batches", epoch)) for epoch in range(1, 20)}
    assert len(sequences) == 2 and all(set(each) == set(one) for each in sequences)
