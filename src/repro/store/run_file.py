"""A run's file: netCDF with the SHA-256 of its content behind it, which readers of netCDF ignore.

Its root holds the results (`record`), its group ``state`` what the run can be continued from: the
weights and biases after the last epoch, and what the optimizer keeps.
"""

import contextlib
import functools
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from repro.errors import DamagedFile, ReproError
from repro.experiment import Experiment
from repro.store.record import COORDINATES, DIMENSIONS

State = dict[str, np.ndarray]

_STATE = "state"
_MADE = (
    "code_version", "library_versions", "backend", "device", "precision", "trained_together",
    "wall_seconds", "started", "finished",
)  # fmt: skip
_APART = ("layer", "quantile", "joint_epoch", "matrix_epoch")
_TRAILER = b"\nsha256:"
_TRAILER_LENGTH = len(_TRAILER) + 64
_ALONG = DIMENSIONS | {name: (name,) for name in COORDINATES}


@dataclass(frozen=True)
class Run:
    """A run's file: where it is, what it is of, how far it got, and how it was made (`_MADE`)."""

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
    import h5py

    file = io.BytesIO()  # in memory first: HDF5 does not survive a disk that is full
    # HDF5 keeps to its format of 1998 unless told otherwise, and that takes as much room as a run.
    with h5py.File(file, "w", libver="v110", track_order=True) as root:
        _write(root, dataset)
        root.attrs.update(dataset.attrs)
        if state is not None:
            axes = {name: [f"{name}_{axis}" for axis in range(a.ndim)] for name, a in state.items()}
            kept = xr.Dataset({name: (axes[name], array) for name, array in state.items()})
            _write(root.create_group(_STATE, track_order=True), kept, compressed=False)
    content = file.getvalue()
    return content + _trailer(content)


def _write(group: Any, dataset: xr.Dataset, compressed: bool = True) -> None:
    """A dataset's variables as netCDF has them, in a tenth of the time that xarray takes."""
    import h5py

    for name, size in dataset.sizes.items():
        if name not in dataset.coords:  # by this text netCDF knows a dimension without values
            told = f"This is a netCDF dimension but not a netCDF variable.{size:10}"
            group.create_dataset(name, (size,), "f4").make_scale(told)
    for name, variable in dataset.variables.items():
        if variable.dtype.kind in "OU":
            text = variable.values.astype(object)
            kept = group.create_dataset(name, data=text, dtype=h5py.string_dtype())
        else:
            how: dict[str, Any] = {}
            if compressed:  # whole curves, histograms and matrices, each by itself
                chunks = tuple(1 if n in _APART else size for n, size in variable.sizes.items())
                how = {"compression": "gzip", "compression_opts": 5, "shuffle": True}
                how["chunks"] = chunks
            kept = group.create_dataset(name, data=variable.values, **how)
        if name in dataset.coords:
            kept.make_scale(name)
    for name, variable in dataset.data_vars.items():
        for axis, dimension in enumerate(variable.dims):
            group[name].dims[axis].attach_scale(group[dimension])


def described(path: Path) -> Run:
    """What run a file is of. Raises DamagedFile where it is not, or no longer, one of ours."""
    with _opened(path) as file:
        return _run(path, file, _attributes(file))


def read(path: Path) -> tuple[Run, xr.Dataset]:
    """What run a file is of, and its results. Raises as `described`."""
    with _opened(path) as file:
        attributes = _attributes(file)
        return _run(path, file, attributes), _results(file, attributes)


def checkpoint(run: Run) -> tuple[xr.Dataset, State]:
    """The results of a run, and the weights and biases and what else is kept, by name.

    Raises DamagedFile where the file is damaged, or has become another run's.
    """
    with _opened(run.path) as file:
        attributes, place = _attributes(file), file.get(_STATE, {})
        found, results = _run(run.path, file, attributes), _results(file, attributes)
        # A scale stands for a dimension.
        state = {name: np.asarray(one[()]) for name, one in place.items() if not one.is_scale}
    if (found.experiment.digest, found.replica) != (run.experiment.digest, run.replica):
        raise DamagedFile(f"{run.path} has become another run meanwhile")
    return results, state


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A file's netCDF content as HDF5, verified; what cannot be read of it raises DamagedFile."""
    import h5py

    try:
        whole = path.read_bytes()
    except OSError as error:
        problem = f"{path} cannot be read ({os.strerror(error.errno or 0)})"
        if isinstance(error, PermissionError):  # it may be sound
            raise ReproError(f"{problem}: change its permissions.") from error
        raise DamagedFile(problem) from error
    content, trailer = whole[:-_TRAILER_LENGTH], whole[-_TRAILER_LENGTH:]
    if trailer != _trailer(content):
        raise DamagedFile(
            f"{path} is damaged, or not a run of this project, for its checksum is wrong",
            "move it away to train the run again",
        )
    try:
        with h5py.File(io.BytesIO(content)) as file:
            yield file
    # HDF5 raises RuntimeError for what is not of the form that we write.
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).rstrip(".")
        raise DamagedFile(f"{path} is no run of this project ({reason})") from error


def _run(path: Path, file: Any, attributes: Mapping[str, Any]) -> Run:
    experiment = _experiment(attributes["experiment"], int(file["epoch"][-1]))
    made = {name: attributes[name] for name in _MADE if name in attributes}
    return Run(path, experiment, int(file["replica"][0]), _STATE in file, made)


@functools.lru_cache(maxsize=4096)
def _experiment(text: str, epochs: int) -> Experiment:
    return Experiment.from_json(json.dumps(json.loads(text) | {"epochs": epochs}))


def _attributes(file: Any) -> dict[str, Any]:
    """The root's attributes without netCDF's own; HDF5 keeps a number as an array of one."""
    return {
        name: value[0] if isinstance(value, np.ndarray) and value.size == 1 else value
        for name, value in file.attrs.items()
        if not name.startswith("_")
    }


def _results(file: Any, attributes: Mapping[str, Any]) -> xr.Dataset:
    """What xarray reads from it, in a tenth of the time: a page reads a hundred runs."""
    names = [name for name in file if name in _ALONG]
    read = {name: xr.Variable(_ALONG[name], _values(file, name)) for name in names}
    return xr.Dataset(read, attrs=attributes)


def _values(file: Any, name: str) -> np.ndarray:
    import h5py

    # The low level of h5py takes a tenth of the time.
    variable = h5py.h5d.open(file.id, name.encode())
    if variable.dtype.kind not in "fiu":
        return np.asarray(file[name].asstr()[()], dtype=str)
    values = np.empty(variable.shape, variable.dtype)
    variable.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def _trailer(content: bytes) -> bytes:
    return _TRAILER + hashlib.sha256(content).hexdigest().encode()
