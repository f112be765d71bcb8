"""What there is, as tables for a terminal: the runs of some stores, and the verdicts."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.analysis.captions import dataset_name, numbers_in_words, short_device
from repro.errors import DamagedFile
from repro.provenance import makers
from repro.runs import seconds_of
from repro.store.run_file import Run
from repro.store.store import Store
from repro.training import schedule
from repro.training.schedule import Wanted

if TYPE_CHECKING:
    import pandas as pd

    from repro.claims.verdicts import Verdict

_COLOURS = {
    "reproduced": "green", "holds": "green", "partly": "yellow", "not reproduced": "red",
    "does not hold": "red", "True": "green", "False": "red",
}  # fmt: skip


def rows(stores: Mapping[str, Store], damaged: Callable[[DamagedFile], None]) -> list[dict]:
    """A row for every run, by what its store is called; ``damaged`` is told of each such file."""

    def place(run: Run) -> tuple:
        return run.experiment.dataset, run.experiment.width, run.path

    return [
        {
            "where": where,
            "experiment": run.experiment.name,
            "parameters": {n: v for n, v in run.experiment.parameters.items() if n != "epochs"},
            "differs": run.experiment.unusual,
            "replica": run.replica,
            "epochs": run.epochs,
            "continuable": run.continuable,
            "file": str(run.path),
        }
        | {name: value.item() if hasattr(value, "item") else value
           for name, value in run.made.items()}
        for where, store in stores.items()
        for run in sorted(store.runs(damaged), key=place)
    ]  # fmt: skip


def table(listed: Sequence[Mapping[str, Any]]) -> Table:
    """The rows, replicas of an experiment that are equally long in one; hours of the longest."""

    def alike(row: Mapping[str, Any]) -> list[str]:
        dataset, width = (row["parameters"][name] for name in ("dataset", "width"))
        return [row["where"], dataset, str(width), _otherwise(row["differs"]), str(row["epochs"])]

    found = _table("where", "dataset", ">width", "otherwise", "replicas", ">epochs", ">hours", "on")
    for (*what, epochs), group in itertools.groupby(listed, key=alike):
        members = list(group)
        hours = [row["wall_seconds"] / 3600 for row in members if "wall_seconds" in row]
        devices = [name for row in members for name in makers(str(row.get("device", "")))]
        found.add_row(
            *what, numbers_in_words(row["replica"] for row in members), epochs,
            f"{max(hours):.2f}" if hours else "",
            "; ".join(dict.fromkeys(map(short_device, devices))),
        )  # fmt: skip
    return found


def missing(wanted: Wanted, stores: Sequence[Store]) -> Table:
    """What of it the stores lack, the last of which goes on: core-hours by the published runs."""
    found = _table("dataset", ">width", "otherwise", ">runs", ">epochs left", ">core-hours")
    for one, replicas in schedule.missing(schedule.merged(wanted), stores):
        left = schedule.remaining([(one, replicas)], stores[-1])
        epochs, hours = sum(n for _, n in left), sum(map(seconds_of, left)) / 3600
        cells = one.dataset, one.width, _otherwise(one.unusual), len(left), epochs, f"{hours:.2f}"
        found.add_row(*map(str, cells))
    return found


def verdict_table(found: Sequence[Verdict]) -> Table:
    """Claim by dataset: both verdicts, and the effect of the first part with its interval."""
    names = dict.fromkeys(dataset_name(one.dataset) for one in found)
    shown = _table("claim", *names)
    for claim, verdicts in itertools.groupby(found, key=lambda one: one.claim):
        shown.add_row(f"{claim.number} {claim.title}", *map(_verdict, verdicts))
    return shown


def of_frame(frame: pd.DataFrame) -> Table:
    """A DataFrame's columns, without its index."""
    found = _table(*map(str, frame.columns))
    for cells in frame.itertuples(index=False):
        found.add_row(*(Text(str(cell), _COLOURS.get(str(cell), "")) for cell in cells))
    return found


def show(shown: Table) -> None:
    """Print a table: in colour and as wide as the terminal; plain, in 100 columns, without one."""
    width = None if sys.stdout.isatty() else 100
    console = Console(file=sys.stdout, width=width, highlight=False)
    with console.capture() as text:  # rich would end the program where nobody reads on
        console.print(shown)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))


def _otherwise(unusual: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in unusual.items())


def _table(*columns: str) -> Table:
    """An empty table; the columns that begin with ``>`` are aligned to the right."""
    found = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        side = "right" if name[0] == ">" else "left"
        found.add_column(name.lstrip(">"), justify=side, no_wrap=name[0] == ">", overflow="fold")
    return found


def _verdict(one: Verdict) -> Text:
    from repro.book.verdict_tables import effect_in_words

    first = one.first()
    effect = effect_in_words(first.effect, first.interval, first.unit)
    return Text.assemble(
        (one.verdict, _COLOURS.get(one.verdict, "")), "\nwording: ",
        (one.wording, _COLOURS.get(one.wording, "")), (f"\n{effect}".rstrip(), "dim"),
    )  # fmt: skip
