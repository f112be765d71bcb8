"""A run's file: netCDF with the SHA-256 of its content behind it, which readers of netCDF ignore.

Its root holds the results (`record`), its group ``state`` the weights and biases after the last
epoch, from which the run can be continued. No damaged file is taken for a result, and none that
only looks like one.
"""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from repro.errors import DamagedFile, ReproError
from repro.experiment import Experiment
from repro.store.record import DIMENSIONS, DIMENSIONS_AT_SOME_EPOCHS, experiment_of

State = dict[str, np.ndarray]

_STATE = "state"
_MADE = (
    "code_version", "library_versions", "backend", "device", "precision", "trained_together",
    "wall_seconds", "started", "finished",
)  # fmt: skip
_INTERNAL = {
    "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_NCProperties", "_Netcdf4Dimid",
    "_Netcdf4Coordinates", "_nc3_strict", "_FillValue",
}  # fmt: skip
_TRAILER = b"\nsha256:"
_TRAILER_LENGTH = len(_TRAILER) + 64
_DESCRIBED: dict[tuple[Path, bytes], "Run"] = {}
"""What was found in files of this content: a page lists a hundred runs several times."""
_COORDINATES = (
    "replica", "epoch", "layer", "quantile", "histogram_epoch", "bin_edge", "joint_epoch",
    "initial_edge", "final_edge", "matrix_epoch",
)  # fmt: skip
_FORM = {name: (name,) for name in _COORDINATES} | DIMENSIONS | DIMENSIONS_AT_SOME_EPOCHS
_LARGEST_RUN = 4 * 2**30  # bytes in memory; no run is near that


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


def described(path: Path, whole: bytes | None = None) -> Run:
    """What run a file is of.

    Parameters
    ----------
    whole:
        What the file holds, where it has been read already; ``path`` is then what to call it.

    Raises
    ------
    DamagedFile
        Where it is damaged, or no run of this project.
    """
    whole = _bytes(path) if whole is None else whole
    content = verified(path, whole)
    key = path, whole[-_TRAILER_LENGTH:]  # the checksum
    if key not in _DESCRIBED:
        with _opened(path, content) as file:
            _DESCRIBED[key] = _described(path, file, _variables(file, content), _attributes(file))
    return _DESCRIBED[key]


def read(path: Path) -> tuple[Run, xr.Dataset]:
    """What run a file is of, and its results; the file is read once.

    Raises
    ------
    DamagedFile
        As `described`.
    """
    content = verified(path)
    with _opened(path, content) as file:
        variables, attributes = _variables(file, content), _attributes(file)
        return _described(path, file, variables, attributes), _results(variables, attributes)


def results(content: bytes, run: Run) -> xr.Dataset:
    """The results in a file's netCDF content, which must be those of the run."""
    with _opened(run.path, content) as file:
        dataset = _results(_variables(file, content), _attributes(file))
    found = experiment_of(dataset).digest, int(dataset["replica"].item())
    if found != (run.experiment.digest, run.replica):
        raise DamagedFile(f"{run.path} has become another run meanwhile")
    return dataset


@contextlib.contextmanager
def _opened(path: Path, content: bytes) -> Iterator[Any]:
    """A file's netCDF content as HDF5; what cannot be read of it raises a `DamagedFile`."""
    import h5py

    try:
        with h5py.File(h5py.h5f.open_file_image(content)) as file:
            yield file
    # HDF5 raises RuntimeError for what is damaged deep inside, JSON RecursionError.
    except (OSError, LookupError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        reason = str(error).rstrip(".")
        raise DamagedFile(f"{path} is no run of this project ({reason})") from error


def _described(
    path: Path, file: Any, variables: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Run:
    epoch, replica = _values(variables["epoch"]), _values(variables["replica"])
    if replica.shape != (1,) or replica[0] < 0:
        raise ValueError("it is not of one replica")
    if not np.array_equal(epoch, np.arange(len(epoch))):
        raise ValueError("its epochs are not 0, 1, 2, ...")
    parameters = json.loads(attributes["experiment"]) | {"epochs": int(epoch[-1])}
    experiment = Experiment.from_json(json.dumps(parameters))
    made = {name: attributes[name] for name in _MADE if name in attributes}
    return Run(path, experiment, int(replica[0]), _STATE in file, made)


def _variables(file: Any, content: bytes) -> dict[str, Any]:
    """The identifiers of a run's variables: the low level of h5py takes a tenth of the time.

    What has no run's form, or says that it holds more than it can, raises an error.
    """
    from h5py import h5d

    there = set(file)
    found = {name: h5d.open(file.id, name.encode()) for name in _FORM if name in there}
    sizes: dict[str, int] = {}
    held = 0
    for name, variable in found.items():
        dimensions, shape = _FORM[name], variable.shape or ()
        if len(shape) != len(dimensions):
            raise ValueError(f"{name} does not have the dimensions {dimensions}")
        for dimension, size in zip(dimensions, shape, strict=True):
            if sizes.setdefault(dimension, size) != size:
                raise ValueError(f"{name} is not as long as its dimensions")
        held += math.prod(shape) * variable.get_type().get_size()
    # Compression makes a thousandth at best; what was never written takes no place at all.
    if held > min(_LARGEST_RUN, 2000 * len(content) + 2**26):
        raise ValueError(f"it says that it holds {held / 2**30:.1f} GiB")
    if missing := [name for name in (*DIMENSIONS, "replica", "epoch") if name not in found]:
        raise ValueError(f"it has no {missing[0]}")
    return found


def _results(variables: Mapping[str, Any], attributes: Mapping[str, Any]) -> xr.Dataset:
    """What xarray reads from it, in a tenth of the time: a page reads a hundred runs."""
    read = {name: xr.Variable(_FORM[name], _values(one)) for name, one in variables.items()}
    return xr.Dataset(
        {name: one for name, one in read.items() if name not in _COORDINATES},
        {name: one for name, one in read.items() if name in _COORDINATES},
        attributes,
    )


def _values(variable: Any) -> np.ndarray:
    import h5py

    if variable.dtype.kind not in "fiu":
        return np.asarray(h5py.Dataset(variable).asstr()[()], dtype=str)
    values = np.empty(variable.shape, variable.dtype)
    variable.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def state(content: bytes) -> State:
    """The weights and biases in a file's netCDF content, by name."""
    with _opened(Path(_STATE), content) as file:
        place = file[_STATE]
        return {name: place[name][()] for name in place if not _only_a_dimension(place[name])}


def _only_a_dimension(item: Any) -> bool:
    """Whether it stands for a dimension that has no coordinate, as netCDF marks it."""
    said = item.attrs.get("NAME", b"") if item.is_scale else b""
    return said.startswith(b"This is a netCDF dimension but not")


def _attributes(item: Any) -> dict[str, Any]:
    """Attributes less those that netCDF and HDF5 keep for themselves; numbers as numbers."""
    attributes = item.attrs
    found = {name: attributes[name] for name in attributes if name not in _INTERNAL}
    return {
        name: value[0] if isinstance(value, np.ndarray) and value.size == 1 else value
        for name, value in found.items()
    }


def verified(path: Path, whole: bytes | None = None) -> bytes:
    """The file's netCDF content, once its checksum has been found right.

    ``whole`` is what the file holds, where it has been read already.
    """
    if whole is None:
        whole = _bytes(path)
    content, trailer = whole[:-_TRAILER_LENGTH], whole[-_TRAILER_LENGTH:]
    if trailer != _trailer(content):
        raise DamagedFile(
            f"{path} is damaged, or not a run of this project, for its checksum is wrong",
            "move it away to train the run again",
        )
    return content


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise DamagedFile(f"{path} should be a file and is none")
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"{path} cannot be read ({os.strerror(error.errno or 0)})"
        if error.errno in (errno.EACCES, errno.EPERM):  # it may be sound
            raise ReproError(f"{problem}: change its permissions.") from error
        raise DamagedFile(problem) from error


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
