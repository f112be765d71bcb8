"""Minimum, divergence, crossing and regime of made-up loss curves of every kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import loss_curve, synthetic_run

from repro.analysis.regimes import (
    PLATEAU_EPOCHS,
    crossing,
    divergence_epoch,
    minimum,
    plateau,
    regime,
    summary,
)
from repro.errors import ReproError
from repro.figures.regimes import climb_figure


def joined(*parts) -> np.ndarray:
    """A curve of several stretches; a stretch is values, or (from, to, epochs) in the logarithm."""
    return np.concatenate([np.geomspace(*p) if isinstance(p, tuple) else p for p in parts])


@pytest.mark.parametrize("classes", [369, 10])
@pytest.mark.parametrize("kind", ["weak", "unstable", "strong"])
def test_each_kind_of_run_is_recognised(kind: str, classes: int) -> None:
    for seed in range(3):
        curve = loss_curve(kind, 1000, classes=classes, spikes=(235, 570), seed=seed)
        assert regime(curve) == kind
        assert (divergence_epoch(curve) is not None) == (kind == "unstable")


def test_the_published_example_diverges_where_it_reaches_its_plateau() -> None:
    curve = loss_curve("unstable", 1000, noise=0.005)
    assert plateau(curve) == pytest.approx((415, 15.7), abs=6)  # 15.6 at 421
    assert minimum(curve).epoch == pytest.approx(165, abs=40) and not minimum(curve).at_end


def test_the_divergence_is_where_an_uneven_climb_becomes_flat() -> None:
    """The end of the climb at width 150, as trained."""
    climb = "9.4 9.7 9.8 10.5 10.5 10.8 11.1 11.1 11.2 11.5 11.7 11.7 11.8 12.1 12.7 12.2 13.2 "
    climb += "13.0 14.1 14.2 13.2 13.8 13.9 13.4 13.7 14.7 14.3 13.8 14.8 15.4 15.2 14.0 14.1 14.6 "
    climb += "15.0 15.1"
    curve = joined((6, 0.243, 196), (0.243, 9.3, 359), np.float64(climb.split()))
    assert divergence_epoch(curve) is None
    assert divergence_epoch(joined(curve, [15.88], np.full(400, 15.99))) == 591


@pytest.mark.parametrize(
    ("curve", "epoch", "became"),
    [
        # a step, decided though the run is short
        (joined(np.linspace(2.3, 0.1, 100), np.full(60, 14.5)), 100, "unstable"),
        # the last of two plateaus counts
        (joined((5.9, 0.2, 200), np.full(80, 15.7), np.full(100, 9.0), np.full(300, 15.7)), 380,
         "unstable"),
        # without the clip a dead network stands at the loss of its first epoch, not above it
        (joined((5.9, 0.1, 200), np.full(800, 5.6)), 200, "unstable"),
        # only ever diverged
        (joined([5.9], np.full(100, 15.7)), 1, "weak"),
        # never learned: nothing to lose
        (np.full(1001, 2.302), None, "weak"),
        # falls again slowly: has not come to rest
        (joined((5.9, 0.25, 200), np.linspace(8.0, 4.0, 900)), None, "undecided"),
        # a low loss, lost again, that falls
        (joined((5.9, 0.3, 400), (3.0, 0.9, 601)), None, "undecided"),
        # settles at ten times the minimum, next to nothing of what was learned
        (joined((2.3, 1e-4, 500), [0.4, 0.1, 0.01], np.full(498, 1e-3)), None, "strong"),
        # shorter than a plateau must be, and just long enough
        (joined((5.9, 0.2, 100), np.full(PLATEAU_EPOCHS - 1, 15.7)), None, "undecided"),
        (joined((5.9, 0.2, 100), np.full(PLATEAU_EPOCHS, 15.7)), 100, "unstable"),
    ],
)  # fmt: skip
def test_what_is_a_plateau_and_what_is_none(curve, epoch, became) -> None:
    assert divergence_epoch(curve) == epoch
    assert regime(curve) == became


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
def test_noise_on_the_plateau_does_not_matter(noise: float) -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        curve = joined((5.9, 0.2, 150), np.full(400, 15.7))
        curve *= 1 + noise * random.standard_normal(curve.size)
        assert 150 <= divergence_epoch(curve) <= 150 + (0 if noise < 0.03 else 3)


def test_what_recovers_is_no_divergence() -> None:
    curve = loss_curve("strong", 1000, noise=0)
    for at in (120, 235, 570, 998, 999):
        curve[at : at + 2] = 15.7
    assert divergence_epoch(curve) is None and regime(curve) == "strong"
    curve[400:480] = 15.7
    assert divergence_epoch(curve) is None


def test_dips_and_breaks_on_the_plateau_do_not_move_its_beginning() -> None:
    curve = loss_curve("unstable", 1000, noise=0)
    expected = divergence_epoch(curve)
    curve[[700, 800, 801]] = 3.0
    assert divergence_epoch(curve) == expected
    curve[850:] = np.nan
    assert divergence_epoch(curve) == expected


@pytest.mark.parametrize("epochs", [100, 300, 1000, 3000])
def test_a_curve_still_climbing_has_not_diverged(epochs: int) -> None:
    curve = joined((5.9, 0.25, 200), (0.25, 5.0, epochs))
    assert divergence_epoch(curve) is None
    assert regime(curve) == ("unstable" if len(curve) > 1000 else "undecided")


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_loss_that_is_no_number_has_diverged_there(broken: float) -> None:
    curve = loss_curve("strong", 300, noise=0)
    curve[222:] = broken
    assert plateau(curve) == (222, np.inf)
    assert regime(curve) == "unstable" and minimum(curve).epoch < 222
    curve = loss_curve("strong", 300, noise=0)
    curve[150] = broken  # and recovered
    assert divergence_epoch(curve) is None


@pytest.mark.parametrize("kind", ["weak", "strong"])
def test_a_short_run_is_undecided_unless_told_its_full_length(kind: str) -> None:
    curve = loss_curve(kind, 600)
    assert (regime(curve), regime(curve, full_length=600)) == ("undecided", kind)


@pytest.mark.parametrize("end", [0.9, 0.45])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_a_minimum_left_for_good_by_a_loss_that_still_rises_is_unstable(end, noise) -> None:
    curve = joined((5.9, 0.3, 320), (0.3, end, 681))
    curve *= np.exp(noise * np.random.default_rng(0).standard_normal(curve.size))
    assert divergence_epoch(curve) is None and regime(curve) == "unstable"
    assert regime(curve[:900]) == "undecided", "it may still come to rest"


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
def test_what_only_seems_to_rise_stays_strong(noise: float) -> None:
    epoch = np.arange(1001)
    flat = joined((5.9, 0.3, 200), np.full(801, 0.3))
    curves = [np.geomspace(5.9, 0.05, 1001), flat, joined((5.9, 0.3, 500), (0.3, 0.36, 501))]
    curves.append(np.where(epoch < 600, flat, 0.42))  # settled, not rising
    for at in (700, 880, 930):  # spikes of ten epochs and more, and their recovery
        curves.append(flat + 3 * (epoch >= at) * np.exp(-(epoch - at) / 15))
    for seed in range(5):
        scatter = np.exp(noise * np.random.default_rng(seed).standard_normal(1001))
        assert {regime(curve * scatter) for curve in curves} == {"strong"}


def test_a_minimum_at_the_end_of_a_falling_run_is_flagged() -> None:
    falling = np.geomspace(5.9, 0.01, 1001)
    assert minimum(falling) == (1000, pytest.approx(0.01), True)
    falling[900:] = 0.5
    assert (minimum(falling).epoch, minimum(falling).at_end) == (899, False)
    flat = joined((5.9, 0.5, 100), np.full(901, 0.5))
    flat[850:] += 0.1
    flat[990] = 0.4  # one lucky epoch near the end of a run that was not falling
    assert minimum(flat) == (990, 0.4, False)
    assert minimum([1.0]).at_end and minimum([3.0, 2.0, 1.0]).at_end
    assert not minimum([3.0, 1.0, 2.0]).at_end


@pytest.mark.parametrize("curve", [[], [[1.0, 2.0]], [np.nan, np.nan]])
def test_what_is_no_loss_curve_is_refused(curve: list) -> None:
    with pytest.raises(ReproError, match="loss curve"):
        regime(curve)


@settings(deadline=None, max_examples=20)
@given(
    kind=st.sampled_from(["weak", "unstable", "strong"]),
    seed=st.integers(0, 10_000),
    epochs=st.integers(30, 1200),
    scale=st.floats(1e-3, 1e3),
)
def test_only_shares_of_the_initial_loss_matter(kind, seed, epochs, scale) -> None:
    curve = loss_curve(kind, epochs, seed=seed)
    assert regime(scale * curve) == regime(curve)
    assert divergence_epoch(scale * curve) == divergence_epoch(curve)


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    more=st.integers(1, 1500),
    level=st.floats(8.0, 16.0),
    before=st.integers(60, 400),
    length=st.integers(40, 300),
)
def test_more_of_the_plateau_changes_nothing(seed, more, level, before, length) -> None:
    noise = np.exp(0.02 * np.random.default_rng(seed).standard_normal(before))
    curve = joined(noise * np.geomspace(5.9, 0.2, before), np.full(length, level))
    longer = joined(curve, np.full(more, level))
    assert divergence_epoch(longer) == divergence_epoch(curve) == before
    assert regime(longer) == regime(curve) == "unstable"
    assert minimum(longer) == minimum(curve)


def test_summary_tells_every_replica() -> None:
    unstable = synthetic_run(8, 700, "unstable", replicas=3, joint_layers=())
    told = summary(unstable)
    assert told.sizes == {"replica": 3} and int(told["epochs"]) == 700
    for replica in range(3):
        curve, test_loss = (unstable[n].values[replica] for n in ("train_loss", "test_loss"))
        one = told.sel(replica=replica)
        assert float(one["divergence_epoch"]) == divergence_epoch(curve)
        assert float(one["plateau_level"]) == pytest.approx(15.7, rel=0.02)
        assert int(one["epoch_of_minimum_train_loss"]) == int(curve.argmin())
        assert float(one["minimum_train_loss"]) == float(curve.min())
        assert int(one["epoch_of_minimum_test_loss"]) == int(test_loss.argmin())
        assert str(one["regime"].item()) == "unstable"
    strong = summary(synthetic_run(8, 1000, "strong", joint_layers=())).isel(replica=0)
    assert np.isnan(strong["divergence_epoch"]) and np.isnan(strong["plateau_level"])
    assert strong["minimum_at_end"] and not strong["test_minimum_at_end"]
    assert strong["regime"] == "strong"


# The crossing and the climb


def climbing(left: int, epochs: int = 200) -> np.ndarray:
    """Low until ``left``, then an even climb in the logarithm to a plateau at 15."""
    return joined([5.9], (2, 0.02, left), (0.2, 15, epochs), np.full(1000, 15.0))[:1001]


@pytest.mark.parametrize("left", [150, 400])
def test_the_low_loss_is_left_at_its_last_epoch(left: int) -> None:
    curve = climbing(left)
    assert crossing(curve).start == left
    curve[left - 50 : left - 48] = 3.0  # a spike recovers
    curve[left - 100 : left - 70] = 0.5  # and so does a long excursion
    assert crossing(curve).start == left


def test_a_step_is_crossed_in_one_epoch_and_what_does_not_diverge_not_at_all() -> None:
    assert crossing(joined((5.9, 0.2, 100), np.full(100, 0.3), np.full(200, 15.7))) == (199, 200)
    assert crossing(loss_curve("strong", spikes=(300,))) is None
    assert crossing(climbing(400)[:500]) is None, "it is still climbing"


@pytest.fixture(scope="module")
def run_of():
    """Makes a run of a width with a train loss."""
    plain = synthetic_run(8, 1000, "unstable", joint_layers=())

    def made(width: int, replica: int, curve: np.ndarray):
        loss = (("replica", "epoch"), curve[None].astype(np.float32))
        run = plain.assign(train_loss=loss).assign_coords(replica=[replica])
        return run.assign_attrs(width=width)

    return made


def test_the_figure_has_a_panel_for_each_width_with_several_runs(run_of) -> None:
    runs = [run_of(200, number, climbing(250)) for number in range(3)]
    runs += [run_of(225, number, loss_curve("strong")) for number in range(2)]
    runs += [run_of(225, 2, climbing(850)), run_of(250, 0, climbing(300))]
    first, second = climb_figure(runs).axes
    dots = [line for line in first.lines if line.get_marker() == "o"]
    assert len(first.lines) == 6 and [line.get_xdata()[0] for line in dots] == [250] * 3
    assert len(second.lines) == 3, "what is on its way is shown, without a dot"
    assert not climb_figure(runs[:2]).axes, "two are not several"
