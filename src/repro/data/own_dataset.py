"""One's own dataset: arrays in an .npz file, checked, and known by what they hold.

The file has ``x_train``, ``y_train``, ``x_test`` and ``y_test``, as ``numpy.savez`` writes them.
A copy of what is trained on is kept in the cache folder under a name made of the file's stem and a
hash of the arrays, such as ``mine-3f9a2c81d0e4``: that name is the experiment's dataset. So a run
is known by what it was trained on, whatever becomes of the file.
"""

import errno
import functools
import hashlib
import os
import re
import zipfile
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repro.data import downloads
from repro.errors import ReproError
from repro.whole_file import replacing

SUFFIX = ".npz"
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
FOLDER = "own"  # in the cache folder

LARGEST_FILE = 4 * 2**30
"""Bytes of all arrays of a file, uncompressed: told by its directory before anything is read."""

LARGEST_CLASSES = 100_000

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*-[0-9a-f]{12}")
_LONGEST_STEM = 40
_HOW = "numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)"


@dataclass(frozen=True)
class OwnArrays:
    """What is trained on.

    x_train, x_test
        uint8 (samples, inputs), which are divided by 255 in training, or float32, which are not.
    y_train, y_test
        int32 (samples,), classes from 0.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def classes(self) -> int:
        """One more than the highest label; a class may be without samples."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that name the content."""
        content = hashlib.sha256()
        for array in astuple(self):
            content.update(f"{array.dtype.name} {array.shape}\n".encode())
            content.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
        return content.hexdigest()[:12]


def is_file(dataset: object) -> bool:
    """Whether it is the path of a file of one's own, there or not, rather than a dataset's name."""
    return isinstance(dataset, str | os.PathLike) and Path(dataset).suffix.lower() == SUFFIX


def is_name(dataset: object) -> bool:
    """Whether it is a name that `register` gives, such as ``mine-3f9a2c81d0e4``."""
    return isinstance(dataset, str) and _NAME.fullmatch(dataset) is not None


def register(path: str | os.PathLike) -> str:
    """Keep a checked copy of a file's arrays; the name by which they are known from then on.

    The same arrays have the name that they were first given, whatever file they come in: another
    type of integers, a flattened picture or another compression makes no other dataset. The copy
    itself, carried to another machine, has the same name there.

    Raises
    ------
    ReproError
        Where the file cannot be read or its arrays cannot be trained on (see `read`), and where the
        copy cannot be written.
    """
    path = Path(path).expanduser()
    arrays = read(path)
    digest = arrays.digest
    earlier = sorted(copy.stem for copy in _folder().glob(f"*-{digest}{SUFFIX}"))
    stem = _plain(path.stem.removesuffix(f"-{digest}"))
    name = next(filter(is_name, earlier), f"{stem}-{digest}")
    copy = copy_path(name)
    if not _is_copy_of(copy, name):
        try:
            with replacing(copy) as temporary, open(temporary, "wb") as file:
                np.savez(file, **{array: getattr(arrays, array) for array in ARRAYS})
        except OSError as error:
            raise ReproError(
                f"The copy {copy} of {path} cannot be written ({_reason(error)}): set "
                "REPRO_CACHE_DIR to a folder that can be written."
            ) from error
    return name


def copy_path(name: str) -> Path:
    """Where the copy of a registered dataset is kept."""
    return _folder() / f"{name}{SUFFIX}"


def load(name: str) -> OwnArrays:
    """The arrays of a registered dataset, verified against the hash in its name.

    Raises
    ------
    ReproError
        Where its copy is not there, or damaged.
    """
    copy = copy_path(name)
    if not copy.is_file():
        raise ReproError(
            f"The data of {name} is not kept in {copy.parent}: name its {SUFFIX} file once again "
            f"in place of {name}."
        )
    try:
        arrays = read(copy)
    except ReproError as error:
        raise _damaged(copy, name) from error
    if arrays.digest != name[-12:]:
        raise _damaged(copy, name)
    return arrays


@functools.lru_cache(maxsize=64)  # the name fixes it
def shape(name: str) -> tuple[int, int]:
    """(inputs, classes) of a registered dataset. Raises ReproError as `load` does."""
    arrays = load(name)
    return arrays.x_train.shape[1], arrays.classes


def read(path: Path) -> OwnArrays:
    """The arrays of an .npz file, checked and as they are trained on.

    Samples of any shape (samples, ...) are flattened. Samples of type uint8 stay so; all other
    numbers become float32 as they are, whole ones too. Labels are whole numbers from 0, (samples,)
    or (samples, 1).

    Raises
    ------
    ReproError
        Where the file is no .npz, damaged, or larger than `LARGEST_FILE`; where an array is
        missing, unknown, pickled, empty, of the wrong shape or type, or does not fit the others;
        where a number is not finite or a label is no class.
    """
    arrays = _raw_arrays(path)
    for part in ("train", "test"):
        x, y = f"x_{part}", f"y_{part}"
        arrays[x] = _samples(path, x, arrays[x])
        arrays[y] = _labels(path, y, arrays[y])
        if len(arrays[x]) != len(arrays[y]):
            raise ReproError(
                f"{path} must have a label for every sample, not {len(arrays[x])} samples in {x} "
                f"and {len(arrays[y])} labels in {y}."
            )
    x_train, x_test = arrays["x_train"], arrays["x_test"]
    if x_train.shape[1:] != x_test.shape[1:]:
        raise ReproError(
            f"{path} must have samples of one shape, not {x_train.shape[1:]} in x_train and "
            f"{x_test.shape[1:]} in x_test."
        )
    if x_train.dtype != x_test.dtype:
        raise ReproError(
            f"{path} must have x_train and x_test of one type, both uint8 (which is divided by "
            f"255) or neither, not {_of_type(x_train)} and {_of_type(x_test)}."
        )
    return OwnArrays(
        x_train.reshape(len(x_train), -1),
        arrays["y_train"],
        x_test.reshape(len(x_test), -1),
        arrays["y_test"],
    )


def _raw_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        what = "is no file" if path.exists() else "is not there"
        raise ReproError(f"{path} {what}: name an {SUFFIX} file, made by {_HOW}.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(path, archive)
            return {name: _raw_array(path, archive, name) for name in members}
    except ReproError:
        raise
    except MemoryError as error:
        raise ReproError(
            f"{path} does not fit into memory: save fewer samples, or x as uint8 or float32."
        ) from error
    except OSError as error:
        raise ReproError(f"{path} cannot be read ({_reason(error)}).") from error
    except Exception as error:  # of zipfile, zlib and NumPy, down to the errors of a tokenizer
        said = " ".join(str(error).split()) or type(error).__name__
        raise ReproError(
            f"{path} is damaged or no {SUFFIX} file ({said}): make one by {_HOW}."
        ) from error


def _members(path: Path, archive: zipfile.ZipFile) -> tuple[str, ...]:
    """The names of the arrays, all there and no more, and together not too large to be read."""
    found = [info.filename.removesuffix(".npy") for info in archive.infolist()]
    if sorted(found) != sorted(ARRAYS):
        raise ReproError(
            f"{path} must hold the arrays {', '.join(ARRAYS)} and no others, not "
            f"{', '.join(sorted(found)) or 'none'}."
        )
    size = sum(info.file_size for info in archive.infolist())
    if size > LARGEST_FILE:
        raise ReproError(
            f"{path} holds {size / 2**30:.1f} GiB of arrays, more than the "
            f"{LARGEST_FILE / 2**30:g} GiB that are read: save fewer samples, or x as uint8 or "
            "float32."
        )
    return ARRAYS


def _raw_array(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    info = next(i for i in archive.infolist() if i.filename.removesuffix(".npy") == name)
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
        if dtype.hasobject:
            raise ReproError(
                f"{path} must hold plain numbers, not Python objects as in {name}: such arrays are "
                "never unpickled."
            )
        declared = functools.reduce(lambda size, length: size * length, shape, dtype.itemsize)
        if min(shape, default=0) < 0 or declared != info.file_size - member.tell():
            raise ReproError(f"{path} is damaged: {name} does not hold the numbers that it says.")
    with archive.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _samples(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """The samples, uint8 or float32, in the shape that they have."""
    if array.dtype.kind not in "buif":
        raise ReproError(f"{path} must have numbers in {name}, not {array.dtype}.")
    if array.ndim < 2:
        raise ReproError(
            f"{path} must have samples (samples, ...) in {name}, such as (1000, 8, 8) or "
            f"(1000, 64), not an array of shape {array.shape}."
        )
    if array.size == 0:
        raise ReproError(f"{path} must have samples in {name}, which is empty: {array.shape}.")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(values).all():
        raise ReproError(
            f"{path} must have finite numbers in {name}, not NaN or infinity (as float32)."
        )
    return values


def _labels(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """The labels, int32 (samples,)."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        advice = f": of one-hot rows take {name}.argmax(axis=1)" if array.ndim == 2 else ""
        raise ReproError(
            f"{path} must have one label per sample in {name}, (samples,) or (samples, 1), not an "
            f"array of shape {array.shape}{advice}."
        )
    if array.dtype.kind not in "bui":
        raise ReproError(
            f"{path} must have whole numbers in {name}, of a type such as int64, not {array.dtype}."
        )
    if array.size == 0:
        raise ReproError(f"{path} must have labels in {name}, which is empty.")
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0 or highest >= LARGEST_CLASSES:
        raise ReproError(
            f"{path} must have labels from 0 to at most {LARGEST_CLASSES - 1} in {name}, not "
            f"{lowest if lowest < 0 else highest}."
        )
    return np.ascontiguousarray(array, np.int32)


def _is_copy_of(copy: Path, name: str) -> bool:
    try:
        load(name)
    except ReproError:
        return False
    return copy.is_file()


def _damaged(copy: Path, name: str) -> ReproError:
    return ReproError(
        f"{copy}, the kept copy of {name}, is damaged: name the {SUFFIX} file once again in place "
        f"of {name}, and it is made again."
    )


def _folder() -> Path:
    return downloads.cache_folder() / FOLDER


def _plain(stem: str) -> str:
    """The file's stem in characters that any file system and shell take as they are."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-")[:_LONGEST_STEM].strip("-")
    return plain or "data"


def _of_type(array: np.ndarray) -> str:
    return "uint8" if array.dtype == np.uint8 else "other numbers"


def _reason(error: OSError) -> Any:
    return os.strerror(error.errno) if error.errno in errno.errorcode else error
