"""Grids of experiments: every combination of the values named, from a command or from a plan.

A plan is a YAML file: one grid, or a list of them, each a mapping of KEYS to a value or a list.
"""

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repro import datasets
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.runs import replica_numbers
from repro.schedule import Wanted

# What a grid may have several of, from the slowest to the fastest, and the parameter it stands for.
AXES = {
    "datasets": "dataset",
    "losses": "loss",
    "pixels": "pixels",
    "marks": "mark",
    "splits": "split",
    "labels": "labels",
    "learning_rates": "learning_rate",
    "widths": "width",
}
SINGLE = ("epochs", "batch_size", "epsilon", "seed")
KEYS = (*AXES, *SINGLE, "replicas")
_REQUIRED = ("datasets", "widths")
_LENGTH = 1000  # the paper's


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
        For a key that is not known or missing, and for a value that makes no experiment.
    """
    for key in grid:
        if key not in KEYS:
            raise ReproError(f"A grid can have {', '.join(KEYS)}, not {key!r}.")
    for key in _REQUIRED:
        if key not in grid:
            raise ReproError(f"A grid needs {' and '.join(_REQUIRED)}; {key} is missing.")
    axes = {parameter: _listed(key, grid[key]) for key, parameter in AXES.items() if key in grid}
    axes["dataset"] = [datasets.identified(each) for each in axes["dataset"]]  # a file is read once
    single = {"epochs": _LENGTH} | {key: grid[key] for key in SINGLE if key in grid}
    replicas = replica_numbers(grid.get("replicas", 1))
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
        Where the file cannot be read, is no YAML, or has a grid that `experiments` refuses; the
        message names the grid.
    """
    import yaml

    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ReproError(f"The plan {path} cannot be read ({reason}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise ReproError(f"The plan {path} must be YAML: {said}.") from error
    grids = content if isinstance(content, list) else [content]
    found: list = []
    for number, grid in enumerate(grids, 1):
        if not isinstance(grid, dict) or not all(isinstance(key, str) for key in grid):
            raise ReproError(
                f"Grid {number} of {path} must be a mapping such as "
                f"{{datasets: [digits], widths: [8, 16]}}, not {grid!r}."
            )
        try:
            found += experiments(grid)
        except ReproError as error:
            raise ReproError(f"Grid {number} of {path}: {error}") from error
    if not found:
        raise ReproError(f"The plan {path} names no grid.")
    return found


def _listed(key: str, value: Any) -> list[Any]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise ReproError(f"{key} must name at least one.")
    return list(values)
