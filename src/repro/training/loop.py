"""Training: replicas of one experiment together, from wherever they stopped, never losing an epoch.

Importing this module imports Keras and its backend; `schedule` does so only when there is something
to train.
"""

import functools
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from repro import provenance
from repro.data import datasets
from repro.data.hasyv2 import SYMBOL_IDS
from repro.experiment import Experiment
from repro.model import network
from repro.store.record import Record
from repro.store.store import Store
from repro.training import backend, program
from repro.training.backend import ops
from repro.training.schedule import Bar

CHECKPOINT_SECONDS = 60.0  # at most so much work is lost when a run is killed
_ORDERS = ThreadPoolExecutor(thread_name_prefix="sample-order")
_ONE_AT_A_TIME = threading.Lock()


class Samples(NamedTuple):
    """On the device: pixels uint8 or float32 (sample, pixel), labels int32 (sample,)."""

    x_train: Any
    y_train: Any
    x_test: Any
    y_test: Any


def samples(experiment: Experiment) -> Samples:
    """Its samples, one copy for all that train. Raises ReproError where they cannot be read."""
    # The seed is part of the samples only where it draws their split.
    seed = experiment.seed if isinstance(experiment.split, float) else 0
    inverted, symbol_ids = experiment.pixels == "inverted", experiment.labels == "symbol-ids"
    with _ONE_AT_A_TIME:
        return _kept(experiment.dataset, experiment.split, seed, inverted, symbol_ids)


@functools.lru_cache(maxsize=2)
def _kept(
    dataset: str, split: str | float | None, seed: int, inverted: bool, symbol_ids: bool
) -> Samples:
    data = datasets.load(dataset, split, seed)
    ids = np.array(SYMBOL_IDS, np.int32)
    parts = []
    for pixels, labels in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        parts += [255 - pixels if inverted else pixels, ids[labels] if symbol_ids else labels]
    return Samples(*map(ops.convert_to_tensor, parts))


def train(
    experiment: Experiment,
    replicas: Sequence[int],
    store: Store,
    source: Store | None = None,
    stop: threading.Event | None = None,
    deadline: float = math.inf,
    progress: bool = True,
) -> int:
    """Train the replicas to the experiment's epochs, saved as it goes; the last epoch trained.

    Replicas train together along a leading axis, from their files in ``source`` (the store itself
    where None), which must have come equally far. Once ``stop`` is set, the current epoch is the
    last; none but the first is begun that would not end before ``deadline`` (of `time.monotonic`).

    Raises ReproError, before anything is trained, where the data or the store cannot be used.
    """
    store.check_writable()
    group = _Group(experiment, replicas, source or store, store)
    with Bar(experiment, replicas, group.epoch, progress) as bar:
        saved, stopping = time.monotonic(), False
        while group.epoch < experiment.epochs and not stopping:
            began = time.monotonic()
            group.advance()
            now = time.monotonic()
            stopping = now + (now - began) > deadline or (stop is not None and stop.is_set())
            complete = group.epoch == experiment.epochs
            if stopping or complete or now - saved >= CHECKPOINT_SECONDS:
                group.save()
                saved = time.monotonic()
            bar.set_postfix_str(group.losses, refresh=False)
            bar.update()
    return group.epoch


class _Group:
    """Replicas on the device, with their records."""

    def __init__(
        self, experiment: Experiment, replicas: Sequence[int], source: Store, store: Store
    ) -> None:
        self.experiment, self.replicas, self.store = experiment, list(replicas), store
        self._since, self._started = time.monotonic(), provenance.now()
        self._samples = samples(experiment)
        self._sizes = len(self._samples.y_train), len(self._samples.y_test)
        self._initial = [network.initial_weights(experiment, replica) for replica in self.replicas]
        self._layers = network.layer_names(experiment.hidden_layers)
        parameters = network.parameter_names(experiment.hidden_layers)
        self._names = program.state_names(experiment.optimizer, parameters)
        self._initial_on_device = self._on_device(self._initial, self._layers)
        self._program = program.epoch_program(experiment)
        self.losses = ""  # the replicas' means of the last epoch, for the bar
        self._before: list[dict[str, Any]] = [{} for _ in self.replicas]
        runs = [source.find(experiment, replica) for replica in self.replicas]
        if all(run is not None and run.continuable for run in runs):
            self._resume(source, runs)
        else:
            self._begin()
        self._began_at = self.epoch + 1
        self._next_order = self._draw(self._began_at)

    @property
    def epoch(self) -> int:
        """The last epoch trained."""
        return self._records[0].epoch

    def advance(self) -> None:
        """Train one epoch of every replica and record it.

        Where no replica has a loss left, the epoch is the last one again, without being trained.
        """
        if all(record.broken for record in self._records):
            for index, record in enumerate(self._records):
                record.repeat()
                self._look(index)
            return
        order = self._next_order.result()
        # Drawn while the device trains.
        self._next_order = self._draw(self.epoch + 2)
        self._state, training, test, statistics = self._program(
            self._state, self._initial_on_device, ops.convert_to_tensor(order), *self._samples
        )
        self._note(training, test, statistics)

    def save(self) -> None:
        """Write every replica's file, with the state to continue from."""
        values = [self._by_replica(each) for each in self._state]
        for index, record in enumerate(self._records):
            state = {n: each[index] for n, each in zip(self._names, values, strict=True)}
            self.store.save(record.to_dataset(self._attributes(index)), state)

    def _begin(self) -> None:
        self._records = [Record(self.experiment, replica) for replica in self.replicas]
        biases = [network.initial_biases(self.experiment)] * len(self.replicas)
        parameters = self._initial_on_device + self._on_device(biases, self._layers)
        networks = (len(self.replicas),) if len(self.replicas) > 1 else ()
        self._state = program.started(self.experiment.optimizer, parameters, networks)
        evaluation = program.evaluation_program(self.experiment)
        training, test = (
            evaluation(parameters, *each) for each in (self._samples[:2], self._samples[2:])
        )
        # No batch has been seen yet.
        nothing = program.together([np.float32("nan")] * len(self.replicas))
        # By NumPy: a device would compile for half a minute what is needed once.
        initial = tuple(program.together([one[n] for one in self._initial]) for n in self._layers)
        with np.errstate(invalid="ignore", divide="ignore"):  # the shape of no deviation at all
            statistics = program.statistics(self.experiment, initial, initial, xp=np)
        self._note(training._replace(max_batch_loss=nothing), test, statistics)

    def _resume(self, source: Store, runs: list) -> None:
        datasets, states = zip(*(source.load_checkpoint(run) for run in runs), strict=True)
        self._records = [Record.from_dataset(self.experiment, dataset) for dataset in datasets]
        self._before = [dataset.attrs for dataset in datasets]
        self._state = self._on_device(states, self._names)

    def _on_device(self, replicas: Sequence[dict], names: Sequence[str]) -> tuple:
        arrays = (program.together([one[name] for one in replicas]) for name in names)
        return tuple(map(ops.convert_to_tensor, arrays))

    def _by_replica(self, value: Any) -> np.ndarray:
        array = np.asarray(ops.convert_to_numpy(value))
        return array if len(self.replicas) > 1 else array[None]

    def _draw(self, epoch: int) -> Future:
        def orders() -> np.ndarray:
            size = self._sizes[0]
            drawn = [network.sample_order(self.experiment, n, epoch, size) for n in self.replicas]
            return program.together(drawn)

        return _ORDERS.submit(orders)

    def _note(self, training: program.Tally, test: program.Tally, statistics: tuple) -> None:
        training, test = (
            program.Tally(*(self._by_replica(part).astype(np.float64) for part in tally))
            for tally in (training, test)
        )
        train_size, test_size = self._sizes
        curves = {
            "train_loss": training.loss / train_size,
            "train_accuracy": training.correct / train_size,
            "test_loss": test.loss / test_size,
            "test_accuracy": test.correct / test_size,
            "dead_fraction": training.dead / train_size,
            "max_batch_loss": training.max_batch_loss,
        }
        means = (curves[name].mean() for name in ("train_loss", "test_loss"))
        self.losses = "train {:.4g}, test {:.4g}".format(*means)
        values, ranks = (self._by_replica(part) for part in statistics)
        for index, record in enumerate(self._records):
            noted = {name: float(curve[index]) for name, curve in curves.items()}
            record.append(noted, values[index], ranks[index])
            self._look(index)

    def _look(self, index: int) -> None:
        record = self._records[index]
        last = record.epoch == self.experiment.epochs
        if record.due(last):
            named = zip(self._layers, self._state, strict=False)  # the weights come first
            weights = {layer: self._by_replica(values)[index] for layer, values in named}
            record.look(weights, self._initial[index], last)

    def _attributes(self, index: int) -> dict[str, str | float | int]:
        before = self._before[index]
        return backend.made(before, self._began_at) | {
            "trained_together": len(self.replicas),
            "wall_seconds": before.get("wall_seconds", 0.0) + time.monotonic() - self._since,
            "started": before.get("started", self._started),
        }
