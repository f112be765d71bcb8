"""Results on disk: one netCDF file per run, written whole or not at all.

A run's file is found by the experiment's digest and the replica's number. Its root holds the
results (`record`), its group ``state`` the weights and biases after the last epoch, from which the
run can be continued. Published files leave the state out once a run is complete. Behind the netCDF
content stands its SHA-256, so that no damaged file is taken for a result; readers of netCDF do not
mind it.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import xarray as xr

from repro import run_lock
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.whole_file import replacing

State = dict[str, np.ndarray]

_SUFFIX = ".nc"
_STATE = "state"
_MADE = (
    "code_version", "library_versions", "backend", "device", "precision", "trained_together",
    "wall_seconds", "started", "finished",
)  # fmt: skip
_TRAILER = b"\nsha256:"
_TRAILER_LENGTH = len(_TRAILER) + 64


@dataclass(frozen=True)
class Run:
    """A run's file: where it is, what it is of, how far it got, and how it was made.

    ``made`` has what `provenance` tells: code_version, backend, device, wall_seconds, finished, ...
    """

    path: Path
    experiment: Experiment
    replica: int
    continuable: bool
    made: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return self.experiment.epochs


def default_path() -> Path:
    """The user's own store: REPRO_STORE, or a folder of the platform's for data."""
    named = os.environ.get("REPRO_STORE")
    return Path(named) if named else platformdirs.user_data_path("repro-initial-weights") / "store"


def published_path() -> Path:
    """The published results: REPRO_PUBLISHED, or ``results/`` of the checkout."""
    named = os.environ.get("REPRO_PUBLISHED")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "results"


class Store:
    """A folder of runs. Nothing is created before the first run is saved."""

    def __init__(self, path: str | os.PathLike | None = None) -> None:
        self.path = Path(path) if path is not None else default_path()

    def file(self, experiment: Experiment, replica: int) -> Path:
        """Where the run's file is, or would be."""
        return self.path / experiment.name / f"replica-{replica:04d}{_SUFFIX}"

    def find(self, experiment: Experiment, replica: int) -> Run | None:
        """The run, whatever its epochs; None where the store does not have it."""
        path = self.file(experiment, replica)
        if not path.is_file():
            return None
        run = _describe(path)
        if run.experiment.digest != experiment.digest or run.replica != replica:
            raise ReproError(
                f"{path} holds another run ({run.experiment.name}, replica {run.replica}) than its "
                "name says: move it away."
            )
        return run

    def replicas(self, experiment: Experiment) -> list[int]:
        """The replicas of it that have a file, in order."""
        folder = self.path / experiment.name
        return sorted(int(path.stem.removeprefix("replica-")) for path in _files(folder))

    def runs(self) -> Iterator[Run]:
        """Every run, by name."""
        if self.path.is_dir():
            for folder in sorted(path for path in self.path.iterdir() if path.is_dir()):
                yield from map(_describe, _files(folder))

    def load(self, run: Run) -> xr.Dataset:
        """The results of a run, verified against their checksum, in memory."""
        return _read(run.path, None)

    def load_state(self, run: Run) -> State:
        """Weights and biases after the run's last epoch, by name, as `save` was given them."""
        return {str(name): array.values for name, array in _read(run.path, _STATE).items()}

    def save(self, dataset: xr.Dataset, state: State | None) -> Path:
        """Write a run's file, whole or not at all, over an earlier one of the same run.

        ``dataset`` as `record.Record.to_dataset` makes it; ``state`` by name, or None to leave it
        out.
        """
        experiment = _experiment(dataset)
        path = self.file(experiment, int(dataset["replica"].item()))
        with _replacing(path) as temporary:
            dataset.to_netcdf(temporary, engine="h5netcdf", encoding=_compression(dataset))
            if state is not None:
                held = _state_dataset(state)
                held.to_netcdf(temporary, engine="h5netcdf", group=_STATE, mode="a")
            _append_trailer(temporary)
        return path

    @contextlib.contextmanager
    def held(self, experiment: Experiment, replica: int) -> Iterator[bool]:
        """Keep the run to this process while the block runs; whether that is possible.

        What an earlier process left half-written when it was killed is removed.

        Raises
        ------
        ReproError
            Where the store cannot be written.
        """
        path = self.file(experiment, replica)
        with _passing_folders(path.parent), contextlib.ExitStack() as stack:
            try:
                lock = run_lock.held(path.with_name(f".{path.name}.lock"))
                ours = stack.enter_context(lock)
                for part in path.parent.glob(f".{path.name}.*.part") if ours else ():
                    part.unlink(missing_ok=True)
            except OSError as error:
                raise _unwritable(path, error) from error
            yield ours

    @staticmethod
    def check(content: bytes, name: str) -> None:
        """Raise a `ReproError` that names it where the content is not the file of a sound run."""
        _describe(Path(name), content)

    def tidy(self, experiment: Experiment) -> None:
        """Remove what processes that were killed have left of its runs: locks and unfinished files.

        What another process is at work on stays.
        """
        folder = self.path / experiment.name
        left = {path.name.split(".")[1] for path in folder.glob(f".replica-*{_SUFFIX}.*")}
        for stem in sorted(left):
            with self.held(experiment, int(stem.removeprefix("replica-"))):
                pass

    def adopt(self, content: bytes, name: str) -> Path | None:
        """Keep a run's file made elsewhere, where it has more epochs than what is here.

        Parameters
        ----------
        content:
            The whole file. Where it is kept follows from it alone.
        name:
            What to call it in a message.

        Returns
        -------
        Path or None
            Where it is kept now; None where the store has as much already.

        Raises
        ------
        ReproError
            Where it is damaged or no run, and where the store cannot be written.
        """
        run = _describe(Path(name), content)
        path = self.file(run.experiment, run.replica)
        there = self.find(run.experiment, run.replica)
        # Of two with as many epochs the one that can be continued is worth more.
        if there is not None and (there.epochs, there.continuable) >= (run.epochs, run.continuable):
            return None
        with _replacing(path) as temporary:
            temporary.write_bytes(content)
        return path

    def check_writable(self) -> None:
        """Raise a `ReproError` where the store cannot be written: before hours of training."""
        with _passing_folders(self.path):
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=self.path):
                    pass
            except OSError as error:
                raise _unwritable(self.path, error) from error


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"replica-[0-9][0-9][0-9][0-9]*{_SUFFIX}"))


@contextlib.contextmanager
def _passing_folders(folder: Path) -> Iterator[None]:
    """Leave the folder and its parents as they were found, unless something is in them then."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield
    finally:
        for each in made:
            with contextlib.suppress(OSError):
                each.rmdir()


def _describe(path: Path, whole: bytes | None = None) -> Run:
    import h5py

    with h5py.File(io.BytesIO(_verified(path, whole))) as file:
        epochs = int(file["epoch"][-1])
        parameters = json.loads(file.attrs["experiment"]) | {"epochs": epochs}
        experiment = Experiment.from_json(json.dumps(parameters))
        made = {name: file.attrs[name] for name in _MADE if name in file.attrs}
        return Run(path, experiment, int(file["replica"][0]), _STATE in file, made)


def _experiment(dataset: xr.Dataset) -> Experiment:
    parameters = json.loads(dataset.attrs["experiment"])
    return Experiment(epochs=int(dataset["epoch"].values[-1]), **parameters)


def _read(path: Path, group: str | None) -> xr.Dataset:
    content = io.BytesIO(_verified(path))
    with xr.open_dataset(content, engine="h5netcdf", group=group) as opened:
        dataset = opened.load()
    for variable in dataset.variables.values():
        variable.encoding = {}
    return dataset


def _verified(path: Path, whole: bytes | None = None) -> bytes:
    """The file's netCDF content, once its checksum has been found right.

    ``whole`` is what the file holds, where it has been read already.
    """
    try:
        whole = path.read_bytes() if whole is None else whole
    except OSError as error:
        raise ReproError(f"{path} cannot be read ({os.strerror(error.errno or 0)}).") from error
    content, trailer = whole[:-_TRAILER_LENGTH], whole[-_TRAILER_LENGTH:]
    if trailer != _trailer(content):
        raise ReproError(
            f"{path} is damaged, or not a run of this project: its checksum is wrong; move it away "
            "to train the run again."
        )
    return content


def _trailer(content: bytes) -> bytes:
    return _TRAILER + hashlib.sha256(content).hexdigest().encode()


def _append_trailer(path: Path) -> None:
    with open(path, "r+b") as file:
        trailer = _trailer(file.read())
        file.write(trailer)


def _compression(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    return {
        str(name): {"zlib": True, "complevel": 5, "shuffle": True, "_FillValue": None}
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "fiu" and variable.ndim
    }


def _state_dataset(state: State) -> xr.Dataset:
    return xr.Dataset(
        {
            name: ([f"{name}_{axis}" for axis in range(values.ndim)], values)
            for name, values in state.items()
        }
    )


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ReproError:
    reason = os.strerror(error.errno) if error.errno in errno.errorcode else str(error)
    return ReproError(
        f"{path} cannot be written ({reason}): name a folder you can write to with --store or "
        "REPRO_STORE."
    )
