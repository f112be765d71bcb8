"""The folders that the project reads and writes, and files written whole or not at all."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from repro.errors import ReproError, shown

# Ending of a file that is being written; its name begins with that of the whole one.
PART = ".part"
_NAME = "repro-initial-weights"


def data_folder() -> Path | None:
    """The local folder that REPRO_DATA_DIR names, holding a folder per dataset, or None."""
    return _named("REPRO_DATA_DIR")


def cache_folder() -> Path:
    """Of downloads and prepared copies: REPRO_CACHE_DIR, or the platform's cache folder."""
    return _named("REPRO_CACHE_DIR") or platformdirs.user_cache_path(_NAME, appauthor=False)


def store_path() -> Path:
    """The user's own store: REPRO_STORE, or a folder of the platform's for data."""
    return _named("REPRO_STORE") or platformdirs.user_data_path(_NAME) / "store"


def published_path() -> Path:
    """The published results: REPRO_PUBLISHED, or ``results/`` of the checkout."""
    return _named("REPRO_PUBLISHED") or Path(__file__).resolve().parents[2] / "results"


def expanded(path: str | os.PathLike) -> Path:
    """A path as it was typed, its ``~`` a home folder. Raises ReproError for what is no path."""
    try:
        os.access(path, os.F_OK)  # raises for what the system cannot take
        return Path(path).expanduser()
    except (RuntimeError, ValueError) as error:  # no such user; characters that no name can have
        raise ReproError(f"{shown(os.fspath(path))} is no path here ({error}).") from error


def _named(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return expanded(named) if named else None


@contextlib.contextmanager
def writing(path: Path, named_by: str) -> Iterator[None]:
    """What the system says against it, as a `ReproError`; ``named_by`` names another folder."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno in errno.errorcode else str(error)
        raise ReproError(
            f"{path} cannot be written ({reason}): name a folder you can write to with {named_by}."
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; until then what is there stays. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{PART}")
    try:
        temporary.write_bytes(content)
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        with contextlib.suppress(OSError):  # the folder's entry, where the file system can
            descriptor = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock file ``path`` while the block runs; whether no one else holds it.

    The system releases it when its process ends, however that ends; the file stays, and means
    nothing by itself. Raises OSError where it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            yield False
        else:
            yield True
