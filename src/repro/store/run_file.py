"""A run's file: netCDF with the SHA-256 of its content behind it, which readers of netCDF ignore.

Its root holds the results (`record`), its group ``state`` the weights and biases after the last
epoch and what the optimizer keeps, from which the run can be continued. No damaged file is taken
for a result.
"""

import errno
import functools
import hashlib
import io
import json
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from repro.errors import DamagedFile, ReproError
from repro.experiment import Experiment
from repro.store.record import COORDINATES, DIMENSIONS, DIMENSIONS_AT_SOME_EPOCHS, experiment_of

State = dict[str, np.ndarray]

_STATE = "state"
_MADE = (
    "code_version", "library_versions", "backend", "device", "precision", "trained_together",
    "wall_seconds", "started", "finished",
)  # fmt: skip
_TRAILER = b"\nsha256:"
_TRAILER_LENGTH = len(_TRAILER) + 64
_ALONG = DIMENSIONS | DIMENSIONS_AT_SOME_EPOCHS | {name: (name,) for name in COORDINATES}

_KEPT_BYTES = 2**27
_SETTLED_SECONDS = 1.0  # a file changed this recently may change again at the same time
_KEPT: OrderedDict[tuple, bytes] = OrderedDict()
"""Contents found sound, by path and time: what lists runs and then loads them reads each once."""


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


def written(dataset: xr.Dataset, state: State | None) -> bytes:
    """The whole file of a run: its results as `record.Record` makes them, its state by name."""
    # In memory first: HDF5 does not survive a disk that is full.
    file = io.BytesIO()
    # HDF5 keeps to its format of 1998 unless told otherwise, and that takes as much room as a run.
    # `Dataset.to_netcdf` has no way to tell it.
    with xr.backends.H5NetCDFStore.open(file, mode="w", driver_kwds={"libver": "v110"}) as store:
        dataset.dump_to_store(store, encoding=_compression(dataset))
    if state is not None:
        _state_dataset(state).to_netcdf(file, engine="h5netcdf", group=_STATE, mode="a")
    content = file.getvalue()
    return content + _trailer(content)


def described(path: Path) -> Run:
    """What run a file is of.

    Raises
    ------
    DamagedFile
        Where it is damaged, or no run of this project.
    """
    content = verified(path)
    try:
        return _described(path, content)
    except (LookupError, TypeError, ValueError, OSError) as error:
        reason = str(error).rstrip(".")
        raise DamagedFile(f"{path} is no run of this project ({reason})") from error


@functools.lru_cache(maxsize=4096)
def _parsed(text: str, epochs: int) -> Experiment:
    return Experiment.from_json(json.dumps(json.loads(text) | {"epochs": epochs}))


def _described(path: Path, content: bytes) -> Run:
    import h5py

    with h5py.File(io.BytesIO(content)) as file:
        experiment = _parsed(file.attrs["experiment"], int(file["epoch"][-1]))
        # HDF5 keeps a number as an array of one.
        made = {name: np.ravel(file.attrs[name])[0] for name in _MADE if name in file.attrs}
        return Run(path, experiment, int(file["replica"][0]), _STATE in file, made)


def read(path: Path) -> tuple[Run, xr.Dataset]:
    """What run a file is of, and its results.

    Raises
    ------
    DamagedFile
        As `described`.
    """
    run = described(path)
    return run, results(verified(path), run)


def results(content: bytes, run: Run) -> xr.Dataset:
    """The results in a file's netCDF content, which must be those of the run."""
    import h5py

    # As xarray reads it, in a tenth of the time: a page reads a hundred runs.
    with h5py.File(io.BytesIO(content)) as file:
        read = {name: (_ALONG[name], _values(file[name])) for name in file if name in _ALONG}
        # HDF5 keeps a number as an array of one.
        attributes = {
            name: value[0] if isinstance(value, np.ndarray) and value.size == 1 else value
            for name, value in file.attrs.items()
            if not name.startswith("_")  # netCDF's own
        }
    coordinates = {name: read.pop(name) for name in COORDINATES if name in read}
    dataset = xr.Dataset(read, coordinates, attributes)
    found = experiment_of(dataset).digest, int(dataset["replica"].item())
    if found != (run.experiment.digest, run.replica):
        raise DamagedFile(f"{run.path} has become another run meanwhile")
    return dataset


def state(content: bytes) -> State:
    """The weights and biases in a file's netCDF content, and what else is kept, by name."""
    import h5py

    with h5py.File(io.BytesIO(content)) as file:
        return {
            name: np.asarray(item[()])
            for name, item in file[_STATE].items()
            if not item.is_scale  # which stands for a dimension
        }


def _values(item: Any) -> np.ndarray:
    import h5py

    text = h5py.check_string_dtype(item.dtype) is not None
    return np.array(item.asstr()[()], dtype=str) if text else np.asarray(item[()])


def verified(path: Path) -> bytes:
    """The file's netCDF content, once its checksum has been found right.

    Raises
    ------
    DamagedFile
        Where it is not.
    """
    if not path.is_file():
        raise DamagedFile(f"{path} should be a file and is none")
    try:
        about = path.stat()
        key = path, about.st_ino, about.st_size, about.st_mtime_ns
        if key in _KEPT:
            _KEPT.move_to_end(key)
            return _KEPT[key]
        whole = path.read_bytes()
    except OSError as error:
        problem = f"{path} cannot be read ({os.strerror(error.errno or 0)})"
        if error.errno in (errno.EACCES, errno.EPERM):  # it may be sound
            raise ReproError(f"{problem}: change its permissions.") from error
        raise DamagedFile(problem) from error
    content, trailer = whole[:-_TRAILER_LENGTH], whole[-_TRAILER_LENGTH:]
    if trailer != _trailer(content):
        raise DamagedFile(
            f"{path} is damaged, or not a run of this project, for its checksum is wrong",
            "move it away to train the run again",
        )
    if time.time() - about.st_mtime > _SETTLED_SECONDS:
        _KEPT[key] = content
        while sum(map(len, _KEPT.values())) > _KEPT_BYTES:
            _KEPT.popitem(last=False)
    return content


def _trailer(content: bytes) -> bytes:
    return _TRAILER + hashlib.sha256(content).hexdigest().encode()


def _compression(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    """How each variable is compressed: whole curves, histograms and matrices, each by itself."""
    apart = ("layer", "quantile", "joint_epoch", "matrix_epoch")
    return {
        str(name): {
            "zlib": True, "complevel": 5, "shuffle": True, "_FillValue": None,
            "chunksizes": tuple(1 if d in apart else n for d, n in variable.sizes.items()),
        }
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "fiu" and variable.size and variable.ndim
    }  # fmt: skip


def _state_dataset(state: State) -> xr.Dataset:
    return xr.Dataset(
        {
            name: ([f"{name}_{axis}" for axis in range(values.ndim)], values)
            for name, values in state.items()
        }
    )
