"""The folders that the project reads and writes, each named by a variable or by the platform."""

import os
from pathlib import Path

import platformdirs

_NAME = "repro-initial-weights"


def data_folder() -> Path | None:
    """The local folder that REPRO_DATA_DIR names, holding a folder per dataset, or None."""
    return _named("REPRO_DATA_DIR")


def cache_folder() -> Path:
    """Where downloads and prepared copies go: REPRO_CACHE_DIR, or the platform's cache folder."""
    return _named("REPRO_CACHE_DIR") or platformdirs.user_cache_path(_NAME, appauthor=False)


def store_path() -> Path:
    """The user's own store: REPRO_STORE, or a folder of the platform's for data."""
    return _named("REPRO_STORE") or platformdirs.user_data_path(_NAME) / "store"


def published_path() -> Path:
    """The published results: REPRO_PUBLISHED, or ``results/`` of the checkout."""
    return _named("REPRO_PUBLISHED") or Path(__file__).resolve().parents[2] / "results"


def _named(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return Path(named).expanduser() if named else None
