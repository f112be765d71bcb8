"""Why networks become untrainable: controls, the plateau predicted, sharpness beside its edge."""

import json
import math
from dataclasses import replace
from pathlib import Path

import jupytext
import numpy as np
import pytest
import xarray as xr
from made_up import made_up_run
from synthetic import synthetic_run

from repro import Experiment
from repro.book import build as book
from repro.data.facts import published_class_counts
from repro.investigations import controls, plateau, stability, untrainable
from repro.investigations.controls_figure import COLUMNS, controls_figure
from repro.investigations.plateau_figure import climb_figure
from repro.investigations.sharpness_record import Measurement, SharpnessRecord
from repro.investigations.stability_figure import stability_figure
from repro.store.store import Store

PLAN = book.ROOT / "sweeps" / "paper.yml"
NOTHING: dict = {}


def run_of(kind: str, epochs: int, width: int = 150, **changes) -> xr.Dataset:
    """A made-up run of a control; what is not named is as in the paper."""
    made = synthetic_run(width, epochs, kind, mark=changes.get("mark"), joint_layers=())
    described = Experiment("hasyv2", width, epochs, **changes).parameters
    made.attrs |= {name: value for name, value in described.items() if value is not None}
    made.attrs["experiment"] = json.dumps(described)
    return made


@pytest.fixture(scope="module")
def reference() -> xr.Dataset:
    return run_of("unstable", 1000)


@pytest.fixture(scope="module")
def some(reference) -> list[xr.Dataset]:
    """Runs as they may be published: of every kind, some short, some not of the plan at all."""
    return [
        reference,
        run_of("strong", 1000, loss="logits"),
        run_of("unstable", 600, learning_rate=0.3),
        run_of("strong", 60, pixels="inverted"),
        run_of("unstable", 800, 256, mark="a"),
        run_of("unstable", 700, split=0.85),
        run_of("strong", 300, 256, mark="a", loss="logits"),
    ]


# Controls


def test_the_plan_has_each_change_alone_at_both_widths_beside_its_reference():
    wanted = controls.wanted(PLAN)
    found = {(one.width, one.changed, str(one.experiment.unusual)) for one in wanted}
    changes = [
        (None, {}), ("loss", {"loss": "logits"}), ("pixels", {"pixels": "inverted"}),
        ("learning_rate", {"learning_rate": 0.03}), ("learning_rate", {"learning_rate": 0.3}),
    ]  # fmt: skip
    assert found == {(width, name, str(what)) for width in (150, 256) for name, what in changes}
    assert len(wanted) == len(found)


def test_what_changes_more_or_something_else_is_no_control(tmp_path):
    plan = tmp_path / "plan.yml"
    plan.write_text(
        "- {datasets: digits, widths: [8, 9]}\n"
        "- {datasets: digits, widths: 8, losses: [clipped, logits], pixels: [archived, inverted]}\n"
        "- {datasets: digits, widths: 9, marks: a}\n"
    )
    wanted = controls.wanted(plan)
    assert [(one.width, one.changed) for one in wanted] == [(8, None), (8, "pixels"), (8, "loss")]


def test_runs_go_to_their_control_and_a_letter_to_the_reference_alone(some):
    found = controls.gather(controls.wanted(PLAN), some)
    lengths = {
        (one.width, *one.experiment.unusual.values()): [run.epoch.size - 1 for run in one.runs]
        for one in found
    }
    assert lengths == {
        (150,): [1000], (150, "logits"): [1000], (150, "inverted"): [60], (150, 0.3): [600],
        (150, 0.03): [], (256,): [800], (256, "logits"): [], (256, "inverted"): [],
        (256, 0.03): [], (256, 0.3): [],
    }  # fmt: skip
    wide = next(one for one in found if one.width == 256 and one.changed == "loss")
    assert controls.reference(wide, found).attrs["mark"] == "a"
    plain = run_of("unstable", 50, 256)
    found = controls.gather(controls.wanted(PLAN), [*some, plain])
    assert controls.reference(wide, found) is plain, "one without a letter where there is one"


def test_a_control_is_held_against_its_reference(reference):
    diverged = controls.divergence(reference)
    enough, little = diverged + 30, diverged + 29
    assert controls.outcome(run_of("strong", enough, loss="logits"), reference) == (
        "has not diverged"
    )
    assert controls.outcome(run_of("strong", little, loss="logits"), reference) == (
        "too short to say"
    )
    assert controls.outcome(run_of("unstable", 700, learning_rate=0.3), reference) == (
        "diverges too"
    )
    alone = run_of("unstable", 700, pixels="inverted")
    assert controls.outcome(alone, run_of("strong", 1000)) == "diverges alone"
    assert controls.outcome(alone, run_of("strong", 300)) == "too short to say"
    strong = run_of("strong", 1000)
    assert controls.outcome(run_of("strong", 1000, pixels="inverted"), strong) == "neither diverges"
    assert controls.outcome(run_of("strong", 999, pixels="inverted"), strong) == "too short to say"
    climbing = run_of("strong", enough, loss="logits")
    climbing["train_loss"][0, 400:] = np.linspace(0.1, 12, enough - 399)
    assert controls.divergence(climbing) is None
    assert controls.outcome(climbing, reference) == "is climbing"
    assert controls.outcome(alone, None) == "nothing to compare with"


def test_what_is_missing_has_the_command_that_trains_it(some):
    missing = controls.missing(controls.gather(controls.wanted(PLAN), some))
    there = {command.partition("--epochs 1000")[2].strip() or "": epochs
             for command, epochs in zip(missing.command, missing.there, strict=True)
             if "--widths 150" in command}  # fmt: skip
    assert there == {"--pixels inverted": 60, "--learning-rate 0.3": 600, "--learning-rate 0.03": 0}
    wide = missing[missing.width == 256]
    assert len(wide) == 5 and set(wide.there) == {0}, "a letter is no replacement"


@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_any_part_of_the_controls_is_drawn_and_told(some, count):
    shown = some[:count]
    found = controls.gather(controls.wanted(PLAN), shown)
    figure = controls_figure(found)
    if count == len(some):
        figure.canvas.draw()
    told = [untrainable.control_words(found), untrainable.limits(found, [])]
    told.append(untrainable.conclusions(found, shown, NOTHING, []))
    controls.outcome_table(found)
    if not count:
        assert "no control run" in figure.texts[0].get_text()
        assert told[0] == "No control run has been published yet."
        return
    rows = [figure.axes[row * len(COLUMNS) : (row + 1) * len(COLUMNS)] for row in range(3)]
    labels = [[line.get_label() for line in axes.get_lines()] for axes in rows[0]]
    controls_drawn = [sum(len(one.runs) for one in found if one.changed == c) for c in COLUMNS]
    references = sum(len(one.runs) for one in found if one.changed is None)
    assert [len(each) for each in labels] == [n + references for n in controls_drawn]
    assert all("epochs)" in label for column in labels for label in column)
    for row in rows[1:]:
        assert [len(axes.get_lines()) for axes in row] == [len(each) for each in labels]


def test_answers_and_what_has_none_are_told_apart(some):
    found = controls.gather(controls.wanted(PLAN), some)
    concluded = untrainable.conclusions(found, some, NOTHING, [])
    assert "N = 150, exact loss, 1000 epochs has not diverged" in concluded
    assert "learning rate 0.3, 600 epochs diverges too" in concluded
    assert "inverted" not in concluded
    assert "N = 150, inverted pixels, 60 epochs" in untrainable.limits(found, [])
    assert "Of 8 controls wanted 5 are without any run" in untrainable.limits(found, [])
    there = [control for control in found if control.runs]
    assert "Every control that is wanted has a run, but none" in untrainable.limits(there, [])


def test_what_a_step_moves_is_told_by_the_pixels_that_are_on():
    words = untrainable.input_words({"pixels": 1000, "mean_pixel": 0.75})
    assert "750 are on as archived" in words and "250 inverted" in words and "3.0 times" in words


def test_another_learning_rate_is_told_by_the_epochs_it_is_worth(some):
    found = controls.gather(controls.wanted(PLAN), some)
    assert "learning rate 0.3, 600 epochs: as far as 1800 epochs" in untrainable.way_words(found)
    assert "no run of another" in untrainable.way_words(controls.wanted(PLAN))


# The plateau


def stopped(train_right: int, test_right: int, alive_loss: float = 0.0) -> xr.Dataset:
    """A run that ends with so many images of 1000 and of 100 right, and all else dead."""
    run = run_of("unstable", 700, 150)
    late = run.epoch.values >= 500
    for name, right, images in (("train", train_right, 1000), ("test", test_right, 100)):
        run[f"{name}_accuracy"][0, late] = right / images
        run[f"{name}_loss"][0, late] = -math.log(1e-7) * (1 - right / images) + alive_loss
    run["dead_fraction"][0, late] = 1 - train_right / 1000
    run["dead_fraction"][0, ~late] = np.linspace(0, 0.3, (~late).sum())
    return run


COUNTS = {"hasyv2": {"train": np.array([40, 30, 930]), "test": np.array([4, 3, 93])}}


def test_predicted_heights_are_those_of_the_definition():
    table = plateau.plateau_table([stopped(30, 3, 0.001)], COUNTS).set_index("set")
    train, test = table.loc["train"], table.loc["test"]
    ceiling = 16.11809565
    assert train["from accuracy"] == pytest.approx(ceiling * 0.97, rel=1e-6)
    assert train["from dead fraction"] == pytest.approx(ceiling * 0.97, rel=1e-6)
    assert train["most frequent class"] == pytest.approx(ceiling * 0.07)
    assert test["most frequent class"] == pytest.approx(ceiling * 0.07)
    assert test["from accuracy"] == pytest.approx(ceiling * 0.97, rel=1e-6)
    assert math.isnan(test["from dead fraction"])
    assert train["difference, from accuracy"] == pytest.approx(0.001, rel=0.01)


@pytest.mark.parametrize(
    ("train", "test", "fits", "said"),
    [
        (30, 3, [1], "Class 1 has just as many of both: it is the one answer"),
        (30, 4, [], "No class has just as many of both: it still gives more than one answer"),
        (935, 3, [], "The most frequent class has 930 training images"),
    ],
)
def test_one_answer_is_told_by_the_counts(train, test, fits, said):
    run = stopped(train, test)
    if train > 900:  # too low for a plateau
        run["train_loss"][0, 500:] = 15.0
    assert plateau.classes_that_fit(run, COUNTS) == fits
    assert said in untrainable.one_answer(run, COUNTS)


def test_where_counts_are_not_known_nothing_is_predicted_from_them():
    run = stopped(30, 3)
    assert plateau.classes_that_fit(run, NOTHING) is None
    assert plateau.plateau_table([run], NOTHING)["most frequent class"].isna().all()
    other = run.assign_attrs(split=0.85)
    assert plateau.class_counts(other, COUNTS, "train") is None
    assert "one answer" not in untrainable.plateau_words([run], NOTHING)


def test_a_run_at_rest_is_told_from_one_that_is_not():
    run = stopped(30, 3)
    assert plateau.plateau(run).at_rest_since == 500
    run["train_accuracy"][0, -1] += 0.001
    assert "not at rest" in untrainable.one_answer(run, COUNTS)


def test_words_do_not_say_that_the_living_cost_nothing_where_they_do():
    assert "the living cost nothing" in untrainable.plateau_words([stopped(30, 3)], COUNTS)
    assert "what the living cost" in untrainable.plateau_words([stopped(30, 3, 0.1)], COUNTS)


def test_where_the_living_cost_something_the_plateau_is_not_called_a_loss_of_gradient():
    for alive, said in ((0.0, True), (0.1, False)):
        concluded = untrainable.conclusions([], [stopped(30, 3, alive)], COUNTS, [])
        assert ("loss of gradient" in concluded) is said


def test_only_the_clipped_loss_has_a_height_to_predict(some):
    exact = run_of("unstable", 1000, loss="logits")
    lost = run_of("unstable", 700)
    lost["train_loss"][0, 600:] = np.nan
    strong = run_of("strong", 1000)
    assert plateau.on_plateau([exact, strong, lost]) == []
    assert len(plateau.on_plateau(some)) == 4
    for table in (plateau.plateau_table, plateau.rest_table):
        assert len(table([strong], COUNTS)) == 0
    assert len(plateau.climb_table([strong])) == 0


def test_the_climb_finds_when_the_dead_carry_half():
    run = stopped(30, 3)
    found = plateau.climb(run)
    share = plateau.share_of_dead(run)
    assert share[found.half - 1] < 0.5 <= share[found.half :].min()
    assert found.dead_at_half == pytest.approx(float(run.dead_fraction[0, found.half]))
    assert f"from epoch {found.half} on" in untrainable.climb_words([run])
    figure = climb_figure(run)
    figure.canvas.draw()
    dead, loss = figure.axes[0].get_lines()[0], figure.axes[1].get_lines()[0]
    epochs = dead.get_xdata()
    np.testing.assert_array_equal(epochs, loss.get_xdata())
    assert epochs[0] < found.crossing.start < found.crossing.end < epochs[-1]
    assert "does not diverge" in climb_figure(run_of("strong", 200)).texts[0].get_text()


def test_the_published_plateaus_are_the_cost_of_their_dead():
    """The finding of the page, on the runs it is drawn from."""
    runs = plateau.on_plateau(controls.every_run())
    assert runs
    table = plateau.plateau_table(runs, published_class_counts())
    assert table["difference, from dead fraction"].abs().max() < 0.01
    assert table["difference, from accuracy"].abs().max() < 0.01


# Sharpness


def record_of(values: dict[int, float | None], spike: int | None, epochs: int) -> SharpnessRecord:
    worst = [None, *np.linspace(2, 1, epochs)]
    if spike is not None:
        worst[spike] *= 2
    measured = tuple(Measurement(e, v, 1e-6, 13, 1.0) for e, v in values.items())
    return SharpnessRecord(
        Experiment("hasyv2", 150, epochs), 0, 4096, 0, 1e-3, tuple([1.0] * (epochs + 1)),
        tuple(worst), {"code_version": "test"}, measured,
    )  # fmt: skip


def test_the_first_spike_stands_out_of_the_ten_epochs_before():
    worst = np.linspace(2, 1, 40)
    assert stability.first_spike(worst) is None
    worst[[5, 20, 30]] *= 2
    assert stability.first_spike(worst) == 20, "not in the first epochs, which all differ"
    worst[20] /= 1.5
    assert stability.first_spike(worst) == 30
    worst[25] = np.nan
    assert stability.first_spike(worst) == 25


@pytest.mark.parametrize(
    ("sharpness", "answer"),
    [(17.9, "below the edge"), (18.1, "at the edge"), (21.9, "at the edge"), (22.1, "beyond")],
)
def test_the_edge_is_judged_by_the_epochs_just_before_the_spike(sharpness, answer):
    values = {0: 90.0, 79: 90.0, 80: sharpness, 90: sharpness, 99: sharpness, 100: 90.0}
    found = stability.stability(record_of(values, 100, 120))
    assert (found.spike, found.measured, found.edge) == (100, 3, 20)
    assert found.answer.startswith(answer)
    assert (found.last_before, found.first_after) == ((99, sharpness), (100, 90.0))
    assert found.above[:2] == (0, 79)


def test_without_a_spike_or_a_measurement_before_it_there_is_no_answer():
    assert stability.stability(record_of({0: 5.0, 50: 30.0}, None, 60)).answer == "no answer"
    far = stability.stability(record_of({0: 5.0, 20: 30.0}, 50, 60))
    assert (far.answer, far.spike) == ("no answer", 50)
    assert (far.last_before, far.first_after) == ((20, 30.0), None)
    words = untrainable.stability_words([record_of({0: None}, None, 60)])
    assert "no spike by epoch 60" in words


def test_a_record_is_compared_with_the_published_run_bit_by_bit(reference):
    losses = reference.train_loss.values[0, :61]
    record = replace(record_of({0: 5.0}, None, 60), train_loss=tuple(map(float, losses)))
    assert stability.agreement(record, reference) == stability.Agreement(60, 60, 0.0)
    losses = losses.copy()
    losses[41] = np.nextafter(losses[41], np.float32(9))
    record = replace(record, train_loss=tuple(map(float, losses)))
    found = stability.agreement(record, reference)
    assert found.alike_until == 40 and 0 < found.largest < 1e-6


def test_sharpness_is_drawn_beside_its_edge_on_the_epochs_of_the_losses():
    values = {0: 6.0, 1: 38.0, 50: None, 99: 19.0}
    figure = stability_figure(record_of(values, 100, 120))
    figure.canvas.draw()
    above, below = figure.axes
    np.testing.assert_array_equal(above.get_lines()[0].get_xdata(), list(values))
    assert set(above.get_lines()[1].get_ydata()) == {20.0}
    assert above.get_xlim() == below.get_xlim()
    assert figure.description.name == "sharpness-150"


def test_figures_of_different_runs_have_different_names():
    record = record_of({0: 6.0, 5: 19.0}, None, 10)
    faint = replace(record.experiment, pixels="inverted", learning_rate=0.03)
    other = stability_figure(replace(record, experiment=faint, replica=1))
    assert other.description.name == "sharpness-150-pixels-inverted-learning-rate-0-03-replica-1"


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = record_of({0: 6.1, 1: None}, 30, 40)
    record.write(tmp_path)
    from repro.investigations.sharpness_record import published

    assert published(tmp_path) == [record]


# The page


def cells() -> str:
    page = jupytext.read(book.ROOT / book.TEXT / "untrainable.md")
    return "\n".join(
        cell.source
        for cell in page.cells
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", [])
    )


@pytest.mark.parametrize("there", [[], ["", "logits"], ["logits"]])
def test_the_page_is_right_with_any_part_of_its_runs(there, tmp_path: Path, monkeypatch, capsys):
    """In a folder that lacks the published facts and records, too."""
    plan = tmp_path / "plan.yml"
    plan.write_text("{datasets: digits, widths: [8], losses: [clipped, logits]}")
    store = Store(tmp_path / "store")
    for loss in there:
        store.save(*made_up_run(12, Experiment("digits", 8, 12, loss=loss or "clipped")))
    monkeypatch.setenv("REPRO_PUBLISHED", str(store.path))
    exec(cells(), {"plan": plan, "store": None, "__name__": "page"})
    said = capsys.readouterr().out
    assert "repro train --dataset digits --widths 8 --epochs 1000 --loss logits" in said
