"""One's own dataset: arrays in an .npz file, checked, and known by what they hold.

The file has `ARRAYS`, as ``numpy.savez`` writes them. The dataset's name is made of the file's and
of a hash of the arrays, such as ``mine-3f9a2c81d0e4``. Once they have been loaded, a copy is kept
in the cache folder under that name, so that a run can go on whatever becomes of the file.
"""

import hashlib
import io
import os
import re
import unicodedata
import warnings
from pathlib import Path

import numpy as np

from repro.data.dataset import Parts
from repro.errors import Mended, ReproError
from repro.places import cache_folder, expanded, write_whole, writing

SUFFIX = ".npz"
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
MOST_CLASSES = 100_000

_NAME = re.compile(r"[\w-]+-[0-9a-f]{12}")
_HOW = "numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)"
# Of what has been identified: where it is, and its (inputs, classes).
_SEEN: dict[str, tuple[Path, tuple[int, int]]] = {}


class Doubtful(Mended):
    """What is trained on as it is, though it is hardly meant so, told in one sentence."""


def is_file(dataset: object) -> bool:
    """Whether it is the path of a file of one's own, there or not."""
    return isinstance(dataset, str | os.PathLike) and Path(dataset).suffix.lower() == SUFFIX


def is_name(dataset: object) -> bool:
    """Whether it is a name that `identified` gives, such as ``mine-3f9a2c81d0e4``."""
    return isinstance(dataset, str) and _NAME.fullmatch(dataset) is not None


def identified(path: str | os.PathLike) -> str:
    """The name of a file's arrays; they are read, nothing is written. Raises ReproError as `read`.

    Another type of integers, a flattened picture or another compression make no other dataset.
    """
    path = expanded(path).absolute()
    parts = read(path)
    digest = _digest(parts)
    stem = unicodedata.normalize("NFC", path.stem.removesuffix(f"-{digest}"))
    plain = re.sub(r"[^\w]+", "-", stem).strip("-")[:40].strip("-")
    name = f"{plain or 'data'}-{digest}"
    if name not in _SEEN:
        for doubt in doubts(parts):
            warnings.warn(f"{path.name}: {doubt}", Doubtful, stacklevel=3)
    _SEEN[name] = path, _shape(parts)
    return name


def copy_path(name: str) -> Path:
    """Where the copy of a dataset is kept."""
    return cache_folder() / "own" / f"{name}{SUFFIX}"


def load(name: str) -> Parts:
    """The arrays of a dataset by name, verified against the hash in it; a copy of them is kept.

    Raises ReproError where neither that nor the file it was identified from is sound.
    """
    copy = copy_path(name)
    for path in (copy, _SEEN[name][0]) if name in _SEEN else (copy,):
        try:
            parts = read(path)
        except ReproError:
            continue
        if _digest(parts) == name[-12:]:
            if path != copy:
                np.savez(archive := io.BytesIO(), **dict(zip(ARRAYS, parts, strict=True)))
                with writing(copy, "REPRO_CACHE_DIR"):
                    write_whole(copy, archive.getvalue())
            return parts
    problem = "is damaged" if copy.exists() else "is not there"
    raise ReproError(
        f"The data of {name} is not kept ({copy} {problem}): name its {SUFFIX} file once again in "
        f"place of {name}."
    )


def shape(name: str) -> tuple[int, int]:
    """(inputs, classes) of a dataset by name. Raises ReproError as `load` does."""
    if name not in _SEEN:
        _SEEN[name] = copy_path(name), _shape(load(name))
    return _SEEN[name][1]


def read(path: Path) -> Parts:
    """The arrays of an .npz file, checked and as they are trained on.

    Samples (samples, inputs), flattened: uint8, or float32, as which all other numbers are taken;
    labels int32 (samples,), classes from 0. Raises ReproError where file or arrays are not that.
    """
    if not path.is_file():
        raise ReproError(f"{path} is not there: name an {SUFFIX} file, made by {_HOW}.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            given = dict(archive.items())
    except Exception as error:  # of zipfile, zlib and NumPy, down to the errors of a tokenizer
        said = " ".join(str(error).split()) or type(error).__name__
        raise ReproError(
            f"{path} cannot be read as an {SUFFIX} file ({said}): make one by {_HOW}."
        ) from error
    if given.keys() != set(ARRAYS):
        raise ReproError(
            f"{path} must hold the arrays {', '.join(ARRAYS)} and no others, not "
            f"{', '.join(sorted(given)) or 'none'}."
        )
    x_train, x_test = (_samples(path, x, given[x]) for x in ("x_train", "x_test"))
    y_train, y_test = (_labels(path, y, given[y]) for y in ("y_train", "y_test"))
    for part, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        if len(x) != len(y):
            raise ReproError(
                f"{path} must have a label for every sample, not {len(x)} samples in x_{part} and "
                f"{len(y)} labels in y_{part}."
            )
    if x_train.shape[1:] != x_test.shape[1:] or x_train.dtype != x_test.dtype:
        raise ReproError(
            f"{path} must have samples of one shape and type, both uint8 (which is divided by 255) "
            f"or neither, not {given['x_train'].dtype} {x_train.shape[1:]} in x_train and "
            f"{given['x_test'].dtype} {x_test.shape[1:]} in x_test."
        )
    return x_train.reshape(len(x_train), -1), y_train, x_test.reshape(len(x_test), -1), y_test


def doubts(parts: Parts) -> list[str]:
    """What of the arrays is hardly meant so, a sentence each."""
    x_train, y_train, _, y_test = parts
    low, high, classes = float(x_train.min()), float(x_train.max()), _shape(parts)[1]
    size = float(np.sqrt(np.mean(np.square(x_train, dtype=np.float64))))
    empty = np.setdiff1d(np.arange(classes), np.concatenate([y_train, y_test]))
    found = []
    if x_train.dtype == np.uint8 and high <= 16:
        found.append(
            f"the pixels go up to {high:g} only and are divided by 255 in training; save them as "
            "float32 on a scale near 1 if that is not meant."
        )
    if x_train.dtype != np.uint8 and not 0.01 < size < 3:
        found.append(
            f"the numbers go from {low:g} to {high:g} and are trained on as they are, which is "
            "likely to end in a loss that never falls; scale them to about 1, or save pixels from "
            "0 to 255 as uint8."
        )
    if len(empty):
        named = ", ".join(map(str, empty[:10])) + (", ..." * (len(empty) > 10))
        found.append(
            f"{len(empty)} of the {classes} labels from 0 to {classes - 1} never occur ({named}); "
            "number the classes from 0 without gaps if that is not meant."
        )
    return found


def _digest(parts: Parts) -> str:
    """12 hexadecimal digits that name the content."""
    content = hashlib.sha256()
    for array in parts:
        content.update(f"{array.dtype.name} {array.shape}\n".encode())
        content.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
    return content.hexdigest()[:12]


def _shape(parts: Parts) -> tuple[int, int]:
    x_train, y_train, _, y_test = parts
    return x_train.shape[1], int(max(y_train.max(), y_test.max())) + 1


def _samples(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "buif" or array.ndim < 2 or array.size == 0:
        raise ReproError(
            f"{path} must have samples of numbers in {name}, shaped (samples, ...) such as "
            f"(1000, 8, 8) or (1000, 64), not {array.dtype} {array.shape}."
        )
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, np.uint8 if array.dtype == np.uint8 else np.float32)
    if not np.isfinite(values).all():
        said = f"{path} must have finite numbers in {name}, not NaN or infinity (as float32)."
        raise ReproError(said)
    return values


def _labels(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "bui" or array.size == 0:
        advice = f": of one-hot rows take {name}.argmax(axis=1)" if array.ndim == 2 else ""
        raise ReproError(
            f"{path} must have a whole number per sample in {name}, shaped (samples,) and of a "
            f"type such as int64, not {array.dtype} {array.shape}{advice}."
        )
    if array.min() < 0 or array.max() >= MOST_CLASSES:
        raise ReproError(
            f"{path} must have labels from 0 to at most {MOST_CLASSES - 1} in {name}, not "
            f"{array.min() if array.min() < 0 else array.max()}."
        )
    return np.ascontiguousarray(array, np.int32)
