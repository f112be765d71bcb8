"""Results on disk: a file per run (`run_file`), written whole or not at all.

A run's file is found by the experiment's digest and the replica's number. Published files leave the
state out once a run is complete. What cannot be used is refused by whoever reads it; whoever is
about to train the run sets it aside under another name first.
"""

import contextlib
import errno
import os
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import xarray as xr

from repro.errors import DamagedFile, Mended, ReproError
from repro.experiment import Experiment
from repro.places import store_path
from repro.store import run_file, run_lock
from repro.store.record import experiment_of
from repro.store.run_file import Run, State
from repro.whole_file import make_folder, remove_unfinished, replacing, set_aside

_SUFFIX = ".nc"
_FILE = re.compile(rf"replica-([0-9]{{4,}}){re.escape(_SUFFIX)}")
_LOOK_AGAIN_SECONDS = 0.2  # at what another process is at work on
_TRIES = 100  # at what another process may undo in the same moment


class Store:
    """A folder of runs. Nothing is created before the first run is saved."""

    def __init__(self, path: str | os.PathLike | None = None) -> None:
        self.path = store_path() if path is None else Path(path).expanduser()

    def file(self, experiment: Experiment, replica: int) -> Path:
        """Where the run's file is, or would be."""
        return self.path / experiment.name / f"replica-{replica:04d}{_SUFFIX}"

    def find(self, experiment: Experiment, replica: int) -> Run | None:
        """The run, whatever its epochs; None where the store does not have it.

        Raises
        ------
        DamagedFile
            Where its file is damaged, or holds something else.
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
        return sorted(_number(path) for path in _files(self.path / experiment.name))

    def runs(self, damaged: Callable[[DamagedFile], None] | None = None) -> Iterator[Run]:
        """Every run, by name.

        Parameters
        ----------
        damaged:
            Called with each file that is damaged or misplaced; None to have that raised.
        """
        if not self.path.is_dir():
            return
        for folder in sorted(path for path in self.path.iterdir() if path.is_dir()):
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
        return run_file.results(run_file.verified(run.path), run)

    def load_state(self, run: Run) -> State:
        """Weights and biases after the run's last epoch, by name, as `save` was given them."""
        return self.load_checkpoint(run)[1]

    def load_checkpoint(self, run: Run) -> tuple[xr.Dataset, State]:
        """`load` and `load_state` of the same moment, though the file be replaced meanwhile."""
        content = run_file.verified(run.path)
        return run_file.results(content, run), run_file.state(content)

    def save(self, dataset: xr.Dataset, state: State | None) -> Path:
        """Write a run's file, whole or not at all, over an earlier one of the same run.

        ``dataset`` as `record.Record.to_dataset` makes it; ``state`` by name, or None to leave it
        out.
        """
        experiment = experiment_of(dataset)
        path = self.file(experiment, int(dataset["replica"].item()))
        _write(path, run_file.written(dataset, state))
        return path

    @contextlib.contextmanager
    def held(self, experiment: Experiment, replica: int) -> Iterator[bool]:
        """Keep the run to this process while the block runs; whether that is possible.

        What an earlier process left half-written when it was killed is removed, and a file that is
        damaged or another's is set aside; a warning says so.

        Raises
        ------
        ReproError
            Where the store cannot be written.
        """
        path = self.file(experiment, replica)
        with _passing_folders(path.parent), contextlib.ExitStack() as stack:
            try:
                lock = run_lock.held(path.with_name(f".{path.name}.lock"))
                ours = stack.enter_context(lock)
                if ours:
                    remove_unfinished(path)
                    if (problem := self._damage(experiment, replica)) is not None:
                        aside = set_aside(path)
                        warnings.warn(
                            f"{problem.problem}: it is kept as {aside.name}, the run is made anew.",
                            Mended,
                            stacklevel=3,
                        )
            except OSError as error:
                raise _unwritable(path, error) from error
            yield ours

    @staticmethod
    def check(content: bytes, name: str) -> None:
        """Raise a `DamagedFile` that names it where the content is not the file of a sound run."""
        run_file.described(Path(name), content)

    def tidy(self, experiment: Experiment) -> None:
        """Remove what processes that were killed have left of its runs: locks and unfinished files.

        What another process is at work on stays. Files that are damaged or another's are set aside,
        each with a warning; where another process holds such a run, that is waited for.
        """
        folder = self.path / experiment.name
        names = (path.name.removeprefix(".") for path in folder.glob(f".replica-*{_SUFFIX}.*"))
        left = {int(match[1]) for name in names if (match := _FILE.match(name))}
        for replica in sorted(left):
            with self.held(experiment, replica):
                pass
        for replica in self.replicas(experiment):
            while self._damage(experiment, replica) is not None:
                with self.held(experiment, replica) as ours:
                    if not ours:
                        time.sleep(_LOOK_AGAIN_SECONDS)

    def adopt(self, content: bytes, name: str) -> Path | None:
        """Keep a run's file made elsewhere, where it has more epochs than what is here.

        Parameters
        ----------
        content:
            The whole file. Where it is kept follows from it alone.
        name:
            What to call it in a message.

        Returns
        -------
        Path or None
            Where it is kept now; None where the store has as much already.

        Raises
        ------
        ReproError
            Where it is damaged or no run, where the store cannot be written, and where another
            process is training the run.
        """
        run = run_file.described(Path(name), content)
        path = self.file(run.experiment, run.replica)
        if self._has_as_much(run):
            return None
        with self.held(run.experiment, run.replica) as ours:
            if not ours:
                raise ReproError(
                    f"{path} is being trained by another process: bring {name} in when that has "
                    "ended."
                )
            if self._has_as_much(run):
                return None
            _write(path, content)
        return path

    def check_writable(self) -> None:
        """Raise a `ReproError` where the store cannot be written: before hours of training."""
        with _passing_folders(self.path):
            for left in reversed(range(_TRIES)):
                try:
                    make_folder(self.path)
                    with tempfile.TemporaryFile(dir=self.path) as file:
                        file.write(bytes(1))
                    return
                except FileNotFoundError as error:  # another process has just removed it, empty
                    if not left:
                        raise _unwritable(self.path, error) from error
                except OSError as error:
                    raise _unwritable(self.path, error) from error

    def _run(self, path: Path) -> Run:
        """What is at one of the store's paths, which must be where it belongs."""
        run = run_file.described(path)
        if path != self.file(run.experiment, run.replica):
            raise DamagedFile(
                f"{path} holds another run ({run.experiment.name}, replica {run.replica}) than its "
                "name says"
            )
        return run

    def _damage(self, experiment: Experiment, replica: int) -> DamagedFile | None:
        """What is wrong with the run's file, where something is."""
        try:
            self.find(experiment, replica)
        except DamagedFile as problem:
            return problem
        return None

    def _has_as_much(self, run: Run) -> bool:
        """Whether the run is here already, as long and as good to go on from."""
        try:
            there = self.find(run.experiment, run.replica)
        except DamagedFile:
            return False
        # Of two with as many epochs the one that can be continued is worth more.
        return there is not None and (
            (there.epochs, there.continuable) >= (run.epochs, run.continuable)
        )


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))


def _number(path: Path) -> int:
    return int(_FILE.fullmatch(path.name)[1])


@contextlib.contextmanager
def _passing_folders(folder: Path) -> Iterator[None]:
    """Leave the folder and its parents as they were found, unless something is in them then."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield
    finally:
        for each in made:
            with contextlib.suppress(OSError):
                each.rmdir()


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ReproError:
    reason = os.strerror(error.errno) if error.errno in errno.errorcode else str(error)
    return ReproError(
        f"{path} cannot be written ({reason}): name a folder you can write to with --store or "
        "REPRO_STORE."
    )
