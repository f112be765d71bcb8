"""What there is: the runs of some stores as a table, how long each is and what made it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from repro.errors import DamagedFile
from repro.run_file import Run
from repro.store import Store

_COLUMNS = ("where", "experiment", "replica", "epochs", "continuable", "hours", "made by", "file")


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
    """The rows for a terminal."""
    lines = [_COLUMNS, *(_cells(row) for row in listed)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


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
    differs = "".join(f" {name}={value}" for name, value in row["differs"].items())
    return (
        row["where"],
        row["experiment"] + differs,
        str(row["replica"]),
        str(row["epochs"]),
        "yes" if row["continuable"] else "no",
        f"{row['wall_seconds'] / 3600:.2f}" if "wall_seconds" in row else "",
        " on ".join(row[name] for name in ("backend", "device") if name in row),
        row["file"],
    )
