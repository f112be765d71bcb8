"""A store in one file, to carry results from one machine to another.

The file is a tar archive of the runs' own files. Nothing is unpacked to a path that it names: each
run is verified, and kept where its own content says.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from repro.errors import DamagedFile, ReproError
from repro.store.store import Store
from repro.whole_file import replacing

_LARGEST_RUN = 2 << 30  # bytes; no run is near that
_LONGEST_END = tarfile.RECORDSIZE + 2 * tarfile.BLOCKSIZE  # filled up to whole records


def pack(store: Store, target: str | os.PathLike) -> list[Path]:
    """Write every run of the store into one file, whole or not at all; the runs packed.

    Raises
    ------
    ReproError
        Where the store has no run, one of them is damaged, or the file cannot be written.
    """
    target, runs = Path(target), list(store.runs())
    if not runs:
        raise ReproError(f"There is no run in {store.path} to pack; --store names another folder.")
    try:
        # Not compressed: the runs are.
        with replacing(target) as temporary, tarfile.open(temporary, mode="w") as archive:
            for run in runs:
                content = run.path.read_bytes()
                store.check(content, str(run.path))  # it may have been replaced since it was listed
                member = tarfile.TarInfo(f"{run.path.parent.name}/{run.path.name}")
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ReproError(f"{target} cannot be written ({reason}).") from error
    return [run.path for run in runs]


def unpack(source: str | os.PathLike, store: Store) -> list[Path]:
    """Bring the runs of a packed file into the store; the paths of those that are new there.

    A run that the store has for as many epochs stays as it is.

    Raises
    ------
    ReproError
        Where the file cannot be read, is no packed store, or holds anything but sound runs: then
        nothing of it is kept.
    """
    source = Path(source)
    try:
        for name, content in _members(source):
            store.check(content, f"{name} in {source}")
        # A second time, so that no more than one run is in memory: all are sound.
        kept = [store.adopt(content, f"{name} in {source}") for name, content in _members(source)]
    except ReproError:
        raise
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ReproError(f"{source} cannot be read ({reason}).") from error
    # Of damaged headers `tarfile` raises more than its own errors.
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise ReproError(f"{source} is no packed store: {error}.") from error
    return [path for path in kept if path is not None]


def _members(source: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of an archive's members, which must be plain files and not too large."""
    with tarfile.open(source, mode="r:") as archive:
        for member in archive:
            # A sparse member can be far larger than what the archive has of it.
            if not member.isreg() or member.issparse() or member.size > _LARGEST_RUN:
                raise ReproError(f"{source} holds {member.name!r}, which is no run.")
            yield member.name, archive.extractfile(member).read()
        end = archive.offset
    _check_end(source, end)


def _check_end(source: Path, end: int) -> None:
    """Refuse an archive whose last member is not followed by its end alone.

    `tarfile` takes a damaged header for the end, and does not miss the end where it is cut off.
    """
    with source.open("rb") as file:
        file.seek(end)
        rest = file.read(_LONGEST_END + 1)
    if not 2 * tarfile.BLOCKSIZE <= len(rest) <= _LONGEST_END or rest.strip(b"\0"):
        raise DamagedFile(f"{source} is damaged or cut off", "pack the store again")
