"""A sweep that is disturbed at random moments, many times over.

``python -m tests.faults --times 100 --seed 0`` disturbs a sweep of two small networks that often,
each time in one of the ways of `KINDS`, and runs the same command again. Afterwards the command
must end well, every run must be the undisturbed one bit for bit, nothing but whole files may be
left, and no run may have been in training in two processes at once.

Processes are forked from one that has imported everything and computed nothing, so that a fault
costs seconds. Each is the real command line on a real store; only the time between two checkpoints
is cut to nothing.
"""

import argparse
import contextlib
import errno
import itertools
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

COMMAND = "sweep --datasets digits --widths 8 --marks none a --epochs 3 --quiet"
RUNS = 2
STOPPING = (signal.SIGINT, signal.SIGTERM)
OF_THE_MAKING = {"wall_seconds", "started", "finished"}  # differ between equal runs
PATIENCE = 900  # seconds, for what takes three, on a machine that is busy

_monotonic = time.monotonic  # not the one whose clock jumps


@dataclass
class Process:
    """One sweep that was started."""

    pid: int
    said: Path
    code: int | None = None

    def running(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code is None

    def wait(self) -> int | None:
        """The exit code; None where it does not end."""
        end = _monotonic() + PATIENCE
        while self.running():
            if _monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self.code = -signal.SIGKILL
                return None
            time.sleep(0.005)
        return self.code

    def kill(self, number: int) -> None:
        if self.running():
            os.kill(self.pid, number)


@dataclass
class Scene:
    """A store, what was done to it, and what is wrong."""

    folder: Path
    random: np.random.Generator
    operations: int
    events: int
    lanes: int = 1
    problems: list[str] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def sweep(self, disturb: Callable[[], None] = lambda: None) -> Process:
        """Start the command, disturbed from within by `disturb`."""
        said = self.folder / f"said-{len(self.processes)}"
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # until the process is the command
        pid = os.fork()
        if not pid:
            _be_the_command(self, said, disturb)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        self.processes.append(Process(pid, said))
        return self.processes[-1]

    def random_moment(self, *processes: Process) -> None:
        """Wait for one: after a random event of the training, or of the time before it."""
        after = int(self.random.integers(self.events))
        while any(each.running() for each in processes):
            if _lines(self.log) >= after:
                time.sleep(self.random.random() * 0.2)
                return
            time.sleep(0.005)

    def random_operation(self) -> int:
        """The number of an operation on files that a whole sweep comes to."""
        return int(self.random.integers(self.operations))

    def expect(self, process: Process, *codes: int) -> None:
        """Note it where the process does not end as it should."""
        code, said = process.wait(), process.said.read_text(errors="replace")
        if code not in codes:
            self.problems.append(f"exit code {code}, not one of {codes}: {said[-2000:]}")
        elif "Traceback" in said:
            self.problems.append(said[-2000:])


# --- in the forked process


def _be_the_command(scene: Scene, said: Path, disturb: Callable[[], None]) -> None:
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        descriptor = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        from repro.command_line import main
        from repro.training import loop as training

        training.CHECKPOINT_SECONDS = 0
        _log_events(scene.log)
        disturb()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        code = main([*COMMAND.split(), f"--lanes={scene.lanes}", f"--store={scene.store}"])
    except KeyboardInterrupt:  # before the command line could take it
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _log_events(log: Path) -> None:
    """Write a line when a run is begun, at each epoch, before and after each checkpoint."""
    from repro.store.store import Store
    from repro.training import loop as training

    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    train, advance, save = training.train, training._Group.advance, Store.save

    def note(event: str, experiment: Any, replicas: Any) -> None:
        for replica in replicas:
            line = f"{event} {experiment.name}/{replica} {os.getpid()} {_monotonic():.6f}\n"
            os.write(descriptor, line.encode())

    def noted_train(experiment: Any, replicas: Any, *rest: Any, **more: Any) -> Any:
        note("begin", experiment, replicas)
        try:
            return train(experiment, replicas, *rest, **more)
        finally:
            note("end", experiment, replicas)

    def noted_advance(group: Any) -> None:
        advance(group)
        note("epoch", group.experiment, group.replicas)

    def noted_save(store: Any, dataset: Any, state: Any) -> Path:
        from repro.store.record import experiment_of

        which = experiment_of(dataset), [int(dataset["replica"].item())]
        note("saving", *which)
        path = save(store, dataset, state)
        note("saved", *which)
        return path

    training.train, training._Group.advance, Store.save = noted_train, noted_advance, noted_save


def _at_operation(number: int, act: Callable[[Callable[[], Any]], Any], lasting: bool) -> None:
    """Have `act` take the place of the operation on files of that number (and of all later ones).

    It is called with what does the operation by half: half of a file's content, nothing of others.
    """
    counted = itertools.count()

    def watch(owner: Any, name: str, half: Callable[..., None]) -> None:
        original = getattr(owner, name)

        def watched(*arguments: Any, **named: Any) -> Any:
            here = next(counted)
            if here == number or (lasting and here > number):
                act(lambda: half(original, *arguments))
            return original(*arguments, **named)

        setattr(owner, name, watched)

    def nothing(*_: Any) -> None: ...

    def half_the_content(original: Callable, path: Path, content: bytes) -> None:
        original(path, content[: len(content) // 2])

    watch(pathlib.Path, "write_bytes", half_the_content)
    for owner, name in ((os, "open"), (os, "fsync"), (os, "replace"), (os, "rename"),
                        (pathlib.Path, "unlink"), (pathlib.Path, "mkdir")):  # fmt: skip
        watch(owner, name, nothing)


def _failing(number: int) -> Callable[[Callable[[], Any]], None]:
    def fail(by_half: Callable[[], Any]) -> None:
        with contextlib.suppress(OSError):
            by_half()
        raise OSError(number, os.strerror(number))

    return fail


def _dying(by_half: Callable[[], Any]) -> None:
    by_half()
    os.kill(os.getpid(), signal.SIGKILL)


def _jumping(generator: np.random.Generator) -> Callable[[Callable[[], Any]], None]:
    """Shift the clock by up to ten years, back or forth, at each operation from then on.

    The monotonic clock cannot go back; it goes on by up to a month, as where a machine sleeps.
    """
    from repro import provenance

    offset = {"wall": 0.0, "monotonic": 0.0}
    wall, wall_ns, monotonic = time.time, time.time_ns, time.monotonic

    class Jumped(datetime):
        @classmethod
        def now(cls, zone: Any = None) -> datetime:
            return datetime.now(zone) + timedelta(seconds=offset["wall"])

    def jump(_: Callable[[], Any]) -> None:
        ten_years = 10 * 365 * 86_400
        offset["wall"] = float(generator.uniform(-ten_years, ten_years))
        offset["monotonic"] += float(generator.uniform(0, 30 * 86_400))

    time.time = lambda: wall() + offset["wall"]
    time.time_ns = lambda: wall_ns() + int(offset["wall"] * 1e9)
    time.monotonic = lambda: monotonic() + offset["monotonic"]
    provenance.datetime = Jumped
    return jump


# --- the faults: each disturbs the scene's sweep, and says how the sweep may have ended


def killed(scene: Scene) -> None:
    """kill -9 at a random moment."""
    process = scene.sweep()
    scene.random_moment(process)
    process.kill(signal.SIGKILL)
    scene.expect(process, -signal.SIGKILL)


def killed_while_writing(scene: Scene) -> None:
    """kill -9 within an operation on files; a file's content is there by half."""
    number = scene.random_operation()
    process = scene.sweep(lambda: _at_operation(number, _dying, lasting=False))
    scene.expect(process, -signal.SIGKILL)


def _asked_to_stop(scene: Scene, number: int) -> None:
    process = scene.sweep()
    scene.random_moment(process)
    process.kill(number)
    # Before the training begins, SIGTERM ends a process as it ends any other.
    scene.expect(process, 130, -number)


def terminated(scene: Scene) -> None:
    """SIGTERM at a random moment."""
    _asked_to_stop(scene, signal.SIGTERM)


def interrupted(scene: Scene) -> None:
    """SIGINT, which is Ctrl-C, at a random moment."""
    _asked_to_stop(scene, signal.SIGINT)


def disk_full(scene: Scene) -> None:
    """Every write from a random operation on fails by half, for want of space."""
    number = scene.random_operation()
    process = scene.sweep(lambda: _at_operation(number, _failing(errno.ENOSPC), lasting=True))
    scene.expect(process, 2)


def file_system_full(scene: Scene) -> None:
    """A file system of a random size, too small for the sweep, made larger afterwards."""
    size = int(scene.random.integers(8, 200)) << 10
    with _file_system(scene, size) as real:
        if not real:  # what a user may do: no file beyond a size
            limit = int(scene.random.integers(16 << 10, 40 << 10))
            process = scene.sweep(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        else:
            process = scene.sweep()
        scene.expect(process, 2)
        if real:
            _mount("-o", f"remount,size={64 << 20}", str(scene.store))
        _check_whole(scene)
        again(scene)


def file_too_large(scene: Scene) -> None:
    """The kernel refuses to let a file grow beyond a random size."""
    limit = int(scene.random.integers(16 << 10, 40 << 10))
    process = scene.sweep(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    scene.expect(process, 2)


def read_only(scene: Scene) -> None:
    """The store becomes read-only at a random moment, and is so when the sweep is begun again."""
    number = scene.random_operation()
    process = scene.sweep(lambda: _at_operation(number, _failing(errno.EROFS), lasting=True))
    scene.expect(process, 2)
    with _read_only(scene.store) as real:
        if real:
            scene.expect(scene.sweep(), 2)


def clock_jumps(scene: Scene) -> None:
    """The clock jumps again and again, files are from the future, and then comes kill -9."""
    number, seed = scene.random_operation(), int(scene.random.integers(2**32))

    def disturb() -> None:
        jump = _jumping(np.random.default_rng(seed))
        _at_operation(number, jump, lasting=True)

    process = scene.sweep(disturb)
    scene.random_moment(process)
    process.kill(signal.SIGKILL)
    scene.expect(process, -signal.SIGKILL, 0)
    # Nothing is there yet where the first sweep was killed at once.
    for path in (each for each in [scene.store, *scene.store.rglob("*")] if each.exists()):
        moment = time.time() + scene.random.uniform(-1, 1) * 3e8
        os.utime(path, (moment, moment))
    scene.expect(scene.sweep(disturb), 0)


def two_at_once(scene: Scene) -> None:
    """Two sweeps on one store, one or both killed at random moments; then two go on with it."""
    processes = [scene.sweep(), scene.sweep()]
    for process in processes[: int(scene.random.integers(1, 3))]:
        scene.random_moment(*processes)
        process.kill(signal.SIGKILL)
    for process in processes:
        scene.expect(process, -signal.SIGKILL, 0)
    _check_whole(scene)
    for process in [scene.sweep(), scene.sweep()]:
        scene.expect(process, 0)


KINDS: dict[str, Callable[[Scene], None]] = {
    "kill -9": killed,
    "kill -9 within a write": killed_while_writing,
    "SIGTERM": terminated,
    "Ctrl-C": interrupted,
    "no space left": disk_full,
    "full file system": file_system_full,
    "file size limit": file_too_large,
    "read-only store": read_only,
    "clock jumps": clock_jumps,
    "two sweeps at once": two_at_once,
}


@contextlib.contextmanager
def _file_system(scene: Scene, size: int) -> Iterator[bool]:
    """A real file system of so many bytes as the store; whether one can be mounted."""
    scene.store.mkdir()
    real = _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(scene.store))
    try:
        yield real
    finally:
        if real:
            kept = scene.folder / "kept"
            shutil.copytree(scene.store, kept)
            subprocess.run(["umount", str(scene.store)], check=True)
            scene.store.rmdir()
            kept.rename(scene.store)


@contextlib.contextmanager
def _read_only(store: Path) -> Iterator[bool]:
    """The store cannot be written; whether that is possible here."""
    store.mkdir(exist_ok=True)
    if os.geteuid():
        folders = [store, *(path for path in store.iterdir() if path.is_dir())]
        for folder in folders:
            folder.chmod(0o500)
        yield True
        for folder in folders:
            folder.chmod(0o700)
        return
    real = _mount("--bind", str(store), str(store))
    try:
        yield real and _mount("-o", "remount,bind,ro", str(store))
    finally:
        if real:
            subprocess.run(["umount", str(store)], check=True)


def _mount(*words: str) -> bool:
    if os.geteuid() or shutil.which("mount") is None:
        return False
    return subprocess.run(["mount", *words], stderr=subprocess.DEVNULL).returncode == 0


# --- what must hold afterwards


def again(scene: Scene) -> None:
    """Run the same command to its end."""
    scene.expect(scene.sweep(), 0)


def _check_whole(scene: Scene) -> None:
    """Right after the fault, too, no run's file is half-written."""
    from repro.store.store import Store

    for _ in Store(scene.store).runs(lambda problem: scene.problems.append(str(problem))):
        pass


def _check_same(scene: Scene, undisturbed: dict[str, Any]) -> None:
    found = contents(scene.store)
    if found.keys() != undisturbed.keys():
        scene.problems.append(f"there are {sorted(found)}")
    for name in found.keys() & undisturbed.keys():
        parts = {*found[name], *undisturbed[name]}
        other = [each for each in parts if found[name].get(each) != undisturbed[name].get(each)]
        if other:
            scene.problems.append(f"{name} differs in {sorted(other)}")


def _check_left(scene: Scene) -> None:
    for path in scene.store.rglob("*"):
        if path.is_file() and path.suffix != ".nc":
            scene.problems.append(f"{path.name} was left behind")


def _check_alone(scene: Scene) -> None:
    """No run was in training in two processes at once: from its beginning to its last event."""
    spans: dict[str, dict[tuple[str, int], list[float]]] = defaultdict(dict)
    turns: dict[tuple[str, str], int] = defaultdict(int)
    for line in scene.log.read_text().splitlines() if scene.log.exists() else ():
        event, run, pid, moment = line.split(" ")
        turns[run, pid] += event == "begin"
        spans[run].setdefault((pid, turns[run, pid]), []).append(float(moment))
    for run, by_turn in spans.items():
        ordered = sorted((min(moments), max(moments)) for moments in by_turn.values())
        for (_, end), (begin, _) in itertools.pairwise(ordered):
            if begin <= end:
                scene.problems.append(f"{run} was in training twice at the same time")


def contents(store: Path) -> dict[str, Any]:
    """Every run's numbers, state and attributes, those apart that tell when it was made."""
    from repro.store.store import Store

    place, found = Store(store), {}
    for run in place.runs(lambda _: None):
        results, state = place.load_checkpoint(run)
        parts: dict[str, Any] = {
            f"@{name}": str(value)
            for name, value in results.attrs.items()
            if name not in OF_THE_MAKING
        }
        for name, array in (*results.variables.items(), *state.items()):
            values = np.asarray(array)
            parts[str(name)] = str(values.dtype), values.shape, values.tobytes()
        found[f"{run.experiment.name}/{run.replica}"] = parts
    return found


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


# --- all of it


def disturb(
    times: int, seed: int, folder: Path, tell: Callable[[dict[str, Any], str], None],
    counts: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """So many faults, the kinds in turn; the counts, which `tell` is given after each.

    ``counts`` are those of an earlier call with the same seed and code, to go on from. A fault that
    comes when the sweep has ended already is not counted, and done again.
    """
    undisturbed, operations, events = _undisturbed(folder)
    # From now on what is compiled is only read: a limit on files must not meet TensorFlow's.
    os.environ["TF_XLA_FLAGS"] += " --tf_xla_persistent_cache_read_only=true"
    counts = counts or nothing_yet(seed)
    for number in range(counts["faults"], times):
        kind, fault = list(KINDS.items())[number % len(KINDS)]
        for turn in itertools.count():
            scene = Scene(
                folder / f"scene-{number}-{turn}", np.random.default_rng((seed, number, turn)),
                operations, events, lanes=1 + number // len(KINDS) % 2,
            )  # fmt: skip
            scene.folder.mkdir()
            fault(scene)
            counts["processes"] += len(scene.processes)
            if turn < 20 and all(process.code == 0 for process in scene.processes):
                shutil.rmtree(scene.folder)
                continue  # too late: nothing happened
            break
        _check_whole(scene)
        again(scene)
        _check_same(scene, undisturbed)
        _check_left(scene)
        _check_alone(scene)
        counts["processes"] += 1
        counts["faults"] += 1
        counts["runs_compared"] += RUNS
        counts["kinds"][kind]["faults"] += 1
        if scene.problems:
            counts["failures"] += 1
            counts["kinds"][kind]["failures"] += 1
            counts["failed"].append({"number": number, "kind": kind, "problems": scene.problems})
        tell(counts, f"{number + 1}: {kind}: {'; '.join(scene.problems) or 'survived'}")
        shutil.rmtree(scene.folder)
    return counts


def nothing_yet(seed: int) -> dict[str, Any]:
    """The counts before any fault."""
    from repro.provenance import code_version

    return {
        "code_version": code_version(), "seed": seed, "faults": 0, "failures": 0, "processes": 0,
        "runs_compared": 0, "kinds": {kind: {"faults": 0, "failures": 0} for kind in KINDS},
        "failed": [],
    }  # fmt: skip


def _earlier(output: Path | None, seed: int) -> dict[str, Any] | None:
    """Counts that the file has already, where they are of this seed and code."""
    from repro import sealed_json

    if output is None or not output.exists():
        return None
    found = sealed_json.read(output)
    same = all(found[name] == nothing_yet(seed)[name] for name in ("code_version", "seed"))
    return found if same else None


def _undisturbed(folder: Path) -> tuple[dict[str, Any], int, int]:
    """The runs as they should be, and how many operations and events a sweep comes to."""
    scene = Scene(folder / "undisturbed", np.random.default_rng(0), 1, 1)
    scene.folder.mkdir()
    counting = scene.folder / "operations"

    def count() -> None:
        descriptor = os.open(counting, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        _at_operation(0, lambda _: os.write(descriptor, b"\n"), lasting=True)

    scene.expect(scene.sweep(count), 0)
    found = contents(scene.store)
    if scene.problems or len(found) != RUNS:
        raise SystemExit(f"The undisturbed sweep fails: {scene.problems}")
    return found, _lines(counting), _lines(scene.log)


def _prepare(folder: Path) -> None:
    """Import all there is to import, but compute nothing: threads do not survive a fork."""
    os.environ["REPRO_PUBLISHED"] = str(folder / "none")
    # Compiled once and read from there by all, which saves most of the time.
    os.environ["TF_XLA_FLAGS"] = f"--tf_xla_persistent_cache_directory={folder / 'compiled'}"
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from repro import provenance
    from repro.data import datasets

    provenance.code_version()
    datasets.load("digits")


def main() -> int:
    """The command line; the exit code is 1 where something failed."""
    parser = argparse.ArgumentParser(description="Disturb sweeps and see what is left of them.")
    parser.add_argument("--times", type=int, default=100, help="faults (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output", metavar="FILE", type=Path,
        help="write the counts there, too, after each fault; the same command goes on from there",
    )  # fmt: skip
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is mounted is unmounted

    def tell(counts: dict[str, Any], line: str) -> None:
        from repro import sealed_json

        print(line, file=sys.stderr, flush=True)
        if chosen.output:
            sealed_json.write(chosen.output, counts)

    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        _prepare(Path(folder))
        earlier = _earlier(chosen.output, chosen.seed)
        counts = disturb(chosen.times, chosen.seed, Path(folder), tell, earlier)
    print(json.dumps(counts, indent=1))
    return 1 if counts["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
