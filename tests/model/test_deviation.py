"""Statistics of the deviation against SciPy in float64; histograms account for every link."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import example, given, settings
from hypothesis import strategies as st

from repro.model import deviation

SHAPE = (40, 30)
# How far float32 may be from float64: parts of the value itself, of the largest abs(d), and of one.
# Skewness, kurtosis and correlation are only that good where a spread is not lost beside its mean:
# std > 1e-3 abs(mean), of d or of w.
TOLERANCES = {
    "deviation_mean": (0.0, 1e-6, 0.0),
    "deviation_std": (1e-5, 1e-6, 0.0),
    "deviation_skewness": (1e-3, 0.0, 1e-3),
    "deviation_kurtosis": (1e-3, 0.0, 1e-3),
    "relative_deviation": (1e-5, 1e-6, 0.0),  # the largest abs(d) in units of glorot_std, too
    "weight_correlation": (0.0, 0.0, 1e-5),
}
POWERS = st.integers(-30, 30)  # of ten: deviations for which that holds


def _layer(scale: float, seed: int = 0):
    """Initial and later weights of two replicas, the second moved ten times as far, skewed."""
    generator = np.random.default_rng(seed)
    initial = generator.uniform(-0.2, 0.2, (2, *SHAPE)).astype(np.float32)
    moved = generator.gamma(2.0, scale, (2, *SHAPE)) * [[[1]], [[10]]] - scale
    return (initial + moved).astype(np.float32), initial


def _by_scipy(weights, initial, glorot_std):
    d = (weights.astype(float) - initial.astype(float)).ravel()
    return {
        "deviation_mean": d.mean(),
        "deviation_std": d.std(),
        "deviation_skewness": scipy.stats.skew(d),
        "deviation_kurtosis": scipy.stats.kurtosis(d),
        "relative_deviation": d.std() / glorot_std,
        "weight_correlation": np.corrcoef(weights.ravel(), initial.ravel())[0, 1],
    }


@pytest.mark.parametrize("scale", [1e-4, 0.1, 30.0])
def test_statistics_equal_those_of_scipy(scale):
    weights, initial = _layer(scale)
    ours = deviation.statistics(weights, initial, 0.17)
    assert tuple(ours) == deviation.STATISTICS
    for replica in range(2):
        theirs = _by_scipy(weights[replica], initial[replica], 0.17)
        for name in deviation.STATISTICS:
            # A deviation of 1e-4 is the difference of float32 numbers of 0.2: four digits are left.
            assert ours[name][replica] == pytest.approx(theirs[name], rel=1e-3, abs=1e-3 * scale)


def test_the_devices_quantiles_are_those_of_numpy():
    ops = pytest.importorskip("keras").ops
    pair = _layer(0.1)
    found = deviation.quantiles(*map(ops.convert_to_tensor, pair), xp=ops)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), deviation.quantiles(*pair))


@pytest.fixture(scope="module")
def on_device():
    """The statistics as a run has them: float32, compiled, on the device."""
    pytest.importorskip("keras")
    from repro.training import backend

    compiled = backend.compiled(
        lambda weights, initial: deviation.statistics(weights, initial, 0.17, xp=backend.ops)
    )

    def computed(weights, initial):
        found = compiled(*map(backend.ops.convert_to_tensor, (weights, initial)))
        return {name: np.asarray(each) for name, each in found.items()}

    return computed


MOVES = {
    "even": lambda generator: generator.gamma(2.0, 1.0, SHAPE),
    "all equal": lambda generator: np.ones(SHAPE),
    "one outlier": lambda generator: np.eye(1, SHAPE[0] * SHAPE[1]).reshape(SHAPE),
    "a large mean": lambda generator: 1 + 5e-3 * generator.normal(size=SHAPE),
    "a tiny spread beside its mean": lambda generator: 1 + 1e-5 * generator.normal(size=SHAPE),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("start", [0.2, 0.0])  # from zero nothing is lost in adding the two
@given(POWERS, st.sampled_from([-1, 1]), st.integers(0, 9))
@example(size=10, sign=-1, seed=0)  # just beyond the power at which values begin to be scaled
@example(size=-10, sign=1, seed=0)
@settings(max_examples=10, deadline=None)
def test_extreme_statistics_agree_with_float64(on_device, move, start, size, sign, seed):
    generator = np.random.default_rng(seed)
    initial = generator.uniform(-start, start, SHAPE).astype(np.float32)
    weights = (initial + sign * 10.0**size * MOVES[move](generator)).astype(np.float32)
    found = on_device(weights, initial)
    exact = weights.astype(float), initial.astype(float)
    with np.errstate(invalid="ignore"):
        expected = deviation.statistics(*exact, 0.17)
    largest, mean = np.abs(exact[0] - exact[1]).max(), abs(expected["deviation_mean"])
    for name, (relative, of_largest, of_one) in TOLERANCES.items():
        lost = expected["deviation_std"] <= 1e-3 * max(mean, 1e-4 * largest)
        if ("skewness" in name or "kurtosis" in name) and lost:
            continue
        spread = exact[0].std() > 1e-3 * np.abs(exact[0].mean())
        if name == "weight_correlation" and (start == 0 or not spread):
            continue
        unit = largest / 0.17 if name == "relative_deviation" else largest
        allowed = relative * abs(expected[name]) + of_largest * unit + of_one
        assert abs(found[name] - expected[name]) <= allowed, name
    assert np.isfinite(found["deviation_mean"]) and np.isfinite(found["deviation_std"])


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_broken_weight_is_seen_in_the_statistics_of_its_layer(on_device, broken):
    weights, initial = (values[0] for values in _layer(0.1))
    weights[3, 4] = broken
    found = on_device(weights, initial)
    assert not any(np.isfinite(value) for value in found.values())


def test_a_layer_that_has_not_moved():
    weights, _ = _layer(0.1)
    with np.errstate(invalid="ignore"):
        still = deviation.statistics(weights, weights, 0.17)
    assert (still["deviation_std"] == 0).all() and (still["relative_deviation"] == 0).all()
    np.testing.assert_allclose(still["weight_correlation"], 1, rtol=1e-6)
    assert np.isnan(still["deviation_skewness"]).all()


def test_quantiles_are_those_of_the_links():
    weights, initial = _layer(0.1)
    ours = deviation.quantiles(weights, initial)
    for replica in range(2):
        d = (weights[replica] - initial[replica]).ravel()
        theirs = np.quantile(d, deviation.QUANTILES, method="nearest")
        np.testing.assert_allclose(ours[replica], theirs, rtol=0, atol=np.ptp(d) / 1000)
    np.testing.assert_array_equal(ours[:, 0], (weights - initial).min(axis=(1, 2)))
    np.testing.assert_array_equal(ours[:, -1], (weights - initial).max(axis=(1, 2)))


_BROKEN = st.sampled_from([np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, 1e-40, 0.0])


@given(st.lists(st.tuples(st.integers(0, 1199), _BROKEN), max_size=40), st.integers(0, 9))
def test_every_link_is_in_one_bin_or_is_not_a_number(changes, seed):
    """The outermost bins, which are open, take what is beyond the edges, infinity included."""
    weights, initial = (values[1] for values in _layer(0.1, seed))
    for at, value in changes:
        weights.flat[at] = value
    links, broken = weights.size, np.isnan(weights).sum()
    single = deviation.deviation_histogram(weights, initial, 0.17)
    joint = deviation.joint_histogram(weights, initial, 0.2 / np.sqrt(3))
    assert single.sum() + broken == joint.sum() + broken == links
    size = (weights.astype(float) - initial) / 0.17
    assert single[-1] == (size >= deviation.DEVIATION_EDGES[-2]).sum()
    assert single[0] == (size < deviation.DEVIATION_EDGES[1]).sum()
    final = weights.astype(float) / (0.2 / np.sqrt(3))
    assert joint[:, -1].sum() == (final >= deviation.FINAL_EDGES[-2]).sum()
    assert joint[:, 0].sum() == (final < deviation.FINAL_EDGES[1]).sum()
    if not broken:
        begun = np.histogram(initial.astype(float) / 0.2 * np.sqrt(3), deviation.INITIAL_EDGES)[0]
        np.testing.assert_array_equal(joint.sum(axis=1), begun)


def test_a_histogram_counts_what_numpy_counts():
    weights, initial = (values[0] for values in _layer(0.1))
    moved = (weights.astype(float) - initial) / 0.17
    expected = np.histogram(moved, deviation.DEVIATION_EDGES[1:-1])[0]  # closed at the last edge
    found = deviation.deviation_histogram(weights, initial, 0.17)
    np.testing.assert_array_equal(found[1:-1], expected)


def test_what_is_kept_when():
    kept = [epoch for epoch in range(3001) if deviation.is_kept("joint_histogram", epoch)]
    assert kept == [0, 75, 200, 250, 500, 750, 1000, 2000, 3000]  # Figure 1's insets, Figure 3
    assert all(deviation.is_kept("matrix", epoch) for epoch in kept)
