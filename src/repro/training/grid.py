"""Grids of experiments: every combination of the values named, from a command or from a plan; and
the command for one experiment.

A plan is a YAML file: one grid, or a list of them, each a mapping of KEYS to a value or a list.
"""

import contextlib
import itertools
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from repro.data import datasets
from repro.errors import ReproError, real, shown, whole
from repro.experiment import Experiment, replica_numbers
from repro.places import expanded
from repro.training.schedule import Wanted


def plural(name: str) -> str:
    """A parameter's key in a grid: ``losses`` for ``loss``, ``pixels`` as it is."""
    if name.endswith("s") and not name.endswith("ss"):
        return name
    return f"{name}es" if name.endswith("s") else f"{name}s"


_NAMES = [field.name for field in fields(Experiment)]
# From the slowest to the fastest, which is the width: a figure's widths stand together.
PARAMETERS = {plural(name): name for name in sorted(_NAMES, key=lambda name: name == "width")}
KEYS = (*PARAMETERS, "replicas")
_KINDS = {name: get_args(hint) or (hint,) for name, hint in get_type_hints(Experiment).items()}
NUMBERS = frozenset(name for name, kinds in _KINDS.items() if str not in kinds)
EPOCHS = 1000  # the paper's
_MOST_RUNS = 100_000  # what is more is a slip, and listing it would take for ever


def experiments(grid: Mapping[str, Any]) -> Wanted:
    """Every experiment of a grid with its replicas, all of them checked.

    A grid has KEYS, in the singular if one likes; ``datasets`` and ``widths`` at least. What is
    left out is as the paper has it, with one replica. A value alone stands for a list of one;
    numbers may be text. Raises ReproError for what makes no experiment, or too many.
    """
    named: dict[str, Any] = {}
    for key, value in grid.items():
        known = plural(key) if key in _NAMES else key
        if known not in KEYS:
            raise ReproError(f"A grid can have {', '.join(KEYS)}, not {shown(key)}.")
        if known in named:
            raise ReproError(f"A grid has {known} twice, once as {shown(key)}: leave one out.")
        named[known] = value
    for key in ("datasets", "widths"):
        if key not in named:
            raise ReproError(f"A grid needs datasets and widths; {key} is missing.")
    replicas = named.get("replicas", 1)
    with contextlib.suppress(ValueError):
        replicas = whole(replicas)
    numbers = replica_numbers(replicas)
    named = {"epochs": EPOCHS} | named
    axes = {}
    for key, name in PARAMETERS.items():
        if key in named:
            values = named[key] if isinstance(named[key], list | tuple) else [named[key]]
            if not values:
                raise ReproError(f"{key} must name at least one.")
            axes[name] = [_read(name, each) for each in values]
    axes["dataset"] = [datasets.identified(each) for each in axes["dataset"]]  # a file is read once
    _check_number(math.prod(map(len, axes.values())) * len(numbers))
    return [
        (Experiment(**dict(zip(axes, values, strict=True))), numbers)
        for values in itertools.product(*axes.values())
    ]


def _read(parameter: str, value: Any) -> Any:
    """A value of a parameter as it may be typed: numbers in text, ``none`` for None."""
    kinds = _KINDS[parameter]
    if value == "none" and NoneType in kinds:
        return None
    for kind, number in ((int, whole), (float, real)):
        if kind in kinds:
            with contextlib.suppress(ValueError):
                return number(value)
    return value  # text, or what `Experiment` refuses in words


def read_plan(path: str | os.PathLike) -> Wanted:
    """The experiments of a plan's grids, one grid after another.

    Raises ReproError where the file is no plain YAML, or has a grid that `experiments` refuses.
    """
    path = expanded(path)
    try:
        content = _parsed(path, path.read_bytes())
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ReproError(f"The plan {path} cannot be read ({reason}).") from error
    found: list = []
    for number, grid in enumerate(content if isinstance(content, list) else [content], 1):
        if not isinstance(grid, dict) or not all(isinstance(key, str) for key in grid):
            raise ReproError(
                f"Grid {number} of {path} must be a mapping such as "
                f"{{datasets: [digits], widths: [8, 16]}}, not {shown(grid)}."
            )
        try:
            found += experiments(grid)
        except ReproError as error:
            raise ReproError(f"Grid {number} of {path}: {error}") from error
    if not found:
        raise ReproError(f"The plan {path} names no grid.")
    _check_number(sum(len(replicas) for _, replicas in found))
    return found


def _parsed(path: Path, text: bytes) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Of plain values alone: a few lines of aliases can stand for more than memory holds."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("a plan cannot use aliases such as *this")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict:
            mapping = super().construct_mapping(node, deep=True)
            if len(mapping) != len(node.value):
                raise yaml.YAMLError(f"a key is there twice in {shown(mapping)}")
            return mapping

    try:
        return yaml.load(text.decode("utf-8"), Loader)  # as safe_load, but for the two above
    except Exception as error:  # PyYAML raises many types for a value that is not what its tag says
        said = " ".join(str(error).split()) or type(error).__name__
        raise ReproError(f"The plan {path} must be YAML: {said[:300]}.") from error


def _check_number(runs: int) -> None:
    if runs > _MOST_RUNS:
        raise ReproError(
            f"A grid can have {_MOST_RUNS} runs, not {shown(runs)}: split it, or name fewer values."
        )


def option(name: str) -> str:
    """What the command line calls a parameter: ``--learning-rate`` for ``learning_rate``."""
    return f"--{name.replace('_', '-')}"


def train_command(
    experiment: Experiment, replicas: int = 1, widths: Sequence[int] | None = None
) -> str:
    """``repro train ...`` for so many replicas, of these ``widths`` where not its alone."""
    named = ",".join(map(str, widths or [experiment.width]))
    words = ["repro", "train", "--dataset", experiment.dataset, "--widths", named]
    words += ["--replicas", str(replicas)] if replicas != 1 else []
    words += ["--epochs", str(experiment.epochs)]
    for name, value in experiment.unusual.items():
        words += [option(name), str(value)]
    return shlex.join(words)
