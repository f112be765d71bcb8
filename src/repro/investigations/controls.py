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
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from repro import paper
from repro.analysis import evidence, regimes
from repro.analysis.captions import epochs_of
from repro.commands import train_command
from repro.experiment import Experiment
from repro.investigations.found import folder
from repro.model.network import JUDGED_LAYER
from repro.places import published_path
from repro.store.record import experiment_of
from repro.store.store import Store
from repro.training.grid import read_plan
from repro.training.schedule import merged

CHANGES = ("loss", "pixels", "learning_rate")
"""What a control changes, one at a time."""

CURVES = ("train_loss", "dead_fraction")


@dataclass(frozen=True)
class Control:
    """One experiment that is wanted, and its runs.

    Attributes
    ----------
    experiment:
        As the plan has it.
    changed:
        Which of CHANGES differs from the baseline; None for a reference.
    runs:
        Single replicas, whatever their length.
    """

    experiment: Experiment
    changed: str | None
    runs: tuple[xr.Dataset, ...] = ()


def wanted(plan: str | os.PathLike, dataset: str = paper.DATASET) -> list[Control]:
    """The controls of a plan that have the paper's length, each width's reference first; no runs.

    Raises
    ------
    ReproError
        Where the plan cannot be read.
    """
    # Those that the plan wants shorter are for another page.
    experiments = [
        each
        for each, _ in merged(read_plan(plan))
        if each.epochs >= paper.EPOCHS and each.dataset == dataset
    ]
    changed = [(each, change) for each in experiments if (change := _changed(each))]
    widths = {each.width for each, _ in changed}
    references = [(each, None) for each in experiments if not each.unusual and each.width in widths]
    ordered = sorted([*references, *changed], key=lambda one: one[0].width)
    return [Control(*one) for one in ordered]


def every_run(
    dataset: str = paper.DATASET, store: str | os.PathLike | None = None
) -> list[xr.Dataset]:
    """Every run of a dataset, whatever its setting and length, each replica by itself.

    Parameters
    ----------
    dataset:
        Its name.
    store:
        A folder of runs; None for the published results.

    Raises
    ------
    ReproError
        Where there is no such folder, or a file is damaged.
    """
    place = Store(published_path()) if store is None else folder(store)
    runs = (run for run in place.runs() if run.experiment.dataset == dataset)
    return evidence.in_order(map(place.load, runs))


def gather(controls: Sequence[Control], runs: Sequence[xr.Dataset]) -> list[Control]:
    """The same controls, with those of the runs that each has."""
    by_digest: dict[str, list[xr.Dataset]] = {}
    for run in runs:
        by_digest.setdefault(experiment_of(run).digest, []).append(run)
    return [
        replace(control, runs=tuple(by_digest.get(control.experiment.digest, ())))
        for control in controls
    ]


def reference(control: Control, controls: Sequence[Control]) -> xr.Dataset | None:
    """The run that a control's are held against: the first of the longest of its width."""
    width = control.experiment.width
    alike = [one for one in controls if one.changed is None and one.experiment.width == width]
    return max((run for one in alike for run in one.runs), key=epochs_of, default=None)


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
    """The reference of every width and the controls' runs.

    Returns
    -------
    A row a run: ``width``, ``changed`` (empty for a reference), ``run``, ``replica``, ``epochs``;
    ``minimum`` and ``end`` of the training loss and ``test_minimum``, in nats; ``minimum_at`` and
    ``diverged`` (NaN: not by the end); at the end the share ``dead`` and the hidden-to-hidden
    ``deviation``; ``outcome`` beside the reference.
    """
    rows = []
    for control, run in _drawn(controls):
        one = run.isel(replica=0)
        lowest, diverged = regimes.minimum(one["train_loss"]), divergence(run)
        deviation = one["relative_deviation"].sel(layer=JUDGED_LAYER)[-1]
        rows.append(
            {
                "width": control.experiment.width, "changed": control.changed or "",
                "run": label(control.experiment), "replica": int(one["replica"]),
                "epochs": epochs_of(run), "minimum": lowest.value, "minimum_at": lowest.epoch,
                "test_minimum": regimes.minimum(one["test_loss"]).value,
                "end": float(one["train_loss"][-1]), "dead": float(one["dead_fraction"][-1]),
                "deviation": float(deviation), "diverged": np.nan if diverged is None else diverged,
                "outcome": outcome(run, reference(control, controls)) if control.changed else "",
            }
        )  # fmt: skip
    names = [
        "width", "changed", "run", "replica", "epochs", "minimum", "minimum_at", "test_minimum",
        "end", "dead", "deviation", "diverged", "outcome",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def curves(controls: Sequence[Control]) -> pd.DataFrame:
    """The runs of `table`, epoch by epoch: ``width``, ``changed``, ``run``, ``epoch``, `CURVES`."""
    parts = [
        pd.DataFrame(
            {
                "width": control.experiment.width, "changed": control.changed or "",
                "run": label(control.experiment), "replica": int(run["replica"].item()),
                "epoch": run["epoch"][1:], **{name: run[name][0, 1:] for name in CURVES},
            }
        )
        for control, run in _drawn(controls)
    ]  # fmt: skip
    names = ["width", "changed", "run", "replica", "epoch", *CURVES]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def missing(controls: Sequence[Control]) -> list[str]:
    """The commands that train the controls without a run of full length."""
    return [
        train_command(control.experiment)
        for control in controls
        if max(map(epochs_of, control.runs), default=0) < control.experiment.epochs
    ]


def label(experiment: Experiment) -> str:
    """What is changed of the baseline, such as ``exact loss``; ``baseline`` where nothing is."""
    words = {
        "loss": "exact loss", "pixels": "inverted pixels",
        "learning_rate": f"learning rate {experiment.learning_rate:g}",
    }  # fmt: skip
    changed = (words.get(name, f"{name} {value}") for name, value in experiment.unusual.items())
    return ", ".join(changed) or "baseline"


def _drawn(controls: Sequence[Control]) -> list[tuple[Control, xr.Dataset]]:
    """Of each reference the run that controls are held against, and all runs of the controls."""
    return [
        (control, run)
        for control in controls
        for run in control.runs
        if control.changed or run is reference(control, controls)
    ]


def _changed(experiment: Experiment) -> str | None:
    """Which one of CHANGES an experiment changes; None where it is none or something else too."""
    unusual = list(experiment.unusual)
    return unusual[0] if len(unusual) == 1 and unusual[0] in CHANGES else None
