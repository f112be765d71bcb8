"""Why networks become untrainable: controls, the plateau predicted, sharpness beside its edge."""

import json
import math

import numpy as np
import pytest
import xarray as xr
from synthetic import synthetic_run

from repro import Experiment, ReproError, sealed_json
from repro.book.build import ROOT
from repro.investigations import choices, controls, plateau, stability
from repro.investigations.stability import SharpnessRecord

PLAN = ROOT / "sweeps" / "paper.yml"


def run_of(kind: str, epochs: int, width: int = 150, **changes) -> xr.Dataset:
    """A made-up run of a control; what is not named is the baseline's."""
    made = synthetic_run(width, epochs, kind, mark=changes.get("mark"), joint_layers=())
    described = Experiment("hasyv2", width, epochs, **changes).parameters
    made.attrs |= {name: value for name, value in described.items() if value is not None}
    made.attrs["experiment"] = json.dumps(described)
    return made


@pytest.fixture(scope="module")
def some() -> list[xr.Dataset]:
    """Runs as they may be published: of every kind, some short, some not of the plan at all."""
    return [
        run_of("unstable", 1000),
        run_of("strong", 1000, loss="logits"),
        run_of("unstable", 600, learning_rate=0.3),
        run_of("strong", 60, pixels="inverted"),
        run_of("unstable", 800, 256, mark="a"),
        run_of("unstable", 700, split=0.85),
    ]


def test_the_plan_has_each_change_alone_at_both_widths_beside_its_reference():
    found = [(one.experiment.width, controls.label(one.experiment))
             for one in controls.gather(PLAN, [])]  # fmt: skip
    names = ("baseline", "exact loss", "pixels inverted", "learning rate 0.03", "learning rate 0.3")
    assert sorted(found) == sorted((width, name) for width in (150, 256) for name in names)


def test_what_changes_more_or_something_else_is_no_control(tmp_path):
    plan = tmp_path / "plan.yml"
    plan.write_text(
        "- {datasets: digits, widths: [8, 9]}\n"
        "- {datasets: digits, widths: 8, losses: [clipped, logits], pixels: [archived, inverted]}\n"
        "- {datasets: digits, widths: 9, marks: a}\n"
    )
    wanted = [(one.experiment.width, one.changed) for one in controls.gather(plan, [], "digits")]
    assert wanted == [(8, ""), (8, "pixels"), (8, "loss")]
    assert controls.gather(plan, []) == []


def test_runs_go_to_their_control_and_some_have_none(some):
    found = controls.gather(PLAN, some)
    told = controls.table(found).set_index("run")
    assert told["epochs"].to_dict() == {
        "baseline": 1000, "exact loss": 1000, "pixels inverted": 60, "learning rate 0.3": 600,
    }  # fmt: skip
    assert told["outcome"].to_dict() == {
        "baseline": "", "exact loss": "has not diverged", "pixels inverted": "too short to say",
        "learning rate 0.3": "diverges too",
    }  # fmt: skip
    assert (told["width"] == 150).all(), "a letter is no replacement"
    figure = controls.controls_figure(controls.curves(found))
    drawn = [[line for line in axes.get_lines() if len(line.get_xdata())] for axes in figure.axes]
    assert list(map(len, drawn)) == [2, 2, 2]
    assert controls.controls_figure(controls.curves([])).texts


def test_a_control_is_held_against_its_reference(some):
    reference = some[0]
    diverged = int(controls.table(controls.gather(PLAN, [reference]))["diverged"].iloc[0])
    enough, little = diverged + 30, diverged + 29
    strong, alone = run_of("strong", 1000), run_of("unstable", 700, pixels="inverted")
    climbing = run_of("strong", enough, loss="logits")
    climbing["train_loss"][0, 400:] = np.linspace(0.1, 12, enough - 399)
    for run, against, answer in (
        (run_of("strong", enough, loss="logits"), reference, "has not diverged"),
        (run_of("strong", little, loss="logits"), reference, "too short to say"),
        (run_of("unstable", 700, learning_rate=0.3), reference, "diverges too"),
        (alone, strong, "diverges alone"),
        (alone, run_of("strong", 300), "too short to say"),
        (run_of("strong", 1000, pixels="inverted"), strong, "neither diverges"),
        (run_of("strong", 999, pixels="inverted"), strong, "too short to say"),
        (climbing, reference, "is climbing"),
        (alone, None, "nothing to compare with"),
    ):
        assert controls.outcome(run, against) == answer


def stopped(train_right: int, test_right: int, alive_loss: float = 0.0) -> xr.Dataset:
    """A run that ends with so many images of 1000 and of 100 right, and all else dead."""
    run = run_of("unstable", 700)
    late = run.epoch.values >= 500
    for name, right, images in (("train", train_right, 1000), ("test", test_right, 100)):
        run[f"{name}_accuracy"][0, late] = right / images
        run[f"{name}_loss"][0, late] = -math.log(1e-7) * (1 - right / images) + alive_loss
    run["dead_fraction"][0, late] = 1 - train_right / 1000
    run["dead_fraction"][0, ~late] = np.linspace(0, 0.3, (~late).sum())
    return run


def test_the_predicted_height_is_that_of_the_definition():
    row = plateau.table([stopped(30, 3, 0.001)]).iloc[0]
    assert row["from_dead"] == pytest.approx(16.11809565 * 0.97, rel=1e-6)
    assert row["train_loss"] - row["from_dead"] == pytest.approx(0.001, rel=0.01)
    assert row["wrong"] == pytest.approx(row["dead"])


def test_only_the_clipped_loss_has_a_height_to_predict(some):
    lost = run_of("unstable", 700)
    lost["train_loss"][0, 600:] = np.nan
    runs = [run_of("unstable", 1000, loss="logits"), some[1], lost]
    assert plateau.on_plateau(runs) == [] and plateau.table(runs).empty
    assert len(plateau.on_plateau(some)) == 4


def test_the_climb_is_drawn_from_before_it_is_left_to_the_plateau():
    run = stopped(30, 3)
    row = plateau.table([run]).iloc[0]
    dead, loss = (axes.get_lines()[0].get_xdata() for axes in plateau.climb_figure(run).axes)
    np.testing.assert_array_equal(dead, loss)
    assert dead[0] < row["left_at"] < row["diverged"] < dead[-1]
    assert plateau.climb_figure(run_of("strong", 200)).texts


def test_the_published_plateaus_are_the_cost_of_their_dead():
    """The finding of the page, on the runs of one width."""
    runs = choices.found(Experiment("hasyv2", 150, 1000))
    table = plateau.table(runs)
    assert len(table) == len(runs) >= 10
    assert (table["train_loss"] - table["from_dead"]).abs().max() < 0.001


def record_of(values: dict[int, float | None], spike: int | None, epochs: int) -> SharpnessRecord:
    worst = [None, *np.linspace(2, 1, epochs)]
    if spike is not None:
        worst[spike] *= 2
    rest = {"residual": 1e-6, "products": 13, "sample_loss": 1.0}
    measured = [{"epoch": epoch, "sharpness": value} | rest for epoch, value in values.items()]
    return SharpnessRecord(
        Experiment("hasyv2", 150, epochs), 0, 4096, 0, 1e-3, [1.0] * (epochs + 1), worst,
        {"code_version": "test"}, measured,
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
    ("sharpness", "answer"), [(17.9, "below"), (18.1, "at"), (21.9, "at"), (22.1, "beyond")]
)
def test_the_edge_is_judged_by_the_epochs_just_before_the_spike(sharpness, answer):
    values = {0: 90.0, 79: 90.0, 80: sharpness, 90: sharpness, 99: sharpness, 100: 90.0}
    row = stability.table([record_of(values, 100, 120)]).iloc[0]
    assert (row["spike"], row["measured_before"], row["edge"]) == (100, 3, 20)
    assert row["answer"] == f"{answer} the edge"


@pytest.mark.parametrize(
    ("values", "spike"), [({0: 5.0, 50: 30.0}, None), ({0: 5.0, 20: 30.0}, 50), ({0: None}, None)]
)
def test_without_a_spike_or_a_measurement_before_it_there_is_no_answer(values, spike):
    record = record_of(values, spike, 60)
    row = stability.table([record]).iloc[0]
    assert row["answer"] == "no answer" and np.isnan(row["spike"]) == (spike is None)
    stability.sharpness_figure(record).canvas.draw()


def test_a_record_is_read_as_it_was_written_and_a_damaged_one_is_told(tmp_path):
    record = record_of({0: 6.1, 1: None}, 30, 40)
    record.write(tmp_path)
    assert stability.measured(tmp_path) == [record]
    file = tmp_path / record.file
    file.write_text("{}")
    with pytest.raises(ReproError, match="damaged, or was not sealed"):
        stability.measured(tmp_path)
    sealed_json.write(file, {"experiment": {}})
    with pytest.raises(ReproError, match="no record of a sharpness"):
        stability.measured(tmp_path)
