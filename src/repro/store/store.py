"""Results on disk: a file per run (`run_file`), written whole or not at all.

A run's file is found by the experiment's digest and the replica's number. Published files leave the
state out once a run is complete. What cannot be used is refused by whoever reads it; whoever is
about to train the run sets it aside under another name first.
"""

import contextlib
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import xarray as xr

from repro.errors import DamagedFile, Mended
from repro.experiment import Experiment
from repro.places import PART, locked, store_path, write_whole, writing
from repro.store import run_file
from repro.store.record import experiment_of
from repro.store.run_file import Run, State

_FILE = re.compile(r"replica-([0-9]{4,})\.nc")
_ANOTHER = "--store or REPRO_STORE"


class Store:
    """A folder of runs. Nothing is created before the first run is trained or saved."""

    def __init__(self, path: str | os.PathLike | None = None) -> None:
        self.path = store_path() if path is None else Path(path).expanduser()

    def file(self, experiment: Experiment, replica: int) -> Path:
        """Where the run's file is, or would be."""
        return self.path / experiment.name / f"replica-{replica:04d}.nc"

    def find(self, experiment: Experiment, replica: int) -> Run | None:
        """The run, whatever its epochs; None where the store does not have it.

        Raises DamagedFile where its file is damaged, or holds something else.
        """
        path = self.file(experiment, replica)
        if not os.path.lexists(path):
            return None
        try:
            return self._run(path)
        except DamagedFile:
            if os.path.lexists(path):
                raise
            return None  # another process has just set it aside

    def replicas(self, experiment: Experiment) -> list[int]:
        """The replicas of it that have a file, in order."""
        folder = self.path / experiment.name
        return sorted(int(_FILE.fullmatch(path.name)[1]) for path in _files(folder))

    def runs(self, damaged: Callable[[DamagedFile], None] | None = None) -> Iterator[Run]:
        """Every run, by name, each verified.

        ``damaged`` is called with each file that is damaged or misplaced; None to have it raised.
        """
        for folder in sorted(self.path.iterdir() if self.path.is_dir() else ()):
            for path in _files(folder):
                try:
                    run = self._run(path)
                except DamagedFile as problem:
                    if damaged is None:
                        raise
                    damaged(problem)
                else:
                    yield run

    def load(self, run: Run) -> xr.Dataset:
        """The results of a run, verified against their checksum, in memory."""
        return self.load_checkpoint(run)[0]

    def load_state(self, run: Run) -> State:
        """What training goes on from after the run's last epoch, by name: weights, biases, ..."""
        return self.load_checkpoint(run)[1]

    def load_checkpoint(self, run: Run) -> tuple[xr.Dataset, State]:
        """`load` and `load_state` of the same moment, though the file be replaced meanwhile."""
        return run_file.checkpoint(run)

    def save(self, dataset: xr.Dataset, state: State | None) -> Path:
        """Write a run's file, whole or not at all, over an earlier one of the same run.

        ``dataset`` as `record.Record.to_dataset` makes it; ``state`` by name, or None to leave it
        out. Raises ReproError where the store cannot be written.
        """
        path = self.file(experiment_of(dataset), int(dataset["replica"].item()))
        content = run_file.written(dataset, state)
        with writing(path, _ANOTHER):
            write_whole(path, content)
        return path

    @contextlib.contextmanager
    def held(self, experiment: Experiment, replica: int) -> Iterator[bool]:
        """Keep the run to this process while the block runs; whether that is possible.

        What an earlier process left half-written when it was killed is removed, and a file that is
        damaged or another's is set aside; a warning says so. Raises ReproError where the store
        cannot be written.
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

    def _run(self, path: Path) -> Run:
        """What is at one of the store's paths, which must be where it belongs."""
        run = run_file.described(path)
        if path != self.file(run.experiment, run.replica):
            raise DamagedFile(
                f"{path} holds another run ({run.experiment.name}, replica {run.replica}) than its "
                "name says"
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


def _files(folder: Path) -> list[Path]:
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in there if _FILE.fullmatch(path.name)]
