"""What there is, as tables for a terminal: the runs of some stores, and the verdicts."""

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.analysis.captions import dataset_name, numbers_in_words, short_device
from repro.errors import DamagedFile
from repro.provenance import handovers
from repro.store.run_file import Run
from repro.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from repro.claims.verdicts import Verdict

COLUMNS = 100  # of a listing that no terminal shows
_COLOURS = {
    "reproduced": "green", "partly": "yellow", "not reproduced": "red", "holds": "green",
    "fails": "red",
}  # fmt: skip


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


def table(listed: Sequence[Mapping[str, Any]]) -> Table:
    """The rows, replicas of an experiment that are equally long in one; hours of the longest."""
    found = _table("where", "dataset", ">width", "otherwise", "replicas", ">epochs", ">hours", "on")
    for (where, name, width, otherwise, epochs), group in itertools.groupby(listed, key=_alike):
        alike = list(group)
        hours = [row["wall_seconds"] / 3600 for row in alike if "wall_seconds" in row]
        devices = [
            short_device(name) for row in alike for name in handovers(str(row.get("device", "")))[0]
        ]
        found.add_row(
            where, name, str(width), otherwise,
            numbers_in_words(row["replica"] for row in alike), str(epochs),
            f"{max(hours):.2f}" if hours else "", "; ".join(dict.fromkeys(devices)),
        )  # fmt: skip
    return found


def verdict_table(found: Sequence["Verdict"]) -> Table:
    """Claim by dataset: the verdict, and the effect of its first part with its interval.

    Where the verdict on the claim's wording is another one, it stands below.
    """
    names = list(dict.fromkeys(one.dataset for one in found))
    shown = _table("claim", *map(dataset_name, names))
    by_claim: dict[str, dict[str, Verdict]] = {}
    for one in found:
        by_claim.setdefault(f"{one.claim.number} {one.claim.title}", {})[one.dataset] = one
    for claim, verdicts in by_claim.items():
        shown.add_row(claim, *(_verdict(verdicts[name]) for name in names if name in verdicts))
    return shown


def of_frame(frame: "pd.DataFrame") -> Table:
    """A DataFrame's columns, without its index."""
    found = _table(*map(str, frame.columns))
    for cells in frame.itertuples(index=False):
        found.add_row(*(Text(str(cell), _COLOURS.get(str(cell), "")) for cell in cells))
    return found


def show(shown: Table) -> None:
    """Print a table: in colour and as wide as the terminal; plain, in COLUMNS, where there is none.

    Cells that do not fit are wrapped.
    """
    terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=None if terminal else COLUMNS, highlight=False)
    with console.capture() as text:  # rich would end the program where nobody reads on
        console.print(shown)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))


def _table(*columns: str) -> Table:
    """An empty table; the columns that begin with ``>`` are aligned to the right."""
    found = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        found.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=column.startswith(">"),
            overflow="fold",
        )
    return found


def _verdict(one: "Verdict") -> Text:
    cell = Text(one.verdict, _COLOURS.get(one.verdict, ""))
    wording = getattr(one, "wording", one.verdict)
    if wording != one.verdict:
        cell += Text("\nwording: ") + Text(wording, _COLOURS.get(wording, ""))
    if one.effect is not None:
        limits = f" [{one.interval[0]:.3g}, {one.interval[1]:.3g}]" if one.interval else ""
        cell += Text(f"\n{one.effect:.3g}{limits} {one.parts[0].unit}".rstrip(), "dim")
    return cell


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


def _alike(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What rows in one line have in common."""
    differs: Iterable[str] = (f"{name}={value}" for name, value in row["differs"].items())
    parameters = row["parameters"]
    return (
        row["where"],
        parameters["dataset"],
        parameters["width"],
        " ".join(differs),
        row["epochs"],
    )
