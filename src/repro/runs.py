"""Runs by experiment: from the published results, from the user's store, or trained."""

import os
from collections.abc import Sequence

import xarray as xr

from repro.commands import train_command
from repro.data import datasets
from repro.errors import ReproError
from repro.experiment import Experiment, replica_numbers
from repro.places import published_path
from repro.store.record import cut, joined
from repro.store.run_file import Run
from repro.store.store import Store
from repro.training import schedule

FIRST_LOOK_EPOCHS = 20  # of a width that is not published, unless more are asked for: minutes


def run(
    experiment: Experiment,
    replicas: int | Sequence[int] = 1,
    store: str | os.PathLike | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """The experiment's first replicas, trained as far as is missing.

    Each replica comes from the published results, or from the store; what neither has for as many
    epochs is trained, from the store's or the published checkpoint where there is one.

    Parameters
    ----------
    replicas:
        How many (0, 1, ...), or the numbers of those wanted.
    store:
        Folder of the user's own runs; by default REPRO_STORE, else a folder of the platform's.

    Returns
    -------
    xarray.Dataset
        The variables of SPEC section 6, cut to the experiment's epochs.

    Raises
    ------
    ReproError
        Where data or store cannot be used.
    """
    numbers = replica_numbers(replicas)
    own = Store(store)
    schedule.train_missing([(experiment, numbers)], own, progress=progress)
    stores = (Store(published_path()), own)
    found = [schedule.long_enough(experiment, number, stores) for number in numbers]
    return joined([cut(place.load(one), experiment.epochs) for place, one in found])


def published(experiment: Experiment) -> xr.Dataset:
    """Every published replica of the experiment with at least its epochs, cut to them.

    Raises
    ------
    ReproError
        Where there is none; the message says what there is and how to train it.
    """
    store = Store(published_path())
    found = [
        one
        for number in store.replicas(experiment)
        if (one := store.find(experiment, number)) and one.epochs >= experiment.epochs
    ]
    if not found:
        raise ReproError(_nothing_published(store, experiment))
    return joined([cut(store.load(one), experiment.epochs) for one in found])


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
    """Runs of several widths, as the notebooks ask for them.

    Parameters
    ----------
    dataset:
        As in `Experiment`: a name, or the path of an .npz file.
    widths:
        Those wanted; None for every published one, and then nothing is trained.
    epochs:
        How long; None for as long as each is published, and `FIRST_LOOK_EPOCHS` where it is not.
    replicas:
        How many; None for all that are published, and one where none is.
    options:
        Further parameters of `Experiment`: loss, pixels, mark, ...

    Returns
    -------
    dict
        Datasets by width, from narrow to wide. Those of different lengths stay so.

    Raises
    ------
    ReproError
        Where ``widths`` is None and nothing is published, and where `run` raises it.
    """
    dataset = datasets.identified(dataset)  # a file is read once, not for every width
    runs = [one for one in published_runs() if _is_of(one.experiment, dataset, options)]
    if widths is None and not runs:
        raise ReproError(
            f"No run of {dataset} with these parameters is published; name the widths to train."
        )
    found = {}
    for width in sorted(set(widths or (one.experiment.width for one in runs))):
        lengths = [one.epochs for one in runs if one.experiment.width == width]
        length = epochs or max(lengths, default=FIRST_LOOK_EPOCHS)
        experiment = Experiment(dataset, width, length, **options)
        if replicas is None and max(lengths, default=0) >= length:
            found[width] = published(experiment)
        else:
            found[width] = run(experiment, replicas or 1, store)
    return found


def _is_of(experiment: Experiment, dataset: str, options: dict[str, object]) -> bool:
    if experiment.dataset != dataset:
        return False
    return Experiment(dataset, experiment.width, 1, **options).digest == experiment.digest


def _nothing_published(store: Store, experiment: Experiment) -> str:
    lengths = [
        one.epochs
        for number in store.replicas(experiment)
        if (one := store.find(experiment, number)) is not None
    ]
    have = f"only {max(lengths)} epochs" if lengths else "nothing"
    return (
        f"Of {experiment.name} with {experiment.epochs} epochs {have} is published in "
        f"{store.path}; ask for fewer epochs, or train it with `{train_command(experiment)}` and "
        "use repro.run."
    )
