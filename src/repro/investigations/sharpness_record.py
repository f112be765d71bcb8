"""What `repro sharpness` measured of a run: one small JSON file, written whole or not at all.

Nothing here measures, and nothing imports a machine-learning library: pages read these files.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from repro import sealed_json
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.places import published_path

PREFIX = "sharpness-"


@dataclass(frozen=True)
class Measurement:
    """The sharpness after one epoch (0 is the initial state), None where there is no finite loss.

    ``residual`` is |Hv - sharpness v| / |sharpness v|, ``products`` the Hessian-vector products
    that the search took, ``sample_loss`` the mean loss over the sample, in nats.
    """

    epoch: int
    sharpness: float | None
    residual: float | None
    products: int
    sample_loss: float | None


@dataclass(frozen=True)
class SharpnessRecord:
    """The measurements of one run by epoch, and its losses as far as it was trained for them.

    ``train_loss`` and ``max_batch_loss`` are of every epoch trained (None where not finite); they
    tell whether it is the published run. ``made`` is what `provenance` tells.
    """

    experiment: Experiment
    replica: int
    sample_size: int
    sample_seed: int
    tolerance: float
    train_loss: tuple[float | None, ...] = ()
    max_batch_loss: tuple[float | None, ...] = ()
    made: dict[str, Any] | None = None
    measurements: tuple[Measurement, ...] = ()

    @property
    def file(self) -> str:
        """The name of its file: what was measured, of which run, on which sample."""
        return (
            f"{PREFIX}{self.experiment.name}-replica-{self.replica:04d}"
            f"-sample-{self.sample_size}-{self.sample_seed}.json"
        )

    def has(self, epoch: int) -> bool:
        """Whether that epoch has been measured."""
        return any(one.epoch == epoch for one in self.measurements)

    def with_measurement(self, measurement: Measurement, **changes: Any) -> SharpnessRecord:
        """The record with one measurement more, in its place, and other changes."""
        measured = sorted((*self.measurements, measurement), key=lambda one: one.epoch)
        return replace(self, measurements=tuple(measured), **changes)

    def write(self, folder: Path) -> None:
        """Write its file into the folder, over an earlier one.

        Raises
        ------
        ReproError
            Where it cannot be written.
        """
        path = folder / self.file
        try:
            sealed_json.write(path, asdict(self))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise ReproError(
                f"{path} cannot be written ({reason}): name a folder you can write to with "
                "--output."
            ) from error


def read(path: Path) -> SharpnessRecord:
    """The record in a file.

    Raises
    ------
    ReproError
        Where the file is not one.
    """
    content = sealed_json.read(path)
    try:
        content["experiment"] = Experiment(**content["experiment"])
        content["measurements"] = tuple(Measurement(**one) for one in content["measurements"])
        losses = {name: tuple(content[name]) for name in ("train_loss", "max_batch_loss")}
        return SharpnessRecord(**content | losses)
    except (ValueError, KeyError, TypeError) as error:
        raise ReproError(
            f"{path} is no record of `repro sharpness` ({error}): move it away to measure again."
        ) from error


def published(folder: str | os.PathLike | None = None) -> list[SharpnessRecord]:
    """Every published record, or every one of a folder: the baseline's first."""
    place = published_path() if folder is None else Path(folder)
    records = [read(path) for path in place.glob(f"{PREFIX}*.json")]
    return sorted(
        records,
        key=lambda one: (
            bool(one.experiment.unusual), one.experiment.dataset, one.experiment.width, one.file
        ),
    )  # fmt: skip
