"""Minimum, divergence and regime of made-up loss curves of every kind."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import loss_curve, synthetic_run

from repro.analysis import regimes
from repro.analysis.regimes import divergence_epoch, minimum, plateau_level, regime, summary
from repro.errors import ReproError


@pytest.mark.parametrize("classes", [369, 10])
@pytest.mark.parametrize("kind", ["weak", "unstable", "strong"])
@pytest.mark.parametrize("seed", range(3))
def test_each_kind_of_run_is_recognised(kind: str, classes: int, seed: int) -> None:
    curve = loss_curve(kind, 1000, classes=classes, noise=0.01, spikes=(235, 570), seed=seed)
    assert regime(curve) == kind
    assert (divergence_epoch(curve) is not None) == (kind == "unstable")


def test_the_published_example_diverges_where_it_reaches_its_plateau() -> None:
    curve = loss_curve("unstable", 1000, noise=0.005)
    assert divergence_epoch(curve) == pytest.approx(415, abs=6)  # 15.6 at 421
    assert plateau_level(curve) == pytest.approx(15.7, rel=0.01)
    assert minimum(curve).epoch == pytest.approx(165, abs=40)
    assert not minimum(curve).at_end


def test_the_divergence_is_where_an_uneven_climb_becomes_flat() -> None:
    """The end of the climb at width 150, as trained."""
    climb = "9.4 9.7 9.8 10.5 10.5 10.8 11.1 11.1 11.2 11.5 11.7 11.7 11.8 12.1 12.7 12.2 13.2 "
    climb += "13.0 14.1 14.2 13.2 13.8 13.9 13.4 13.7 14.7 14.3 13.8 14.8 15.4 15.2 14.0 14.1 14.6 "
    climb += "15.0 15.1"
    curve = np.concatenate(
        [np.geomspace(6, 0.243, 196), np.geomspace(0.243, 9.3, 359), np.float64(climb.split())]
    )
    assert divergence_epoch(curve) is None
    assert divergence_epoch(np.concatenate([curve, [15.88], np.full(400, 15.99)])) == 591


def test_a_step_diverges_at_its_first_epoch() -> None:
    curve = np.concatenate([np.linspace(2.3, 0.1, 100), np.full(60, 14.5)])
    assert divergence_epoch(curve) == 100
    assert plateau_level(curve) == 14.5
    assert regime(curve) == "unstable"  # decided, though the run is short


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
def test_noise_on_the_plateau_does_not_matter(noise: float) -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        curve = np.concatenate([np.geomspace(5.9, 0.2, 150), np.full(400, 15.7)])
        curve *= 1 + noise * random.standard_normal(curve.size)
        assert 150 <= divergence_epoch(curve) <= 150 + (0 if noise < 0.03 else 3)


def test_short_spikes_that_recover_are_no_divergence() -> None:
    curve = loss_curve("strong", 1000, noise=0)
    for at in (120, 235, 570, 998, 999):
        curve[at : at + 2] = 15.7
    assert divergence_epoch(curve) is None
    assert regime(curve) == "strong"


def test_short_dips_on_the_plateau_do_not_delay_the_divergence() -> None:
    curve = loss_curve("unstable", 1000, noise=0)
    expected = divergence_epoch(curve)
    curve[[700, 800, 801]] = 3.0
    assert divergence_epoch(curve) == expected


def test_a_longer_excursion_that_recovers_is_no_divergence() -> None:
    curve = loss_curve("strong", 1000, noise=0)
    curve[400:480] = 15.7
    assert divergence_epoch(curve) is None


@pytest.mark.parametrize("last", [260, 300, 340, 370, 390, 400])
def test_a_curve_still_climbing_has_not_diverged(last: int) -> None:
    curve = loss_curve("unstable", last, noise=0.005)
    assert divergence_epoch(curve) is None
    assert regime(curve) == "undecided"


@pytest.mark.parametrize("growth", [0.001, 0.003, 0.005, 0.01, 0.03])
def test_a_slow_steady_climb_is_not_a_plateau(growth: float) -> None:
    down = np.geomspace(5.9, 0.25, 200)
    climb = 0.25 * np.exp(growth * np.arange(int(np.log(20) / growth)))
    curve = np.concatenate([down, climb])
    assert divergence_epoch(curve) is None
    assert regime(curve) == ("unstable" if len(curve) > 1000 else "undecided")


def test_a_loss_that_falls_again_slowly_has_not_come_to_rest() -> None:
    curve = np.concatenate([np.geomspace(5.9, 0.25, 200), np.linspace(8.0, 4.0, 900)])
    assert divergence_epoch(curve) is None
    assert regime(curve) == "undecided"


def test_the_last_plateau_counts() -> None:
    parts = [np.geomspace(5.9, 0.2, 200), np.full(80, 15.7), np.full(100, 9.0), np.full(300, 15.7)]
    assert divergence_epoch(np.concatenate(parts)) == 380


def test_a_low_loss_that_settles_a_little_higher_is_no_divergence() -> None:
    """Ten times the minimum, and next to nothing of what was learned."""
    curve = np.concatenate([np.geomspace(2.3, 1e-4, 500), [0.4, 0.1, 0.01], np.full(498, 1e-3)])
    assert divergence_epoch(curve) is None
    assert regime(curve) == "strong"


def test_a_plateau_needs_its_length() -> None:
    rise = np.geomspace(5.9, 0.2, 100)
    for length in (5, regimes.PLATEAU_EPOCHS - 1):
        assert divergence_epoch(np.concatenate([rise, np.full(length, 15.7)])) is None
    enough = np.full(regimes.PLATEAU_EPOCHS, 15.7)
    assert divergence_epoch(np.concatenate([rise, enough])) == 100


def test_the_exact_loss_at_chance_is_a_plateau_too() -> None:
    """Without the clip a dead network stands at the loss of its first epoch, not above it."""
    curve = np.concatenate([np.geomspace(5.9, 0.1, 200), np.full(800, 5.6)])
    assert divergence_epoch(curve) == 200
    assert regime(curve) == "unstable"


def test_a_network_that_never_learned_has_nothing_to_lose() -> None:
    curve = np.full(1001, 2.302)
    assert divergence_epoch(curve) is None
    assert regime(curve) == "weak"


def test_a_run_that_only_ever_diverged_is_weak() -> None:
    curve = np.concatenate([[5.9], np.full(100, 15.7)])
    assert divergence_epoch(curve) == 1
    assert regime(curve) == "weak"


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_loss_that_is_no_number_has_diverged_there(broken: float) -> None:
    curve = loss_curve("strong", 300, noise=0)
    curve[222:] = broken
    assert divergence_epoch(curve) == 222
    assert plateau_level(curve) == np.inf
    assert regime(curve) == "unstable"
    assert minimum(curve).epoch < 222
    curve[222:] = loss_curve("strong", 300, noise=0)[222:]
    curve[150] = broken  # and recovered
    assert divergence_epoch(curve) is None


def test_a_plateau_that_breaks_later_began_where_it_began() -> None:
    curve = loss_curve("unstable", 1000, noise=0)
    expected = divergence_epoch(curve)
    curve[800:] = np.nan
    assert divergence_epoch(curve) == expected


@pytest.mark.parametrize("kind", ["weak", "strong"])
def test_a_short_run_is_undecided_unless_told_its_full_length(kind: str) -> None:
    curve = loss_curve(kind, 600)
    assert regime(curve) == "undecided"
    assert regime(curve, full_length=600) == kind


@pytest.mark.parametrize("end", [0.9, 0.45])
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
def test_a_minimum_left_for_good_by_a_loss_that_still_rises_is_unstable(end, noise) -> None:
    curve = np.concatenate([np.geomspace(5.9, 0.3, 320), np.geomspace(0.3, end, 681)])
    curve *= np.exp(noise * np.random.default_rng(0).standard_normal(curve.size))
    assert divergence_epoch(curve) is None
    assert regime(curve) == "unstable"
    assert regime(curve[:900]) == "undecided", "it may still come to rest"


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("seed", range(5))
def test_what_only_seems_to_rise_stays_strong(noise: float, seed: int) -> None:
    scatter = np.exp(noise * np.random.default_rng(seed).standard_normal(1001))
    epoch = np.arange(1001)
    falling = np.geomspace(5.9, 0.05, 1001)
    flat = np.concatenate([np.geomspace(5.9, 0.3, 200), np.full(801, 0.3)])
    little = np.concatenate([np.geomspace(5.9, 0.3, 500), np.geomspace(0.3, 0.36, 501)])
    higher = np.where(epoch < 600, flat, 0.42)  # settled, not rising
    for curve in (falling, flat, little, higher):
        assert regime(curve * scatter) == "strong"
    for at in (700, 880, 930):  # spikes of ten epochs and more, and their recovery
        assert regime((flat + 3 * (epoch >= at) * np.exp(-(epoch - at) / 15)) * scatter) == "strong"


def test_a_low_loss_lost_again_that_falls_is_undecided() -> None:
    curve = np.concatenate([np.geomspace(5.9, 0.3, 400), np.geomspace(3.0, 0.9, 601)])
    assert regime(curve) == "undecided"


def test_a_minimum_at_the_end_of_a_falling_run_is_flagged() -> None:
    falling = np.geomspace(5.9, 0.01, 1001)
    assert minimum(falling) == (1000, pytest.approx(0.01), True)
    turned = falling.copy()
    turned[900:] = 0.5
    assert minimum(turned).epoch == 899
    assert not minimum(turned).at_end
    flat = np.concatenate([np.geomspace(5.9, 0.5, 100), np.full(901, 0.5)])
    flat[850:] += 0.1
    flat[990] = 0.4  # one lucky epoch near the end of a run that was not falling
    assert minimum(flat) == (990, 0.4, False)
    assert minimum([1.0]).at_end
    assert minimum([3.0, 2.0, 1.0]).at_end
    assert not minimum([3.0, 1.0, 2.0]).at_end


@pytest.mark.parametrize("curve", [[], [[1.0, 2.0]], [np.nan, np.nan]])
def test_what_is_no_loss_curve_is_refused(curve: list) -> None:
    with pytest.raises(ReproError, match="loss curve"):
        regime(curve)


@settings(deadline=None, max_examples=40)
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


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    more=st.integers(1, 1500),
    level=st.floats(8.0, 16.0),
    before=st.integers(60, 400),
    length=st.integers(40, 300),
)
def test_more_of_the_plateau_changes_nothing(seed, more, level, before, length) -> None:
    random = np.random.default_rng(seed)
    down = np.geomspace(5.9, 0.2, before) * np.exp(0.02 * random.standard_normal(before))
    curve = np.concatenate([down, np.full(length, level)])
    longer = np.concatenate([curve, np.full(more, level)])
    assert divergence_epoch(curve) == before
    assert divergence_epoch(longer) == divergence_epoch(curve)
    assert regime(longer) == regime(curve) == "unstable"
    assert minimum(longer) == minimum(curve)


def test_summary_tells_every_replica() -> None:
    unstable = synthetic_run(150, 700, "unstable", replicas=3, joint_layers=())
    told = summary(unstable)
    assert told.sizes == {"replica": 3}
    for replica in range(3):
        curve = unstable["train_loss"].sel(replica=replica)
        one = told.sel(replica=replica)
        assert float(one["divergence_epoch"]) == divergence_epoch(curve)
        assert float(one["plateau_level"]) == pytest.approx(15.7, rel=0.02)
        assert int(one["epoch_of_minimum_train_loss"]) == int(curve.values.argmin())
        assert float(one["minimum_train_loss"]) == float(curve.min())
        test_loss = unstable["test_loss"].sel(replica=replica)
        assert int(one["epoch_of_minimum_test_loss"]) == int(test_loss.values.argmin())
        assert str(one["regime"].item()) == "unstable"
    assert int(told["epochs"]) == 700
    strong = summary(synthetic_run(500, 1000, "strong", joint_layers=()))
    assert np.isnan(strong["divergence_epoch"]).all()
    assert np.isnan(strong["plateau_level"]).all()
    assert strong["minimum_at_end"].all()
    assert not strong["test_minimum_at_end"].any()
    assert strong["regime"].values.tolist() == ["strong"]


def test_summary_does_not_depend_on_the_order_of_dimensions() -> None:
    run = synthetic_run(150, 500, "unstable", replicas=2, joint_layers=())
    xr.testing.assert_equal(summary(run), summary(run.transpose("epoch", "replica", ...)))


def test_summary_of_something_else_is_refused() -> None:
    with pytest.raises(ReproError, match="test_loss"):
        summary(synthetic_run(16, 20).drop_vars("test_loss"))
