"""Files written whole or not at all, files set aside, and locks that die with their process."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PART = ".part"
"""Ending of a file that is being written; its name begins with that of the whole one."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of ``path`` once the block has ended well.

    What is at ``path`` until then stays readable, and stays where the block fails. Folders on the
    way are made.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{PART}")
    try:
        with open(temporary, "xb") as file:
            yield temporary
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _keep_entries(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock file ``path`` while the block runs; whether it could be had.

    False where another process holds it (or this one, elsewhere). The system releases it when its
    process ends, however that ends; the file stays, and means nothing by itself.

    Raises
    ------
    OSError
        Where the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        yield _lock(file.fileno())


def _lock(descriptor: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    return True


def set_aside(path: Path) -> Path:
    """Give what is at ``path`` a name under which nothing looks for it; the new path.

    Raises
    ------
    OSError
        Where it cannot be renamed.
    """
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.set-aside-{number}")):
        number += 1
    os.rename(path, aside)
    return aside


def _keep_entries(folder: Path) -> None:
    """Have the folder's entries outlive a power cut, where the file system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
