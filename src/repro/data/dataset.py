"""What a dataset is: what its file in this folder declares of it, and how its files are had."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pooch

from repro.errors import ReproError
from repro.places import cache_folder, data_folder

Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x_train, y_train, x_test, y_test


@dataclass(frozen=True)
class Dataset:
    """One dataset, of so many ``samples`` to train on (hasyv2: in its first fold).

    ``read(dataset, split, seed, progress)`` gives its `Parts`, uint8 (images, pixels) and int32
    (images,); ``folds`` is none where the test set is fixed; ``files`` has the SHA-256 of each file
    upstream, ``mirrors`` the addresses to try, in order.
    """

    name: str
    samples: int
    pixels: int
    classes: int
    read: Callable[["Dataset", str | float | None, int, bool], Parts]
    folds: int = 0
    files: Mapping[str, str] = field(default_factory=dict)
    mirrors: tuple[str, ...] = ()

    def locate(self, file: str, progress: bool = True) -> Path:
        """The path of one of its files: downloaded and verified, or in the folder REPRO_DATA_DIR.

        There `read` alone verifies it. Raises ReproError where it cannot be had or kept.
        """
        folder, cache, problems = data_folder(), cache_folder() / self.name, []
        if folder is not None:
            path = folder / self.name / file
            if path.is_file() and os.access(path, os.R_OK):
                return path
            problem = "cannot be read" if path.is_file() else "is not there"
            raise ReproError(
                f"REPRO_DATA_DIR names {folder}, where {self.name}/{file} {problem}: put the file "
                "there, or unset REPRO_DATA_DIR to download it."
            )
        pooch.get_logger().setLevel("ERROR")  # the progress bar says it
        download = pooch.HTTPDownloader(progressbar=progress)
        for mirror in self.mirrors:
            place = pooch.create(cache, mirror, registry=dict(self.files), retry_if_failed=1)
            try:
                return Path(place.fetch(file, downloader=download))
            except Exception as error:  # of pooch, requests and urllib3
                if isinstance(error, PermissionError) or getattr(error, "filename", None):
                    raise ReproError(
                        f"The folder {cache} for downloads cannot be written "
                        f"({getattr(error, 'strerror', None) or 'permission denied'}): set "
                        "REPRO_CACHE_DIR to one that can be."
                    ) from error
                problems.append(f"{mirror} gave {_reason(error)}")
        raise ReproError(
            f"{self.name}'s {file} could not be downloaded ({'; '.join(problems)}): try again "
            f"later, or put it into a folder as {self.name}/{file} and set REPRO_DATA_DIR to that "
            "folder."
        )


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    if isinstance(error, ValueError):  # of pooch
        return "another file than expected"
    return getattr(error, "strerror", None) or type(error).__name__
