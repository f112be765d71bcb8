"""What there is: the runs of some stores as a table, how long each is and what made it."""

import collections
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.analysis.captions import numbers_in_words
from repro.errors import DamagedFile
from repro.store.run_file import Run
from repro.store.store import Store

_COLUMNS = ("where", "experiment", "replicas", "epochs", "continuable", "hours", "made by")


def rows(
    stores: Mapping[str, Store], damaged: Callable[[DamagedFile], None] | None = None
) -> list[dict[str, Any]]:
    """A row for every run, by what its store is called and by experiment.

    ``damaged`` is called with each file that is damaged or misplaced; None to have that raised.
    """
    return [
        {"where": where} | _row(run)
        for where, store in stores.items()
        for run in sorted(
            store.runs(damaged),
            key=lambda run: (run.experiment.dataset, run.experiment.width, run.path),
        )
    ]


def table(listed: Sequence[Mapping[str, Any]]) -> str:
    """The rows for a terminal: replicas that differ in their number and hours alone in one line.

    Hours are those of the longest of them. Below stands where the stores are.
    """
    alike = itertools.groupby(listed, key=_cells)
    lines = [_COLUMNS, *(_line(cells, list(rows)) for cells, rows in alike)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    places = {row["where"]: Path(row["file"]).parents[1] for row in listed}
    numbers = collections.Counter(row["where"] for row in listed)
    text += ["", *(f"{name}: {numbers[name]} runs in {path}" for name, path in places.items())]
    return "\n".join(text).rstrip()


def _row(run: Run) -> dict[str, Any]:
    return {
        "experiment": run.experiment.name,
        "parameters": {n: v for n, v in run.experiment.parameters.items() if n != "epochs"},
        "differs": run.experiment.unusual,
        "replica": run.replica,
        "epochs": run.epochs,
        "continuable": run.continuable,
        "file": str(run.path),
    } | {
        name: value.item() if hasattr(value, "item") else value for name, value in run.made.items()
    }


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What rows in one line have in common."""
    differs = "".join(f" {name}={value}" for name, value in row["differs"].items())
    return (
        row["where"],
        row["experiment"] + differs,
        str(row["epochs"]),
        "yes" if row["continuable"] else "no",
        " on ".join(row[name] for name in ("backend", "device") if name in row),
    )


def _line(cells: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    where, experiment, epochs, continuable, made = cells
    hours = [row["wall_seconds"] / 3600 for row in rows if "wall_seconds" in row]
    return (
        where, experiment, numbers_in_words(row["replica"] for row in rows), epochs,
        continuable, f"{max(hours):.2f}" if hours else "", made,
    )  # fmt: skip
