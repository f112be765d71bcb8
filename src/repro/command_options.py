"""What the command line, ``repro``, can be told; its commands are in `command_line`.

The options of an experiment are the fields of `Experiment`, with what its docstring says of each.
"""

import argparse
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

from repro.bench import benchmark
from repro.commands import option
from repro.data import datasets
from repro.errors import ReproError, real, whole
from repro.experiment import Experiment
from repro.provenance import VERSION
from repro.training import grid

Action = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> None:
        """End with exit code 2."""
        self.exit(2, f"repro: {ReproError(f'{message}; see `{self.prog} --help`.')}\n")

    def flag(self, name: str, told: str) -> None:
        """Add an option without a value."""
        self.add_argument(name, action="store_true", help=told)

    def number(
        self, name: str, metavar: str, told: str, default: int | None = None, least: int = 1, **more
    ) -> None:
        """Add an option that takes a whole number."""

        def number(text: str) -> int:
            try:
                if (value := whole(text)) >= least:
                    return value
            except ValueError:
                pass
            raise argparse.ArgumentTypeError(f"must be a whole number from {least}, not {text!r}")

        told += "" if default is None else " (default: %(default)s)"
        self.add_argument(name, metavar=metavar, help=told, default=default, type=number, **more)


def parser(actions: dict[str, Action]) -> argparse.ArgumentParser:
    """The parser of all commands; ``action`` of what it returns is what to call."""
    top = Parser(
        prog="repro",
        description="Reproduce arXiv:2012.02550: how far weights travel from where they start.",
    )
    top.add_argument("--version", action="version", version=f"repro {VERSION}")
    commands = top.add_subparsers(
        required=True, metavar="COMMAND", dest="command", parser_class=Parser
    )

    def command(name: str, told: str, more: str = "") -> Parser:
        one = commands.add_parser(name, help=told, description=more or None)
        one.set_defaults(action=actions[name])
        return one

    data = command("data", "download (or read from REPRO_DATA_DIR) and prepare")
    data.add_argument("datasets", nargs="*", metavar="DATASET", help=", ".join(datasets.NAMES))

    train = command("train", "train networks, as far as is missing")
    _add_parameters(train, several=False)
    _add_training(train)

    sweep = command(
        "sweep", "train a grid or a plan: several datasets, widths, losses, pixels, marks, ...",
        "Train every combination of the values named, or the grids of a plan, as far as is "
        "missing: everyone's first replica before anyone's second. Stop it at will; the same "
        "command goes on.",
    )  # fmt: skip
    sweep.add_argument(
        "--plan", metavar="FILE", help="a YAML file of grids, such as sweeps/paper.yml"
    )
    _add_parameters(sweep, several=True)
    _add_training(sweep)

    results = command("results", "list what is published and what is in the store")
    _add_store(results)
    _add_json(results)

    claims = command("claims", "the verdict on every claim of the paper")
    claims.flag("--why", "the reason of each verdict, too")
    claims.flag("--controls", "the controls of every rule instead")
    claims.add_argument("--store", metavar="DIR", help="judge these runs, not the published ones")
    _add_json(claims)

    sharpness = command(
        "sharpness", "train networks again and measure their Hessian's largest eigenvalue",
        "Train the runs named, in a store of their own, and write the largest eigenvalue of the "
        "Hessian after many of their epochs into a small file each. Stop it at will; the same "
        "command goes on.",
    )  # fmt: skip
    _add_parameters(sharpness, several=False)
    sharpness.number("--every", "E", "epochs between two measurements, at most", 5)
    sharpness.number("--from", "E", "measure no earlier epoch", 0, 0, dest="first")
    sharpness.number("--sample", "IMAGES", "of the training set, for the loss", 4096)
    sharpness.number("--sample-seed", "SEED", "which of them", 0, 0)
    sharpness.add_argument(
        "--output", metavar="DIR", help="folder of the files (default: the published results)"
    )
    _add_quiet(sharpness)
    _add_store(sharpness)

    bench = command("bench", "time our engine, Keras, JAX and PyTorch on the same work")
    bench.add_argument("--widths", type=_wholes, default=benchmark.WIDTHS, metavar="N,N")
    bench.add_argument("--replicas", type=_wholes, default=benchmark.REPLICAS, metavar="R,R")
    bench.add_argument(
        "--engines", type=_words, default=tuple(benchmark.ENGINES), metavar="NAME,NAME",
        help="of " + ", ".join(benchmark.ENGINES),
    )  # fmt: skip
    bench.add_argument("--dataset", default="mnist", help="(default: %(default)s)")
    bench.flag("--synthetic", "random data of its shape")
    bench.number("--batch-size", "IMAGES", "in a batch", 128, 0)
    bench.number(
        "--steps", "N", "in a measured call (default: about a second, up to an epoch)", least=0
    )
    bench.number("--repeats", "N", "turns that are measured", 5, 0)
    bench.add_argument("--output", metavar="FILE", help="write the JSON there, too")
    _add_quiet(bench)
    _add_json(bench)

    publish = command("publish", "copy runs into the published results")
    _add_store(publish)
    publish.flag("--unfinished", "with their checkpoints, so that others go on")
    publish.number("--minimum-epochs", "N", "leave out complete runs shorter than this", 1000, 0)
    return top


def parameter_help() -> dict[str, str]:
    """What each field of `Experiment` is, in the words of its docstring."""
    text = inspect.getdoc(Experiment) or ""
    _, _, section = text.partition("Parameters\n----------\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.partition("\n\nRaises")[0].splitlines():
        if line and not line.startswith(" "):
            names = line.rstrip(":").split(", ")
        else:
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return {name: words.replace("`", "").replace("%", "%%") for name, words in found.items()}


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
        one.add_argument(
            option(plural if several or separated else name), dest=plural,
            metavar=f"{short},{short}" if separated else short, help=told[name] + known, **how,
        )  # fmt: skip
    one.add_argument("--replicas", metavar="R", help="how many of each (default: 1)")


def _add_training(one: Parser) -> None:
    one.add_argument(
        "--time-limit", type=_seconds, metavar="SECONDS",
        help="stop at a checkpoint after so long (exit code 3)",
    )  # fmt: skip
    one.number(
        "--lanes", "L", "programs at the same time (default: one per core; one on an accelerator)"
    )
    one.number(
        "--together", "R",
        "replicas in one program (default: one on a CPU; up to 16 on an accelerator)",
    )  # fmt: skip
    _add_quiet(one)
    _add_store(one)


def _add_store(one: Parser) -> None:
    one.add_argument(
        "--store", metavar="DIR", help="folder of your own runs (default: REPRO_STORE, or a user's)"
    )


def _add_quiet(one: Parser) -> None:
    one.flag("--quiet", "no progress bar")


def _add_json(one: Parser) -> None:
    one.flag("--json", "print JSON instead of a table")


def _words(text: str) -> list[str]:
    """What stands between commas."""
    return text.split(",")


def _wholes(text: str) -> list[int]:
    try:
        return [whole(part) for part in _words(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be whole numbers with commas between them, like 64,96, not {text!r}"
        ) from None


def _seconds(text: str) -> float:
    try:
        if (number := real(text)) >= 0:
            return number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be a number of seconds from 0, not {text!r}")
