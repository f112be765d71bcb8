"""Control runs: the paper's networks with one thing changed, and what became of them.

A **control** changes the loss, the pixels or the learning rate, and nothing else; its **reference**
is the paper's own setting at the same width. Which controls are wanted is written in the plan of
runs alone. The rule by which a control is held against its reference was written before any of the
controls had been trained to the reference's divergence:

- both diverge: the control *diverges too*; the two divergence epochs are told.
- only the reference diverges, and the control has gone on for as long as a plateau must last beyond
  the reference's divergence epoch: the control *has not diverged*, or, where its loss ends as far
  above its minimum as a plateau must be (`repro.analysis.regimes`), it *is climbing*, which is no answer.
- the control diverges and the reference does not, in as many epochs: the control *diverges alone*.
- neither diverges, and both have gone on for the paper's thousand epochs: *neither diverges*, which
  tells nothing of what was changed.
- otherwise the runs are *too short to say*, or there is nothing to compare with.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper
from repro.analysis import evidence, regimes
from repro.analysis.captions import LOSS_NAMES, dataset_name, epochs_of, setting, width_of
from repro.book.status import otherwise
from repro.commands import train_command
from repro.experiment import Experiment
from repro.places import published_path
from repro.store.record import experiment_of
from repro.store.store import Store
from repro.training.grid import read_plan
from repro.training.schedule import merged

CHANGES = ("loss", "pixels", "learning_rate")
"""What a control changes, one at a time."""

OUTCOMES = (
    "width", "run", "epochs", "lowest train loss", "at epoch", "lowest test loss",
    "train loss at the end", "dead at the end", "relative deviation at the end",
    "diverged at epoch", "beside the reference",
)  # fmt: skip
"""Columns of `outcome_table`."""


@dataclass(frozen=True)
class Control:
    """One experiment that is wanted, and its runs.

    Attributes
    ----------
    experiment:
        As the plan has it.
    changed:
        Which of CHANGES differs from the paper; None for a reference.
    runs:
        Single replicas, whatever their length. Those of a reference include networks with a letter
        in their weights.
    """

    experiment: Experiment
    changed: str | None
    runs: tuple[xr.Dataset, ...] = ()

    @property
    def width(self) -> int:
        """Units in each hidden layer."""
        return self.experiment.width


def wanted(plan: str | os.PathLike) -> list[Control]:
    """The controls of a plan that have the paper's length, each width's reference first; no runs.

    Raises
    ------
    ReproError
        Where the plan cannot be read.
    """
    # Those that the plan wants shorter are for another page.
    experiments = [each for each, _ in merged(read_plan(plan)) if each.epochs >= paper.EPOCHS]
    changed = [(each, change) for each in experiments if (change := _changed(each))]
    places = {(each.dataset, each.width) for each, _ in changed}
    references = [
        each for each in experiments if not each.unusual and (each.dataset, each.width) in places
    ]
    ordered = [*((each, None) for each in references), *changed]
    return [Control(*one) for one in sorted(ordered, key=lambda one: one[0].width)]


def every_run(
    store: str | os.PathLike | None = None, controls: Sequence[Control] | None = None
) -> list[xr.Dataset]:
    """Every run of a folder, whatever its setting and length, each replica by itself.

    Parameters
    ----------
    store:
        A folder of runs; None for the published results.
    controls:
        Those whose runs are wanted; None for every run.
    """
    place = Store(published_path() if store is None else store)
    wanted = (
        run
        for run in place.runs()
        if controls is None or any(_is_of(run.experiment, control) for control in controls)
    )
    return evidence.in_order(map(place.load, wanted))


def gather(controls: Sequence[Control], runs: Sequence[xr.Dataset]) -> list[Control]:
    """The same, with those of the runs that each has."""

    experiments = [experiment_of(run) for run in runs]

    def mine(control: Control) -> tuple[xr.Dataset, ...]:
        pairs = zip(runs, experiments, strict=True)
        return tuple(run for run, experiment in pairs if _is_of(experiment, control))

    return [replace(control, runs=mine(control)) for control in controls]


def _is_of(experiment: Experiment, control: Control) -> bool:
    """Whether a run of it is one of the control's; a reference may have a mark."""
    if experiment.width != control.experiment.width:
        return False  # the answer in most cases, in a thousandth of a digest's time
    if control.changed is None:
        experiment = replace(experiment, mark=None)
    return experiment.digest == control.experiment.digest


def missing(controls: Sequence[Control]) -> pd.DataFrame:
    """The controls without an unmarked run of full length, and the commands that train them.

    Returns
    -------
    Columns ``dataset``, ``width``, ``otherwise``, ``epochs`` wanted, ``there`` (of the longest
    run) and ``command``.
    """
    rows = []
    for control in controls:
        experiment = control.experiment
        plain = [run for run in control.runs if setting(run, "mark") is None]
        there = max(map(epochs_of, plain), default=0)
        if there < experiment.epochs:
            rows.append(
                {
                    "dataset": dataset_name(experiment.dataset),
                    "width": experiment.width,
                    "otherwise": otherwise(experiment) or "as in the paper",
                    "epochs": experiment.epochs,
                    "there": there,
                    "command": train_command(experiment),
                }
            )
    columns = ["dataset", "width", "otherwise", "epochs", "there", "command"]
    return pd.DataFrame(rows, columns=columns)


def reference(control: Control, controls: Sequence[Control]) -> xr.Dataset | None:
    """The run that a control's runs are held against: unmarked and long where there is a choice."""
    runs = [
        run
        for other in controls
        if other.changed is None
        and (other.experiment.dataset, other.width) == (control.experiment.dataset, control.width)
        for run in other.runs
    ]
    return min(
        runs, key=lambda run: (setting(run, "mark") is not None, -epochs_of(run)), default=None
    )


def outcome(run: xr.Dataset, against: xr.Dataset | None) -> str:
    """What became of a control's run beside its reference, by this module's rule."""
    if against is None:
        return "nothing to compare with"
    mine, theirs = divergence(run), divergence(against)
    if mine is not None and theirs is not None:
        return "diverges too"
    if mine is not None:
        longer = epochs_of(against) >= mine + regimes.PLATEAU_EPOCHS
        return "diverges alone" if longer else "too short to say"
    if theirs is None:
        answer, long = "neither diverges", min(map(epochs_of, (run, against))) >= paper.EPOCHS
    else:
        answer, long = "has not diverged", epochs_of(run) >= theirs + regimes.PLATEAU_EPOCHS
    if not long:
        return "too short to say"
    climbing = regimes.ends_far_above_minimum(run["train_loss"].isel(replica=0))
    return "is climbing" if climbing else answer


def divergence(run: xr.Dataset) -> int | None:
    """The divergence epoch of a single run, None where it has none."""
    return regimes.divergence_epoch(run["train_loss"].isel(replica=0))


def name_of(run: xr.Dataset) -> str:
    """What a run is called beside others of its width: ``exact loss, 600 epochs``."""
    words = [f"N = {width_of(run)}", value_of(run)]
    if mark := setting(run, "mark"):
        words.append(f"marked “{mark}”")
    if number := int(run["replica"].item()):
        words.append(f"replica {number}")
    return ", ".join([*words, f"{epochs_of(run)} epochs"])


def value_of(run: xr.Dataset) -> str:
    """What a run changes, in words; ``as in the paper`` where nothing."""
    experiment = Experiment("hasyv2", 1, 1)
    words = {
        "loss": LOSS_NAMES.get(str(setting(run, "loss")), ""),
        "pixels": f"{setting(run, 'pixels')} pixels",
        "learning_rate": f"learning rate {setting(run, 'learning_rate'):g}",
    }
    told = [words[name] for name in CHANGES if setting(run, name) != getattr(experiment, name)]
    return ", ".join(told) or "as in the paper"


def outcome_table(controls: Sequence[Control]) -> pd.DataFrame:
    """A run a row: its lowest loss, how it ends, and what that says beside its reference."""
    rows = []
    for control in controls:
        for run in control.runs:
            one = run.isel(replica=0)
            loss = one["train_loss"].to_numpy().astype(float)
            diverged = divergence(run)
            against = reference(control, controls)
            lowest = regimes.minimum(loss)
            relative = one["relative_deviation"].sel(layer=evidence.LAYER)
            values = (
                control.width,
                _short_name(run),
                epochs_of(run),
                lowest.value,
                lowest.epoch,
                regimes.minimum(one["test_loss"]).value,
                loss[-1],
                float(one["dead_fraction"][-1]),
                float(relative[-1]),
                np.nan if diverged is None else float(diverged),
                "" if control.changed is None else outcome(run, against),
            )
            rows.append(dict(zip(OUTCOMES, values, strict=True)))
    return pd.DataFrame(rows, columns=list(OUTCOMES))


def _changed(experiment: Experiment) -> str | None:
    """Which one of CHANGES an experiment changes; None where it is none or something else too."""
    unusual = list(experiment.unusual)
    return unusual[0] if len(unusual) == 1 and unusual[0] in CHANGES else None


def _short_name(run: xr.Dataset) -> str:
    return ", ".join(name_of(run).split(", ")[1:-1])
