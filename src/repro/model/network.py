"""The network: its layers, its initial weights and the order in which it sees the samples.

input - N ReLU - N ReLU - softmax, as in the paper (section 2), fully connected. Everything here is
drawn by NumPy from (seed, replica), so it is the same on every backend and device.
"""

import math
import os

import numpy as np

from repro.data import datasets
from repro.data.symbol_ids import SYMBOL_IDS
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.model.letter import letter_mask

LAYERS = ("input_hidden", "hidden_hidden", "hidden_output")
JUDGED_LAYER = "hidden_hidden"
"""The layer that the claims are judged on: the paper's figures are of this matrix."""

# The two streams of random numbers of a replica.
_WEIGHTS, _ORDER = 0, 1

# In training, at the least: weights before and after a step, their gradient, the initial ones on
# the host and on the device, the deviation, its square, and the deviation sorted. Four bytes each.
_BYTES_PER_LINK = 8 * 4


def layer_shapes(experiment: Experiment) -> dict[str, tuple[int, int]]:
    """(fan-in, fan-out) of each layer's weights. Raises ReproError as `datasets.shape`."""
    pixels, classes = datasets.shape(experiment.dataset)
    if experiment.labels == "symbol-ids":
        classes = SYMBOL_IDS[-1] + 1  # most of them never occur
    width = experiment.width
    return dict(zip(LAYERS, ((pixels, width), (width, width), (width, classes)), strict=True))


def glorot_standard_deviation(fan_in: int, fan_out: int) -> float:
    """Standard deviation of the initial weights, sqrt(2 / (m + n)) (Glorot and Bengio 2010)."""
    return math.sqrt(2 / (fan_in + fan_out))


def initial_weights(experiment: Experiment, replica: int) -> dict[str, np.ndarray]:
    """Glorot-uniform weights of each layer, float32 (fan-in, fan-out), from (seed, replica).

    U(-sqrt(6 / (m + n)), sqrt(6 / (m + n))), as the paper has it. With a mark, hidden-to-hidden
    weights outside the strokes of the letter are zero and those on them are the unmarked network's.
    """
    generator = _generator(experiment.seed, replica, _WEIGHTS)
    weights = {}
    for layer, (fan_in, fan_out) in layer_shapes(experiment).items():
        limit = math.sqrt(3) * glorot_standard_deviation(fan_in, fan_out)
        uniform = generator.random((fan_in, fan_out), dtype=np.float32)
        weights[layer] = np.float32(limit) * (2 * uniform - 1)
    if experiment.mark is not None:
        weights["hidden_hidden"] *= letter_mask(experiment.mark, experiment.width)
    return weights


def check(experiment: Experiment) -> None:
    """Raise a `ReproError` where the network cannot be: its mark not drawn, its weights not kept.

    What is far beyond the memory of this machine is refused; what does fit may still be too much.
    """
    links = sum(fan_in * fan_out for fan_in, fan_out in layer_shapes(experiment).values())
    needed, there = _BYTES_PER_LINK * links, _memory()
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
    if kind != "buffer":
        return generator.permutation(samples).astype(np.int32)
    fixed = _generator(experiment.seed, replica, _ORDER, 0).permutation(samples).astype(np.int32)
    return through_buffer(fixed, int(number), generator)


def through_buffer(fixed: np.ndarray, capacity: int, generator: np.random.Generator) -> np.ndarray:
    """Samples (samples,) drawn at random from a buffer that is refilled in their fixed order.

    As `tf.data.Dataset.shuffle` does.
    """
    size = min(capacity, len(fixed))
    buffer, drawn = fixed[:size].copy(), np.empty_like(fixed)
    places = generator.integers(0, size, len(fixed) - size)
    for index, place in enumerate(places.tolist()):
        drawn[index], buffer[place] = buffer[place], fixed[size + index]
    drawn[len(fixed) - size :] = generator.permutation(buffer)
    return drawn


def _memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _generator(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))
