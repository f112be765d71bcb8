"""Runs of one experiment: the published ones, and those of a folder beside them."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from repro.errors import ReproError
from repro.experiment import Experiment
from repro.places import published_path
from repro.store.store import Store


def folder(store: str | os.PathLike | None = None) -> Store:
    """The runs of a folder, which must exist; None for the published results.

    Raises
    ------
    ReproError
        Where the folder does not exist.
    """
    if store is not None and not Path(store).expanduser().is_dir():
        raise ReproError(f"There is no folder {store}: name one that `repro train` has filled.")
    return Store(published_path() if store is None else store)


def found(experiment: Experiment, store: str | os.PathLike | None = None) -> list[xr.Dataset]:
    """Every replica of an experiment by itself, the longest there is of each.

    Looks into the published results and, beside them, into the folder ``store``, if any.

    Raises
    ------
    ReproError
        Where there is no such folder, or a file is damaged.
    """
    longest: dict[int, tuple] = {}
    for place in (folder(), folder(store)):
        for number in place.replicas(experiment):
            run = place.find(experiment, number)
            if run and (number not in longest or run.epochs > longest[number][1].epochs):
                longest[number] = place, run
    return [place.load(run) for place, run in (longest[number] for number in sorted(longest))]
