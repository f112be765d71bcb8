"""Runs of one experiment: the published ones, and those of a folder beside them."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from repro.errors import ReproError
from repro.experiment import Experiment
from repro.places import published_path
from repro.store.store import Store


def folder(store: str | os.PathLike) -> Store:
    """The store in a folder that must exist.

    Raises
    ------
    ReproError
        Where it does not.
    """
    if not Path(store).expanduser().is_dir():
        raise ReproError(f"There is no folder {store}: name one that `repro train` has filled.")
    return Store(store)


def found(experiment: Experiment, store: str | os.PathLike | None = None) -> list[xr.Dataset]:
    """Every replica of an experiment by itself, whatever its length, the longest of each.

    Parameters
    ----------
    experiment:
        Its epochs do not count.
    store:
        A folder of runs to look into beside the published results.

    Raises
    ------
    ReproError
        Where there is no such folder, or a file is damaged.
    """
    longest: dict[int, tuple] = {}
    for place in (Store(published_path()), *([folder(store)] if store is not None else [])):
        for number in place.replicas(experiment):
            run = place.find(experiment, number)
            if run and (number not in longest or run.epochs > longest[number][1].epochs):
                longest[number] = place, run
    return [place.load(run) for place, run in (longest[number] for number in sorted(longest))]
