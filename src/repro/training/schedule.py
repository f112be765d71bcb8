"""From what is wanted to what is trained: what is missing, in which order, what at the same time.

Groups of replicas train one after another in lanes. On a CPU a lane is a core and a group one
replica; on an accelerator there is one lane, and a group is as many replicas as fill it. Everyone's
first replica comes before anyone's second, so that whole figures appear early.
"""

import contextlib
import itertools
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from tqdm.auto import tqdm

from repro.experiment import Experiment
from repro.model import network
from repro.places import published_path
from repro.store.run_file import Run
from repro.store.store import Store

Group = tuple[Experiment, Sequence[int]]
"""An experiment, and replicas of it."""
Wanted = Sequence[Group]
Left = Sequence[tuple[Experiment, int]]
"""A run each: its experiment, and how many epochs it has to go."""


class Executor(NamedTuple):
    """What trains, as `loop.train` does: so many groups at once, of so many replicas."""

    train: Callable[..., int]
    lanes: int
    together: Callable[[Experiment], int]


_FIRST_SECONDS, _SECONDS = 5.0, 30.0  # from the start to the first line, and between two
_LOOK_AGAIN_SECONDS = 1.0  # at a run that another process is training


def merged(wanted: Wanted) -> Wanted:
    """The same, with each experiment once: for its most epochs, its replicas in order."""
    found: dict[str, tuple[Experiment, set[int]]] = {}
    for experiment, replicas in wanted:
        longest, numbers = found.get(experiment.digest, (experiment, set()))
        longest = max(longest, experiment, key=lambda each: each.epochs)
        found[experiment.digest] = longest, numbers | set(replicas)
    return [(experiment, sorted(numbers)) for experiment, numbers in found.values()]


def missing(wanted: Wanted, stores: Sequence[Store]) -> Wanted:
    """What of it none of the stores has for as many epochs."""
    left = [
        (each, [n for n in replicas if long_enough(each, n, stores) is None])
        for each, replicas in wanted
    ]
    return [(experiment, replicas) for experiment, replicas in left if replicas]


def long_enough(
    experiment: Experiment, replica: int, stores: Sequence[Store]
) -> tuple[Store, Run] | None:
    """The first of the stores that has the run for its epochs, and the run there."""
    for store in stores:
        run = store.find(experiment, replica)
        if run is not None and run.epochs >= experiment.epochs:
            return store, run
    return None


def groups(wanted: Wanted, together: Callable[[Experiment], int]) -> list[Group]:
    """What is wanted in groups of at most ``together`` replicas, in the order of their training."""
    by_experiment = [
        [(each, replicas[start : start + size]) for start in range(0, len(replicas), size)]
        for each, replicas in wanted
        for size in [together(each)]
    ]
    rounds = itertools.zip_longest(*by_experiment)
    return [group for each in rounds for group in each if group is not None]


def train_missing(
    wanted: Wanted,
    store: Store,
    time_limit: float | None = None,
    progress: bool = True,
    lanes: int | None = None,
    together: int | None = None,
    finished: Callable[[Group], None] | None = None,
    begin: Callable[[Left], None] | None = None,
    cluster: Callable[[], Executor] | None = None,
) -> Wanted:
    """Train what is wanted and neither published nor in the store; what is missing still.

    That is nothing, unless the ``time_limit`` (seconds) came first; the same call goes on. A run
    that another process is training in the same store is waited for, and taken over where it stops.

    ``lanes`` groups train at the same time, each of ``together`` replicas; None for what suits the
    device. ``finished`` is called with each group that is complete, from the lane that trained it;
    ``begin`` with what is left to train; ``cluster`` makes what trains it instead of this process.

    Raises ReproError where a mark cannot be drawn, memory is too small for a network, or data,
    store or cluster cannot be used; KeyboardInterrupt on Ctrl-C or SIGTERM. All trained is saved.
    """
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    stores = Store(published_path()), store
    for experiment, _ in wanted:
        store.tidy(experiment)
    wanted = missing(merged(wanted), stores)
    if not wanted:
        return []
    for experiment, _ in wanted:
        network.check(experiment)  # told before any training
    store.check_writable()
    if begin is not None:
        begin(remaining(wanted, store))
    executor = cluster() if cluster else _here(wanted)
    with _signals() as stop:

        def train(experiment: Experiment, replicas: Sequence[int]) -> bool:
            """Train a group; False where some of it has to be left to another process for now."""
            with contextlib.ExitStack() as stack:
                ours = [n for n in replicas if stack.enter_context(store.held(experiment, n))]
                for source, alike in _starts(experiment, ours, store):
                    how = store, source, stop, deadline, progress
                    if executor.train(experiment, alike, *how) < experiment.epochs:
                        return True
                if finished is not None and ours:
                    finished((experiment, ours))
                return len(ours) == len(replicas)

        queue = groups(wanted, lambda each: together or executor.together(each))
        _work_off(queue, lanes or executor.lanes, stop, deadline, train)
        if stop.is_set():
            raise KeyboardInterrupt
    return missing(wanted, stores)


def remaining(wanted: Wanted, store: Store) -> Left:
    """What is left to train of each run."""
    runs = [(experiment, n) for experiment, replicas in wanted for n in replicas]
    return [(each, each.epochs - _start(each, n, store)[1]) for each, n in runs]


def _here(wanted: Wanted) -> Executor:
    """This process. Raises ReproError where a dataset is not there."""
    from repro.training import backend, loop

    for experiment in {(each.dataset, each.split): each for each, _ in wanted}.values():
        loop.samples(experiment)
    return Executor(loop.train, backend.lanes(), lambda _: backend.replicas_together())


def _work_off(
    queue: Sequence[Group], lanes: int, stop: threading.Event, deadline: float,
    train: Callable[[Experiment, Sequence[int]], bool],
) -> None:  # fmt: skip
    """Train the groups in so many threads, until all are done or it is time to stop.

    What goes wrong in one of them is raised once the others have saved and stopped.
    """

    def work(group: Group) -> Future | None:
        if stop.is_set() or time.monotonic() >= deadline:
            return None
        try:
            if train(*group):
                return None
        except BaseException:
            stop.set()
            raise
        stop.wait(_LOOK_AGAIN_SECONDS)
        return pool.submit(work, group)

    with ThreadPoolExecutor(lanes, "lane") as pool:
        futures = [pool.submit(work, group) for group in queue]
        for future in futures:
            if (again := future.result()) is not None:
                futures.append(again)


def _start(experiment: Experiment, replica: int, store: Store) -> tuple[Store, int]:
    """From where a run goes on: the store with its longest checkpoint, and the epoch of that."""
    source, epoch = store, 0
    for place in (store, Store(published_path())):
        run = place.find(experiment, replica)
        if run is not None and run.continuable and run.epochs > epoch:
            source, epoch = place, run.epochs
    return source, epoch


def _starts(
    experiment: Experiment, replicas: Sequence[int], store: Store
) -> list[tuple[Store, list[int]]]:
    """From where to go on: replicas at the same epoch of the same store, which train together."""
    found: dict[tuple[int, str], tuple[Store, list[int]]] = {}
    # Another process may have trained some meanwhile.
    for _, left in missing([(experiment, replicas)], (store, Store(published_path()))):
        for replica in left:
            source, epoch = _start(experiment, replica, store)
            found.setdefault((epoch, str(source.path)), (source, []))[1].append(replica)
    return [found[key] for key in sorted(found)]


@contextlib.contextmanager
def _signals() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set the event instead of breaking off in the middle of an epoch."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # signals can only be handled in the main thread
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: event.set()) for number in numbers]
    try:
        yield event
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class Bar(tqdm):
    """A bar of epochs. Where a notebook draws it, papermill's terminal gets a line now and then.

    Its clock starts after the first epoch, which includes the compiling.
    """

    def __init__(
        self, experiment: Experiment, replicas: Sequence[int], epoch: int, progress: bool
    ) -> None:
        which = f"replica {replicas[0]}" if len(replicas) == 1 else f"{len(replicas)} replicas"
        mark = f" mark {experiment.mark}" if experiment.mark else ""
        super().__init__(
            desc=f"{experiment.dataset} N={experiment.width}{mark} {which}", unit="epoch",
            initial=epoch, total=experiment.epochs, disable=not progress, mininterval=1.0,
            leave=None,
        )  # fmt: skip
        self._began, self._next_line = epoch, time.monotonic() + _FIRST_SECONDS

    def update(self, n: float | None = 1) -> bool | None:
        if self.disable:
            return None
        if self.n > self._began:
            drawn = super().update(n)
        else:
            self.n = self.last_print_n = self.initial = self.n + n
            self.unpause()
            drawn = self.refresh()
        if time.monotonic() >= self._next_line and self.n > self.initial:
            self._next_line = time.monotonic() + _SECONDS
            seconds = (self._time() - self.start_t) / (self.n - self.initial)
            _to_terminal(
                f"{self.desc.removesuffix(': ')}: epoch {self.n} of {self.total}, {self.postfix}; "
                f"about {duration(seconds * (self.total - self.n))} left"
            )
        return drawn


def duration(seconds: float) -> str:
    """In whole minutes, or hours from two on."""
    number, unit = (seconds / 3600, "hour") if seconds >= 7200 else (seconds / 60, "minute")
    number = max(1, round(number))
    return f"{number} {unit}{'s' if number > 1 else ''}"


def tell(words: str) -> None:
    """A line on the error stream, and in the terminal behind a notebook."""
    print(words, file=sys.stderr, flush=True)
    _to_terminal(words)


def _to_terminal(words: str) -> None:
    """A line to the error stream that a notebook's kernel was started with; else none."""
    # A kernel puts what goes to `sys.stderr` into the notebook, and keeps the terminal's here.
    terminal = getattr(sys.stderr, "_original_stdstream_copy", None)
    if terminal is not None:
        os.write(terminal, f"\n{words}\n".encode())


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
