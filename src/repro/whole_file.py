"""Files written whole or not at all, and files set aside."""

import contextlib
import fcntl
import glob
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

_TRIES = 100  # at what another process may undo in the same moment


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of ``path`` once the block has ended well.

    What is at ``path`` until then stays readable, and stays where the block fails. Folders on the
    way are made. The block writes to the file that is there, empty; what processes that were killed
    have left of theirs is removed.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    make_folder(path.parent)
    remove_unfinished(path)
    temporary, descriptor = _temporary(path)
    try:
        yield temporary
        os.fsync(descriptor)
        os.replace(temporary, path)
        _keep_entries(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
        os.close(descriptor)


def remove_unfinished(path: Path) -> None:
    """Remove the temporary files of ``path`` whose processes are gone."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_CLOEXEC)
            try:
                # A lock dies with its process: see _temporary.
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(descriptor)


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


def make_folder(folder: Path) -> None:
    """Make the folder and those on the way, though another process may be removing them, empty.

    Raises
    ------
    OSError
        Where it cannot be made.
    """
    for _ in range(_TRIES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return
        except FileNotFoundError:  # the one above has just been removed
            continue
        except FileExistsError:
            if os.path.lexists(folder):  # and is no folder
                raise
    folder.mkdir(parents=True, exist_ok=True)


def _temporary(path: Path) -> tuple[Path, int]:
    """A new file beside ``path``, and a descriptor that holds its lock as long as we live."""
    for _ in range(_TRIES):
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        try:
            descriptor = os.open(temporary, flags, 0o666)
        except FileNotFoundError:
            make_folder(path.parent)
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another takes it for left behind before it is locked
            os.close(descriptor)
            continue
        except OSError:  # a file system without locks: nothing is removed there either
            pass
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)
    raise OSError(f"{path.parent} changes too fast")


def _keep_entries(folder: Path) -> None:
    """Have the folder's entries outlive a power cut, where the file system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
