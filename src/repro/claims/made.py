"""Small made-up runs, for the controls of the rules: nothing is trained, everything is known."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator, RegularGridInterpolator
from scipy.special import expit

from repro import paper
from repro.analysis import evidence
from repro.analysis.weights import GLOROT_LIMIT
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.model.deviation import FINAL_EDGES, INITIAL_EDGES, joint_histogram
from repro.model.letter import letter_mask
from repro.model.network import JUDGED_LAYER as LAYER
from repro.model.network import glorot_standard_deviation
from repro.runs import published

Array = NDArray[np.float64]

EPOCH = np.arange(paper.EPOCHS + 1)
INITIAL_LOSS = 5.93
THREE = range(3)
RISE = 60  # epochs that the loss's rise takes: the paper's take 50 to 70
PLATEAU = paper.PLATEAU_LEVEL.value


def curve(points: Mapping[float, float], noise: float = 0.01, seed: int = 0) -> Array:
    """A loss over the paper's epochs through (epoch, loss in nats), smooth in the logarithm."""
    points = {0: INITIAL_LOSS} | dict(points)
    smooth = PchipInterpolator(np.log1p(list(points)), np.log(list(points.values())))
    loss = np.exp(smooth(np.log1p(np.minimum(EPOCH, max(points)))))
    return loss * np.exp(noise * np.random.default_rng(seed).standard_normal(len(EPOCH)))


def rising(middle: float, length: float, high: float) -> Array:
    """A smooth rise from zero over the paper's epochs that takes ``length`` from 10 to 90 %."""
    return high * expit((EPOCH - middle) * 2 * np.log(9) / length)


def strong_loss(seed: int = 0) -> Array:
    """A loss that becomes low and stays so, but for spikes of two epochs."""
    loss = curve({1: 2.1, 17: 0.7, 60: 0.36, 150: 0.09, 300: 0.032, 1000: 0.0155}, seed=seed)
    for spike in (120, 235, 570):
        loss[spike : spike + 2] = (0.5, 0.2)
    return loss


def made_run(
    width: int, loss: Array | None = None, *, replica: int = 0, dataset: str = paper.DATASET,
    test_loss: Array | None = None, deviation: Array | None = None,
    weights: tuple[Array, Array] | None = None, matrix: Array | None = None,
) -> xr.Dataset:  # fmt: skip
    """A run of the paper's length, hidden-to-hidden alone, with what the claims look at.

    ``deviation`` and ``weights`` (initial, final) are in Glorot standard deviations; ``matrix`` is
    the last one of a run marked with an "a".
    """
    loss = strong_loss(replica) if loss is None else loss
    spread = np.log1p(EPOCH) / 3 if deviation is None else deviation
    correlation = 1 / np.sqrt(1 + spread**2)
    unit = glorot_standard_deviation(width, width)
    attributes = {"dataset": dataset, "width": width, "epochs": paper.EPOCHS, "seed": 0}
    kept: dict[str, tuple] = {}
    if weights is not None:
        start, end = weights
        spread, correlation = spread.copy(), correlation.copy()
        spread[-1], correlation[-1] = np.std(end - start), np.corrcoef(start, end)[0, 1]
        dims = ("replica", "joint_epoch", "layer", "initial_bin", "final_bin")
        kept["joint_histogram"] = (dims, joint_histogram(end, start, 1.0)[None, None, None])
        kept["joint_epoch"] = ("joint_epoch", EPOCH[-1:])
    if matrix is not None:
        kept["matrix"] = (("replica", "matrix_epoch", "row", "column"), matrix[None, None])
        attributes["mark"] = "a"
    by_epoch, by_layer = ("replica", "epoch"), ("replica", "epoch", "layer")
    variables = {
        "train_loss": (by_epoch, loss[None]),
        "test_loss": (by_epoch, (loss if test_loss is None else test_loss)[None]),
        "relative_deviation": (by_layer, spread[None, :, None]),
        "deviation_std": (by_layer, spread[None, :, None] * unit),
        "weight_correlation": (by_layer, correlation[None, :, None]),
        "glorot_std": ("layer", [unit]),
    }
    coordinates = {
        "replica": [replica], "epoch": EPOCH, "layer": [LAYER], "initial_edge": INITIAL_EDGES,
        "final_edge": FINAL_EDGES,
    }  # fmt: skip
    return xr.Dataset(variables | kept, coordinates, attributes)


def papers_weights(seed: int = 0) -> tuple[Array, Array]:
    """Initial and final weights with the quantiles that were read off the paper's Figure 3.

    The left strip mirrors the right, with straight lines between strips and levels. The outermost
    levels, read at w_i = 0 alone, are as far from the quartiles elsewhere; half a span lies beyond.
    """
    zero, right = (
        {level: read.value for (place, level), read in paper.FIGURE_3.items() if place == strip}
        for strip in paper.FIGURE_3_STRIPS[1:]
    )
    zero[0.5] = (zero[0.25] + zero[0.75]) / 2
    right |= {a: right[b] + zero[a] - zero[b] for a, b in ((0.02, 0.25), (0.98, 0.75))}
    levels = sorted(zero)
    grid = np.array([[strip[level] for level in levels] for strip in (zero, right)])
    spans = (grid[:, 1] - grid[:, 0]) / 2, (grid[:, -1] - grid[:, -2]) / 2
    grid = np.column_stack([grid[:, 0] - spans[0], grid, grid[:, -1] + spans[1]])
    at = RegularGridInterpolator(
        ([-1, 0, 1], [0, *levels, 1]), [-grid[1, ::-1], *grid], bounds_error=False, fill_value=None
    )
    start = initial_weights(paper.FIGURE_3_WIDTH, seed)
    rank = np.random.default_rng([seed, 1]).uniform(size=start.size)
    end = at((start / (paper.OUTER_STRIP_SHARE * GLOROT_LIMIT), rank))
    return start, end / glorot_standard_deviation(paper.FIGURE_3_WIDTH, paper.FIGURE_3_WIDTH)


def initial_weights(width: int, seed: int = 0) -> Array:
    """A Glorot uniform matrix in units of its standard deviation, shape (width²,)."""
    return np.random.default_rng(seed).uniform(-GLOROT_LIMIT, GLOROT_LIMIT, width**2)


def moved(outward: float, noise: float) -> list:
    """Strong runs with w_f = (1 + outward) w_i and, besides, noise that grows with ``abs(w_i)``."""
    made = []
    for replica in THREE:
        start = initial_weights(200, replica)
        walk = np.random.default_rng([replica, 2]).standard_normal(start.size)
        end = (1 + outward) * start + noise * (1 + 0.3 * np.abs(start)) * walk
        made.append(made_run(200, replica=replica, weights=(start, end), dataset="mnist"))
    return made


@cache
def of_weights(change: str = "none") -> list:
    """Runs with the weights of the paper's Figure 3, after a change of the final ones."""
    made = []
    for replica in THREE:
        start, end = papers_weights(replica)
        if change == "shuffled":
            end = np.random.default_rng(3).permutation(end)
        elif change == "blind":
            end = start + np.random.default_rng(4).standard_normal(start.size)
        elif change == "drifted":
            end = start + 0.4
        made.append(made_run(paper.FIGURE_3_WIDTH, replica=replica, weights=(start, end)))
    return made


def marked(kept: float) -> list:
    """Runs marked with a letter that is left to this share in the last matrix."""
    random, mask = np.random.default_rng(5), letter_mask("a", 64)
    letter = np.where(mask, random.uniform(1, 3, mask.shape), 0)
    noise = [random.standard_normal(mask.shape) for _ in THREE]
    return [made_run(64, replica=r, matrix=kept * letter + (1 - kept) * noise[r]) for r in THREE]


def rises(lag: float = 0, length: float = RISE, spikes: bool = True) -> list:
    """Runs whose loss and deviation rise, the latter so many epochs later."""
    made = []
    for replica in THREE:
        middle = 450 + 60 * replica
        loss = curve({1: 2.5, 24: 0.7, 165: 0.29, 1000: 0.29}, 0.0)
        loss += rising(middle, length, PLATEAU)
        loss *= np.exp(0.003 * np.random.default_rng([replica, 6]).standard_normal(EPOCH.size))
        if spikes:
            loss[middle - 40 : middle - 38] *= 8
        deviation = 0.4 * np.log1p(EPOCH) + rising(middle + lag, length, 9.0)
        made.append(made_run(150, loss, replica=replica, deviation=deviation))
    return made


def without_a_jump() -> list:
    """Runs whose loss rises while the deviation grows evenly."""
    even = np.linspace(0.1, 9, EPOCH.size)[:, None]
    return [run.assign(deviation_std=0 * run["deviation_std"] + even) for run in rises()]


def of_other_runs(width: int) -> list:
    """Our runs of a width, each with the deviation of the next; none where none is published."""
    try:
        ours = evidence.single_runs([published(Experiment(paper.DATASET, width, paper.EPOCHS))])
    except ReproError:
        return []
    nexts = [run.variables["deviation_std"] for run in ours[1:] + ours[:1]]
    return [run.assign(deviation_std=std) for run, std in zip(ours, nexts, strict=True)]


def papers_curve(width: int, seed: int = 0) -> Array:
    """The train loss of Figure 2a at a width, through the points that were read."""
    return curve({at: read.value for at, read in paper.TRAIN_LOSS[width].items()}, seed=seed)


def papers_unstable() -> list:
    return [made_run(n, papers_curve(n, r), replica=r) for n in (150, 275) for r in THREE]


def recovered(every: int = 1) -> list:
    """Runs of which one in ``every`` recovers from a long excursion and learns on."""
    down, on = np.geomspace(INITIAL_LOSS, 0.3, 300), np.geomspace(0.29, 0.05, 601)
    learns_on = np.concatenate([down, np.full(100, 9.0), on])
    return [
        made_run(150, learns_on if r % every == 0 else papers_curve(150, r), replica=r)
        for r in range(max(3, every))
    ]


def strong(dataset: str = paper.DATASET) -> list:
    return [made_run(n, replica=r, dataset=dataset) for n in (100, 500) for r in THREE]


def papers_regimes(stretch: float = 1.0) -> list:
    """Runs with the minima and epochs of Figures 2c and 2d, every epoch times ``stretch``."""
    names = "epoch_of_minimum_train_loss", "divergence_epoch", "epoch_of_minimum_test_loss"
    made, figure = [], paper.FIGURE_2
    for width, reading in figure["minimum_train_loss"].items():
        lowest, lowest_test = reading.value, figure["minimum_test_loss"][width].value
        read = [figure[name].get(width) for name in names]
        at = [None if one is None else stretch * one.value for one in read]
        bottom, plateau, test_at = at[0] or paper.EPOCHS, at[1], at[2] or 300
        points = {bottom / 4: max(3 * lowest, 0.2), bottom: lowest}
        if plateau and bottom < plateau and plateau - bottom > 150:
            points |= {plateau - 80: 3 * lowest, plateau: PLATEAU, 2000: PLATEAU}
        train, test = curve(points, 0.0), curve({test_at: lowest_test, 1000: 2 * lowest_test}, 0.0)
        made += [made_run(width, train, replica=r, test_loss=test) for r in THREE]
    return made


def dealt_out() -> list:
    """The runs of the paper's phase diagram, their widths dealt out at random."""
    made = papers_regimes()
    widths = np.random.default_rng(7).permutation([run.attrs["width"] for run in made]).tolist()
    return [
        run.assign_attrs(width=widths[number]).assign_coords(replica=[number])
        for number, run in enumerate(made)
    ]


def slowly_rising() -> Array:
    return np.concatenate([np.geomspace(INITIAL_LOSS, 0.4, 320), np.geomspace(0.4, 0.6, 681)])


def late_spike() -> Array:
    loss = strong_loss()
    loss[880:960] += 0.4 * np.exp(-np.arange(80) / 20)
    return loss


def powers(power: float, shuffled: bool = False) -> list:
    """Strong runs whose deviation falls as this power of the width."""
    random = np.random.default_rng(8)
    widths = np.repeat([20, 50, 100, 200, 400], 3)
    sizes = random.permutation(widths) if shuffled else widths
    loss = curve({1: 2.1, 17: 0.7, 150: 0.09, 1000: 0.0155}, 0.0)
    made = []
    for number, (width, size) in enumerate(zip(widths, sizes, strict=True)):
        scale = 30 * size**power * np.exp(0.03 * random.standard_normal()) * np.sqrt(width)
        made.append(made_run(int(width), loss, replica=number, deviation=scale * np.log1p(EPOCH)))
    return made
