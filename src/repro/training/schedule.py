"""From what is wanted to what is trained: what is missing, in which order, what at the same time.

Groups of replicas train one after another in lanes. On a CPU a lane is a core and a group one
replica; on an accelerator there is one lane, and a group is as many replicas as fill it. Everyone's
first replica comes before anyone's second, so that whole figures appear early.
"""

import collections
import contextlib
import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from repro.experiment import Experiment
from repro.model import network
from repro.places import published_path
from repro.store.run_file import Run
from repro.store.store import Store

Group = tuple[Experiment, Sequence[int]]
"""An experiment, and replicas of it."""
Wanted = Sequence[Group]

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


def groups(wanted: Wanted, together: int) -> list[Group]:
    """What is wanted in groups of at most ``together`` replicas, in the order of their training."""
    by_experiment = (
        [(each, replicas[start : start + together]) for start in range(0, len(replicas), together)]
        for each, replicas in wanted
    )
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
    begin: Callable[[Wanted], None] | None = None,
) -> Wanted:
    """Train what is wanted and neither published nor in the store; what is missing still.

    That is nothing, unless the time limit came first. A run that another process is training in
    the same store is waited for, and what that process leaves undone is taken over.

    ``time_limit`` is in seconds, after which it stops at the end of an epoch, saved; the same call
    goes on from there. ``lanes`` groups train at the same time, each of ``together`` replicas; None
    for what suits the device. ``finished`` is called with each group that is complete, from the
    lane that trained it; ``begin`` with what is going to be trained, once that is known to be
    possible.

    Raises ReproError where a mark cannot be drawn, memory is too small for a network, or data or
    store cannot be used; KeyboardInterrupt on Ctrl-C or SIGTERM. What was trained is saved.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
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
        begin(wanted)
    from repro.training import backend, samples

    for experiment in {(each.dataset, each.split): each for each, _ in wanted}.values():
        samples.of(experiment)  # so is a dataset that is not there
    queue = collections.deque(groups(wanted, together or backend.replicas_together()))
    with _signals() as stop:
        work = _Lanes(store, stop, deadline, progress, finished, queue)
        work.work_off(lanes or backend.lanes())
        if stop.is_set():
            raise KeyboardInterrupt
    return missing(wanted, stores)


@dataclass
class _Lanes:
    """Threads that work off a queue of groups, each in a program of its own."""

    store: Store
    stop: threading.Event
    deadline: float | None
    progress: bool
    finished: Callable[[Group], None] | None
    queue: collections.deque[Group]

    def work_off(self, lanes: int) -> None:
        """Train the groups, until all are done or it is time to stop.

        What goes wrong in one lane is raised once the others have saved and stopped.
        """
        lanes = min(lanes, len(self.queue))
        with ThreadPoolExecutor(lanes, "lane") as pool:
            futures = [pool.submit(self._lane, line) for line in range(lanes)]
        for future in futures:
            future.result()

    def _lane(self, line: int) -> None:
        try:
            while not self.stop.is_set() and time.monotonic() < (self.deadline or math.inf):
                try:
                    group = self.queue.popleft()
                except IndexError:
                    return
                if not self._train(*group, line):
                    self.queue.append(group)
                    self.stop.wait(_LOOK_AGAIN_SECONDS)
        except BaseException:
            self.stop.set()
            raise

    def _train(self, experiment: Experiment, replicas: Sequence[int], line: int) -> bool:
        """Train a group; False where some of it has to be left to another process for now."""
        from repro.training.loop import train

        with contextlib.ExitStack() as stack:
            ours = [n for n in replicas if stack.enter_context(self.store.held(experiment, n))]
            for source, alike in _starts(experiment, ours, self.store):
                how = self.stop, self.deadline, self.progress, line
                if train(experiment, alike, self.store, source, *how) < experiment.epochs:
                    return True
            if self.finished is not None and ours:
                self.finished((experiment, ours))
            return len(ours) == len(replicas)


def _starts(
    experiment: Experiment, replicas: Sequence[int], store: Store
) -> list[tuple[Store, list[int]]]:
    """From where to go on: replicas at the same epoch of the same store, which train together."""
    places = (store, Store(published_path()))
    found: dict[tuple[int, str], tuple[Store, list[int]]] = {}
    for replica in replicas:
        if long_enough(experiment, replica, places) is not None:
            continue  # another process has trained it meanwhile
        source, epoch = store, 0
        for place in places:
            run = place.find(experiment, replica)
            if run is not None and run.continuable and run.epochs > epoch:
                source, epoch = place, run.epochs
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
