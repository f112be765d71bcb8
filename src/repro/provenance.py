"""Where a result comes from: code version, library versions, time."""

import importlib.metadata
import json
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

VERSION = "0.1.0"


@cache
def code_version() -> str:
    """Version of this package, with the commit where it runs from a checkout.

    ``0.1.0+g1a2b3c4``; ``.dirty`` is appended where the package's own files differ from the commit.
    """
    package = Path(__file__).resolve().parent

    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", *words], cwd=package, capture_output=True, text=True)

    try:
        # The commit that last touched the package: pages and tests do not change what it computes.
        commit = git("log", "-1", "--format=%h", "--abbrev=10", "--", ".")
        dirty = git("status", "--porcelain", "--untracked-files=no", "--", ".")
    except OSError:  # no git here
        return VERSION
    if commit.returncode or not commit.stdout.strip():
        return VERSION
    return f"{VERSION}+g{commit.stdout.strip()}{'.dirty' if dirty.stdout.strip() else ''}"


def library_versions(extra: dict[str, str]) -> str:
    """Versions of Python, NumPy, xarray and the given ones, as JSON."""
    named = {"python": platform.python_version()}
    named |= {name: importlib.metadata.version(name) for name in ("numpy", "xarray")}
    return json.dumps(named | extra)


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
