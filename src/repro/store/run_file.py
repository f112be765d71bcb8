"""A run's file: netCDF with the SHA-256 of its content behind it, which readers of netCDF ignore.

Its root holds the results (`record`), its group ``state`` the weights and biases after the last
epoch, from which the run can be continued. No damaged file is taken for a result, and none that
only looks like one.
"""

import errno
import hashlib
import io
import json
import math
import os
from collections.abc import Mapping
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
    import h5py

    whole = _bytes(path) if whole is None else whole
    content = verified(path, whole)
    key = path, whole[-_TRAILER_LENGTH:]  # the checksum
    if key in _DESCRIBED:
        return _DESCRIBED[key]
    try:
        with h5py.File(io.BytesIO(content)) as file:
            _check_form(file, len(content))
            epochs = int(file["epoch"][-1])
            parameters = json.loads(file.attrs["experiment"]) | {"epochs": epochs}
            experiment = Experiment.from_json(json.dumps(parameters))
            # HDF5 keeps a number as an array of one.
            made = {n: np.ravel(file.attrs[n])[0] for n in _MADE if n in file.attrs}
            run = Run(path, experiment, int(file["replica"][0]), _STATE in file, made)
    # HDF5 raises RuntimeError for what is damaged deep inside, JSON RecursionError.
    except (OSError, LookupError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        reason = str(error).rstrip(".")
        raise DamagedFile(f"{path} is no run of this project ({reason})") from error
    _DESCRIBED[key] = run
    return run


def _check_form(file: Any, length: int) -> None:
    """Raise an error where a file has no run's form, or says that it holds more than it can."""
    variables = _variables(file)
    held = sum(math.prod(one.shape or ()) * one.dtype.itemsize for one in variables.values())
    # Compression makes a thousandth at best; what was never written takes no place at all.
    if held > min(_LARGEST_RUN, 2000 * length + 2**26):
        raise ValueError(f"it says that it holds {held / 2**30:.1f} GiB")
    scales = _scales(variables)
    for name, dimensions in (DIMENSIONS | DIMENSIONS_AT_SOME_EPOCHS).items():
        if name in variables or name in DIMENSIONS:
            _check_dimensions(variables[name], name, dimensions, scales)
    if file["replica"].shape != (1,) or file["replica"][0] < 0:
        raise ValueError("it is not of one replica")
    if not np.array_equal(file["epoch"], np.arange(file["epoch"].shape[0])):
        raise ValueError("its epochs are not 0, 1, 2, ...")


def _variables(place: Any) -> dict[str, Any]:
    """The identifiers of all variables of an HDF5 file or group, those in its groups included."""
    from h5py import h5d, h5o

    found: dict[str, Any] = {}

    def note(name: bytes) -> None:
        item = h5o.open(place.id, name)
        if isinstance(item, h5d.DatasetID):
            found[name.decode()] = item

    h5o.visit(place.id, note)
    return found


def _check_dimensions(
    variable: Any, name: str, dimensions: tuple[str, ...], scales: "_Scales"
) -> None:
    """Raise an error where an HDF5 variable does not lie along these dimensions."""
    found = [scales.get(address, ("elsewhere", -1)) for address in _along(variable)]
    if (names := tuple(dimension for dimension, _ in found)) != dimensions:
        raise ValueError(f"{name} has the dimensions {names}, not {dimensions}")
    if tuple(length for _, length in found) != variable.shape:
        raise ValueError(f"{name} is not as long as its dimensions")


# h5py's `Dataset.dims` says what follows in ten times the time: a page asks for a thousand.

_Scales = dict[int, tuple[str, int]]
"""Name and length of each dimension of an HDF5 group, by its address in the file."""


def _scales(variables: Mapping[str, Any]) -> _Scales:
    from h5py import h5ds, h5o

    return {
        h5o.get_info(one).addr: (name, one.shape[0])
        for name, one in variables.items()
        if h5ds.is_scale(one)
    }


def _along(variable: Any) -> list[int]:
    """The addresses of the dimensions along which an HDF5 variable lies, by its identifier."""
    from h5py import h5ds, h5o

    found: list[int] = []
    for axis in range(variable.rank):
        if h5ds.get_num_scales(variable, axis):  # of none, iterating is an error
            h5ds.iterate(variable, axis, lambda scale: found.append(h5o.get_info(scale).addr), 0)
    return found


def read(path: Path) -> tuple[Run, xr.Dataset]:
    """What run a file is of, and its results; the file is read once.

    Raises
    ------
    DamagedFile
        As `described`.
    """
    whole = _bytes(path)
    run = described(path, whole)
    return run, results(verified(path, whole), run)


def results(content: bytes, run: Run) -> xr.Dataset:
    """The results in a file's netCDF content, which must be those of the run."""
    dataset = _opened(content, None)
    found = experiment_of(dataset).digest, int(dataset["replica"].item())
    if found != (run.experiment.digest, run.replica):
        raise DamagedFile(f"{run.path} has become another run meanwhile")
    return dataset


def state(content: bytes) -> State:
    """The weights and biases in a file's netCDF content, by name."""
    return {str(name): array.values for name, array in _opened(content, _STATE).items()}


def _opened(content: bytes, group: str | None) -> xr.Dataset:
    """What xarray reads from it, in a fifth of the time: a page reads a hundred runs."""
    import h5py

    with h5py.File(io.BytesIO(content)) as file:
        place = file if group is None else file[group]
        found = _variables(place)
        variables = {name: found[name] for name in place if name in found}  # in the file's order
        scales = _scales(variables)
        items = {name: h5py.Dataset(one) for name, one in variables.items()}
        read = {
            name: _variable(name, item, scales)
            for name, item in items.items()
            if not _only_a_dimension(item)
        }
        attributes = _attributes(place)
    coordinates = {name for name, one in read.items() if one.dims == (name,)}
    return xr.Dataset(
        {name: variable for name, variable in read.items() if name not in coordinates},
        {name: variable for name, variable in read.items() if name in coordinates},
        attributes,
    )


def _variable(name: str, item: Any, scales: _Scales) -> xr.Variable:
    """An HDF5 variable with its dimensions, values and attributes."""
    import h5py

    text = h5py.check_string_dtype(item.dtype) is not None
    values = np.array(item.asstr()[()], dtype=str) if text else item[()]
    dimensions = (name,) if item.is_scale else tuple(scales[one][0] for one in _along(item.id))
    return xr.Variable(dimensions, np.asarray(values), _attributes(item))


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
