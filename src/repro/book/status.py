"""What was run, what made it, and what was done to break it, as tables."""

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from repro import sealed_json
from repro.analysis.captions import dataset_name, numbers_in_words, short_device, short_version
from repro.commands import train_command
from repro.experiment import Experiment
from repro.places import published_path
from repro.provenance import FROM_EPOCH
from repro.training.schedule import Wanted, merged

_USUAL = {field.name: field.default for field in fields(Experiment)}
_APART = ("dataset", "width", "epochs")  # have columns of their own


def otherwise(parameters: Mapping[str, Any]) -> str:
    """What is not as in the paper, by the names of the parameters: ``pixels inverted, mark a``.

    ``parameters`` are those of an `Experiment`, or a row of `repro.summary` with them.
    """
    told = [
        f"{name.replace('_', ' ')} {value:g}"
        if isinstance(value, float)
        else f"{name.replace('_', ' ')} {value}"
        for name, usual in _USUAL.items()
        if name in parameters and name not in _APART
        for value in [parameters[name]]
        if not (value == usual or value is None or value != value)
    ]
    return ", ".join(told)


def coverage(wanted: Wanted, runs: pd.DataFrame) -> pd.DataFrame:
    """An experiment a row: how many of the replicas wanted are there at full length.

    Parameters
    ----------
    wanted:
        As `grid.read_plan` gives it.
    runs:
        Those that there are, as `repro.summary` gives them.

    Returns
    -------
    DataFrame with columns ``dataset``, ``width``, ``otherwise`` (what is not as in the paper),
    ``epochs``, ``wanted`` and ``complete`` replicas, ``begun`` (those that are shorter), and
    ``command``: what trains the rest, empty where nothing is missing.
    """
    lengths = {name: dict(zip(group.replica, group.epochs, strict=True))
               for name, group in runs.groupby("name")}  # fmt: skip
    rows = []
    for experiment, replicas in merged(wanted):
        there = [lengths.get(experiment.name, {}).get(number, 0) for number in replicas]
        complete = sum(epochs >= experiment.epochs for epochs in there)
        command = train_command(experiment, max(replicas) + 1)
        rows.append(
            {
                "dataset": dataset_name(experiment.dataset), "width": experiment.width,
                "otherwise": otherwise(experiment.parameters), "epochs": experiment.epochs,
                "wanted": len(replicas), "complete": complete,
                "begun": sum(0 < epochs < experiment.epochs for epochs in there),
                "command": command if complete < len(replicas) else "",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def provenance(runs: pd.DataFrame) -> pd.DataFrame:
    """What trained the runs, of `repro.summary`: a row for replicas that only differ in number.

    Columns ``dataset``, ``width``, ``otherwise``, ``epochs``, ``replicas``, ``hours`` (of the
    longest), ``finished`` (the day), ``device`` and ``commit``. Devices and commits of runs that
    were continued elsewhere stand one after another.
    """
    table = pd.DataFrame(
        {
            "dataset": runs.dataset.map(dataset_name), "width": runs.width,
            "otherwise": [otherwise(row) for row in runs.to_dict("records")],
            "epochs": runs.epochs, "replicas": runs.replica,
            "hours": (runs.wall_seconds / 3600).round(2),
            "finished": runs.finished.str[:10],
            "device": runs.device.map(_one_after_another).map(short_device),
            "commit": runs.code_version.map(_one_after_another).map(short_version),
        }
    )  # fmt: skip
    alike = [name for name in table if name not in ("replicas", "hours", "finished")]
    told = {"replicas": numbers_in_words, "hours": "max", "finished": "max"}
    return table.groupby(alike, sort=False, as_index=False).agg(told)


def _one_after_another(told: str) -> str:
    return re.sub(rf"{FROM_EPOCH}\d+", "", told)


def computing(runs: pd.DataFrame) -> dict[str, float]:
    """Hours that the runs of `repro.summary` took: ``core_hours`` and ``gpu_hours``.

    Core-hours are at most these: a run counts with all cores its device had, and one that was
    begun on a GPU and finished on a CPU counts here with all its time. GPU-hours are those in
    which a GPU trained at least one run that never left it.
    """
    cores = runs.device.str.extractall(r"(\d+) cores")[0].astype(int).groupby(level=0).max()
    core_seconds = (runs.wall_seconds.reindex(cores.index) * cores).sum()
    alone = ~runs.index.isin(cores.index) & ~runs.device.str.contains(FROM_EPOCH)
    spans = runs[alone][["started", "finished"]].apply(pd.to_datetime).sort_values("started")
    gpu_seconds, end = 0.0, pd.Timestamp.min.tz_localize("UTC")
    for started, finished in spans.itertuples(index=False):
        gpu_seconds += max((finished - max(started, end)).total_seconds(), 0)
        end = max(end, finished)
    return {"core_hours": core_seconds / 3600, "gpu_hours": gpu_seconds / 3600}


def attempts(folder: str | os.PathLike | None = None) -> pd.DataFrame:
    """What was done to break the code and its files, and how often it was not noticed.

    Parameters
    ----------
    folder:
        With ``faults.json``, ``damage.json`` and ``bad-input.json`` as the harnesses in ``tests/``
        write them; None for the published ones.

    Returns
    -------
    DataFrame with columns ``what`` (the harness's name of it), ``times``, ``failures`` and
    ``code`` (its commit); no rows of a file that is not there.
    """
    place = Path(folder or published_path())
    faults, damage, inputs = (
        sealed_json.read(place / f"{name}.json") if (place / f"{name}.json").exists() else {}
        for name in ("faults", "damage", "bad-input")
    )
    ways: dict[str, list[int]] = {}
    for formats in damage.get("formats", {}).values():
        for way, row in formats.items():
            counts = ways.setdefault(
                "flipped bits" if way == "flipped bits" else "damaged otherwise", [0, 0]
            )
            counts[0] += sum(row.values())
            counts[1] += row["failures"]
    bad = [sum(row[name] for row in inputs.get("rows", ())) for name in ("tried", "failed")]
    rows = [
        *((f"sweep: {kind}", row["faults"], row["failures"], faults)
          for kind, row in faults.get("kinds", {}).items()),
        *((f"file: {way}", *counts, damage) for way, counts in ways.items()),
        *([("bad input", *bad, inputs)] if inputs else []),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["what", "times", "failures", "code"])
    return table.assign(code=[short_version(source["code_version"]) for source in table.code])
