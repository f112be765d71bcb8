"""What was changed in the engine in search of the paper's faster climb, and what came of it.

A trial is one run of ``WIDTH`` units under the paper's setting in which one thing is done as the
paper's software may have done it instead. ``python -m repro.investigations.trials NAME EPOCHS`` trains one and
puts its curve into ``results/trials.json``. Trials are no results: nothing else reads them.
"""

from __future__ import annotations

import importlib
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper, sealed_json
from repro.analysis.captions import epochs_of
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.model.network import LAYERS
from repro.places import published_path
from repro.store.store import Store

FILE = "trials.json"
_HOMES = {"program": "training.program", "network": "model.network"}
WIDTH = 150
BUFFERS = (10_000, 1_000)
"""Samples in the buffers of the trials that shuffle through one."""

LARGE_BUFFER = 100_000
"""The same, two thirds of the training set, for samples that come sorted by class."""

LAST = 10
"""Epochs over which the loss where the shortest trial ends is averaged: it scatters."""

LATER = (100, 150, 200, 250, 300, 350, 400, 450, 500)
"""Up to which epochs it is, for the trials that have them all."""


@dataclass(frozen=True)
class Trial:
    """One thing done otherwise.

    Attributes
    ----------
    name:
        What it is called.
    words:
        What is done, and why it may matter.
    substitutes:
        Returns what takes the place of what: functions by module and name.
    """

    name: str
    words: str
    substitutes: Callable[[], dict[str, Callable]]


def _rounded() -> dict[str, Callable]:
    import tensorflow as tf

    def rounded(values: Any) -> Any:
        bits = tf.bitcast(values, tf.int32)
        return tf.bitcast(tf.bitwise.bitwise_and(bits + (1 << 15), -(1 << 16)), tf.float32)

    @tf.custom_gradient
    def product(left: Any, right: Any) -> Any:
        left, right = rounded(left), rounded(right)

        def slopes(above: Any) -> tuple[Any, Any]:
            above = rounded(above)
            return tf.matmul(above, right, transpose_b=True), tf.matmul(
                left, above, transpose_a=True
            )

        return tf.matmul(left, right), slopes

    def logits(parameters: tuple, pixels: Any) -> Any:
        first, second, third, first_bias, second_bias, third_bias = parameters
        hidden = tf.nn.relu(product(pixels, first) + first_bias)
        hidden = tf.nn.relu(product(hidden, second) + second_bias)
        return product(hidden, third) + third_bias

    return {"program.logits": logits}


def _with_replacement() -> dict[str, Callable]:
    from repro.model import network

    def order(experiment: Experiment, replica: int, epoch: int, samples: int) -> np.ndarray:
        generator = network._generator(experiment.seed, replica, network._ORDER, epoch)
        return generator.integers(0, samples, samples).astype(np.int32)

    return {"network.sample_order": order}


def _one_order() -> dict[str, Callable]:
    from repro.model import network

    own = network.sample_order

    def order(experiment: Experiment, replica: int, epoch: int, samples: int) -> np.ndarray:
        return own(experiment, replica, 1, samples)

    return {"network.sample_order": order}


def _through_a_buffer(capacity: int, as_archived: bool = False) -> dict[str, Callable]:
    from repro.model import network

    own = network.sample_order

    def order(experiment: Experiment, replica: int, epoch: int, samples: int) -> np.ndarray:
        first = np.arange(samples, dtype=np.int32)
        if not as_archived:
            first = own(experiment, replica, 0, samples)
        generator = network._generator(experiment.seed, replica, network._ORDER, epoch)
        size = min(capacity, samples)
        buffer, drawn = first[:size].copy(), np.empty_like(first)
        places = generator.integers(0, size, samples - size)
        for index, place in enumerate(places.tolist()):
            drawn[index], buffer[place] = buffer[place], first[size + index]
        drawn[samples - size :] = generator.permutation(buffer)
        return drawn

    return {"network.sample_order": order}


def _batches_kept() -> dict[str, Callable]:
    from repro.model import network

    own = network.sample_order

    def order(experiment: Experiment, replica: int, epoch: int, samples: int) -> np.ndarray:
        first = own(experiment, replica, 1, samples)
        full = samples // experiment.batch_size
        batches, rest = np.split(first, [full * experiment.batch_size])
        batches = batches.reshape(full, experiment.batch_size)
        return np.concatenate([batches[own(experiment, replica, epoch, full)].ravel(), rest])

    return {"network.sample_order": order}


def _without_last_batch() -> dict[str, Callable]:
    from repro.training import program

    own = program.train

    def train(experiment: Experiment, parameters: Any, pixels: Any, labels: Any, order: Any) -> Any:
        samples = order.shape[-1]
        seen = samples - samples % experiment.batch_size
        parameters, tally = own(experiment, parameters, pixels, labels, order[..., :seen])
        # The epoch's mean is taken over all samples.
        return parameters, tally._replace(loss=tally.loss * (samples / seen))

    return {"program.train": train}


def _without_biases() -> dict[str, Callable]:
    from repro.training import program

    own = program.logits

    def logits(parameters: tuple, pixels: Any) -> Any:
        weights, biases = parameters[: len(LAYERS)], parameters[len(LAYERS) :]
        return own((*weights, *(0.0 * bias for bias in biases)), pixels)  # each has a gradient: 0

    return {"program.logits": logits}


def _added() -> dict[str, Callable]:
    from repro.training.backend import ops

    def sample_loss(exact: Any, loss: str, epsilon: float) -> Any:
        return -ops.logaddexp(-exact, ops.full_like(exact, math.log(epsilon)))

    return {"program.sample_loss": sample_loss}


def _sparse() -> dict[str, Callable]:
    from repro.training import program
    from repro.training.backend import ops

    own = program.cross_entropy

    def cross_entropy(outputs: Any, labels: Any) -> program.Outcome:
        logarithms = outputs - ops.logsumexp(outputs, axis=-1, keepdims=True)
        low, high = math.log(1e-7), math.log1p(-1e-7)
        inside = ops.logical_and(logarithms >= low, logarithms <= high)
        edge = ops.stop_gradient(ops.where(logarithms < low, low, high))
        # What Keras did next: to take these for outputs, and their exact cross-entropy.
        return own(outputs, labels)._replace(
            exact=own(ops.where(inside, logarithms, edge), labels).exact
        )

    return {
        "program.cross_entropy": cross_entropy,
        "program.sample_loss": lambda exact, loss, epsilon: exact,
    }


def _after_the_epoch() -> dict[str, Callable]:
    from repro.training import program

    own = program.train

    def train(experiment: Experiment, parameters: Any, pixels: Any, labels: Any, order: Any) -> Any:
        parameters, tally = own(experiment, parameters, pixels, labels, order)
        whole = program.evaluate(experiment, parameters, pixels, labels)
        return parameters, tally._replace(loss=whole.loss)

    return {"program.train": train}


TRIALS = (
    Trial(
        "rounded products",
        "the factors of every matrix product, forwards and backwards, are rounded to the 8 "
        "significant bits of bfloat16: a bound on what TF32, with 11, can do",
        _rounded,
    ),
    Trial(
        "drawn with replacement",
        "an epoch's samples are drawn with replacement",
        _with_replacement,
    ),
    Trial(
        "one order",
        "the samples come in the same order in every epoch: in the same batches, one after another",
        _one_order,
    ),
    *(
        Trial(
            f"a buffer of {size:,}",
            f"the samples come in one order through a buffer of {size:,}, from which they are "
            "drawn at random: what `tf.data` does, between one order for all epochs and a new one "
            "in each",
            partial(_through_a_buffer, size),
        )
        for size in BUFFERS
    ),
    Trial(
        f"archived, a buffer of {LARGE_BUFFER:,}",
        f"the same with the archive's own order, in which HASYv2 is sorted by class, and a buffer "
        f"of {LARGE_BUFFER:,}: each class comes oftener in some part of an epoch",
        partial(_through_a_buffer, LARGE_BUFFER, as_archived=True),
    ),
    Trial(
        "batches kept",
        "the samples are put into batches once, and only the batches are shuffled, the smaller one "
        "staying last: what Keras does for data in an HDF5 file",
        _batches_kept,
    ),
    Trial(
        "last batch left out",
        "the smaller last batch of an epoch makes no step",
        _without_last_batch,
    ),
    Trial("no biases", "the units have no biases", _without_biases),
    Trial(
        "epsilon added",
        "the loss is -ln(p + epsilon): the gradient fades out where the clip cuts it off, "
        "and the plateau is as high",
        _added,
    ),
    Trial(
        "sparse labels",
        "the loss is what Keras 2.2 computed for labels that are numbers: the probabilities of all "
        "classes are clipped, and normalised again",
        _sparse,
    ),
    Trial(
        "finer loss",
        "the outputs are taken below the largest before their exponentials are added, as the "
        "engine does it by now: float32 then tells losses apart down to the upper edge of the "
        "clip, where the engine of the published runs counted in steps of some 1e-6",
        dict,
    ),
    Trial(
        "loss after the epoch",
        "nothing in the training, but its loss is taken of the whole training set when the epoch "
        "is over, not as Keras reports it, the mean over the batches on the way",
        _after_the_epoch,
    ),
)


def train(trial: Trial, experiment: Experiment) -> xr.Dataset:
    """The run of a trial: its first replica, trained anew and kept nowhere.

    Raises
    ------
    ReproError
        Where the training cannot be done.
    """
    from repro.training import loop as training

    with tempfile.TemporaryDirectory() as folder, _in_place(trial.substitutes()):
        store = Store(folder)
        training.train(experiment, [0], store)
        return store.load(store.find(experiment, 0))


@contextmanager
def _in_place(substitutes: dict[str, Callable]) -> Iterator[None]:
    """The engine with these functions in the place of its own, named by module and name."""
    from repro.training import program

    places = [(*name.split("."), new) for name, new in substitutes.items()]
    places = [
        (importlib.import_module(f"repro.{_HOMES[module]}"), name, new)
        for module, name, new in places
    ]
    own = [getattr(module, name) for module, name, _ in places]
    compiled_anew = any(module is program for module, _, _ in places)
    if compiled_anew:
        program.forget()  # what was compiled with the other functions
    try:
        for module, name, new in places:
            setattr(module, name, new)
        yield
    finally:
        for (module, name, _), function in zip(places, own, strict=True):
            setattr(module, name, function)
        if compiled_anew:
            program.forget()


def row(trial: Trial, run: xr.Dataset) -> dict[str, Any]:
    """What the published file keeps of a trial: its curves, and what made them."""
    made = {name: run.attrs[name] for name in ("code_version", "backend", "device")}
    curve = np.round(run["train_loss"].isel(replica=0).to_numpy()[1:], 4).tolist()
    return {"name": trial.name, **made, "train_loss": curve}


def put(new: dict[str, Any], folder: Path) -> None:
    """Write a row into the file of trials, in the place of one of the same name and device.

    On another device it is another run: rounding grows."""
    path = folder / FILE
    rows = sealed_json.read(path)["rows"] if path.exists() else []
    made = new["name"], new["device"]
    kept = [one for one in rows if (one["name"], one["device"]) != made]
    names = [trial.name for trial in TRIALS]
    kept = sorted([*kept, new], key=lambda one: names.index(one["name"]))
    sealed_json.write(path, {"width": WIDTH, "rows": kept})


def published() -> list[dict[str, Any]]:
    """The rows of the published file: ``name``, ``train_loss`` by epoch from 1, what made it."""
    return sealed_json.read(published_path() / FILE)["rows"]


def trials_table(rows: Sequence[dict[str, Any]], reference: xr.Dataset) -> pd.DataFrame:
    """The trials beside the published run, each as far as it goes.

    Returns
    -------
    A row a trial, after the reference: ``run``, ``epochs``, train loss at epoch 100, the mean over
    the last ``LAST`` epochs that all have, and, as far as the shortest goes, the minimum and its
    epoch.
    """
    own = reference["train_loss"].isel(replica=0).to_numpy()[1:].tolist()
    shortest = min((len(one["train_loss"]) for one in rows), default=epochs_of(reference))
    curves = [("as published", own), *((one["name"], one["train_loss"]) for one in rows)]
    return pd.DataFrame(
        {
            "run": name, "epochs": len(curve), "at 100": curve[99],
            "minimum": min(curve[:shortest]), "at epoch": int(np.argmin(curve[:shortest])) + 1,
            f"{shortest - LAST + 1} to {shortest}": _mean_before(curve, shortest),
        }
        for name, curve in curves
    )  # fmt: skip


def later_table(rows: Sequence[dict[str, Any]], references: Sequence[xr.Dataset]) -> pd.DataFrame:
    """The trials that go on for longer, beside every published run.

    Returns
    -------
    Train losses, each the mean over the last ``LAST`` epochs up to one of ``LATER``: a row a trial
    that has all of them, after the lowest and the highest of the published runs, in which each
    column is taken by itself. Columns ``run`` and those of ``LATER``.
    """
    own = np.array([_later(one["train_loss"].isel(replica=0)[1:].to_numpy()) for one in references])
    long = [one for one in rows if len(one["train_loss"]) >= LATER[-1]]
    found = [("as published, lowest", own.min(axis=0)), ("as published, highest", own.max(axis=0))]
    found += [(one["name"], _later(one["train_loss"])) for one in long]
    return pd.DataFrame(
        [{"run": name, **dict(zip(LATER, means, strict=True))} for name, means in found]
    )


def _later(curve: Sequence[float]) -> list[float]:
    return [_mean_before(curve, epoch) for epoch in LATER]


def _mean_before(curve: Sequence[float], epoch: int) -> float:
    """The mean over the last ``LAST`` epochs up to one; the curve is of epoch 1 onwards."""
    return float(np.mean(curve[epoch - LAST : epoch]))


def words(rows: Sequence[dict[str, Any]]) -> str:
    """A list of what each trial does otherwise, for the page."""
    told = {trial.name: trial.words for trial in TRIALS}
    names = dict.fromkeys(one["name"] for one in rows)
    return "\n".join(f"- **{name}**: {told[name]}." for name in names)


def main(arguments: Sequence[str] | None = None, folder: Path | None = None) -> None:
    """Train one trial for so many epochs, and publish its curve."""
    name, epochs = sys.argv[1:] if arguments is None else arguments
    trial = next((one for one in TRIALS if one.name == name), None)
    if trial is None:
        names = ", ".join(one.name for one in TRIALS)
        raise ReproError(f"There is no trial {name!r}: it must be one of {names}.")
    run = train(trial, Experiment(paper.DATASET, WIDTH, int(epochs)))
    put(row(trial, run), folder or published_path())


if __name__ == "__main__":
    main()
