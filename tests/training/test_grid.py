"""Grids of experiments from a command or a plan."""

import pytest

from repro import Experiment, ReproError, paper
from repro.book.build import ROOT
from repro.investigations import choices
from repro.training import grid, schedule


def test_every_combination_is_there_once():
    found = grid.experiments(
        {"datasets": ["digits", "mnist"], "widths": [8, 9], "losses": ["clipped", "logits"],
         "learning_rates": [0.1, 0.3], "replicas": 2}
    )  # fmt: skip
    assert len(found) == len({experiment.digest for experiment, _ in found}) == 16
    assert all(replicas == [0, 1] and each.epochs == 1000 for each, replicas in found)
    # Widths change fastest: a figure's widths stand together.
    assert [each.width for each, _ in found[:4]] == [8, 9, 8, 9]


def test_every_field_of_an_experiment_has_a_key_in_the_plural_and_in_the_singular():
    fields = Experiment.__dataclass_fields__
    assert sorted(grid.PARAMETERS.values()) == sorted(fields)
    assert {"datasets", "losses", "pixels", "widths", "batch_sizes", "epochs"} <= set(grid.KEYS)
    one = Experiment("hasyv2", 9, 5, loss="logits", mark="a", batch_size=4)
    named = {name: getattr(one, name) for name in fields}
    plural = {grid.plural(name): [value] for name, value in named.items()}
    assert grid.experiments(named) == grid.experiments(plural) == [(one, [0])]


def test_numbers_are_taken_as_people_type_them():
    typed = {"datasets": "digits", "widths": ["8", 9.0], "epochs": "1e1", "learning_rates": "0.3",
             "replicas": "2.0", "marks": ["none"]}  # fmt: skip
    assert grid.experiments(typed) == [
        (Experiment("digits", width, 10, learning_rate=0.3), [0, 1]) for width in (8, 9)
    ]
    shares = grid.experiments({"datasets": "hasyv2", "widths": 8, "splits": ["0.7", "fold-2"]})
    assert [each.split for each, _ in shares] == [0.7, "fold-2"]


def test_a_fold_is_for_the_datasets_that_have_folds():
    found = grid.experiments({"datasets": ["hasyv2", "mnist"], "widths": 8, "splits": "fold-1"})
    assert [experiment.split for experiment, _ in found] == ["fold-1", None]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"widths": 8}, "datasets is missing"),
        ({"datasets": "digits", "widths": []}, "widths must name at least one"),
        ({"datasets": "digits", "widths": "ten"}, "width must be a whole number"),
        ({"datasets": "digits", "widths": 8, "width": 9}, "has widths twice"),
        ({"datasets": "digits", "widths": 8, "depths": 9}, "not 'depths'"),
        ({"datasets": "digits", "widths": 8, "replicas": 0}, "replicas must be"),
        ({"datasets": "digits", "widths": 8, "epochs": 2.5}, "epochs must be a whole number"),
        ({"datasets": {"digits": 1}, "widths": 8}, "dataset must be one of"),
    ],
)
def test_a_grid_that_makes_no_experiment_is_told(given, told):
    with pytest.raises(ReproError, match=told):
        grid.experiments(given)


def test_a_plan_is_one_grid_or_several_and_found_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    plan = tmp_path / "plan.yml"
    plan.write_text("{datasets: digits, widths: [8, 9], epochs: 1e1}")
    found = [(Experiment("digits", width, 10), [0]) for width in (8, 9)]
    assert grid.read_plan(plan) == grid.read_plan("~/plan.yml") == found
    plan.write_text("- {datasets: digits, widths: 8}\n- {datasets: mnist, widths: 9, replicas: 3}")
    assert [(e.dataset, r) for e, r in grid.read_plan(plan)] == [
        ("digits", [0]), ("mnist", [0, 1, 2])
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("datasets: [digits", "must be YAML"),
        ("- {datasets: digits, widths: 8}\n- widths: 8", r"Grid 2 of .*datasets is missing"),
        ("", "must be a mapping"),
        ("[]", "names no grid"),
        ("!!python/object/apply:os.system ['true']", "must be YAML"),
        ("datasets: digits\nwidths: 8\nwidths: 9", "a key is there twice"),
        ("a: &a [8]\nb: *a", "cannot use aliases"),
        ("[" * 9000, "must be YAML"),
        ("datasets: digits\nwidths: 2001-99-99", "must be YAML"),
        ("datasets: digits\nwidths: [8, 9]\nreplicas: 99999", "can have 100000 runs, not 199998"),
    ],
    ids=lambda text: text[:20],
)
def test_a_plan_that_cannot_be_read_is_told(text, told, tmp_path):
    (tmp_path / "plan.yml").write_text(text)
    with pytest.raises(ReproError, match=told):
        grid.read_plan(tmp_path / "plan.yml")


def test_the_papers_plan_has_the_figures_and_the_early_marks():
    wanted = dict(schedule.merged(grid.read_plan(ROOT / "sweeps" / "paper.yml")))
    for width in paper.FIGURE_2_WIDTHS:
        assert len(wanted[Experiment("hasyv2", width, 1000)]) == 10
    assert Experiment("hasyv2", 512, 1000, mark="a") in wanted
    assert Experiment("hasyv2", 512, 1000) in wanted
    planned = {each.digest for each in wanted}  # however long
    for width in choices.WIDTHS:
        for choice in ({"loss": "logits"}, {"pixels": "inverted"}, {"split": 0.7}):
            assert Experiment("hasyv2", width, 100, **choice).digest in planned
