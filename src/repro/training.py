"""Training: replicas of one experiment together, from wherever they stopped, never losing an epoch.

Importing this module imports Keras and its backend; `runs` does so only when there is something to
train.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from repro import backend, datasets, network, program, provenance
from repro.backend import ops
from repro.deviation import STATISTICS
from repro.experiment import Experiment
from repro.network import LAYERS
from repro.record import Record
from repro.store import State, Store

CHECKPOINT_SECONDS = 60.0  # at most so much work is lost when a run is killed


@dataclass(frozen=True)
class Outcome:
    """How a training ended: after which epoch, and whether that is all that was asked for."""

    epoch: int
    complete: bool


def train(
    experiment: Experiment,
    replicas: Sequence[int],
    store: Store,
    time_limit: float | None = None,
    progress: bool = True,
    source: Store | None = None,
) -> Outcome:
    """Train the replicas to the experiment's epochs and save each in the store as it goes.

    Replicas train together along a leading axis; they must have come equally far. Those with a
    file in ``source`` (the store itself where None) go on from it.

    Parameters
    ----------
    time_limit:
        Seconds after which to stop at the end of an epoch, saved; the same call goes on from there.
    progress:
        Whether to draw a progress bar.

    Raises
    ------
    ReproError
        Where the data or the store cannot be used; before anything is trained.
    KeyboardInterrupt
        On Ctrl-C or SIGTERM, once the current epoch has been saved.
    """
    started = time.monotonic()
    store.check_writable()
    data = datasets.load(experiment.dataset, experiment.split, experiment.seed)
    group = _Group(experiment, replicas, data, source or store, store)
    with _deferred_interrupts() as interrupted, group, _bar(group, progress) as bar:
        saved = time.monotonic()
        while group.epoch < experiment.epochs:
            group.advance()
            now = time.monotonic()
            out_of_time = time_limit is not None and now - started >= time_limit
            stopping = interrupted.is_set() or out_of_time
            if stopping or now - saved >= CHECKPOINT_SECONDS or group.epoch == experiment.epochs:
                group.save()
                saved = time.monotonic()
            bar.update()
            bar.set_postfix_str(group.losses())
            if stopping:
                break
    if interrupted.is_set():
        raise KeyboardInterrupt
    return Outcome(group.epoch, group.epoch == experiment.epochs)


class _Group:
    """Replicas on the device, with their records."""

    def __init__(
        self,
        experiment: Experiment,
        replicas: Sequence[int],
        data: datasets.DataSplit,
        source: Store,
        store: Store,
    ) -> None:
        self.experiment, self.replicas, self.store = experiment, list(replicas), store
        self._wall_before = [0.0] * len(self.replicas)
        self._since = time.monotonic()
        self._started = provenance.now()
        self._initial = [network.initial_weights(experiment, replica) for replica in self.replicas]
        self._initial_on_device = tuple(
            ops.convert_to_tensor(np.stack([weights[layer] for weights in self._initial]))
            for layer in LAYERS
        )
        inverted = experiment.pixels == "inverted"
        self._data = tuple(
            ops.convert_to_tensor(255 - array if inverted and array.dtype == np.uint8 else array)
            for array in (data.x_train, data.y_train, data.x_test, data.y_test)
        )
        self._samples, self._test_samples = len(data.y_train), len(data.y_test)
        self._orders = ThreadPoolExecutor(1, "sample-order")
        self._program = program.epoch_program(experiment)
        runs = [source.find(experiment, replica) for replica in self.replicas]
        if all(run is not None and run.continuable for run in runs):
            self._resume(source, runs)
        else:
            self._begin()
        self._next_order = self._draw(self.epoch + 1)

    def __enter__(self) -> "_Group":
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.shutdown(cancel_futures=True)

    @property
    def epoch(self) -> int:
        """The last epoch trained."""
        return self._records[0].epoch

    def advance(self) -> None:
        """Train one epoch of every replica and record it."""
        order = self._next_order.result()
        # Drawn while the device trains.
        self._next_order = self._draw(self.epoch + 2)
        self._parameters, training, test, statistics = self._program(
            self._parameters, self._initial_on_device, ops.convert_to_tensor(order), *self._data
        )
        self._note(program.Tally(*training), program.Tally(*test), statistics)

    def losses(self) -> str:
        """The losses of the last epoch, the mean over replicas, for the progress bar."""
        return f"train {self._shown[0]:.4g}, test {self._shown[1]:.4g}"

    def save(self) -> None:
        """Write every replica's file, with the state to continue from."""
        parameters = [ops.convert_to_numpy(parameter) for parameter in self._parameters]
        for index, record in enumerate(self._records):
            state: State = {
                name: values[index] for name, values in zip(_state_names(), parameters, strict=True)
            }
            self.store.save(record.to_dataset(self._attributes(index)), state)

    def _begin(self) -> None:
        self._records = [Record(self.experiment, replica) for replica in self.replicas]
        biases = network.initial_biases(self.experiment)
        together = (len(self.replicas), 1)
        self._parameters = self._initial_on_device + tuple(
            ops.convert_to_tensor(np.tile(biases[layer], together)) for layer in LAYERS
        )
        evaluation = program.evaluation_program(self.experiment)
        x_train, y_train, x_test, y_test = self._data
        training = program.Tally(*evaluation(self._parameters, x_train, y_train))
        # No batch has been seen yet.
        nothing = np.full(len(self.replicas), np.nan, np.float32)
        test = program.Tally(*evaluation(self._parameters, x_test, y_test))
        statistics = program.statistics(self.experiment, self._parameters, self._initial_on_device)
        self._note(training._replace(max_batch_loss=nothing), test, statistics)

    def _resume(self, source: Store, runs: list) -> None:
        datasets_ = [source.load(run) for run in runs]
        self._records = [Record.from_dataset(self.experiment, dataset) for dataset in datasets_]
        self._wall_before = [float(dataset.attrs["wall_seconds"]) for dataset in datasets_]
        self._started = min(str(dataset.attrs["started"]) for dataset in datasets_)
        states = [source.load_state(run) for run in runs]
        self._parameters = tuple(
            ops.convert_to_tensor(np.stack([state[name] for state in states]))
            for name in _state_names()
        )
        self._shown = (float("nan"), float("nan"))

    def _draw(self, epoch: int) -> Future:
        def orders() -> np.ndarray:
            return np.stack(
                [
                    network.sample_order(self.experiment, replica, epoch, self._samples)
                    for replica in self.replicas
                ]
            )

        return self._orders.submit(orders)

    def _note(self, training: program.Tally, test: program.Tally, statistics: tuple) -> None:
        train_sums, test_sums = (
            program.Tally(*(np.asarray(ops.convert_to_numpy(part), np.float64) for part in tally))
            for tally in (training, test)
        )
        curves = {
            "train_loss": train_sums.loss / self._samples,
            "train_accuracy": train_sums.correct / self._samples,
            "test_loss": test_sums.loss / self._test_samples,
            "test_accuracy": test_sums.correct / self._test_samples,
            "dead_fraction": train_sums.dead / self._samples,
            "max_batch_loss": train_sums.max_batch_loss,
        }
        self._shown = curves["train_loss"].mean(), curves["test_loss"].mean()
        values, ranks = (ops.convert_to_numpy(part) for part in statistics)
        assert values.shape == (len(STATISTICS), len(self.replicas), len(LAYERS))
        for index, record in enumerate(self._records):
            record.append(
                {name: float(curve[index]) for name, curve in curves.items()},
                values[:, index],
                ranks[index],
            )
            last = record.epoch == self.experiment.epochs
            if record.wants_weights(last):
                weights = {
                    layer: ops.convert_to_numpy(self._parameters[number])[index]
                    for number, layer in enumerate(LAYERS)
                }
                record.look(weights, self._initial[index], last)

    def _attributes(self, index: int) -> dict[str, str | float | int]:
        return {
            "code_version": provenance.code_version(),
            "library_versions": provenance.library_versions(backend.versions()),
            "backend": backend.NAME,
            "device": backend.device(),
            "trained_together": len(self.replicas),
            "wall_seconds": self._wall_before[index] + time.monotonic() - self._since,
            "started": self._started,
            "finished": provenance.now(),
        }


def _state_names() -> tuple[str, ...]:
    weights = tuple(f"weights_{layer}" for layer in LAYERS)
    return weights + tuple(f"biases_{layer}" for layer in LAYERS)


def _bar(group: _Group, progress: bool) -> tqdm:
    experiment, count = group.experiment, len(group.replicas)
    mark = f" mark {experiment.mark}" if experiment.mark else ""
    return tqdm(
        desc=f"{experiment.dataset} N={experiment.width}{mark} x{count}",
        initial=group.epoch,
        total=experiment.epochs,
        unit="epoch",
        disable=not progress,
        mininterval=1.0,
    )


@contextlib.contextmanager
def _deferred_interrupts() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set the event instead of breaking off in the middle of an epoch."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # signals can only be handled in the main thread
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: event.set()) for number in signals]
    try:
        yield event
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
