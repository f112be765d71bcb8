"""The network: its layers, its initial weights and the order in which it sees the samples.

input - N ReLU - N ReLU - softmax, as in the paper (section 2), or with another number of hidden
layers. All is drawn by NumPy from (seed, replica), the same for every backend and device.
"""

import itertools
import math
import os

import numpy as np

from repro.data import datasets
from repro.data.hasyv2 import SYMBOL_IDS
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.model.letter import letter_mask

# The layer that the claims are judged on: the paper's figures are of this matrix.
JUDGED_LAYER = "hidden_hidden"


def layer_names(hidden_layers: int = 2) -> tuple[str, ...]:
    """From input to output: a further hidden layer adds hidden_hidden_2, hidden_hidden_3."""
    further = (f"{JUDGED_LAYER}_{number}" for number in range(2, hidden_layers))
    between = (JUDGED_LAYER, *further) if hidden_layers > 1 else ()
    return ("input_hidden", *between, "hidden_output")


def parameter_names(hidden_layers: int = 2) -> tuple[str, ...]:
    """Of a network's parameters, as a stored state has them: weights by layer, then biases."""
    layers = layer_names(hidden_layers)
    return tuple(f"{kind}_{layer}" for kind in ("weights", "biases") for layer in layers)


_TRUNCATED = 2.0  # standard deviations at which Keras cuts the normal distribution off
_TRUNCATED_STD = 0.87962566103423978  # that of the standard normal distribution cut off there
_WEIGHTS, _ORDER = 0, 1  # the two streams of random numbers of a replica

# In training, at the least: weights before and after a step, their gradient, the initial ones on
# the host and on the device, the deviation, its square, and the deviation sorted. Four bytes each.
_BYTES_PER_WEIGHT = 8 * 4


def layer_shapes(experiment: Experiment) -> dict[str, tuple[int, int]]:
    """(fan-in, fan-out) of each layer's weights. Raises ReproError as `datasets.shape`."""
    pixels, classes = datasets.shape(experiment.dataset)
    if experiment.labels == "symbol-ids":
        classes = SYMBOL_IDS[-1] + 1  # most of them never occur
    units = (pixels, *[experiment.width] * experiment.hidden_layers, classes)
    return dict(zip(layer_names(experiment.hidden_layers), itertools.pairwise(units), strict=True))


def glorot_standard_deviation(fan_in: int, fan_out: int) -> float:
    """Standard deviation of the initial weights, sqrt(2 / (m + n)) (Glorot and Bengio 2010)."""
    return math.sqrt(2 / (fan_in + fan_out))


def initial_weights(experiment: Experiment, replica: int) -> dict[str, np.ndarray]:
    """Initial weights of each layer, float32 (fan-in, fan-out), from (seed, replica).

    The paper's are Glorot uniform: U(-sqrt(6 / (m + n)), sqrt(6 / (m + n))). With a mark,
    hidden-to-hidden weights outside the strokes of the letter are zero.
    """
    generator = _generator(experiment.seed, replica, _WEIGHTS)
    weights = {}
    for layer, shape in layer_shapes(experiment).items():
        uniform = generator.random(shape, dtype=np.float32)
        weights[layer] = _drawn(experiment.initializer, uniform)
    if experiment.mark is not None:
        weights[JUDGED_LAYER] *= letter_mask(experiment.mark, experiment.width)
    return weights


def _drawn(initializer: str, uniform: np.ndarray) -> np.ndarray:
    """Weights of one layer, float32 (fan-in, fan-out), from numbers uniform in [0, 1).

    As Keras defines its initializers; the normal ones are cut off at two standard deviations and
    widened to have theirs all the same. Ours are the inverse of that distribution function, so that
    every initializer takes the same numbers from the stream.
    """
    fan_in, fan_out = uniform.shape
    scheme, _, distribution = initializer.partition("_")
    std = {
        "glorot": glorot_standard_deviation(fan_in, fan_out),
        "he": math.sqrt(2 / fan_in),
        "lecun": math.sqrt(1 / fan_in),
    }[scheme]
    if distribution == "uniform":
        return np.float32(math.sqrt(3) * std) * (2 * uniform - 1)
    from scipy.special import ndtr, ndtri  # half of a second that few need

    low, high = ndtr((-_TRUNCATED, _TRUNCATED))
    normal = ndtri(low + (high - low) * uniform.astype(np.float64))
    return (normal * (std / _TRUNCATED_STD)).astype(np.float32)


def check(experiment: Experiment) -> None:
    """Raise a `ReproError` where the mark cannot be drawn, or memory is far too small."""
    weights = sum(fan_in * fan_out for fan_in, fan_out in layer_shapes(experiment).values())
    needed, there = _BYTES_PER_WEIGHT * weights, _memory()
    if needed > there:
        raise ReproError(
            f"width {experiment.width} needs more than {needed / 2**30:,.0f} GiB of memory, this "
            f"machine has {there / 2**30:,.0f}: choose a narrower network."
        )
    if experiment.mark is not None:
        letter_mask(experiment.mark, experiment.width)


def initial_biases(experiment: Experiment) -> dict[str, np.ndarray]:
    """Zero biases of each layer, float32 (fan-out,): the default of Keras."""
    shapes = layer_shapes(experiment)
    return {layer: np.zeros(fan_out, np.float32) for layer, (_, fan_out) in shapes.items()}


def sample_order(experiment: Experiment, replica: int, epoch: int, samples: int) -> np.ndarray:
    """The order of the samples in an epoch (the first is 1): a permutation, int32 (samples,).

    Drawn from (seed, replica, epoch) alone, so a run that was stopped goes on as if it had not.
    """
    kind, _, number = experiment.order.partition(":")
    if kind == "cycle":
        epoch = (epoch - 1) % int(number) + 1
    generator = _generator(experiment.seed, replica, _ORDER, epoch)
    if kind in ("fresh", "cycle"):
        return generator.permutation(samples).astype(np.int32)
    # One order for a buffer; for the other two the first of the fresh ones, as `cycle:1` has it.
    fixed = _generator(experiment.seed, replica, _ORDER, 0 if kind == "buffer" else 1)
    fixed = fixed.permutation(samples).astype(np.int32)
    if kind != "buffer":
        size = experiment.batch_size
        batches = fixed[: samples - samples % size].reshape(-1, size)  # a smaller one stays last
        if kind == "batches":
            batches = generator.permutation(batches)
        elif epoch % 2 == 0:
            batches = batches[::-1]
        return np.concatenate([batches.ravel(), fixed[batches.size :]])
    # As `tf.data.Dataset.shuffle`: drawn from a buffer that is refilled in one fixed order.
    size = min(int(number), samples)
    buffer, drawn = fixed[:size].copy(), np.empty_like(fixed)
    places = generator.integers(0, size, samples - size)
    for index, place in enumerate(places.tolist()):
        drawn[index], buffer[place] = buffer[place], fixed[size + index]
    drawn[samples - size :] = generator.permutation(buffer)
    return drawn


def _memory() -> float:
    """Bytes of this machine's memory; without end where the system does not say."""
    if not hasattr(os, "sysconf"):  # Windows
        return math.inf
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _generator(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))
