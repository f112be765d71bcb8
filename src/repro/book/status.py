"""How far the published results are from what a plan wants, and what made those there are."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from repro.analysis.captions import (
    dataset_name,
    in_words,
    makers_in_words,
    numbers_in_words,
    short_device,
    short_version,
)
from repro.book.listing import rows
from repro.commands import train_command
from repro.experiment import Experiment
from repro.provenance import handovers
from repro.store.run_file import Run
from repro.store.store import Store
from repro.training.schedule import Wanted, merged


def coverage(wanted: Wanted, runs: Sequence[Run]) -> pd.DataFrame:
    """An experiment a row: how many of the replicas wanted are there at full length.

    Parameters
    ----------
    wanted:
        As `grid.read_plan` gives it.
    runs:
        Those that there are.

    Returns
    -------
    DataFrame with columns ``dataset``, ``width``, ``otherwise`` (what is not as in the paper),
    ``epochs`` and ``replicas`` wanted, ``complete`` replicas, ``begun`` (epochs of those that are
    shorter), and ``command``: what trains the rest, empty where nothing is missing.
    """
    lengths: dict[str, dict[int, int]] = {}
    for run in runs:
        lengths.setdefault(run.experiment.digest, {})[run.replica] = run.epochs
    lines = []
    for experiment, replicas in merged(wanted):
        there = lengths.get(experiment.digest, {})
        complete = [n for n in replicas if there.get(n, 0) >= experiment.epochs]
        begun = [there[n] for n in replicas if 0 < there.get(n, 0) < experiment.epochs]
        missing = len(complete) < len(replicas)
        lines.append(
            {
                "dataset": dataset_name(experiment.dataset),
                "width": experiment.width,
                "otherwise": otherwise(experiment),
                "epochs": experiment.epochs,
                "replicas": len(replicas),
                "complete": len(complete),
                "begun": ", ".join(
                    f"{epochs} ({number} runs)" if number > 1 else str(epochs)
                    for epochs, number in Counter(begun).items()
                ),
                "command": train_command(experiment, max(replicas) + 1) if missing else "",
            }
        )
    return pd.DataFrame(lines)


def made_table(store: Store) -> pd.DataFrame:
    """How long runs are, and when and on what they were trained.

    A row for the replicas of an experiment that the same code trained on the same machine on the
    same day, whatever the epochs at which they were handed over; ``replica`` names them and
    ``hours`` is of the longest.
    """
    lines = []
    for row in rows({"": store}):
        parameters = row["parameters"]
        lines.append(
            {
                "dataset": dataset_name(parameters["dataset"]),
                "width": parameters["width"],
                "otherwise": in_words(row["differs"]),
                "replica": row["replica"],
                "epochs": row["epochs"],
                "hours": round(float(row["wall_seconds"]) / 3600, 2),
                "finished": str(row["finished"])[:10],
                "backend": row["backend"],
                "device": short_device(row["device"]),
                "commit": short_version(row["code_version"]),
            }
        )
    table = pd.DataFrame(lines)
    if table.empty:
        return table
    makers = ["backend", "device", "commit"]
    alike = [table[name] for name in table.columns.drop(["replica", "hours", *makers])]
    alike += [table[name].map(lambda told: handovers(told)[0]) for name in makers]
    shared = table.groupby(alike, sort=False, dropna=False)
    told = {"replica": numbers_in_words, "hours": "max"} | dict.fromkeys(makers, makers_in_words)
    others = table.columns.drop([*told])
    return shared.agg(told | dict.fromkeys(others, "first"))[table.columns].reset_index(drop=True)


def otherwise(experiment: Experiment) -> str:
    """What of an experiment is not as the paper has it, in words; dataset and width apart."""
    return in_words(experiment.unusual)
