"""Runs of one experiment: the published ones, and those of a folder beside them."""

from __future__ import annotations

import os

import xarray as xr

from repro.experiment import Experiment
from repro.runs import existing_folder


def found(experiment: Experiment, store: str | os.PathLike | None = None) -> list[xr.Dataset]:
    """Every replica of an experiment by itself, the longest there is of each.

    Looks into the published results and, beside them, into the folder ``store``, if any.

    Raises
    ------
    ReproError
        Where there is no such folder, or a file is damaged.
    """
    longest: dict[int, tuple] = {}
    for place in (existing_folder(None), existing_folder(store)):
        for number in place.replicas(experiment):
            run = place.find(experiment, number)
            if run and (number not in longest or run.epochs > longest[number][1].epochs):
                longest[number] = place, run
    return [place.load(run) for place, run in (longest[number] for number in sorted(longest))]
