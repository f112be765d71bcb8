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
_THEN = ", then "
FROM_EPOCH = " from epoch "


@cache
def code_version() -> str:
    """Version of this package, with the commit that last touched it: ``0.1.0+g1a2b3c4``.

    Behind it ``.dirty`` where the package's own files differ from the commit.
    """
    package = Path(__file__).resolve().parent
    # A hook of another repository sets GIT_DIR: the commit is of this folder, or there is none.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}

    def git(*words: str) -> str:
        command = ["git", "-C", str(package), *words, "--", "."]
        done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
        return done.stdout.strip()

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
    """What made a run: ``now`` alone, or, where others began it, ``A, then B from epoch 620``."""
    if before is None:
        return now
    if now == makers(before)[-1]:
        return before
    return f"{before}{_THEN}{now}{FROM_EPOCH}{epoch}"


def makers(told: str) -> list[str]:
    """What made a run, one after another."""
    return [each.partition(FROM_EPOCH)[0] for each in told.split(_THEN)]
