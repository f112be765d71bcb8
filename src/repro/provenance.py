"""Where a result comes from: code version, library versions, time."""

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

VERSION = "0.1.0"
# Between what made a run and what went on with it, and between that and the epoch from which.
THEN = ", then "
FROM_EPOCH = " from epoch "


@cache
def code_version() -> str:
    """Version of this package, with the commit that last touched it, where there is a checkout.

    ``0.1.0+g1a2b3c4``; ``.dirty`` is appended where the package's own files differ from the commit.
    """
    package = Path(__file__).resolve().parent
    # A hook of another repository sets GIT_DIR: the commit is of this folder, or there is none.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}

    def git(*words: str) -> str:
        command = ["git", *words, "--", "."]
        options: dict[str, Any] = {"cwd": package, "env": environment, "text": True}
        return subprocess.run(command, capture_output=True, check=True, **options).stdout.strip()

    try:
        commit = git("log", "-1", "--format=%h", "--abbrev=10")
        dirty = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):  # no git here, or no checkout
        return VERSION
    return f"{VERSION}+g{commit}{'.dirty' if dirty else ''}" if commit else VERSION


def library_versions(extra: dict[str, str], before: str | None = None) -> str:
    """Versions of Python, NumPy, xarray and the given ones, as JSON.

    Where ``before``, those that a run was begun with, are others, they are kept under that name.
    """
    named: dict[str, Any] = {"python": platform.python_version()}
    named |= {name: importlib.metadata.version(name) for name in ("numpy", "xarray")}
    named |= extra
    earlier = json.loads(before) if before else named
    if {name: earlier[name] for name in earlier if name != "before"} == named:
        return before or json.dumps(named)
    return json.dumps(named | {"before": earlier})


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def continued(before: str | None, now: str, epoch: int) -> str:
    """What made a run: ``now`` alone, or what made it until ``epoch`` and what from there on.

    ``A, then B from epoch 620``: a run that was begun elsewhere does not pass for one made here.
    """
    if before is None:
        return now
    if now == handovers(before)[0][-1]:
        return before
    return f"{before}{THEN}{now}{FROM_EPOCH}{epoch}"


def handovers(told: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """What made a run, one after another, and the epochs from which all but the first did."""
    first, *later = told.split(THEN)
    parts = [each.rpartition(FROM_EPOCH) for each in later]
    return (first, *(name for name, _, _ in parts)), tuple(int(epoch) for _, _, epoch in parts)
