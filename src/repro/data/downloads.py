"""Where the datasets' files come from: a local folder, or upstream with its mirrors."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pooch

from repro.errors import ReproError
from repro.places import cache_folder, data_folder
from repro.whole_file import make_folder, replacing


@dataclass(frozen=True)
class Source:
    """Files of a dataset upstream: where they are, in order of preference, and their SHA-256."""

    mirrors: tuple[str, ...]
    files: dict[str, str]


SOURCES = {
    "mnist": Source(
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        files={
            "train-images-idx3-ubyte.gz": (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
            ),
            "train-labels-idx1-ubyte.gz": (
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
            ),
            "t10k-images-idx3-ubyte.gz": (
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
            ),
        },
    ),
    "fashion-mnist": Source(
        mirrors=(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        files={
            "train-images-idx3-ubyte.gz": (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
            ),
            "train-labels-idx1-ubyte.gz": (
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
            ),
            "t10k-images-idx3-ubyte.gz": (
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
            ),
        },
    ),
    "hasyv2": Source(
        mirrors=("https://zenodo.org/records/259444/files/",),
        files={
            "HASYv2.tar.bz2": "7c3ffe709e8c2b83f6ab7d8afc79f7b5f46421657981b1752d22a0ed0052aa2d",
        },
    ),
}


# More tries at each mirror before the next one is asked.
RETRIES = 1
_BEFORE_NEXT_TRY_SECONDS = 1.0


def locate(dataset: str, file: str, progress: bool = True) -> Path:
    """The path of a dataset's file, downloaded and verified where no local folder is named.

    Nothing is verified in a local folder: the containers may be packed differently there, and it is
    the content that is verified when it is read.
    """
    folder = data_folder()
    if folder is None:
        return _download(dataset, file, progress)
    if not folder.is_dir():
        raise ReproError(
            f"REPRO_DATA_DIR names {folder}, which is no folder: name one that holds "
            f"{dataset}/{file}, or unset it to download the data."
        )
    path = folder / dataset / file
    if not path.is_file():
        raise ReproError(
            f"REPRO_DATA_DIR names {folder}, which lacks {dataset}/{file}: put the file there, "
            "or unset REPRO_DATA_DIR to download it."
        )
    if not os.access(path, os.R_OK):
        raise ReproError(f"{path} cannot be read: change its permissions.")
    return path


def _download(dataset: str, file: str, progress: bool) -> Path:
    source = SOURCES[dataset]
    path = cache_folder() / dataset / file
    if path.is_file() and _sha256(path) == source.files[file]:
        return path
    try:
        make_folder(path.parent)
    except OSError as error:
        raise ReproError(
            f"The folder {path.parent} for downloads cannot be made ({error.strerror}): "
            "set REPRO_CACHE_DIR to one that can be written."
        ) from error
    problems = []
    for mirror in source.mirrors:
        try:
            _fetch(mirror + file, path, source.files[file], progress)
            return path
        except Exception as error:  # of requests, of urllib3, OSError, ReproError for a wrong hash
            problems.append(f"{mirror} gave {_reason(error)}")
    # Only where it is empty: what an earlier download left there is kept.
    with contextlib.suppress(OSError):
        path.parent.rmdir()
    raise ReproError(
        f"{dataset}'s {file} could not be downloaded ({'; '.join(problems)}): try again later, or "
        f"put it into a folder as {dataset}/{file} and set REPRO_DATA_DIR to that folder."
    )


def _fetch(address: str, path: Path, sha256: str, progress: bool) -> None:
    """Download a file to its place, once its content has been found right."""
    # Not `pooch.retrieve`, whose temporary file outlives a process that is killed.
    download = pooch.HTTPDownloader(progressbar=progress)
    for left in reversed(range(1 + RETRIES)):
        try:
            with replacing(path) as unfinished:
                download(address, str(unfinished), None)
                if _sha256(unfinished) != sha256:
                    raise ReproError("another file than expected")
            return
        except Exception:
            if not left:
                raise
            time.sleep(_BEFORE_NEXT_TRY_SECONDS)


def _sha256(path: Path) -> str:
    return pooch.file_hash(str(path), alg="sha256")


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    if isinstance(error, ReproError):
        return str(error)
    return getattr(error, "strerror", None) or type(error).__name__
