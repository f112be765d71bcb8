"""A public replication's correlations, met by training as it did: the softmax applied twice.

github.com/dechantoine/deep-learning-papers trains on MNIST, in PyTorch, by SGD (rate 0.1, batches
of 128), and hands the softmax's output to a loss that applies the softmax again. Trials here differ
in that, and in how all but the hidden matrix is drawn: as PyTorch does; ``same``, weights as the
hidden ones and biases as PyTorch; or ``keras``, Glorot uniform weights and no biases.

``python measurements/softmax_twice.py [FILE]`` trains what the file lacks, in minutes.
"""

import itertools
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from repro import sealed_json
from repro.data import datasets
from repro.places import published_path
from repro.provenance import code_version

EPOCHS, SHOWN, RATE, BATCH = 50, (1, 2, 5, 10, 20, 50), 0.1, 128
NAMES = ("softmaxes", "initializer", "rest", "width", "seed")
TRIALS = [  # softmaxes, initializer of the hidden matrix, how all else is drawn
    (2, "glorot_uniform", "same"), (2, "he_uniform", "same"), (1, "glorot_uniform", "pytorch"),
    (2, "glorot_uniform", "pytorch"), (2, "he_uniform", "pytorch"), (2, "glorot_uniform", "keras"),
]  # fmt: skip
WIDTHS, SEEDS = (64, 256, 128), (0, 1, 2)


def drawn(width: int, initializer: str, rest: str, random: np.random.Generator) -> list[jax.Array]:
    """Weights (fan-in, fan-out) of three layers, then their biases."""
    shapes = [(784, width), (width, width), (width, 10)]
    edge = [(6 / (m if initializer == "he_uniform" else m + n)) ** 0.5 for m, n in shapes]
    if rest == "pytorch":
        edge[0], edge[2] = 784**-0.5, width**-0.5
    weights = [random.uniform(-e, e, shape) for e, shape in zip(edge, shapes, strict=True)]
    biases = [(rest != "keras") * random.uniform(-1, 1, n) * m**-0.5 for m, n in shapes]
    return [jnp.asarray(part, jnp.float32) for part in weights + biases]


@partial(jax.jit, static_argnums=0)
def epoch(softmaxes: int, parameters: list, order: jax.Array, pixels: jax.Array, labels: jax.Array):
    """The parameters after an epoch in this order, and its mean loss."""

    def loss(parameters: list, chosen: jax.Array) -> jax.Array:
        outputs = pixels[chosen].astype(jnp.float32) / 255
        for layer in range(3):
            outputs = jax.nn.relu(outputs) if layer else outputs
            outputs = outputs @ parameters[layer] + parameters[3 + layer]
        logarithms = jax.nn.log_softmax(jax.nn.softmax(outputs) if softmaxes == 2 else outputs)
        return -jnp.mean(jnp.take_along_axis(logarithms, labels[chosen][:, None], axis=1))

    def step(parameters: list, chosen: jax.Array) -> tuple[list, jax.Array]:
        value, slopes = jax.value_and_grad(loss)(parameters, chosen)
        return [p - RATE * s for p, s in zip(parameters, slopes, strict=True)], value

    full = len(order) // BATCH * BATCH
    parameters, values = jax.lax.scan(step, parameters, order[:full].reshape(-1, BATCH))
    return step(parameters, order[full:])[0], values.mean()


def trained(softmaxes: int, initializer: str, rest: str, width: int, seed: int) -> dict:
    """Correlations of the hidden matrix with its initial one, and losses, at the epochs shown."""
    data, random = datasets.load("mnist"), np.random.default_rng([seed, width])
    pixels, labels = jnp.asarray(data.x_train), jnp.asarray(data.y_train)
    parameters = drawn(width, initializer, rest, random)
    initial, found = np.asarray(parameters[1]).ravel(), {"correlation": [], "train_loss": []}
    for number in range(1, EPOCHS + 1):
        order = jnp.asarray(random.permutation(len(labels)))
        parameters, value = epoch(softmaxes, parameters, order, pixels, labels)
        if number in SHOWN:
            correlation = np.corrcoef(initial, np.asarray(parameters[1]).ravel())[0, 1]
            found["correlation"].append(round(float(correlation), 5))
            found["train_loss"].append(round(float(value), 5))
    return found


if __name__ == "__main__":
    file = Path([*sys.argv, published_path() / "replication.json"][1])
    rows = sealed_json.read(file)["rows"] if file.exists() else []
    made = {"code_version": code_version(), "jax": jax.__version__}
    for seed, trial, width in itertools.product(SEEDS, TRIALS, WIDTHS):
        wanted = dict(zip(NAMES, (*trial, width, seed), strict=True))
        if not any(wanted.items() <= row.items() for row in rows):
            rows.append(wanted | trained(*wanted.values()) | made)
            sealed_json.write(file, {"epochs": list(SHOWN), "rows": rows})
            print(wanted, rows[-1]["correlation"], flush=True)
