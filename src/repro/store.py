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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import xarray as xr

from repro.errors import ReproError
from repro.experiment import Experiment

State = dict[str, np.ndarray]

_SUFFIX = ".nc"
_STATE = "state"
_TRAILER = b"\nsha256:"
_TRAILER_LENGTH = len(_TRAILER) + 64


@dataclass(frozen=True)
class Run:
    """A run's file: where it is, what it is of, how far it got."""

    path: Path
    experiment: Experiment
    replica: int
    continuable: bool

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

    def check_writable(self) -> None:
        """Raise a `ReproError` where the store cannot be written: before hours of training."""
        made = [path for path in (self.path, *self.path.parents) if not path.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise _unwritable(self.path, error) from error
        finally:
            for path in made:  # an empty store is left as it was found
                with contextlib.suppress(OSError):
                    path.rmdir()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"replica-[0-9][0-9][0-9][0-9]*{_SUFFIX}"))


def _describe(path: Path) -> Run:
    import h5py

    with h5py.File(io.BytesIO(_verified(path))) as file:
        epochs = int(file["epoch"][-1])
        parameters = json.loads(file.attrs["experiment"]) | {"epochs": epochs}
        experiment = Experiment.from_json(json.dumps(parameters))
        return Run(path, experiment, int(file["replica"][0]), _STATE in file)


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


def _verified(path: Path) -> bytes:
    """The file's netCDF content, once its checksum has been found right."""
    try:
        whole = path.read_bytes()
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
    """A temporary path that takes the place of ``path`` once the block has ended well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> ReproError:
    reason = os.strerror(error.errno) if error.errno in errno.errorcode else str(error)
    return ReproError(
        f"{path} cannot be written ({reason}): name a folder you can write to with --store or "
        "REPRO_STORE."
    )
