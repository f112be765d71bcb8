"""One process at a time on one run: whoever trains it holds a lock, which dies with the process."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from repro.whole_file import make_folder


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the lock file ``path`` while the block runs; whether it could be had.

    False where another process holds it (or this one, elsewhere). The kernel releases it when its
    process ends, however that ends, so there is no stale lock; a file that is left behind by a kill
    means nothing, and the next to hold it removes it.

    Raises
    ------
    OSError
        Where the file cannot be made.
    """
    descriptor = _locked(path)
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        try:
            with contextlib.suppress(OSError):  # left behind, where the store is read-only by now
                path.unlink()  # while it is locked: see _locked
        finally:
            os.close(descriptor)


def _locked(path: Path) -> int | None:
    """A descriptor of the locked file, None where another holds it."""
    while True:
        make_folder(path.parent)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # the folder has just been removed by another
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed the file between our opening and our locking it.
            if os.fstat(descriptor).st_nlink and os.path.samestat(
                os.fstat(descriptor), os.stat(path)
            ):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
