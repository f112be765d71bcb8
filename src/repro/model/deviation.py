"""How far the weights of a layer are from where they started: the statistics of d(t) = w(t) - w_i.

The per-epoch statistics are written once against the functions that NumPy and `keras.ops` share, so
that the device computes in float32 what the tests compute in float64. Glorot standard deviations
are the layer's, whatever initializer drew the weights.
"""

from types import ModuleType
from typing import Any

import numpy as np

STATISTICS = (
    "deviation_mean", "deviation_std", "deviation_skewness", "deviation_kurtosis",
    "relative_deviation", "weight_correlation",
)  # fmt: skip
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)

# Finer near zero, where stable networks stay, than far out, where a diverged one goes: bins even in
# asinh(d / 0.01) up to 50 standard deviations, zero in the middle of one, open bins at both ends.
DEVIATION_EDGES = np.concatenate(
    [[-np.inf], 0.01 * np.sinh(np.linspace(-np.arcsinh(5000), np.arcsinh(5000), 202)), [np.inf]]
)
# The initial weights fill +-sqrt(3) evenly (Glorot uniform); an odd number puts zero inside a bin.
INITIAL_EDGES = np.linspace(-np.sqrt(3), np.sqrt(3), 66)
FINAL_EDGES = np.concatenate([[-np.inf], np.linspace(-8, 8, 201), [np.inf]])

# When those histograms and a marked network's matrix are kept: about even in log(epoch), and at the
# insets of Figure 1 and Figure 3. The last two also at a run's last epoch (`record`).
KEPT_AT = {
    "deviation_histogram": (
        0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000
    ),
    "joint_histogram": (0, 75, 200, 250, 500, 750, 1000),
    "matrix": (0, 25, 50, 75, 100, 150, 200, 250, 300, 350, 400, 500, 600, 750, 1000),
}  # fmt: skip


def is_kept(variable: str, epoch: int) -> bool:
    """Whether one of `KEPT_AT` is kept at an epoch: beyond them at every thousandth."""
    return epoch in KEPT_AT[variable] or (epoch > 1000 and epoch % 1000 == 0)


def statistics(weights: Any, initial: Any, glorot_std: float, xp: ModuleType = np) -> dict:
    """STATISTICS of one layer's deviation, each (...), for each network.

    ``weights`` and ``initial`` are w(t) and w_i, (..., fan-in, fan-out), where the leading axes, if
    any, are of networks; ``xp`` is `numpy` or `keras.ops`. Mean and standard deviation of d in
    units of weight, skewness, excess kurtosis (NaN where d is zero everywhere), std(d) /
    glorot_std, Pearson's correlation of w with w_i.
    """
    deviation, scale = _scaled(weights - initial, xp)
    mean, centred = _centre(deviation, xp)
    std = xp.sqrt(_mean(centred**2, xp))
    weights_centred = _centre(_scaled(weights, xp)[0], xp)[1]
    initial_centred = _centre(_scaled(initial, xp)[0], xp)[1]
    covariance = _mean(weights_centred * initial_centred, xp)
    spread = xp.sqrt(_mean(weights_centred**2, xp)) * xp.sqrt(_mean(initial_centred**2, xp))
    # Scaled by std before taking powers: d**4 of a small deviation underflows in float32.
    scaled = centred / std[..., None, None]
    mean, std = mean / scale, std / scale
    return {
        "deviation_mean": mean,
        "deviation_std": std,
        "deviation_skewness": _mean(scaled**3, xp),
        "deviation_kurtosis": _mean(scaled**4, xp) - 3,
        "relative_deviation": std / glorot_std,
        "weight_correlation": covariance / spread,
    }


def quantiles(weights: Any, initial: Any, xp: ModuleType = np) -> Any:
    """QUANTILES of the deviation: (..., quantile), each the nearest weight's own value."""
    *leading, fan_in, fan_out = initial.shape
    count = fan_in * fan_out
    ordered = xp.sort(xp.reshape(weights - initial, (*leading, count)), axis=-1)
    nearest = np.rint(np.asarray(QUANTILES) * (count - 1)).astype(np.int32)
    return xp.take(ordered, nearest, axis=-1)


def deviation_histogram(weights: np.ndarray, initial: np.ndarray, glorot_std: float) -> np.ndarray:
    """Weights per bin of d / glorot_std between DEVIATION_EDGES, uint32 (bin,); NaNs in none."""
    deviation = (weights.ravel().astype(np.float64) - initial.ravel()) / glorot_std
    return _count(_bin(deviation, DEVIATION_EDGES), len(DEVIATION_EDGES) - 1)


def joint_histogram(weights: np.ndarray, initial: np.ndarray, glorot_std: float) -> np.ndarray:
    """Weights per bin of (w_i, w) / glorot_std, uint32 (initial_bin, final_bin).

    Between INITIAL_EDGES (what lies beyond, by rounding or by another initializer than Glorot
    uniform, is put into the outermost bins) and FINAL_EDGES; NaNs are in none.
    """
    columns, rows = len(FINAL_EDGES) - 1, len(INITIAL_EDGES) - 1
    row = _bin(initial.ravel().astype(np.float64) / glorot_std, INITIAL_EDGES).clip(0, rows - 1)
    column = _bin(weights.ravel().astype(np.float64) / glorot_std, FINAL_EDGES)
    flat = np.where(column < columns, row * columns + column, rows * columns)
    return _count(flat, rows * columns).reshape(rows, columns)


def _bin(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    # NaN sorts behind the last edge, so its bin is one past the last; +inf belongs to the last.
    bins = np.searchsorted(edges, values, side="right") - 1
    return np.where(np.isposinf(values), len(edges) - 2, bins)


def _count(bins: np.ndarray, number: int) -> np.ndarray:
    return np.bincount(bins, minlength=number + 1)[:number].astype(np.uint32)


def _mean(values: Any, xp: ModuleType) -> Any:
    # Axis by axis: one long float32 sum over a million weights would lose three digits.
    return xp.mean(xp.mean(values, axis=-1), axis=-1)


def _scaled(values: Any, xp: ModuleType) -> tuple[Any, Any]:
    """The values times a power of two, one for each network, and that power.

    Squares of what is very large or very small are neither infinite nor zero then. Of all other
    values the power is one: they stay as they are, to the last bit.
    """
    largest = xp.max(xp.max(xp.abs(values), axis=-1), axis=-1)
    one = xp.ones_like(largest)
    small = xp.where(largest < 2.0**-32, one * 2.0**80, one)
    scale = xp.where(largest > 2.0**32, one * 2.0**-64, small)
    return values * scale[..., None, None], scale


def _centre(values: Any, xp: ModuleType) -> tuple[Any, Any]:
    mean = _mean(values, xp)
    return mean, values - mean[..., None, None]
