"""Results on disk: a file per run (`run_file`), written whole or not at all.

A run's file is found by the experiment's digest and the replica's number. Published files leave the
state out once a run is complete. What cannot be used is refused by whoever reads it; whoever is
about to train the run sets it aside under another name first.
"""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import xarray as xr

from repro.errors import DamagedFile, Mended
from repro.experiment import Experiment
from repro.places import PART, expanded, locked, store_path, write_whole, writing
from repro.store import run_file
from repro.store.record import experiment_of
from repro.store.run_file import Run, State

_FILES = "replica-[0-9]*.nc"
_ANOTHER = "--store or REPRO_STORE"


class Store:
    """A folder of runs. Nothing is created before the first run is trained or saved."""

    def __init__(self, path: str | os.PathLike | None = None) -> None:
        self.path = store_path() if path is None else expanded(path)

    def file(self, experiment: Experiment, replica: int) -> Path:
        """Where the run's file is, or would be."""
        return self.path / experiment.name / f"replica-{replica:04d}.nc"

    def find(self, experiment: Experiment, replica: int) -> Run | None:
        """The run, whatever its epochs; None where there is none. Raises DamagedFile."""
        path = self.file(experiment, replica)
        if not os.path.lexists(path):
            return None
        try:
            return self.checked(run_file.described(path))
        except DamagedFile:
            if os.path.lexists(path):
                raise
            return None  # another process has just set it aside

    def replicas(self, experiment: Experiment) -> list[int]:
        """The replicas of it that have a file, in order."""
        there = (self.path / experiment.name).glob(_FILES)
        return sorted(int(path.stem.removeprefix("replica-")) for path in there)

    def runs(self, damaged: Callable[[DamagedFile], None] | None = None) -> Iterator[Run]:
        """Every run, by name; ``damaged`` is called where a file is, None to have it raised."""
        for path in sorted(self.path.glob(f"*/{_FILES}")):
            try:
                run = self.checked(run_file.described(path))
            except DamagedFile as problem:
                if damaged is None:
                    raise
                damaged(problem)
            else:
                yield run

    def load(self, run: Run) -> xr.Dataset:
        """The results of a run, verified against their checksum, in memory."""
        return self.load_checkpoint(run)[0]

    def load_checkpoint(self, run: Run) -> tuple[xr.Dataset, State]:
        """The same, and what training goes on from, by name: weights, biases, ..."""
        return run_file.checkpoint(run)

    def save(self, dataset: xr.Dataset, state: State | None) -> Path:
        """Write a run's file, whole or not at all, over an earlier one of the same run.

        ``dataset`` as `record.Record.to_dataset` makes it. Raises ReproError where that fails.
        """
        content = run_file.written(dataset, state)
        return self.put(experiment_of(dataset), int(dataset["replica"].item()), content)

    def put(self, experiment: Experiment, replica: int, content: bytes) -> Path:
        """Write what a run's file holds, as `save` does."""
        path = self.file(experiment, replica)
        with writing(path, _ANOTHER):
            write_whole(path, content)
        return path

    @contextlib.contextmanager
    def held(self, experiment: Experiment, replica: int) -> Iterator[bool]:
        """Keep the run to this process while the block runs; whether that is possible.

        What a killed process left half-written is removed; a file that is damaged or another's is
        set aside with a warning. Raises ReproError where the store cannot be written.
        """
        path = self.file(experiment, replica)
        with contextlib.ExitStack() as stack:
            with writing(path, _ANOTHER):
                ours = stack.enter_context(locked(path.with_name(f".{path.name}.lock")))
                if ours:
                    for left in path.parent.glob(f".{path.name}.*{PART}"):
                        left.unlink(missing_ok=True)
                    self._set_damaged_aside(experiment, replica)
            yield ours

    def tidy(self, experiment: Experiment) -> None:
        """Set aside what is damaged of its runs, each with a warning, unless another holds it."""
        for replica in self.replicas(experiment):
            try:
                self.find(experiment, replica)
            except DamagedFile:
                with self.held(experiment, replica):
                    pass

    def check_writable(self) -> None:
        """Raise a `ReproError` where the store cannot be written: before hours of training."""
        with writing(self.path, _ANOTHER):
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path) as file:
                file.write(bytes(1))

    def checked(self, run: Run) -> Run:
        """A run at one of the store's paths. Raises DamagedFile where it belongs at another."""
        if run.path != self.file(run.experiment, run.replica):
            raise DamagedFile(
                f"{run.path} holds another run ({run.experiment.name}, replica {run.replica}) than "
                "its name says"
            )
        return run

    def _set_damaged_aside(self, experiment: Experiment, replica: int) -> None:
        try:
            self.find(experiment, replica)
        except DamagedFile as error:
            path, number = self.file(experiment, replica), 1
            while os.path.lexists(aside := path.with_name(f"{path.name}.set-aside-{number}")):
                number += 1
            os.rename(path, aside)
            said = f"{error.problem}: it is kept as {aside.name}, the run is made anew."
            warnings.warn(said, Mended, stacklevel=4)
