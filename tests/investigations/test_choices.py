"""The unstated choices: the rule on made-up runs, empty cells, and labels as symbol ids."""

import csv
import io
import tarfile

import numpy as np
import pytest
from synthetic import synthetic_run

from repro import Experiment, ReproError, paper
from repro.data import datasets
from repro.data.symbol_ids import SYMBOL_IDS
from repro.investigations import choices
from repro.investigations.choices import CHOICES, NOTHING_CHANGED
from repro.investigations.choices_figure import choices_table, distance_table, early_figure
from repro.model import network

PLAIN = Experiment("hasyv2", 150, 200)
AS_IDS = Experiment("hasyv2", 150, 200, labels="symbol-ids")


def run_with(loss_at_100: float, test_minimum: float, at: int, epochs: int = 200, width: int = 150):
    """A run with just these early marks, its train loss falling to the end."""
    run = synthetic_run(width, epochs, "strong", noise=0)
    epoch = np.arange(epochs + 1)
    train = loss_at_100 * np.exp((100 - epoch) / 100)
    test = test_minimum * (1 + 0.001 * np.abs(epoch - at))
    return run.assign(
        train_loss=(("replica", "epoch"), train[None]),
        test_loss=(("replica", "epoch"), test[None]),
    )


def runs_at(width: int = 150, **by_name) -> dict:
    """Runs by choice, the others without any."""
    names = {choice.name: choice for choice in CHOICES}
    found = {(choice, width): [] for choice in CHOICES}
    for name, given in by_name.items():
        found[names[name.replace("_", " ")], width] = given
    return found


def test_marks_are_read_off_the_curves():
    found = choices.marks(run_with(0.3, 0.9, 20))
    assert found["train_loss_at_100"] == pytest.approx(0.3)
    assert found["minimum_test_loss"] == pytest.approx(0.9)
    assert found["epoch_of_minimum_test_loss"] == 20
    assert np.isnan(found["minimum_train_loss"]), "still falling at its end"


def test_marks_beyond_a_run_are_empty():
    short = choices.marks(run_with(0.3, 0.9, 20, epochs=99))
    assert np.isnan(short["train_loss_at_100"]) and short["epoch_of_minimum_test_loss"] == 20
    falling = choices.marks(run_with(0.3, 0.9, 500, epochs=120))
    assert np.isnan(falling["minimum_test_loss"]) and falling["train_loss_at_100"] > 0


def test_the_distance_is_the_root_mean_square_of_logarithms():
    """Every mark e times the paper's is a distance of one, as is every mark a part of it."""
    at, loss = 24, np.exp(1)
    runs = runs_at(as_published=[run_with(0.33 * loss, 0.94 * loss, at)])
    found = choices.distances(runs)[150][NOTHING_CHANGED.name]
    assert found == pytest.approx(np.sqrt(2 / 3), rel=1e-6)
    assert choices.marks_compared(runs, 150) == choices.EARLY_MARKS


def test_marks_that_a_choice_lacks_count_for_none():
    runs = runs_at(
        as_published=[run_with(3.3, 0.94, 24)], exact_loss=[run_with(0.33, 0.94, 24, epochs=60)]
    )
    assert choices.marks_compared(runs, 150) == choices.EARLY_MARKS[1:]
    table = choices.distances(runs)[150]
    assert table["as published"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(table["inverted pixels"])


@pytest.mark.parametrize(
    ("usual", "other", "wanted"),
    [(1.02, 1.0, "as published"), (1.2, 1.0, "inverted pixels"), (1.0, 1.2, "as published")],
)
def test_the_nearest_is_recommended_unless_the_published_is_as_near(usual, other, wanted):
    runs = runs_at(
        as_published=[run_with(0.33 * usual, 0.94 * usual, 24)],
        inverted_pixels=[run_with(0.33 * other, 0.94 * other, 24)],
    )
    assert choices.recommended(runs).name == wanted
    assert f"Recommended: {wanted}" in choices.recommendation(runs)
    assert "clipped loss, archived pixels, split fold-1" in choices.recommendation(runs)


def test_a_recommended_change_is_told_with_its_later_marks():
    unstable = synthetic_run(150, 1000, "unstable", noise=0)
    unstable = unstable.assign(test_loss=2 * unstable.test_loss)
    end = int(choices.marks(unstable)["divergence_epoch"])
    runs = runs_at(as_published=[unstable], exact_loss=[run_with(0.33, 0.94, 24)])
    told = choices.recommendation(runs)
    assert "Recommended: exact loss" in told
    assert "- exact loss, run by run: minimum test loss at epoch 24; not diverged by" in told
    assert f"; diverged at {end}." in told
    assert "- the paper: minimum test loss at 24, diverged at 421." in told
    alone = choices.recommendation(runs_at(as_published=[run_with(0.33, 0.94, 24)]))
    assert "early marks do not see" not in alone


def test_the_width_with_most_choices_decides():
    few = runs_at(275, as_published=[run_with(0.1, 0.87, 17, width=275)])
    many = runs_at(as_published=[run_with(0.33, 0.94, 24)], exact_loss=[run_with(0.4, 1, 24)])
    assert choices.deciding_width(few | many) == 150
    assert choices.deciding_width(few) is None and choices.recommended(few) is None
    assert "Nothing is recommended" in choices.recommendation(few)


def test_several_runs_count_by_their_mean():
    pair = [run_with(0.32, 0.90, 20), run_with(0.34, 0.98, 28)]
    found = choices.distances(runs_at(as_published=pair))
    assert found[150]["as published"] == pytest.approx(0, abs=1e-6)


def test_cells_without_a_value_are_empty_and_missing_runs_are_named():
    runs = runs_at(as_published=[run_with(0.33, 0.94, 24)], exact_loss=[run_with(0.3, 1, 24, 60)])
    table = choices_table(runs)
    assert table.loc[(150, "the paper"), "train loss at epoch 100"] == "0.33"
    assert table.loc[(150, "as published"), "minimum test loss"] == "0.94 (+0 %)"
    assert table.loc[(150, "exact loss"), "train loss at epoch 100"] == ""
    assert not any(table.loc[(150, "labels as symbol ids")])
    assert (distance_table(runs).loc["inverted pixels"] == "").all()
    commands = choices.missing_commands(runs)
    assert len(commands) == len(CHOICES) - 2
    assert "repro train --dataset hasyv2 --widths 150 --epochs 100 --pixels inverted" in commands


def test_error_bars_are_told_where_the_paper_has_them():
    table = choices.comparison(runs_at(50, as_published=[run_with(0.8, 1.09, 60, width=50)]))
    row = table[(table.choice == "as published") & (table.mark == choices.EARLY_MARKS[2])]
    assert row.difference_in_errors.item() == pytest.approx(-1)
    assert paper.FIGURE_2["epoch_of_minimum_test_loss"][50].error == 25


def test_the_climb_has_its_epochs():
    run = synthetic_run(150, 1000, "unstable", noise=0)
    table = choices.climb_table(runs_at(as_published=[run]), 150).set_index("choice")
    assert table.climb["the paper"] == 421 - 165
    ours = table.loc["as published"]
    assert ours["at epoch"] < ours["doubled"] < ours["divergence"]
    train = run.train_loss[0].to_numpy()
    assert (train[int(ours["doubled"]) :] > 2 * ours["minimum train loss"]).all()
    assert train[int(ours["doubled"]) - 1] <= 2 * ours["minimum train loss"]


def test_the_scatter_of_runs_is_told_beside_the_papers():
    run = synthetic_run(150, 1000, "unstable", noise=0)
    end = int(choices.marks(run)["divergence_epoch"])
    later = run.assign(train_loss=run.train_loss.shift(epoch=5, fill_value=6.0))
    words = choices.scatter_words(runs_at(as_published=[later, run]), 150)
    assert f"at epochs {end}, {end + 5}: at most 5 epochs apart" in words
    assert f"at 421, {end + 2.5 - 421:.0f} before" in words
    assert "too few" in choices.scatter_words(runs_at(as_published=[run]), 150)


def test_probes_are_no_choices(tmp_path):
    assert not set(choices.PROBES) & set(CHOICES)
    found = choices.runs_of_choices((150,), tmp_path, choices.PROBES)
    assert list(found) == [(probe, 150) for probe in choices.PROBES]
    table = choices.climb_table(found, 150)
    assert table["choice"].tolist() == ["the paper"]


def test_a_split_is_told_with_its_last_batch():
    runs = runs_at(
        as_published=[run_with(0.3, 0.9, 20)], **{"0.85_to_train_on": [run_with(0.3, 0.9, 20)]}
    )
    table = choices.split_table(runs, 150).set_index("choice")
    assert table["train"].tolist() == [151_241, 142_998]
    assert (table["train"] + table["test"] == 168_233).all()
    assert table["last batch"].tolist() == [151_241 % 128, 142_998 % 128]


def test_the_figure_draws_every_run_and_does_without():
    runs = runs_at(as_published=[run_with(0.3, 0.9, 20)], exact_loss=[run_with(0.3, 0.9, 20, 60)])
    figure = early_figure(runs, 150)
    left, _ = figure.axes
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["as published", "exact loss", "paper (read off)"]
    assert {len(line.get_xdata()) for line in left.get_lines()} >= {200, 60}
    early_figure(runs, 999).canvas.draw()


# --- labels as symbol ids


def test_symbol_ids_are_an_output_for_each_number():
    shapes = network.layer_shapes(AS_IDS)
    assert shapes["hidden_output"] == (150, SYMBOL_IDS[-1] + 1) == (150, 1401)
    plain, ids = network.initial_weights(PLAIN, 0), network.initial_weights(AS_IDS, 0)
    for layer in ("input_hidden", "hidden_hidden"):
        np.testing.assert_array_equal(plain[layer], ids[layer])


def test_symbol_ids_are_those_of_the_archive(real_data_dir):
    with tarfile.open(real_data_dir / "hasyv2" / "HASYv2.tar.bz2", "r|bz2") as tar:
        for member in tar:
            if member.name.removeprefix("./") == "symbols.csv":
                rows = csv.DictReader(io.StringIO(tar.extractfile(member).read().decode()))
                break
    assert tuple(sorted(int(row["symbol_id"]) for row in rows)) == SYMBOL_IDS
    assert len(SYMBOL_IDS) == datasets.SHAPES["hasyv2"][1]


def test_symbol_ids_leave_every_other_experiment_as_it_was():
    assert "labels" not in PLAIN.parameters and PLAIN.digest == "c9bcd318236de359"
    assert AS_IDS.digest != PLAIN.digest and AS_IDS.unusual == {"labels": "symbol-ids"}
    assert Experiment.from_json(AS_IDS.to_json()) == AS_IDS
    assert Experiment("hasyv2", 150, 200, labels="classes") == PLAIN


@pytest.mark.parametrize(
    ("dataset", "labels", "told"),
    [("hasyv2", "ids", "one of classes, symbol-ids"), ("mnist", "symbol-ids", "only hasyv2 has")],
)
def test_other_labels_are_refused(dataset, labels, told):
    with pytest.raises(ReproError, match=told):
        Experiment(dataset, 8, 1, labels=labels)


def test_samples_carry_the_symbol_ids(real_data_dir, prepared_cache):
    pytest.importorskip("keras")
    from repro.training import samples

    plain, ids = samples.of(PLAIN), samples.of(AS_IDS)
    for part in ("y_train", "y_test"):
        classes, numbers = np.asarray(getattr(plain, part)), np.asarray(getattr(ids, part))
        np.testing.assert_array_equal(numbers, np.array(SYMBOL_IDS)[classes])
    np.testing.assert_array_equal(np.asarray(plain.x_test), np.asarray(ids.x_test))


@pytest.mark.parametrize("loss", ["clipped", "logits"])
def test_outputs_that_cannot_fire_change_nothing(loss):
    """With the outputs that never occur switched off, symbol ids train as the classes do."""
    pytest.importorskip("keras")
    from repro.training import program
    from repro.training.backend import ops

    plain = Experiment("hasyv2", 12, 1, loss=loss, batch_size=16)
    ids = Experiment("hasyv2", 12, 1, loss=loss, batch_size=16, labels="symbol-ids")
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (72, 1024), np.uint8)
    classes = generator.integers(0, 369, 72, np.int32)
    order = generator.permutation(72).astype(np.int32)
    occurring = np.array(SYMBOL_IDS)
    weights, biases = network.initial_weights(plain, 0), network.initial_biases(plain)
    start = [*weights.values(), *biases.values()]
    wide = [*start[:2], np.zeros((12, 1401), np.float32), *start[3:5]]
    wide.append(np.full(1401, -1e9, np.float32))
    wide[2][:, occurring], wide[5][occurring] = start[2], 0

    def trained(experiment, parameters, labels):
        given = (ops.convert_to_tensor(each) for each in (pixels, labels, order))
        parameters = tuple(map(ops.convert_to_tensor, parameters))
        parameters, tally = program.train(experiment, parameters, *given)
        return [np.asarray(each) for each in parameters], float(tally.loss)

    narrow, narrow_loss = trained(plain, start, classes)
    broad, broad_loss = trained(ids, wide, occurring[classes].astype(np.int32))
    assert broad_loss == pytest.approx(narrow_loss, rel=1e-5)
    for number in (0, 1, 3, 4):
        np.testing.assert_allclose(broad[number], narrow[number], rtol=0, atol=2e-6)
    for number in (2, 5):
        np.testing.assert_allclose(broad[number][..., occurring], narrow[number], rtol=0, atol=2e-6)
    never = np.setdiff1d(np.arange(1401), occurring)
    assert not broad[2][:, never].any() and (broad[5][never] == -1e9).all()


def test_the_last_batch_is_the_only_thing_between_the_two_test_losses(tmp_path):
    """The later loss is that of training as usual; without a last batch the two are one."""
    pytest.importorskip("keras")
    from repro.investigations import last_batch
    from repro.store.store import Store
    from repro.training import loop as training

    rest, even = Experiment("digits", 8, 2), Experiment("digits", 8, 2, batch_size=479)
    store = Store(tmp_path)
    training.train(rest, [0], store, progress=False)
    usual = store.load(store.find(rest, 0)).test_loss[0, 1:]
    found = last_batch.measure(rest)
    assert found["samples"] == 1437 % 128
    np.testing.assert_allclose(found["after"], usual, rtol=1e-4)
    assert found["before"] != found["after"]
    found = last_batch.measure(even)
    assert found["samples"] == 0 and found["before"] == found["after"]
