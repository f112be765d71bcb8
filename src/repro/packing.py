"""A store in one file, to carry results from one machine to another.

The file is a tar archive of the runs' own files. Nothing is unpacked to a path that it names: each
run is verified, and kept where its own content says.
"""

import io
import os
import tarfile
from pathlib import Path

from repro.errors import DamagedFile, ReproError
from repro.store import Store
from repro.whole_file import replacing

_LARGEST_RUN = 2 << 30  # bytes; no run is near that


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
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(source, mode="r:") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                if file is None or member.size > _LARGEST_RUN:
                    raise ReproError(f"{source} holds {member.name!r}, which is no run.")
                contents[member.name] = file.read()
            end = archive.offset
        _check_end(source, end)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ReproError(f"{source} cannot be read ({reason}).") from error
    except tarfile.TarError as error:
        raise ReproError(f"{source} is no packed store: {error}.") from error
    for name, content in contents.items():
        store.check(content, f"{name} in {source}")
    kept = [store.adopt(content, f"{name} in {source}") for name, content in contents.items()]
    return [path for path in kept if path is not None]


def _check_end(source: Path, end: int) -> None:
    """Refuse an archive whose last member is not followed by its end alone.

    `tarfile` takes a damaged header for the end, and does not miss the end where it is cut off.
    """
    with source.open("rb") as file:
        file.seek(end)
        rest = file.read()
    if len(rest) < 2 * tarfile.BLOCKSIZE or rest.strip(b"\0"):
        raise DamagedFile(f"{source} is damaged or cut off", "pack the store again")
