"""What was run, what made it, and what was done to break it, as tables."""

import os
from pathlib import Path

import pandas as pd

from repro import sealed_json
from repro.analysis.captions import (
    dataset_name,
    in_words,
    numbers_in_words,
    short_device,
    short_version,
)
from repro.places import published_path
from repro.provenance import FROM_EPOCH
from repro.training.grid import train_command
from repro.training.schedule import Wanted, merged


def coverage(wanted: Wanted, runs: pd.DataFrame) -> pd.DataFrame:
    """An experiment a row: how many of the replicas wanted are in ``runs`` (`repro.summary`).

    Those ``begun`` are shorter; ``command`` trains the rest, if any is missing.
    """
    lengths = runs.set_index(["name", "replica"]).epochs.to_dict()
    rows = []
    for experiment, replicas in merged(wanted):
        there = [lengths.get((experiment.name, number), 0) for number in replicas]
        complete = sum(epochs >= experiment.epochs for epochs in there)
        command = train_command(experiment, max(replicas) + 1)
        rows.append(
            {
                "dataset": dataset_name(experiment.dataset), "width": experiment.width,
                "otherwise": in_words(experiment.unusual), "epochs": experiment.epochs,
                "wanted": len(replicas), "complete": complete,
                "begun": sum(0 < epochs < experiment.epochs for epochs in there),
                "command": command if complete < len(replicas) else "",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def provenance(runs: pd.DataFrame) -> pd.DataFrame:
    """What trained the runs, of `repro.summary`: a row for replicas that only differ in number.

    ``hours`` are of the longest; what continued a run elsewhere stands after what began it.
    """
    made = runs[["device", "code_version"]].replace(rf"{FROM_EPOCH}\d+", "", regex=True)
    table = pd.DataFrame(
        {
            "dataset": runs.dataset.map(dataset_name), "width": runs.width,
            "otherwise": runs.changed,
            "epochs": runs.epochs, "replicas": runs.replica,
            "hours": (runs.wall_seconds / 3600).round(2),
            "finished": runs.finished.str[:10],
            "device": made.device.map(short_device),
            "commit": made.code_version.map(short_version),
        }
    )  # fmt: skip
    told = {"replicas": numbers_in_words, "hours": "max", "finished": "max"}
    alike = [name for name in table if name not in told]
    return table.groupby(alike, sort=False, as_index=False).agg(told)


def computing(runs: pd.DataFrame) -> dict[str, float]:
    """Hours that the runs of `repro.summary` took: ``core_hours`` (at most) and ``gpu_hours``.

    A run counts with all cores its device had, and as a CPU's where one finished it. GPU-hours are
    those in which a GPU trained at least one run that never left it.
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

    As the harnesses in ``tests/`` wrote it to a folder (None: the published results).
    """
    columns = ["what", "times", "failures", "code"]
    tables = [pd.DataFrame(columns=columns)]
    for name in ("faults", "cluster", "damage", "bad-input"):
        file = Path(folder or published_path()) / f"{name}.json"
        if file.exists():
            found = sealed_json.read(file)
            code = short_version(found["code_version"])
            tables.append(pd.DataFrame(found["attempts"]).assign(code=code))
    return pd.concat(tables[1:] or tables, ignore_index=True)
