"""The statistics behind the verdicts, against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from synthetic import loss_curve, synthetic_run

from repro.analysis import evidence
from repro.analysis.intervals import (
    jackknife_interval,
    mean_interval,
    permutation_probability,
    share_interval,
)
from repro.claims import made, near
from repro.claims.jump import excursion, lag_table, log_ratio, rise_epochs
from repro.claims.large import BINNING, slope, updates
from repro.claims.regimes import boundaries, compared, comparisons, order_by_chance
from repro.claims.wider import deviation_at, exponent, falls_by_chance, first_crossing
from repro.model.deviation import FINAL_EDGES, INITIAL_EDGES, joint_histogram
from repro.paper import Reading

# Intervals


def test_the_interval_of_a_mean_and_of_a_share() -> None:
    assert mean_interval([1, 2, 3]) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)
    assert mean_interval([1.0]) is None
    assert mean_interval([]) is None
    # Of a share, all of n: the lower limit is 0.025 ** (1 / n).
    assert share_interval(3, 3) == pytest.approx((0.025 ** (1 / 3), 1.0))
    assert share_interval(0, 10) == pytest.approx((0.0, 1 - 0.025**0.1))
    assert share_interval(1, 1) is None


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-100, 100), min_size=3, max_size=12))
def test_the_jackknife_of_a_mean_is_students_interval(values: list[float]) -> None:
    low, high = mean_interval(values)
    assert jackknife_interval(np.mean, values) == pytest.approx((low, high), abs=1e-6)
    assert jackknife_interval(np.mean, values[:2]) is None
    assert jackknife_interval(lambda v: np.nan if len(v) < len(values) else 1.0, values) is None


def test_the_permutation_test_counts_orders() -> None:
    # Of three labels in order, one of six orders does as well.
    weights = np.array([1, 2, 3])
    assert permutation_probability([1, 2, 3], lambda x: (x * weights).sum(axis=-1)) == 1 / 6
    assert permutation_probability([3, 2, 1], lambda x: (x * weights).sum(axis=-1)) == 1.0
    assert permutation_probability([1], lambda x: x.sum(axis=-1)) == 1.0


# The jump


def stepped(*more: np.ndarray) -> np.ndarray:
    parts = np.geomspace(5.9, 0.2, 100), np.full(100, 0.3), np.full(200, 15.7)
    return np.concatenate([*parts, *more])


@pytest.mark.parametrize("lag", [-20, 0, 4])
def test_the_middles_of_the_rises_are_found_on_the_linear_scale(lag: int) -> None:
    runs = made.rises(lag)
    for replica, run in enumerate(runs):
        found = rise_epochs(run)
        middle = 450 + 60 * replica
        assert found.loss == pytest.approx((middle - 30, middle, middle + 30), abs=4)
        assert found.loss[1] == pytest.approx(middle, abs=1.5)
        assert found.deviation[1] == pytest.approx(middle + lag, abs=2.5)
        assert found.lag == pytest.approx(lag, abs=2.5) and found.jumps
        assert found.start < middle - 30 < middle + 30 < found.end
    table = lag_table(runs).iloc[0]
    assert (table["width"], table["runs"]) == (150, 3)
    assert table["lag from"] <= table["lag"] <= table["lag to"]
    assert table["lag"] == pytest.approx(lag, abs=2.5)
    assert table["lag / rise"] == pytest.approx(abs(lag) / 60, abs=0.04)


def test_a_deviation_that_grows_evenly_does_not_jump() -> None:
    found = [rise_epochs(run) for run in made.without_a_jump()]
    assert not any(one.jumps for one in found)
    assert all(one.distance == one.rise for one in found)
    frozen = made.made_run(150, made.papers_curve(150), deviation=np.ones(1001))
    assert not rise_epochs(frozen).jumps and np.isnan(rise_epochs(frozen).lag)


def test_a_run_that_does_not_diverge_has_no_rise() -> None:
    assert rise_epochs(made.made_run(150)) is None
    lost = made.made_run(150, np.where(np.arange(1001) < 222, made.strong_loss(), np.nan))
    assert rise_epochs(lost) is None, "no finite loss to rise to"
    assert lag_table([made.made_run(150)]).empty


def test_an_excursion_and_what_is_found_after_it() -> None:
    left = excursion(stepped())
    assert left == (200, pytest.approx(0.2), 15.7)
    assert log_ratio(left) == pytest.approx(np.log(15.7 / 0.2))
    recovered = excursion(stepped(np.full(50, 0.05)))
    assert recovered.lowest_after == 0.05 and log_ratio(recovered) < 0
    assert excursion(loss_curve("strong", 1000, spikes=(300,))) is None
    assert excursion(np.full(10, 1.0)) is None
    lost = log_ratio(excursion(stepped()[:200] + np.where(np.arange(200) < 100, 0, np.nan)))
    assert 10 < lost < np.inf


# Wider


def test_the_exponent_of_a_power_law() -> None:
    widths = [10, 20, 40, 40]
    table = [[3.0 * w**-0.5, 7.0 * w**-1.5] for w in widths]
    assert exponent(widths, table, [0]) == pytest.approx(-0.5)
    assert exponent(widths, table, [0, 1]) == pytest.approx(-1.0)
    table[0][1] = np.nan  # the narrowest never reaches the second loss
    assert exponent(widths, table, [1]) == pytest.approx(-1.5)
    assert np.isnan(exponent([10, 10], [[1.0], [2.0]], [0]))


def test_falling_by_chance() -> None:
    assert falls_by_chance([1, 2, 3, 4], [9.0, 5.0, 3.0, 1.0]) == pytest.approx(1 / 24)
    assert falls_by_chance([1, 2, 3, 4], [1.0, 3.0, 5.0, 9.0]) == 1.0
    mixed = falls_by_chance([4, 1, 3, 2], [1.0, 9.0, 3.0, 5.0])
    assert mixed == pytest.approx(1 / 24), "the order of the runs does not matter"


def test_the_first_crossing_of_a_loss() -> None:
    run = synthetic_run(8, 30, "strong", joint_layers=())
    run["train_loss"][0] = np.concatenate([[4.0, 3.0, 2.0, 2.2, 1.0], np.full(26, 2.5)])
    assert first_crossing(run, 0.5) == 2
    assert first_crossing(run, 0.26) == 4
    assert first_crossing(run, 0.2) is None
    expected = float(run["deviation_std"][0, 2, 1])
    assert deviation_at(run, 0.5) == expected
    assert np.isnan(deviation_at(run, 0.2))


# Large


def test_updates_by_hand() -> None:
    # Four bins of w_i with middles -1.5, -0.5, 0.5, 1.5; final bins with middles -2, 0, 2.
    counts = np.array([[2, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 2]])
    found = updates(counts, [-2, -1, 0, 1, 2], [-3, -1, 1, 3])
    assert found.initial == pytest.approx([0.5, 1.5])
    assert found.outward == pytest.approx([-0.5, 0.5])
    assert found.size == pytest.approx([0.5, 0.5])
    assert found.weights == pytest.approx([2, 4])
    assert slope(found.initial, found.outward, found.weights) == pytest.approx(1.0)
    assert found.open_share == 0


def test_open_bins_count_at_their_edge() -> None:
    found = updates([[1, 0, 3], [0, 0, 4]], [-2, 0, 2], [-np.inf, -3, 3, np.inf])
    assert found.open_share == 1.0
    # From -1: one to -3, three to 3; from 1: four to 3. Outward: (2 - 12 + 8) / 8.
    assert found.outward == pytest.approx([-0.25])


@pytest.mark.parametrize(
    ("outward", "spread", "drift", "expected", "error"),
    [
        (0.0, 0.0, 0.0, 0.0, BINNING / 2),  # bins alone do not make a slope
        (0.0, 0.1, 0.0, 0.0, BINNING),  # updates that know nothing of the start have none
        (0.0, 2.0, 0.0, 0.0, BINNING),
        (-1.0, 1.0, 0.0, -1.0, 0.01),  # a network that forgets its start
        (0.25, 0.5, 0.0, 0.25, 0.01),  # outward growth
        (0.0, 0.0, -0.4, 0.0, BINNING),  # a drift of all weights cancels
    ],
)
def test_the_slope_of_the_outward_update(outward, spread, drift, expected, error) -> None:
    random = np.random.default_rng(0)
    start = random.uniform(-np.sqrt(3), np.sqrt(3), (700, 700))
    end = (1 + outward) * start + drift + spread * random.normal(size=start.shape)
    found = updates(joint_histogram(end, start, 1.0), INITIAL_EDGES, FINAL_EDGES)
    assert slope(found.initial, found.outward, found.weights) == pytest.approx(expected, abs=error)
    if outward == drift == 0:
        assert abs(slope(found.initial, found.size, found.weights)) < error


# Regimes


def test_boundaries_lie_between_the_regimes() -> None:
    widths, ranks = [10, 20, 40, 80, 160, 320], [0, 0, 1, 1, 2, 2]
    found = boundaries(widths, ranks)
    assert found == (pytest.approx(np.sqrt(800)), pytest.approx(np.sqrt(80 * 160)), 6)
    ranks[0] = 2
    assert boundaries(widths, ranks)[2] == 5
    assert boundaries(widths, [2, 2, 1, 1, 0, 0])[2] == 2
    # Of the 6! / (2! 2! 2!) = 90 orders one is as good.
    assert order_by_chance(widths, [0, 0, 1, 1, 2, 2]) == pytest.approx(1 / 90)
    assert order_by_chance(widths[::-1], [2, 2, 1, 1, 0, 0]) == pytest.approx(1 / 90)


@pytest.mark.parametrize(
    ("theirs", "ours", "agrees"),
    [
        (Reading(100, "f"), [102], True),
        (Reading(100, "f"), [104], False),  # 3 % for the reading
        (Reading(100, "f", error=10), [112], True),
        (Reading(100, "f", error=10), [114], False),
        (Reading(100, "f", kind="about"), [105], True),
        (Reading(100, "f"), [100, 104, 108], True),  # ours: 104 +- 9.9
        (Reading(100, "f"), [np.nan], False),
        (Reading(1000, "f", kind="none by"), [np.nan], True),
        (Reading(1000, "f", kind="none by"), [700], False),
        (Reading(1000, "f", kind="at least"), [np.nan], True),
        (Reading(1000, "f", kind="at least"), [980], True),
        (Reading(1000, "f", kind="more than"), [700], False),
        (Reading(1000, "f", kind="about"), [np.nan], True),
        (Reading(660, "f", error=112), [np.nan, np.nan, 600], False),
    ],
)
def test_a_value_of_ours_beside_the_papers(theirs: Reading, ours: list, agrees: bool) -> None:
    assert compared(theirs, np.array(ours, float))["agrees"] is agrees


def test_every_value_of_the_paper_at_our_widths_is_compared() -> None:
    run = synthetic_run(8, 1000, "unstable", replicas=2, joint_layers=())
    run.attrs["width"] = 150
    table = comparisons(evidence.single_runs([run]))
    assert len(table) == 5 and set(table["width"]) == {150}
    row = table.set_index("quantity").loc["minimum_train_loss"]
    assert row["difference"] == pytest.approx(
        float(run["train_loss"].min("epoch").mean()) - 0.29, abs=1e-6
    )


def test_the_papers_own_relative_deviation_is_read_off_its_quartiles():
    """A normal distribution of this spread has the quartiles that were read, centred."""
    spread = near.papers_relative_deviation() * np.sqrt(2 / 1024)
    lower, upper = stats.norm(scale=spread).ppf([0.25, 0.75])
    assert upper - lower == pytest.approx(0.045 + 0.06, rel=1e-3)


def test_figure_3_of_the_paper_is_its_own_quantiles():
    table = near.figure_3_quantiles(made.of_weights())
    assert table["theirs"].tolist() == [-0.245, -0.06, 0.045, 0.23, 0.05, 0.085, 0.16]
    assert table["difference"].abs().max() < 0.05
