"""What the command line, ``repro``, can be told; its commands are in `command_line`.

The options of an experiment are the fields of `Experiment`, with what its docstring says of each.
"""

import argparse
import contextlib
import inspect
import os
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

from repro.bench import benchmark
from repro.data import datasets
from repro.errors import ReproError, real, whole
from repro.experiment import Experiment
from repro.provenance import VERSION
from repro.training import grid

Action = Callable[[argparse.Namespace], int]


_SHARED: dict[str, dict[str, Any]] = {
    "--store": {"metavar": "DIR", "help": "your own runs (default: REPRO_STORE, or a user's)"},
    "--quiet": {"action": "store_true", "help": "no progress bar"},
    "--json": {"action": "store_true", "help": "print JSON instead of a table"},
}


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> None:
        """End with exit code 2."""
        self.exit(2, f"repro: {ReproError(f'{message}; see `{self.prog} --help`.')}\n")

    def shared(self, *names: str) -> None:
        """Add options that several commands have."""
        for name in names:
            self.add_argument(name, **_SHARED[name])

    def flag(self, name: str, told: str) -> None:
        """Add an option without a value."""
        self.add_argument(name, action="store_true", help=told)

    def text(self, name: str, metavar: str | None, told: str, **more: Any) -> None:
        """Add an option with a value."""
        self.add_argument(name, metavar=metavar, help=told, **more)

    def number(
        self, name: str, metavar: str, told: str, default: int | None = None, least: int = 1, **more
    ) -> None:
        """Add an option that takes a whole number."""
        told += "" if default is None else " (default: %(default)s)"
        number = _typed(whole, f"a whole number from {least}", least)
        self.text(name, metavar, told, default=default, type=number, **more)


def parser(actions: dict[str, Action]) -> argparse.ArgumentParser:
    """The parser of all commands; ``action`` of what it returns is what to call."""
    what = "Reproduce arXiv:2012.02550: how far weights travel from where they start."
    top = Parser(prog="repro", description=what)
    top.add_argument("--version", action="version", version=f"repro {VERSION}")
    commands = top.add_subparsers(
        required=True, metavar="COMMAND", dest="command", parser_class=Parser
    )

    def command(name: str, told: str, more: str | None = None) -> Parser:
        one = commands.add_parser(name, help=told, description=more)
        one.set_defaults(action=actions[name])
        return one

    data = command("data", "download (or read from REPRO_DATA_DIR) and prepare")
    data.add_argument("datasets", nargs="*", metavar="DATASET", help=", ".join(datasets.NAMES))

    train = command("train", "train networks, as far as is missing")
    train.set_defaults(plan=None, scheduler=None, dry_run=False)
    _add_parameters(train, several=False)

    sweep = command(
        "sweep", "train a grid or a plan: several datasets, widths, losses, pixels, marks, ...",
        "Train every combination of the values named, or the grids of a plan, as far as is "
        "missing: everyone's first replica before anyone's second. Stop it at will; the same "
        "command goes on.",
    )  # fmt: skip
    sweep.text("--plan", "FILE", "a YAML file of grids, such as sweeps/paper.yml")
    _add_parameters(sweep, several=True)

    for one in (train, sweep):
        seconds = _typed(real, "a number of seconds from 0", 0)
        told = "stop at a checkpoint after so long (exit code 3)"
        one.text("--time-limit", "SECONDS", told, type=seconds)
        one.number("--lanes", "L", "programs at once (default: one per core or accelerator)")
        one.number(
            "--together", "R", "replicas in one program (default: 1, or 16 on an accelerator)"
        )
        one.shared("--quiet", "--store")

    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    told = "train on a Dask cluster: its address or FILE.json (default: DASK_SCHEDULER_ADDRESS)"
    sweep.text("--scheduler", "WHERE", told, default=address)
    sweep.flag("--shared-store", "its workers reach the store by the same path")
    sweep.flag("--dry-run", "list what would be trained, and for about how long")

    results = command("results", "list what is published and what is in the store")
    results.shared("--store", "--json")

    claims = command("claims", "the verdict on every claim of the paper")
    claims.flag("--why", "the reason of each verdict, too")
    claims.flag("--controls", "the controls of every rule instead")
    claims.text("--store", "DIR", "judge these runs, not the published ones")
    claims.shared("--json")

    bench = command("bench", "time our engine, Keras, JAX and PyTorch on the same work")
    wholes = _typed(
        lambda text: [whole(part) for part in _words(text)],
        "whole numbers with commas between them, like 64,96",
    )
    bench.text("--widths", "N,N", "of the networks", type=wholes, default=benchmark.WIDTHS)
    bench.text("--replicas", "R,R", "of each", type=wholes, default=benchmark.REPLICAS)
    engines = tuple(benchmark.ENGINES)
    bench.text("--engines", "NAME,NAME", f"of {', '.join(engines)}", type=_words, default=engines)
    bench.text("--dataset", None, "(default: %(default)s)", default="mnist")
    bench.number("--batch-size", "IMAGES", "in a batch", 128, 0)
    bench.number(
        "--steps", "N", "in a measured call (default: about a second, up to an epoch)", least=0
    )
    bench.number("--repeats", "N", "turns that are measured", 5, 0)
    bench.text("--output", "FILE", "write the JSON there, too")
    bench.shared("--quiet", "--json")

    publish = command("publish", "copy runs into the published results")
    publish.shared("--store")
    publish.flag("--unfinished", "with their checkpoints, so that others go on")
    publish.number("--minimum-epochs", "N", "leave out complete runs shorter than this", 1000, 0)
    return top


def parameter_help() -> dict[str, str]:
    """What each field of `Experiment` is, in the words of its docstring."""
    _, _, section = inspect.getdoc(Experiment).partition("Parameters\n----------\n")
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\w)", section.partition("\n\nRaises")[0]):
        names, _, words = entry.partition(":\n")
        told = " ".join(words.split()).replace("`", "").replace("%", "%%")
        found |= dict.fromkeys(names.split(", "), told)
    return found


def _add_parameters(one: Parser, several: bool) -> None:
    """A value for each field of `Experiment`, or several; several widths in any case."""
    told = parameter_help()
    for field in fields(Experiment):
        name, plural = field.name, grid.plural(field.name)
        default = grid.EPOCHS if name == "epochs" else field.default
        known = "" if default in (MISSING, None) else f" (default: {default})"
        separated = name == "width" or (several and name in grid.NUMBERS)
        short = name.split("_")[-1].upper()
        how: dict[str, Any] = {"type": _words} if separated else {"nargs": "+"} if several else {}
        if not several:
            how["required"] = default is MISSING
        one.text(
            grid.option(plural if several or separated else name),
            f"{short},{short}" if separated else short, told[name] + known, dest=plural, **how,
        )  # fmt: skip
    one.text("--replicas", "R", "how many of each (default: 1)")


def _words(text: str) -> list[str]:
    """What stands between commas."""
    return text.split(",")


def _typed(kind: Callable[[str], Any], told: str, least: int | None = None) -> Callable[[str], Any]:
    """What reads an option's text, and says what it must be where ``kind`` raises ValueError."""

    def read(text: str) -> Any:
        with contextlib.suppress(ValueError):
            value = kind(text)
            if least is None or value >= least:
                return value
        raise argparse.ArgumentTypeError(f"must be {told}, not {text!r}")

    return read
