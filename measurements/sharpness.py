"""The sharpness of the loss along a run: the largest eigenvalue of its Hessian, epoch by epoch.

The run is trained again and looked at after the epochs named. The Hessian is of the mean loss over
a fixed sample of the training set. It is never formed: SciPy's Lanczos iteration (ARPACK) needs
only its products with vectors, which the backend differentiates. What is measured is read by
`repro.investigations.stability`.

``python measurements/sharpness.py STORE DATASET WIDTH EPOCHS`` measures the baseline of a width.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.sparse.linalg import LinearOperator, eigsh
from tqdm.auto import tqdm

from repro.errors import ReproError
from repro.experiment import Experiment
from repro.investigations.stability import SharpnessRecord, read
from repro.model import network
from repro.places import published_path
from repro.store.run_file import State
from repro.store.store import Store
from repro.training import backend, loop, program
from repro.training.backend import ops

TOLERANCE = 1e-3  # of the eigenvalue, relative
_RATIO = 10**0.1  # ten epochs in every factor of ten, until they are so far apart as asked for
_VECTORS = 10  # that ARPACK keeps: half of its default is enough here, for half of the products
_START = 1  # the stream of random numbers of the first vector; 0 is that of the sample


def measuring_epochs(last: int, every: int = 5) -> list[int]:
    """Epochs to measure after: about even in their logarithm, and at most ``every`` apart."""
    epochs = [0]
    while epochs[-1] < last:
        apart = min(max(round(epochs[-1] * (_RATIO - 1)), 1), every)
        epochs.append(min(epochs[-1] + apart, last))
    return epochs


def measure(
    experiment: Experiment,
    folder: Path,
    store: Store,
    replica: int = 0,
    every: int = 5,
    sample_size: int = 4096,
    sample_seed: int = 0,
) -> SharpnessRecord:
    """Train a run and measure its sharpness at `measuring_epochs`; what has been measured stays.

    The record's file in ``folder`` is written after every measurement. ``store`` is for checkpoints
    alone: a run that has gone too far is made anew. The sample is of the training set, or all of
    it. Raises ReproError where data or store cannot be used, or another process is at the run.
    """
    images = loop.samples(experiment)
    size = min(sample_size, len(images.y_train))
    record = SharpnessRecord(experiment.with_epochs(1), replica, size, sample_seed, TOLERANCE)
    if (folder / record.file).is_file():
        record = read(folder / record.file)
    drawn = sample(images, size, sample_seed)
    with store.held(experiment, replica) as ours:
        if not ours:
            raise ReproError(f"Another process is at {experiment.name} in {store.path}.")
        done = {one["epoch"] for one in record.measurements}
        due = sorted(set(measuring_epochs(experiment.epochs, every)) - done)
        for epoch in tqdm(due, desc=f"sharpness N={experiment.width}"):
            record = _measured(experiment, epoch, drawn, record, store)
            record.write(folder)
    return record


def largest_eigenvalue(
    experiment: Experiment, state: State, pixels: Any, labels: Any
) -> tuple[float, float, int]:
    """The largest eigenvalue of the Hessian of the experiment's mean loss over these samples.

    Also its residual |Hv - value v| / |value v| (NaN for a Hessian of zero), and products taken.
    """
    parameters = _parameters(experiment, state)
    multiply = _product_program(experiment.loss, experiment.epsilon)
    shapes = [tuple(parameter.shape) for parameter in parameters]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    taken = 0

    def product(vector: np.ndarray) -> np.ndarray:
        nonlocal taken
        taken += 1
        parts = zip(np.split(vector.astype(np.float32), ends[:-1]), shapes, strict=True)
        direction = tuple(ops.convert_to_tensor(part.reshape(shape)) for part, shape in parts)
        found = multiply(parameters, direction, pixels, labels)
        return np.concatenate([np.ravel(ops.convert_to_numpy(each)) for each in found], dtype=float)

    # Always from the same vector, so that a measurement does not depend on the ones before it.
    first = np.random.default_rng([_START]).standard_normal(ends[-1])
    if not product(first).any():
        return 0.0, float("nan"), taken  # every sample is dead
    hessian = LinearOperator((len(first), len(first)), matvec=product, dtype=np.float64)
    values, vectors = eigsh(hessian, k=1, ncv=_VECTORS, which="LA", v0=first, tol=TOLERANCE)
    value, vector = float(values[0]), vectors[:, 0]
    residual = np.linalg.norm(product(vector) - value * vector) / abs(value)
    return value, float(residual), taken


def sample(images: loop.Samples, size: int, seed: int) -> tuple:
    """So many images of the training set and their labels, drawn without repetition."""
    chosen = np.random.default_rng([0, seed]).permutation(len(images.y_train))[:size]
    chosen = ops.convert_to_tensor(np.sort(chosen).astype(np.int32))
    return ops.take(images.x_train, chosen, axis=0), ops.take(images.y_train, chosen, axis=0)


def _measured(
    experiment: Experiment, epoch: int, drawn: tuple, record: SharpnessRecord, store: Store
) -> SharpnessRecord:
    """The record with one measurement more."""
    run, state = _after(experiment, record.replica, epoch, store)
    evaluate = program.evaluation_program(experiment)
    tally = program.Tally(*evaluate(_parameters(experiment, state), *drawn))
    loss = float(tally.loss) / record.sample_size
    value, residual, products = float("nan"), float("nan"), 0
    if np.isfinite(loss):
        value, residual, products = largest_eigenvalue(experiment, state, *drawn)
    new = {"epoch": epoch, "sharpness": _told(value), "residual": _told(residual),
           "products": products, "sample_loss": _told(loss)}  # fmt: skip
    together = sorted([*record.measurements, new], key=lambda one: one["epoch"])
    before = record.made or {}
    changes: dict[str, Any] = {"measurements": together, "made": backend.made(before, epoch)}
    if run is not None and epoch >= record.experiment.epochs:
        changes["experiment"] = experiment.with_epochs(epoch)
        for name in ("train_loss", "max_batch_loss"):
            changes[name] = [_told(value) for value in run[name].values[0]]
    return replace(record, **changes)


def _after(
    experiment: Experiment, replica: int, epoch: int, store: Store
) -> tuple[xr.Dataset | None, State]:
    """A run's results and its state after an epoch, trained from the store's checkpoint or anew."""
    if epoch == 0:
        weights = network.initial_weights(experiment, replica)
        initial = {"weights": weights, "biases": network.initial_biases(experiment)}
        return None, {f"{kind}_{layer}": values for kind, layers in initial.items()
                      for layer, values in layers.items()}  # fmt: skip
    run = store.find(experiment, replica)
    if run is not None and run.epochs > epoch:
        run.path.unlink()  # there is no way back from a later epoch
    loop.train(experiment.with_epochs(epoch), [replica], store, progress=False)
    return store.load_checkpoint(store.find(experiment, replica))


@functools.lru_cache(maxsize=8)
def _product_program(loss_name: str, epsilon: float) -> Callable:
    def product(parameters: tuple, direction: tuple, pixels: Any, labels: Any) -> tuple:
        inputs = program.scaled(pixels)

        def loss(parameters: tuple) -> Any:
            exact, _ = program.cross_entropy(program.logits(parameters, inputs), labels)
            return ops.mean(program.sample_loss(exact, loss_name, epsilon))

        return backend.hessian_product(loss, parameters, direction)

    return backend.compiled(product)


def _parameters(experiment: Experiment, state: State) -> tuple:
    """The arrays of a state as `program.Parameters`."""
    names = network.parameter_names(experiment.hidden_layers)
    return tuple(ops.convert_to_tensor(state[name]) for name in names)


def _told(value: float) -> float | None:
    """With the digits that a float32 has, None where it is no number (JSON has none such)."""
    return float(f"{float(value):.9g}") if np.isfinite(value) else None


if __name__ == "__main__":
    place, name, width, epochs = sys.argv[1:5]
    measure(Experiment(name, int(width), int(epochs)), published_path(), Store(place))
