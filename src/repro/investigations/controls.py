"""Control runs: the baseline with one thing changed, and their outcomes.

A **control** changes the loss, the pixels or the learning rate, and nothing else; its **reference**
is the baseline of the same width. Which controls are wanted is written in the plan of runs alone.
The rule by which a control is held against its reference was written before any of the controls had
been trained to the reference's divergence:

- both diverge: the control *diverges too*.
- only the reference diverges, and the control has gone on for as long as a plateau must last beyond
  the reference's divergence epoch: the control *has not diverged*, or, where its loss ends as far
  above its minimum as a plateau must be (`repro.analysis.regimes`), it *is climbing*, which is no
  answer.
- the control diverges and the reference does not, in as many epochs: the control *diverges alone*.
- neither diverges, and both have gone on for the paper's thousand epochs: *neither diverges*, which
  tells nothing of what was changed.
- otherwise the runs are *too short to say*, or there is *nothing to compare with*.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper
from repro.analysis import evidence, regimes
from repro.analysis.captions import epochs_of
from repro.commands import train_command
from repro.experiment import Experiment
from repro.runs import existing_folder, stored
from repro.store.record import experiment_of
from repro.training.grid import read_plan
from repro.training.schedule import merged

CHANGES = ("loss", "pixels", "learning_rate")
"""What a control changes, one at a time."""

COLUMNS = (
    "width", "changed", "run", "replica", "epochs", "minimum", "minimum_at", "test_minimum", "end",
    "dead", "diverged", "outcome",
)  # fmt: skip


class Control(NamedTuple):
    """A run of a control, or of a reference (`changed` is empty), beside its reference.

    ``run`` and ``reference`` are single replicas of whatever length, None where there is none.
    """

    experiment: Experiment
    changed: str
    run: xr.Dataset | None
    reference: xr.Dataset | None


def every_run(
    dataset: str = paper.DATASET, store: str | os.PathLike | None = None
) -> list[xr.Dataset]:
    """Every run of a dataset, whatever its setting and length, each replica by itself.

    ``store`` is a folder of runs; None for the published results.

    Raises
    ------
    ReproError
        Where there is no such folder, or a file is damaged.
    """
    return evidence.in_order(run for _, run in stored(existing_folder(store), dataset))


def gather(
    plan: str | os.PathLike, runs: Sequence[xr.Dataset], dataset: str = paper.DATASET
) -> list[Control]:
    """The controls that a plan wants at the paper's length, with their runs, by width.

    Of a reference there is one run, the first of the longest. What has no run stands there without.

    Raises
    ------
    ReproError
        Where the plan cannot be read.
    """
    experiments = [one for one, _ in merged(read_plan(plan)) if one.dataset == dataset]
    experiments = [one for one in experiments if one.epochs >= paper.EPOCHS]
    by_digest: dict[str, list[xr.Dataset]] = {}
    for run in runs:
        by_digest.setdefault(experiment_of(run).digest, []).append(run)
    found = []
    for plain in sorted((one for one in experiments if not one.unusual), key=lambda one: one.width):
        alike = [one for one in experiments if one.width == plain.width and _changed(one)]
        if not alike:
            continue
        reference = max(by_digest.get(plain.digest, []), key=epochs_of, default=None)
        found.append(Control(plain, "", reference, reference))
        for one in alike:
            for run in by_digest.get(one.digest, [None]):
                found.append(Control(one, _changed(one), run, reference))
    return found


def outcome(run: xr.Dataset, against: xr.Dataset | None) -> str:
    """The outcome of a control's run beside its reference, by this module's rule."""
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


def table(controls: Sequence[Control]) -> pd.DataFrame:
    """A row a run: its minimum, its end, and its outcome beside the reference.

    Returns
    -------
    `COLUMNS`: ``run`` is its `label`; ``minimum`` and ``end`` are training losses and
    ``test_minimum`` a test loss, in nats; ``dead`` is the share at the end; ``diverged`` is NaN
    where not by the end; ``outcome`` is empty for a reference.
    """
    rows = []
    for experiment, changed, run, reference in controls:
        if run is None:
            continue
        one = run.isel(replica=0)
        train, lowest, diverged = (
            one["train_loss"],
            regimes.minimum(one["train_loss"]),
            divergence(run),
        )
        rows.append((
            experiment.width, changed, label(experiment), int(one["replica"]), epochs_of(run),
            lowest.value, lowest.epoch, regimes.minimum(one["test_loss"]).value, float(train[-1]),
            float(one["dead_fraction"][-1]), np.nan if diverged is None else diverged,
            outcome(run, reference) if changed else "",
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def curves(controls: Sequence[Control]) -> pd.DataFrame:
    """The training loss of the runs of `table`, a row an epoch."""
    parts = [
        run["train_loss"][0, 1:].to_dataframe().reset_index().assign(
            width=experiment.width, changed=changed, run=label(experiment)
        )
        for experiment, changed, run, _ in controls
        if run is not None
    ]  # fmt: skip
    names = ["width", "changed", "run", "replica", "epoch", "train_loss"]
    return pd.concat(parts)[names] if parts else pd.DataFrame(columns=names)


def missing(controls: Sequence[Control]) -> list[str]:
    """The commands that train what has no run of full length."""
    short = [one for one in controls if one.run is None or epochs_of(one.run) < paper.EPOCHS]
    return list(dict.fromkeys(train_command(one.experiment) for one in short))


def label(experiment: Experiment) -> str:
    """What is changed of the baseline, such as ``exact loss``; ``baseline`` where nothing is."""
    words = {
        "loss": "exact loss", "pixels": "inverted pixels",
        "learning_rate": f"learning rate {experiment.learning_rate:g}",
    }  # fmt: skip
    changed = (words.get(name, f"{name} {value}") for name, value in experiment.unusual.items())
    return ", ".join(changed) or "baseline"


def _changed(experiment: Experiment) -> str:
    """Which one of CHANGES an experiment changes; empty where none, or something else too."""
    unusual = list(experiment.unusual)
    return unusual[0] if len(unusual) == 1 and unusual[0] in CHANGES else ""
