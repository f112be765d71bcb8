"""Grids of experiments: every combination of the values named, from a command or from a plan.

A plan is a YAML file: one grid, or a list of them, each a mapping of KEYS to a value or a list.
"""

import itertools
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repro.data import datasets
from repro.errors import ReproError, shown
from repro.experiment import Experiment, replica_numbers
from repro.training.schedule import Wanted

# What a grid may have several of, from the slowest to the fastest, and the parameter it stands for.
AXES = {
    "datasets": "dataset",
    "losses": "loss",
    "pixels": "pixels",
    "marks": "mark",
    "splits": "split",
    "labels": "labels",
    "orders": "order",
    "learning_rates": "learning_rate",
    "widths": "width",
}
SINGLE = ("epochs", "batch_size", "epsilon", "seed")
KEYS = (*AXES, *SINGLE, "replicas")
_REQUIRED = ("datasets", "widths")
_LENGTH = 1000  # the paper's

MOST_RUNS = 100_000
"""In one grid, and in a plan: what is more is a slip, and listing it would take for ever."""

LARGEST_PLAN = 2**20
"""Bytes of a plan's file."""


def experiments(grid: Mapping[str, Any]) -> Wanted:
    """Every experiment of a grid with its replicas, all of them checked.

    Parameters
    ----------
    grid:
        Of KEYS; ``datasets`` and ``widths`` at least. What is left out is as the paper has it, with
        1000 epochs and one replica. A value alone stands for a list of one.

    Raises
    ------
    ReproError
        For a key that is not known or missing, for a value that makes no experiment, and for more
        than MOST_RUNS runs.
    """
    for key in grid:
        if key not in KEYS:
            raise ReproError(f"A grid can have {', '.join(KEYS)}, not {shown(key)}.")
    for key in _REQUIRED:
        if key not in grid:
            raise ReproError(f"A grid needs {' and '.join(_REQUIRED)}; {key} is missing.")
    axes = {parameter: _listed(key, grid[key]) for key, parameter in AXES.items() if key in grid}
    axes["dataset"] = [datasets.identified(each) for each in axes["dataset"]]  # a file is read once
    single = {"epochs": _LENGTH} | {key: grid[key] for key in SINGLE if key in grid}
    replicas = replica_numbers(grid.get("replicas", 1))
    _check_number(math.prod(map(len, axes.values())) * len(replicas))
    found = []
    for values in itertools.product(*axes.values()):
        chosen = single | dict(zip(axes, values, strict=True))
        found.append((Experiment(**chosen), replicas))
    return found


def read_plan(path: str | os.PathLike) -> Wanted:
    """The experiments of a plan's grids, one grid after another.

    Raises
    ------
    ReproError
        Where the file cannot be read, is no YAML, refers to a part of itself, has a key twice, or
        has a grid that `experiments` refuses; the message names the grid.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_PLAN + 1)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ReproError(f"The plan {path} cannot be read ({reason}).") from error
    if len(text) > LARGEST_PLAN:
        raise ReproError(f"The plan {path} must be YAML of at most {LARGEST_PLAN} bytes.")
    content = _parsed(path, text)
    grids = content if isinstance(content, list) else [content]
    found: list = []
    for number, grid in enumerate(grids, 1):
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
    if runs > MOST_RUNS:
        raise ReproError(
            f"A grid can have {MOST_RUNS} runs, not {shown(runs)}: split it, or name fewer values."
        )


def _listed(key: str, value: Any) -> list[Any]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise ReproError(f"{key} must name at least one.")
    return list(values)
