"""Runs by experiment: from the published results, from the user's store, or trained."""

import functools
import glob
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import xarray as xr

from repro.data import datasets
from repro.errors import ReproError
from repro.experiment import Experiment, replica_numbers
from repro.places import published_path
from repro.store import run_file
from repro.store.record import cut, joined
from repro.store.run_file import Run
from repro.store.store import Store
from repro.training import schedule
from repro.training.grid import train_command
from repro.training.schedule import Left

FIRST_LOOK_EPOCHS = 20  # of a width that is not published, unless more are asked for: minutes

Loaded = tuple[Run, xr.Dataset]

_FOLDER = re.compile(r"-N(\d+)(?:-mark[0-9a-f]+)?-[0-9a-f]{16}")  # the end of `Experiment.name`


def run(
    experiment: Experiment,
    replicas: int | Sequence[int] = 1,
    store: str | os.PathLike | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """The experiment's first replicas, or those whose numbers are given, trained where missing.

    Each replica comes from the published results, or from the ``store`` (by default REPRO_STORE,
    else a folder of the platform's); what neither has for as many epochs is trained, from the
    store's or the published checkpoint where there is one. ``progress`` tells of it on the error
    stream.

    Returns the variables of SPEC section 6, cut to the experiment's epochs. Raises ReproError where
    data or store cannot be used.
    """
    own, numbers = Store(store), replica_numbers(replicas)
    begin = announce if progress else None
    schedule.train_missing([(experiment, numbers)], own, progress=progress, begin=begin)
    return _together(experiment, numbers, (Store(published_path()), own))


def published(experiment: Experiment) -> xr.Dataset:
    """Every published replica of the experiment with at least its epochs, cut to them.

    Raises ReproError where there is none; the message says what there is and how to train it.
    """
    store = Store(published_path())
    there = _replicas(store, experiment)
    numbers = [one.replica for one, _ in there if one.epochs >= experiment.epochs]
    if numbers:
        return _together(experiment, numbers, (store,))
    have = f"only {max(one.epochs for one, _ in there)} epochs" if there else "nothing"
    raise ReproError(
        f"Of {experiment.name} with {experiment.epochs} epochs {have} is published in "
        f"{store.path}; ask for fewer epochs, or train it with `{train_command(experiment)}` and "
        "use repro.run."
    )


def published_runs() -> list[Run]:
    """Every published run: its experiment (with the epochs it got), replica and file."""
    return list(Store(published_path()).runs())


def by_width(
    dataset: str,
    widths: Sequence[int] | None = None,
    epochs: int | None = None,
    replicas: int | None = None,
    store: str | os.PathLike | None = None,
    **options: object,
) -> dict[int, xr.Dataset]:
    """Runs by width, from narrow to wide, as the notebooks ask for them.

    Parameters
    ----------
    widths:
        Those wanted, trained where they are missing; None for all there are, and then nothing is
        trained, whatever else is asked for.
    epochs:
        How long; None for as long as each is published, and `FIRST_LOOK_EPOCHS` where it is not.
    replicas:
        How many; None for all that are published, and one where none is.
    store:
        Where trained runs are kept. Without ``widths``, a folder to read instead of the published
        results; where none is named and nothing is published, the user's own store is read.
    options:
        Further parameters of `Experiment`: loss, pixels, mark, ...

    Raises ReproError where ``widths`` is None and there is no run, and where `run` raises it.
    """
    dataset = datasets.identified(dataset)  # a file is read once, not for every width
    numbers = None if replicas is None else replica_numbers(replicas)
    if widths is None:
        place, there = _existing(dataset, store, options)
        places: tuple[Store, ...] = (place,)
    else:
        place = Store(published_path())
        there = {n: _replicas(place, Experiment(dataset, n, 1, **options)) for n in widths}
        places = (place, Store(store))
    wanted = []
    for width, runs in sorted(there.items()):
        longest = max((run.epochs for run, _ in runs), default=FIRST_LOOK_EPOCHS)
        length = min(epochs or longest, longest) if widths is None else epochs or longest
        chosen = [run.replica for run, _ in runs if run.epochs >= length] or [0]
        if numbers is not None:
            chosen = chosen[: len(numbers)] if widths is None else numbers
        wanted.append((Experiment(dataset, width, length, **options), chosen))
    if widths is not None:
        schedule.train_missing(wanted, places[-1], begin=announce)
    return {each.width: _together(each, those, places) for each, those in wanted}


def stored(store: Store, dataset: str | None = None) -> Iterator[Loaded]:
    """Every run of a store, or of one dataset there, by name; a file is read once a process."""
    folders = "*" if dataset is None else f"{glob.escape(dataset)}-N*"
    for path in sorted(store.path.glob(f"{folders}/replica-*.nc")):
        yield _loaded(store, path)


def existing_folder(store: str | os.PathLike | None) -> Store:
    """The store of that folder, which must be there; the published results for None."""
    place = Store(published_path() if store is None else store)
    if store is not None and not place.path.is_dir():
        raise ReproError(f"There is no folder {store}: name one that `repro train` has filled.")
    return place


def announce(left: Left) -> None:
    """Say what is going to be trained, and for about how long, where runs like it are published."""
    widths, names = ({getattr(each, name) for each, _ in left} for name in ("width", "dataset"))
    shown = [*map(str, sorted(widths)[:8]), *(["..."] if len(widths) > 8 else [])]
    words = (
        f"Training {len(left)} run{'s' if len(left) > 1 else ''}, "
        f"{sum(epochs for _, epochs in left)} epochs in all "
        f"({', '.join(sorted(names))}, N = {', '.join(shown)}): "
    )
    seconds = sum(map(seconds_of, left))
    if not math.isnan(seconds):
        took = schedule.duration(seconds / min(len(left), schedule.cores()))
        words += f"about {took} on a processor such as we had."
    else:
        words += "no run like it is published, the first epochs will show how long it takes."
    schedule.tell(words)


def seconds_of(one: tuple[Experiment, int]) -> float:
    """What so many epochs take; NaN where no run of the dataset is published.

    By the fastest run of those nearest in width; as the square of the width where it is larger.
    """
    experiment, epochs = one
    if not (timed := _timed(experiment.dataset, published_path())):
        return math.nan
    nearest, seconds = min(timed, key=lambda each: (abs(each[0] - experiment.width), each[1]))
    return epochs * seconds * max(1.0, experiment.width / nearest) ** 2


@functools.cache
def _timed(dataset: str, published: Path) -> list[tuple[int, float]]:
    """Widths of published runs that had a core for themselves, and their seconds per epoch."""
    return [
        (one.experiment.width, float(one.made["wall_seconds"]) / one.epochs)
        for one, _ in stored(Store(published), dataset)
        if str(one.made.get("device", "")).startswith("CPU") and one.made["trained_together"] == 1
    ]


def _existing(
    dataset: str, store: str | os.PathLike | None, options: dict[str, object]
) -> tuple[Store, dict[int, list[Loaded]]]:
    """The store with runs of the dataset and the options, and those runs by width."""
    for place in (existing_folder(store), *([Store()] if store is None else [])):
        names = [path.name for path in place.path.glob(f"{glob.escape(dataset)}-N*")]
        widths = {int(end[1]) for name in names if (end := _FOLDER.search(name))}
        runs = {n: _replicas(place, Experiment(dataset, n, 1, **options)) for n in widths}
        if found := {width: there for width, there in runs.items() if there}:
            return place, found
    where = f"these parameters is {'published' if store is None else f'in {store}'}"
    raise ReproError(f"No run of {dataset} with {where}; name the widths to train.")


def _together(
    experiment: Experiment, numbers: Sequence[int], stores: Sequence[Store]
) -> xr.Dataset:
    """The replicas as one dataset, each from the first store that has the experiment's epochs."""
    found = []
    for number in numbers:
        place, one = schedule.long_enough(experiment, number, stores)
        found.append(cut(_loaded(place, one.path)[1], experiment.epochs))
    return joined(found)


def _replicas(store: Store, experiment: Experiment) -> list[Loaded]:
    """What a store has of an experiment, however long."""
    paths = (store.file(experiment, number) for number in store.replicas(experiment))
    return [_loaded(store, path) for path in paths]


def _loaded(store: Store, path: Path) -> Loaded:
    """A run of the store; a dataset of its own around arrays that are shared."""
    try:
        status = path.stat()
    except OSError:
        run_file.read(path)  # which says what is wrong
        raise
    found, dataset = _read(path, status.st_ino, status.st_mtime_ns, status.st_size)
    return store.checked(found), dataset.copy()


@functools.lru_cache(maxsize=2048)
def _read(path: Path, *_: int) -> Loaded:
    """A file's run and results; the numbers are those that change where the file is another."""
    found, dataset = run_file.read(path)
    for variable in dataset.variables.values():  # shared by all who ask for it
        variable.values.setflags(write=False)
    return found, dataset
