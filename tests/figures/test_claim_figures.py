"""The figures and tables on the pages of the claims: every run is drawn, and none is no error."""

from itertools import pairwise

import numpy as np
import pytest
from synthetic import jumping_run, synthetic_run

from repro.analysis import evidence
from repro.book.evidence_tables import evidence_table
from repro.figures.jump import (
    diverged,
    jump_figure,
    jump_table,
    one_per_width,
    overview_figure,
    together_figure,
)
from repro.figures.large import large_figure, slope_table
from repro.figures.near import area_figure, near_by_width_figure, near_figure, near_table
from repro.figures.regimes import agreement_figure, agreement_table, regimes_figure
from repro.figures.run_lines import looks
from repro.figures.wider import exponent_table, learning_figure, wider_figure

FIGURES = (
    near_figure, near_by_width_figure, area_figure, overview_figure, together_figure, wider_figure,
    learning_figure, large_figure, regimes_figure, agreement_figure,
)  # fmt: skip
TABLES = (near_table, jump_table, exponent_table, slope_table, agreement_table, evidence_table)


@pytest.fixture(scope="module")
def runs() -> list:
    kinds = {10: "weak", 16: "unstable", 24: "strong"}
    made = [
        synthetic_run(width, 1000, kind, replicas=2, seed=width) for width, kind in kinds.items()
    ]
    made.append(synthetic_run(32, 1000, "strong", mark="a", joint_layers=()))
    made.append(synthetic_run(40, 300, "strong", joint_layers=("hidden_hidden",)))
    made.append(jumping_run(20).assign_coords(replica=[7]))
    return evidence.single_runs(made)


@pytest.mark.parametrize("draw", FIGURES, ids=lambda draw: draw.__name__)
def test_figures_are_drawn_and_do_without_runs(draw, runs) -> None:
    draw(runs).canvas.draw()
    empty = draw([])
    empty.canvas.draw()
    assert "no " in empty.texts[0].get_text()


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_tables_do_without_runs(make, runs) -> None:
    assert len(make([])) == 0
    make(runs)


def lines_of(axes, length: int) -> list:
    return [line for line in axes.get_lines() if len(line.get_xdata()) == length]


def test_every_unmarked_run_is_a_line_and_short_ones_are_dotted(runs) -> None:
    left = near_figure(runs).axes[0]
    assert len(lines_of(left, 1000)) == 7
    (short,) = lines_of(left, 300)
    assert short.get_linestyle() == ":"
    assert short.get_label() == "N = 40 (300 epochs only)"
    (marked,) = area_figure(runs).axes[0].get_lines()[:1]
    assert "“a”" in marked.get_label()


def test_a_width_is_named_once(runs) -> None:
    labels = [look["label"] for _, look in looks(runs) if look["label"]]
    assert len(labels) == len(set(labels)) == 6


def test_the_crossing_shows_loss_bands_and_the_three_jumps() -> None:
    run = jumping_run(24, 500, 0)
    figure = jump_figure(run)
    figure.canvas.draw()
    loss, bands, rises = figure.axes
    low, high = loss.get_xlim()
    assert 450 < low < 500 < high < 550, "zoomed to the crossing"
    assert len(bands.collections) == 3
    for axes in figure.axes:
        upright = {line.get_xdata()[0] for line in axes.get_lines() if len(line.get_xdata()) == 2}
        assert 500 in upright
    outer = bands.collections[0].get_paths()[0].vertices
    unit = float(run["glorot_std"].sel(layer="hidden_hidden"))
    quantile = run["deviation_quantiles"].sel(layer="hidden_hidden", quantile=0.99, replica=0)
    shown = quantile.sel(epoch=slice(low, high)).max() / unit
    assert outer[:, 1].max() == pytest.approx(float(shown))
    assert "rise" in rises.get_title(loc="left")


def test_one_large_figure_for_each_width_that_diverges(runs) -> None:
    assert [int(run.attrs["width"]) for run in one_per_width(diverged(runs))] == [16, 20]
    assert len(jump_table(runs)) == 3
    assert "does not diverge" in jump_figure(runs[0]).texts[0].get_text()


def test_tables_name_every_run(runs) -> None:
    assert list(near_table(runs).index) == [evidence.name_of(run) for run in runs]
    made = evidence_table(runs)
    assert made["replicas"].sum() == len(runs)
    assert list(made[made["epochs"] < 1000]["counts"]) == ["no, too short"]


def test_agreement_is_in_units_of_the_error_bars() -> None:
    run = synthetic_run(8, 1000, "unstable", joint_layers=())
    run.attrs["width"] = 150
    run["train_loss"][0, 200] = 0.1  # the paper: 0.29, 3 % for the reading
    axes = agreement_figure([run]).axes[0]
    (line,) = [line for line in axes.get_lines() if line.get_label() == "lowest train loss"]
    assert np.asarray(line.get_ydata()) == pytest.approx([(0.1 - 0.29) / (0.03 * 0.29)])
    shown = agreement_table([run])
    assert shown.loc[(150, "minimum train loss"), "agrees"] == "no"


@pytest.mark.parametrize("figure", [near_by_width_figure, wider_figure])
def test_the_numbers_of_widths_do_not_run_into_each_other(figure) -> None:
    widths = (10, 50, 100, 150, 200, 225, 250, 275, 300, 350, 400, 450, 500, 512)
    runs = []
    for width in widths:
        runs.append(synthetic_run(8, 1000, "strong", joint_layers=()))
        runs[-1].attrs["width"] = width
    drawn = figure(runs)
    drawn.draw_without_rendering()
    for axes in drawn.axes[:2]:
        there = {*axes.get_xticks(), *axes.get_xticks(minor=True)}
        assert there == set(widths), "a tick at every width"
        labels = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert len(labels) >= 5
        order = sorted(labels, key=lambda box: box.x0)
        assert all(left.x1 < right.x0 for left, right in pairwise(order))
        assert all(not label.get_text() for label in axes.get_xticklabels(minor=True))


def test_runs_are_counted_by_width_in_words() -> None:
    assert evidence.widths_in_words([]) == "no run"
    one, other = (synthetic_run(width, 20, joint_layers=()) for width in (10, 20))
    assert evidence.widths_in_words([one]) == "1 run (N = 10: 1)"
    assert evidence.widths_in_words([other, one]) == "2 runs (N = 10, 20: 1 each)"
    third = synthetic_run(30, 20, joint_layers=())
    words = evidence.widths_in_words([one, other, other, third])
    assert words == "4 runs (N = 10, 30: 1 each; N = 20: 2)"
