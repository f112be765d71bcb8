"""Training on a Dask cluster: slices of epochs, wherever a worker is free.

A worker gets what the runs' files hold, trains for `SLICE_SECONDS`, and returns them; the store is
the client's. So a worker needs nothing but a temporary folder, and one that is lost costs a slice.
"""

import collections
import contextlib
import ctypes
import itertools
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from distributed import Client, KilledWorker, get_worker
from distributed.comm import CommClosedError

from repro import provenance
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.store import run_file
from repro.store.store import Store
from repro.training.schedule import Bar, Executor, tell

SLICE_SECONDS = 60.0
WIDE = 100  # from this width on networks are for the workers with a GPU, where only some have one

_TOGETHER = 16  # replicas of a wide network
_LANES = 128  # slices on their way; those that no worker is free for wait at the scheduler
_FIRST_SECONDS, _PATIENCE_SECONDS = 10.0, 600.0  # for a scheduler, and for one that went away
_KILLED = 25  # times that a slice may end four workers before it is to blame


class Slice(NamedTuple):
    """What a worker returns: its address, the last epoch and the files; or why it cannot train."""

    worker: str
    epoch: int = 0
    files: Sequence[bytes] = ()
    refused: str = ""


def train_slice(
    experiment: str, replicas: Sequence[int], files: Sequence[bytes], folder: str | None,
    seconds: float, code: str,
) -> Slice:  # fmt: skip
    """On a worker: train from what the files hold, or in a store that is shared, for so long."""
    here = get_worker().address
    with contextlib.suppress(OSError, AttributeError, TypeError):  # only glibc has it
        # Dask has freed memory given back at once, and fetched again in every epoch.
        for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            ctypes.CDLL(None).mallopt(parameter, 2**30)
    try:
        if code != (ours := provenance.code_version()):
            raise ReproError(f"its code is {ours}, the sweep's {code}: install the same")
        from repro.training import loop

        known = Experiment.from_json(experiment)
        with tempfile.TemporaryDirectory() as temporary:
            store = Store(folder or temporary)
            _put(store, known, replicas, files)
            end = time.monotonic() + seconds
            epoch = loop.train(known, replicas, store, deadline=end, progress=False)
            trained = [] if folder else [store.file(known, n).read_bytes() for n in replicas]
        return Slice(here, epoch, trained)
    except (ReproError, OSError) as error:
        return Slice(here, refused=str(error).rstrip("."))


def _put(store: Store, one: Experiment, replicas: Sequence[int], files: Sequence[bytes]) -> None:
    for replica, content in zip(replicas, files, strict=False):
        store.put(one, replica, content)


class Cluster:
    """A Dask cluster, by its scheduler's address or the scheduler's file.

    Its workers write into the store themselves where it is ``shared``. Raises ReproError where no
    scheduler answers.
    """

    def __init__(self, address: str, shared: bool = False) -> None:
        self._address, self._shared, self._client = address, shared, None
        self._connecting, self._numbers = threading.Lock(), itertools.count()
        self._refused: set[str] = set()
        self.epochs: collections.Counter[str] = collections.Counter()  # by the worker's address
        tell(f"{len(self._workers())} workers so far; look at {self._connected().dashboard_link}")

    def executor(self) -> Executor:
        """The cluster as what trains a sweep."""
        return Executor(self.train, _LANES, lambda each: _TOGETHER if self._on_gpu(each) else 1)

    def train(
        self, experiment: Experiment, replicas: Sequence[int], store: Store, source: Store,
        stop: threading.Event, deadline: float, progress: bool,
    ) -> int:  # fmt: skip
        """As `repro.training.loop.train`. Raises ReproError where no worker can train."""
        run, epoch, files = source.find(experiment, replicas[0]), 0, []
        if run is not None and run.continuable:
            epoch = run.epochs
            files = [source.file(experiment, replica).read_bytes() for replica in replicas]
        number, folder = next(self._numbers), None
        if self._shared:
            if source.path != store.path:
                _put(store, experiment, replicas, files)
            folder, files = str(store.path.resolve()), []
        with Bar(experiment, replicas, epoch, progress) as bar:
            while epoch < experiment.epochs and time.monotonic() < deadline:
                seconds = min(SLICE_SECONDS, deadline - time.monotonic())
                done = self._done(stop, experiment, number, replicas, files, folder, seconds)
                if done is None:
                    break
                files = done.files
                _put(store, experiment, replicas, files)
                self.epochs[done.worker] += (done.epoch - epoch) * len(replicas)
                _, results = run_file.read(store.file(experiment, replicas[0]))
                losses = (float(results[f"{each}_loss"][0, -1]) for each in ("train", "test"))
                bar.set_postfix_str("train {:.4g}, test {:.4g}".format(*losses), refresh=False)
                bar.update(done.epoch - epoch)
                epoch = done.epoch
        return epoch

    def _done(self, stop: threading.Event, experiment: Experiment, *what: Any) -> Slice | None:
        """What some worker has trained; None where it is time to stop."""
        killed = 0
        while not stop.is_set():
            try:
                done = self._tried(stop, experiment, *what)
            except KilledWorker as error:
                killed += 1
                if killed == _KILLED:
                    raise ReproError(f"{experiment.name} ends every worker: {error}.") from error
            except (CancelledError, CommClosedError, OSError):  # the scheduler has gone
                stop.wait(1)
            else:
                if done is not None:
                    if not done.refused:
                        return done
                    self._leave_out(done)
        return None

    def _tried(
        self, stop: threading.Event, experiment: Experiment, number: int, *what: Any
    ) -> Slice | None:
        """A worker's answer; None at the stop, and where those that it was meant for have gone."""
        there, gpu = self._workers().keys(), self._on_gpu(experiment)
        if not there and self._refused:  # no restriction would mean those, too
            stop.wait(1)
            return None
        future = self._connected().submit(
            train_slice, experiment.to_json(), *what, provenance.code_version(), pure=False,
            workers=list(there) if self._refused else None, priority=-number,
            resources={"GPU": 1} if gpu else None,
        )  # fmt: skip
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        while not ended.wait(1):
            gone = self._refused and not self._workers().keys() & there
            if stop.is_set() or gone or gpu != self._on_gpu(experiment):
                return None
        return future.result()  # a timeout would break off what other lanes gather at the same time

    def _leave_out(self, done: Slice) -> None:
        if done.worker not in self._refused:
            tell(f"The worker {done.worker} is left out: {done.refused}.")
        self._refused.add(done.worker)
        if not self._workers():
            raise ReproError(f"No worker can train; the last, {done.worker}: {done.refused}.")

    def _workers(self) -> dict[str, dict]:
        """Those that are not left out, by address."""
        there = self._connected().scheduler_info()["workers"].items()
        return {name: one for name, one in there if name not in self._refused}

    def _on_gpu(self, experiment: Experiment) -> bool:
        """Whether it is for the workers with a GPU: it is wide, or there are no others."""
        offer = ["GPU" in one["resources"] for one in self._workers().values()]
        return any(offer) and (experiment.width >= WIDE or all(offer))

    def _connected(self) -> Client:
        """The client; another one where the scheduler has gone and come again."""
        with self._connecting:
            if self._client is None or self._client.status not in ("running", "connecting"):
                how = "scheduler_file" if self._address.endswith(".json") else "address"
                patience = _FIRST_SECONDS if self._client is None else _PATIENCE_SECONDS
                named = {how: self._address, "timeout": patience}
                try:
                    self._client = Client(**named, set_as_default=False)
                except (OSError, ValueError) as error:
                    raise ReproError(
                        f"No Dask scheduler answers at {self._address} ({error}): start one with "
                        "`dask scheduler` and name its address or its file."
                    ) from error
            return self._client
