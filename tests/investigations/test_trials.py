"""The trials of the open question: each does one thing otherwise and leaves the engine alone."""

import math

import numpy as np
import pytest
import xarray as xr

import repro
from repro import paper
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.investigations import trials
from repro.model import network

PLAIN = trials.Trial("plain", "nothing", dict)
SMALL = Experiment("digits", 12, 2)
LARGE = f"archived, a buffer of {trials.LARGE_BUFFER:,}"
BY_NAME = {trial.name: trial for trial in trials.TRIALS}


@pytest.fixture(scope="module")
def plain():
    return trials.train(PLAIN, SMALL).train_loss.to_numpy()


@pytest.mark.parametrize("trial", trials.TRIALS, ids=lambda trial: trial.name)
def test_a_trial_does_one_thing_otherwise(trial, plain):
    tried = trials.train(trial, SMALL).train_loss.to_numpy()[:, 1:]
    assert np.isfinite(tried).all()
    if trial.name != "loss after the epoch":  # which has a test of its own
        np.testing.assert_allclose(tried, plain[:, 1:], rtol=0.2)  # the same network, much the same
    # Only what samples near the edges of the clip feel changes nothing here, nor does a buffer
    # that holds all of them in the order in which they are stored.
    unseen = trial.name in ("finer loss", "epsilon added", "sparse labels", LARGE)
    assert unseen or np.abs(tried - plain[:, 1:]).max() > 1e-6


def test_the_loss_after_the_epoch_is_that_of_the_trained_network(tmp_path):
    x, y = np.random.default_rng(0).random((300, 9), np.float32), np.arange(300) % 3
    np.savez(tmp_path / "same.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    trial = BY_NAME["loss after the epoch"]
    run = trials.train(trial, Experiment(str(tmp_path / "same.npz"), 12, 3))
    np.testing.assert_allclose(run.train_loss, run.test_loss, rtol=1e-6)


def test_through_a_buffer_samples_stay_near_their_place():
    samples, size = 20_000, 1_000
    orders = _orders(f"a buffer of {size:,}", 2, samples)
    first = network.sample_order(SMALL, 0, 0, samples)
    for order in orders:
        assert sorted(order) == list(range(samples))
        came = np.argsort(order)[first]  # when the sample came that is first, second, ... in line
        assert (came > np.arange(samples) - size).all()  # never before it is in the buffer
        assert 0.5 * size < np.abs(came - np.arange(samples)).mean() < 2 * size
    assert (orders[0] != orders[1]).mean() > 0.9


def test_through_a_large_buffer_late_classes_stay_late():
    samples = trials.LARGE_BUFFER + 50_000
    order, other = _orders(LARGE, 2, samples)
    assert (np.bincount(order, minlength=samples) == 1).all()
    last = order >= trials.LARGE_BUFFER  # those that are not in the buffer at first
    assert last[:5000].mean() < 0.1 < 0.3 < last[-5000:].mean()
    assert (order != other).mean() > 0.9


def _orders(name: str, epochs: int = 3, samples: int = 300) -> list[np.ndarray]:
    order = BY_NAME[name].substitutes()["network.sample_order"]
    return [order(SMALL, 0, epoch, samples) for epoch in range(1, epochs + 1)]


def test_one_order_is_that_of_the_first_epoch():
    first, *later = _orders("one order")
    np.testing.assert_array_equal(first, network.sample_order(SMALL, 0, 1, 300))
    assert all((each == first).all() for each in later)


def test_batches_are_kept_and_shuffled():
    orders = _orders("batches kept")
    assert all(sorted(order) == list(range(300)) for order in orders)
    size = SMALL.batch_size
    kept = [{frozenset(order[:size]), frozenset(order[size : 2 * size])} for order in orders]
    assert kept[0] == kept[1] == kept[2]
    assert len({tuple(order[:size]) for order in orders}) == 2  # either comes first, in some epoch
    np.testing.assert_array_equal(orders[0][2 * size :], orders[2][2 * size :])  # the smaller one


def test_the_last_batch_is_left_out(tmp_path):
    x, y = np.random.default_rng(0).random((128 + 20, 9), np.float32), np.arange(148) % 3
    np.savez(tmp_path / "more.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    trial = BY_NAME["last batch left out"]
    with_it, without = (
        trials.train(each, Experiment(str(tmp_path / "more.npz"), 12, 1)) for each in (PLAIN, trial)
    )
    one_step, two_steps = (float(run.test_loss[0, -1]) for run in (without, with_it))
    assert one_step != two_steps
    # The first batch's loss is that of the untrained network, for which one batch stands well.
    assert float(without.train_loss[0, 1]) == pytest.approx(
        float(without.train_loss[0, 0]), rel=0.05
    )


def test_trials_leave_the_engine_as_it_was(plain):
    trials.train(trials.TRIALS[0], SMALL)
    np.testing.assert_array_equal(trials.train(PLAIN, SMALL).train_loss.to_numpy(), plain)


def test_the_added_epsilon_fades_where_the_clip_cuts():
    keras = pytest.importorskip("keras")
    loss = trials._added()["program.sample_loss"]
    exact = keras.ops.convert_to_tensor(np.float32([-math.log(p) for p in (0.5, 1e-7, 1e-12)]))
    found = keras.ops.convert_to_numpy(loss(exact, "clipped", 1e-7))
    np.testing.assert_allclose(found, [-math.log(p + 1e-7) for p in (0.5, 1e-7, 1e-12)], rtol=1e-6)


def test_the_sparse_form_clips_every_class_and_normalises_again():
    keras = pytest.importorskip("keras")
    form = trials._sparse()["program.cross_entropy"]
    outputs = np.float32([[0.0, -30.0, -1.0]])
    p = np.exp(outputs[0].astype(float))
    clipped = np.clip(p / p.sum(), 1e-7, 1 - 1e-7)
    for label in range(3):
        exact, correct = form(keras.ops.convert_to_tensor(outputs), np.int32([label]))
        assert float(exact[0]) == pytest.approx(-math.log(clipped[label] / clipped.sum()), rel=1e-5)
        assert bool(correct[0]) == (label == 0)


def _row(name: str, curve: list[float]) -> dict:
    run = xr.Dataset({"train_loss": (("replica", "epoch"), [[9.0, *curve]])})
    run = run.assign_attrs(code_version="1", backend="tensorflow", device="CPU")
    return trials.row(trials.Trial(name, "", dict), run)


def test_a_trial_is_published_in_the_place_of_its_last_and_in_order(tmp_path):
    trials.put(_row("no biases", [2.0, 1.0]), tmp_path)
    trials.put(_row("rounded products", [3.0]), tmp_path)
    trials.put(_row("no biases", [2.0, 1.5]), tmp_path)
    rows = trials.sealed_json.read(tmp_path / trials.FILE)["rows"]
    assert [(row["name"], row["train_loss"]) for row in rows] == [
        ("rounded products", [3.0]), ("no biases", [2.0, 1.5]),
    ]  # fmt: skip
    assert rows[0]["backend"] == "tensorflow"


def test_a_trial_on_another_device_is_another_run(tmp_path):
    trials.put(_row("no biases", [2.0, 1.0]), tmp_path)
    trials.put(_row("no biases", [3.0]) | {"device": "another"}, tmp_path)
    rows = trials.sealed_json.read(tmp_path / trials.FILE)["rows"]
    assert [row["train_loss"] for row in rows] == [[2.0, 1.0], [3.0]]


def test_trials_are_compared_as_far_as_the_shortest_goes():
    falling = np.linspace(2, 1, 120)
    reference = xr.Dataset({"train_loss": (("replica", "epoch"), [[9.0, *falling, 0.1]])})
    rows = [_row("no biases", falling[:110].tolist()), _row("rounded products", falling.tolist())]
    table = trials.trials_table(rows, reference).set_index("run")
    assert table["epochs"].tolist() == [121, 110, 120]
    assert table["at epoch"].tolist() == [110] * 3  # the reference's 0.1 comes later
    np.testing.assert_allclose(table["101 to 110"], falling[100:110].mean(), atol=1e-4)


def test_later_epochs_are_told_of_those_that_have_them():
    rising = np.linspace(0.0, 1.0, trials.LATER[-1]).tolist()
    rows = [
        {"name": "one order", "train_loss": rising},
        {"name": "no biases", "train_loss": rising[:-1]},
    ]
    references = [
        xr.Dataset({"train_loss": (("replica", "epoch"), [[9.0, *np.multiply(rising, factor)]])})
        for factor in (3.0, 2.0)
    ]
    table = trials.later_table(rows, references).set_index("run")
    assert table.index.tolist() == ["as published, lowest", "as published, highest", "one order"]
    np.testing.assert_allclose(table.loc["one order", 150], np.mean(rising[140:150]))
    np.testing.assert_allclose(table.iloc[0], 2 * table.loc["one order"])
    np.testing.assert_allclose(table.iloc[1], 3 * table.loc["one order"])


def test_the_published_trials_are_as_the_page_says():
    rows = trials.published()
    curves = {row["name"]: np.array(row["train_loss"][:250]) for row in rows}
    reference = repro.published(Experiment("hasyv2", trials.WIDTH, 1000))
    own = reference.train_loss.to_numpy()[:, 1:251]
    one_orders = [np.array(row["train_loss"][:250]) for row in rows if row["name"] == "one order"]
    assert len(one_orders) == 2
    assert min(one.argmin() for one in one_orders) < min(own.argmin(axis=1))
    del curves["one order"]
    lowest, paper_lowest = own.min(axis=1), paper.read("minimum_train_loss", trials.WIDTH).value
    paper_at_100 = paper.TRAIN_LOSS_AT_100[trials.WIDTH].value
    for one_order in one_orders:
        assert one_order[99] > paper_at_100
        assert one_order.min() > paper_lowest
        assert curves["drawn with replacement"].min() < own[0].min() < one_order.min()
    kept = curves["batches kept"]
    assert lowest.min() < kept.min() < lowest.max()
    few, many = (curves[f"a buffer of {size:,}"] for size in sorted(trials.BUFFERS))
    assert lowest.max() < many.min() < few.min() < paper_lowest
    assert abs(few[90:100].mean() / paper_at_100 - 1) < 0.03
    order = {"a buffer of 10,000", "a buffer of 1,000", "loss after the epoch"}
    highest = own[:, -trials.LAST :].mean(axis=1).max()
    assert all(curves[name][-trials.LAST :].mean() < highest for name in set(curves) - order)


def test_the_trials_that_go_on_for_longer_are_as_the_page_says():
    runs = repro.published(Experiment("hasyv2", trials.WIDTH, 1000))
    rows = trials.published()
    table = trials.later_table(rows, [runs.isel(replica=[n]) for n in range(runs.replica.size)])
    table = table.set_index("run")
    one_order, few, many = (
        table.loc[name] for name in ("one order", "a buffer of 1,000", "a buffer of 10,000")
    )
    assert (one_order > few).all() and (few > many).all()  # the buffers lie between
    assert (many > table.loc["as published, lowest"]).all()
    assert (few > table.loc["as published, highest"]).loc[150:].to_numpy().tolist() == [True] * 8
    plateau = float(runs.train_loss[:, -1].mean())
    assert one_order[500] > 0.9 * plateau > runs.train_loss.sel(epoch=500).max()
    # None is on the plateau when the paper's network is.
    there = int(paper.read("divergence_epoch", trials.WIDTH).value)
    long = [row["train_loss"] for row in rows if len(row["train_loss"]) >= there]
    assert len(long) == 4 and all(curve[there - 1] < plateau / 2 for curve in long)


def test_an_unknown_trial_is_refused(tmp_path):
    with pytest.raises(ReproError, match="no trial 'x': it must be one of rounded products"):
        trials.main(["x", "3"], tmp_path)
    assert not list(tmp_path.iterdir())
