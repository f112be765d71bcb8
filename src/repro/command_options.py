"""What the command line, ``repro``, can be told; its commands are in `command_line`.

The options of an experiment are the fields of `Experiment`, with what its docstring says of each.
"""

import argparse
import inspect
from collections.abc import Callable, Sequence
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

_LENGTH = {"epochs": "1000"}  # defaults that are not those of `Experiment`


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> None:
        """End with exit code 2."""
        self.exit(2, f"repro: {ReproError(f'{message}; see `{self.prog} --help`.')}\n")


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

    def command(name: str, told: str, more: str = "") -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=told, description=more or None)
        one.set_defaults(action=actions[name])
        return one

    data = command("data", "download (or read from REPRO_DATA_DIR) and prepare")
    data.add_argument("datasets", nargs="*", metavar="DATASET", help=", ".join(datasets.NAMES))

    train = command("train", "train networks, as far as is missing")
    _add_experiment(train)
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
    _add_grid(sweep)
    _add_training(sweep)

    results = command("results", "list what is published and what is in the store")
    _add_store(results)
    _add_json(results)

    claims = command("claims", "the verdict on every claim of the paper")
    claims.add_argument("--why", action="store_true", help="the reason of each verdict, too")
    claims.add_argument(
        "--controls", action="store_true", help="the controls of every rule instead"
    )
    claims.add_argument("--store", metavar="DIR", help="judge these runs, not the published ones")
    _add_json(claims)

    _add_sharpness(
        command(
            "sharpness", "train networks again and measure their Hessian's largest eigenvalue",
            "Train the runs named, in a store of their own, and write the largest eigenvalue of "
            "the Hessian after many of their epochs into a small file each. Stop it at will; the "
            "same command goes on.",
        )
    )  # fmt: skip
    _add_bench(command("bench", "time our engine, Keras, JAX and PyTorch on the same work"))

    publish = command("publish", "copy runs into the published results")
    _add_store(publish)
    publish.add_argument(
        "--unfinished", action="store_true", help="with their checkpoints, so that others go on"
    )
    _add_number(
        publish, "--minimum-epochs", "N", "leave out complete runs shorter than this",
        default=1000, least=0,
    )  # fmt: skip
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


def _add_experiment(one: argparse.ArgumentParser) -> None:
    """A value for each field of `Experiment`, several widths apart."""
    for name, told, default in _described():
        several = name == "width"
        one.add_argument(
            option(grid.plural(name) if several else name),
            dest=grid.plural(name),
            type=words if several else str,
            required=default is MISSING,
            metavar=_metavar(name, several),
            help=told,
        )
    _add_replicas(one)


def _add_grid(one: argparse.ArgumentParser) -> None:
    """Values for each field of `Experiment`."""
    for name, told, _ in _described():
        if name in grid.NUMBERS:
            how: dict[str, Any] = {"type": words}
        else:
            how = {"nargs": "+"}
        one.add_argument(
            option(grid.plural(name)),
            dest=grid.plural(name),
            metavar=_metavar(name, name in grid.NUMBERS),
            help=told,
            **how,
        )
    _add_replicas(one)


def _described() -> list[tuple[str, str, Any]]:
    """Name, help and default of each field."""
    told = parameter_help()
    found = []
    for field in fields(Experiment):
        default = _LENGTH.get(field.name, field.default)
        known = "" if default in (MISSING, None) else f" (default: {default})"
        found.append((field.name, told.get(field.name, "") + known, default))
    return found


def _metavar(name: str, several: bool) -> str:
    short = name.split("_")[-1].upper()
    return f"{short},{short}" if several else short


def _add_replicas(one: argparse.ArgumentParser) -> None:
    one.add_argument("--replicas", metavar="R", help="how many of each (default: 1)")


def _add_training(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--time-limit", type=_seconds, metavar="SECONDS",
        help="stop at a checkpoint after so long (exit code 3)",
    )  # fmt: skip
    _add_number(
        one, "--lanes", "L",
        "programs at the same time (default: one per core; one on an accelerator)",
    )  # fmt: skip
    _add_number(
        one, "--together", "R",
        "replicas in one program (default: one on a CPU; up to 16 on an accelerator)",
    )  # fmt: skip
    _add_quiet(one)
    _add_store(one)


def _add_sharpness(one: argparse.ArgumentParser) -> None:
    _add_experiment(one)
    _add_number(one, "--every", "E", "epochs between two measurements, at most", default=5)
    _add_number(one, "--from", "E", "measure no earlier epoch", default=0, least=0, dest="first")
    _add_number(one, "--sample", "IMAGES", "of the training set, for the loss", default=4096)
    _add_number(one, "--sample-seed", "SEED", "which of them", default=0, least=0)
    one.add_argument(
        "--output", metavar="DIR", help="folder of the files (default: the published results)"
    )
    _add_quiet(one)
    _add_store(one)


def _add_bench(one: argparse.ArgumentParser) -> None:
    one.add_argument("--widths", type=_wholes, default=benchmark.WIDTHS, metavar="N,N")
    one.add_argument("--replicas", type=_wholes, default=benchmark.REPLICAS, metavar="R,R")
    one.add_argument(
        "--engines", type=words, default=tuple(benchmark.ENGINES), metavar="NAME,NAME",
        help="of " + ", ".join(benchmark.ENGINES),
    )  # fmt: skip
    one.add_argument("--dataset", default="mnist", help="(default: %(default)s)")
    one.add_argument("--synthetic", action="store_true", help="random data of its shape")
    _add_number(one, "--batch-size", "IMAGES", "in a batch", default=128, least=0)
    _add_number(
        one, "--steps", "N", "in a measured call (default: about a second, up to an epoch)", least=0
    )
    _add_number(one, "--repeats", "N", "turns that are measured", default=5, least=0)
    one.add_argument("--output", metavar="FILE", help="write the JSON there, too")
    _add_quiet(one)
    _add_json(one)


def _add_store(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--store", metavar="DIR", help="folder of your own runs (default: REPRO_STORE, or a user's)"
    )


def _add_quiet(one: argparse.ArgumentParser) -> None:
    one.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_json(one: argparse.ArgumentParser) -> None:
    one.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_number(
    one: argparse.ArgumentParser,
    name: str,
    metavar: str,
    told: str,
    default: int | None = None,
    least: int = 1,
    **more: Any,
) -> None:
    def number(text: str) -> int:
        try:
            if (value := whole(text)) >= least:
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"must be a whole number from {least}, not {text!r}")

    told += "" if default is None else " (default: %(default)s)"
    one.add_argument(name, metavar=metavar, help=told, default=default, type=number, **more)


def words(text: str) -> list[str]:
    """What stands between commas."""
    return text.split(",")


def _wholes(text: str) -> Sequence[int]:
    try:
        return [whole(part) for part in words(text)]
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
