"""The choices left open: the rule on made-up runs, the order of the samples, symbol ids."""

import functools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from synthetic import synthetic_run

import repro
from repro import Experiment, ReproError, paper
from repro.data import datasets
from repro.data.hasyv2 import SYMBOL_IDS
from repro.investigations import choices, order_mechanism, order_search
from repro.investigations.choices import CHOICES, found
from repro.model import network
from repro.store.store import Store

PLAIN = Experiment("hasyv2", 150, 200)
AS_IDS = replace(PLAIN, labels="symbol-ids")


@functools.cache
def made(epochs: int, width: int):
    return synthetic_run(width, epochs, "strong", noise=0, joint_layers=())


def with_losses(run, train, test):
    return run.assign({f"{name}_loss": (("replica", "epoch"), np.asarray(loss)[None])
                       for name, loss in (("train", train), ("test", test))})  # fmt: skip


def run_with(loss_at_100: float, test_minimum: float, at: int, epochs: int = 200, width: int = 150):
    """A run with just these early marks, its training loss falling to the end."""
    epoch = np.arange(epochs + 1)
    train = loss_at_100 * np.exp((100 - epoch) / 100)
    return with_losses(made(epochs, width), train, test_minimum * (1 + 0.001 * abs(epoch - at)))


def table_of(**by_name):
    """The table of runs by choice at N = 150, the other choices without any."""
    runs = {(name, 150): by_name.get(name.replace(" ", "_"), []) for name in CHOICES}
    return choices.table(runs)


def test_marks_are_read_off_the_curves_as_far_as_they_go():
    marks = choices.marks(run_with(0.3, 0.9, 20))
    assert [marks[name] for name in choices.EARLY_MARKS] == pytest.approx([0.3, 0.9, 20])
    assert np.isnan(marks["minimum_train_loss"]), "still falling at its end"
    short = choices.marks(run_with(0.3, 0.9, 20, epochs=99))
    assert np.isnan(short["train_loss_at_100"]) and short["epoch_of_minimum_test_loss"] == 20
    assert np.isnan(choices.marks(run_with(0.3, 0.9, 500, epochs=120))["minimum_test_loss"])


def test_the_distance_is_the_root_mean_square_of_logarithms():
    """A mark e times the paper's is a distance of one; what a choice lacks counts for none."""
    pair = [run_with(0.33 * np.e * share, 0.94 * np.e, 24) for share in (0.9, 1.1)]
    table = table_of(baseline=pair).set_index("choice")
    assert table["distance"]["baseline"] == pytest.approx(np.sqrt(2 / 3), rel=1e-6), "by the mean"
    assert table["compared"]["baseline"] == 3
    assert table["distance"].drop("baseline").isna().all()
    short = table_of(baseline=[run_with(3.3, 0.94, 24)], exact_loss=[run_with(1, 0.94, 24, 60)])
    assert short["compared"][:2].tolist() == [2, 2]
    assert short["distance"][:2].tolist() == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("usual", "other", "wanted"),
    [(1.02, 1.0, "baseline"), (1.2, 1.0, "inverted pixels"), (1.0, 1.2, "baseline")],
)
def test_the_nearest_is_recommended_unless_the_baseline_is_as_near(usual, other, wanted):
    table = table_of(
        baseline=[run_with(0.33 * usual, 0.94 * usual, 24)],
        inverted_pixels=[run_with(0.33 * other, 0.94 * other, 24)],
    )
    assert choices.recommended(table) == wanted


def test_the_width_with_most_choices_decides():
    few = {("baseline", 275): [run_with(0.1, 0.87, 17, width=275)]}
    many = {(name, 150): [run_with(0.33, 0.94, 24)] for name in ("baseline", "exact loss")}
    assert choices.deciding_width(choices.table(few | many)) == 150
    for nobody in (few, {}):
        table = choices.table(nobody)
        assert choices.deciding_width(table) is None and choices.recommended(table) is None


def test_the_published_runs_give_the_recommendation_that_is_on_record():
    table = choices.table(choices.runs_of_choices([choices.WIDTHS[1]]))
    assert choices.recommended(table) == "exact loss"
    assert table.set_index("choice")["distance"]["baseline"] == pytest.approx(0.121, abs=1e-3)


def test_the_longest_of_each_replica_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path))
    mine = Store(tmp_path / "mine")
    for store, epochs in ((Store(tmp_path), 20), (mine, 30)):
        store.save(made(epochs, 16), None)
    experiment = Experiment("hasyv2", 16, 1)
    assert [one.sizes["epoch"] for one in found(experiment)] == [21]
    assert [one.sizes["epoch"] for one in found(experiment, mine.path)] == [31]
    with pytest.raises(ReproError, match="no folder"):
        found(experiment, tmp_path / "absent")


def paper_like(width: int, order: str, factor: float = 1.0):
    """A run whose losses are made of the paper's marks, times a factor."""
    given = {name: reading.value for name, reading in order_search.readings(width).items()}
    points = {0: 6.0, given["epoch_of_minimum_train_loss"]: factor * given["minimum_train_loss"]}
    points |= {given["divergence_epoch"] + 1: 15.7, order_search.EPOCHS: 15.7}
    points |= {int(name[14:]): factor * v for name, v in given.items() if name.startswith("train_")}
    epoch, places = np.arange(order_search.EPOCHS + 1), sorted(points)
    train = np.exp(np.interp(epoch, places, np.log([points[place] for place in places])))
    at, low = given["epoch_of_minimum_test_loss"], factor * given["minimum_test_loss"]
    run = with_losses(made(order_search.EPOCHS, width), train, low * (1 + 0.001 * abs(epoch - at)))
    return run.assign_attrs(experiment=order_search.experiment(order, width).to_json())


def test_the_papers_own_marks_are_at_no_distance_and_farther_orders_rank_behind(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    store = Store(tmp_path / "mine")
    for order, factor in (("fresh", 1.3), ("buffer:400", 1.0)):
        for width in order_search.WIDTHS:
            store.save(paper_like(width, order, factor), None)
    store.save(paper_like(150, "cycle:1"), None)
    table = order_search.table(store.path)
    assert table["order"].tolist() == ["buffer:400", "fresh"], "both widths, or none"
    assert table["distance"][0] < 1 < table["distance"][1]
    curves = order_search.curves(store.path)
    assert set(curves["order"]) == {"buffer:400", "fresh", "cycle:1"}
    assert curves["epoch"].min() == 1 and curves["epoch"].max() == order_search.EPOCHS
    left, right = order_search.orders_figure(curves).axes
    assert len(left.get_lines()) > len(right.get_lines()), "one order has a run there alone"


def test_a_distance_is_in_units_of_the_errors():
    """Of one mark off by its error in ten, the root of a tenth."""
    given = {width: order_search.readings(width) for width in order_search.WIDTHS}
    ours = {width: {name: r.value for name, r in marks.items()} for width, marks in given.items()}
    assert order_search.distance(ours) == 0
    number = sum(map(len, given.values()))
    for name, error in (("minimum_train_loss", paper.READING_ERROR),
                        ("epoch_of_minimum_train_loss", 25 / 130)):  # fmt: skip
        off = ours | {250: ours[250] | {name: given[250][name].value * np.exp(error)}}
        assert order_search.distance(off) == pytest.approx(np.sqrt(1 / number))


def test_a_plateau_beyond_the_epochs_searched_counts_at_their_end():
    late = synthetic_run(150, 1000, "unstable", shift=2, noise=0, joint_layers=())
    assert order_search.marks(late)["divergence_epoch"] == order_search.EPOCHS


def test_turns_are_measured_where_a_run_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path))
    measuring = pytest.importorskip("turns")
    monkeypatch.setattr(order_mechanism, "WIDTH", 8)
    monkeypatch.setattr(order_mechanism.order_search.paper, "DATASET", "digits")
    for order in order_mechanism.ARMS[1:3]:
        repro.run(Experiment("digits", 8, 2, order=order), store=tmp_path / "store", progress=False)
        measuring.measure_turns(tmp_path / "store", order, stops=4)
    turns = order_mechanism.turns()
    assert set(turns["order"]) == {"cycle:1", "batches"} and turns["mean"].gt(0).all()
    assert set(turns["steps"]) == {-2, -1, 1, 2, 4}  # of eleven batches, stopped every second


def test_the_published_measurement_is_drawn():
    curves = order_mechanism.curves()
    assert set(curves["order"]) == set(order_mechanism.ARMS)
    assert isinstance(order_mechanism.turns_figure(curves, order_mechanism.turns()), Figure)
    assert isinstance(order_mechanism.turns_figure(curves[:0], order_mechanism.turns()), Figure)


def test_trials_are_compared_where_all_have_got():
    rising = np.linspace(1, 2, 300)
    table = choices.trials([("long", rising), ("short", rising[:99])]).set_index("name")
    assert table.loc["long", "at_250"] == pytest.approx(rising[240:250].mean())
    assert table.loc["long", ["at_100", "minimum", "minimum_at"]].tolist() == [rising[99], 1, 1]
    assert table.loc["short", ["at_100", "minimum", "minimum_at", "at_250"]].isna().all()


def test_symbol_ids_are_outputs_of_another_experiment():
    assert network.layer_shapes(AS_IDS)["hidden_output"] == (150, SYMBOL_IDS[-1] + 1) == (150, 1401)
    plain, ids = network.initial_weights(PLAIN, 0), network.initial_weights(AS_IDS, 0)
    for layer in ("input_hidden", "hidden_hidden"):
        np.testing.assert_array_equal(plain[layer], ids[layer])
    assert AS_IDS.digest != PLAIN.digest and AS_IDS.unusual == {"labels": "symbol-ids"}
    for dataset, labels, told in (("hasyv2", "ids", "one of classes, symbol-ids"),
                                  ("mnist", "symbol-ids", "only hasyv2 has")):  # fmt: skip
        with pytest.raises(ReproError, match=told):
            Experiment(dataset, 8, 1, labels=labels)


def test_samples_carry_the_symbol_ids(monkeypatch):
    pytest.importorskip("keras")
    from repro.training import loop

    pixels, classes = np.zeros((3, 1024), np.uint8), np.array([0, 7, 368], np.int32)
    tiny = SimpleNamespace(x_train=pixels, y_train=classes, x_test=pixels, y_test=classes)
    monkeypatch.setattr(datasets, "load", lambda *_: tiny)
    drawn = Experiment("hasyv2", 8, 1, split=0.123, labels="symbol-ids")  # kept by nobody else
    for numbers in (loop.samples(drawn).y_train, loop.samples(drawn).y_test):
        np.testing.assert_array_equal(np.asarray(numbers), np.array(SYMBOL_IDS)[classes])
