"""A sweep that is disturbed at random moments, many times over.

``python -m tests.faults --times 100 --seed 0`` disturbs a sweep of two small networks that often,
each time in one of the ways of `KINDS`, and runs the same command again. Afterwards the command
must end well, every run must be the undisturbed one bit for bit, no half-written file may be left,
and no run may have been in training in two processes at once.

Processes are forked from one that has imported everything and computed nothing, so that a fault
costs seconds; only the time between two checkpoints is cut to nothing.
"""

import argparse
import contextlib
import errno
import itertools
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

COMMAND = "sweep --datasets digits --widths 8 --marks none a --epochs 3 --quiet"
RUNS = 2
STOPPING = (signal.SIGINT, signal.SIGTERM)
OF_THE_MAKING = {"wall_seconds", "started", "finished"}  # differ between equal runs
PATIENCE = 900  # seconds, for what takes three, on a machine that is busy


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

    def kill(self, number: int) -> None:
        if self.running():
            os.kill(self.pid, number)


@dataclass
class Scene:
    """A store, what was done to it, and what is wrong."""

    folder: Path
    random: np.random.Generator | None = None
    operations: int = 1
    events: int = 1
    lanes: int = 1
    problems: list[str] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store, self.log = self.folder / "store", self.folder / "log"
        self.folder.mkdir(exist_ok=True)

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
        while any(each.running() for each in processes) and _lines(self.log) < after:
            time.sleep(0.005)
        time.sleep(self.random.random() * 0.2)

    def expect(self, process: Process, *codes: int) -> None:
        """Note it where the process does not end as it should."""
        end = time.monotonic() + PATIENCE
        while process.running() and time.monotonic() < end:
            time.sleep(0.005)
        process.kill(signal.SIGKILL)
        said = process.said.read_text(errors="replace")[-2000:]
        if process.code not in codes or "Traceback" in said:
            self.problems.append(f"exit code {process.code}, wanted {codes}: {said}")


def _be_the_command(scene: Scene, said: Path, disturb: Callable[[], None]) -> None:
    """In the forked process."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        descriptor = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        from repro.command_line import main
        from repro.training import loop

        loop.CHECKPOINT_SECONDS = 0
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
    """Write a line when a run is begun, at each epoch, and when it is ended."""
    from repro.training import loop

    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    train, advance = loop.train, loop._Group.advance

    def note(event: str, experiment: Any, replicas: Any) -> None:
        for replica in replicas:
            line = f"{event} {experiment.name}/{replica} {os.getpid()} {time.monotonic():.6f}\n"
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

    loop.train, loop._Group.advance = noted_train, noted_advance


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

    def half_the_content(original: Callable, path: Path, content: bytes) -> None:
        original(path, content[: len(content) // 2])

    watch(pathlib.Path, "write_bytes", half_the_content)
    for owner, name in ((os, "open"), (os, "fsync"), (os, "replace"), (os, "rename"),
                        (pathlib.Path, "unlink"), (pathlib.Path, "mkdir")):  # fmt: skip
        watch(owner, name, lambda *_: None)


# The faults: each disturbs the scene's sweep, and says how the sweep may have ended.


def ended(scene: Scene, number: int, *codes: int) -> None:
    """A signal at a random moment."""
    process = scene.sweep()
    scene.random_moment(process)
    process.kill(number)
    scene.expect(process, *codes, -number, 0)


def killed_while_writing(scene: Scene) -> None:
    """kill -9 within an operation on files; a file's content is there by half."""
    number = int(scene.random.integers(scene.operations))

    def die(by_half: Callable[[], Any]) -> None:
        by_half()
        os.kill(os.getpid(), signal.SIGKILL)

    process = scene.sweep(lambda: _at_operation(number, die, lasting=False))
    scene.expect(process, -signal.SIGKILL, 0)


def disk_full(scene: Scene) -> None:
    """Every write from a random operation on fails by half, for want of space."""
    number = int(scene.random.integers(scene.operations))

    def fail(by_half: Callable[[], Any]) -> None:
        with contextlib.suppress(OSError):
            by_half()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    process = scene.sweep(lambda: _at_operation(number, fail, lasting=True))
    scene.expect(process, 2)


def two_at_once(scene: Scene) -> None:
    """Two sweeps on one store, one or both killed at random moments."""
    processes = [scene.sweep(), scene.sweep()]
    for process in processes[: int(scene.random.integers(1, 3))]:
        scene.random_moment(*processes)
        process.kill(signal.SIGKILL)
    for process in processes:
        scene.expect(process, -signal.SIGKILL, 0)


KINDS: dict[str, Callable[[Scene], None]] = {
    "kill -9 within a write": killed_while_writing,
    "two sweeps at once": two_at_once,
    "no space left": disk_full,
    "kill -9": lambda scene: ended(scene, signal.SIGKILL),
    # Before the training begins, SIGTERM ends a process as it ends any other.
    "Ctrl-C or SIGTERM": lambda scene: ended(scene, STOPPING[int(scene.random.integers(2))], 130),
}


# What must hold afterwards.


def check_whole(scene: Scene) -> None:
    """Right after the fault, too, no run's file is half-written."""
    from repro.store.store import Store

    for _ in Store(scene.store).runs(lambda problem: scene.problems.append(str(problem))):
        pass


def check_same(scene: Scene, undisturbed: dict[str, Any]) -> None:
    """Every run is there, and the undisturbed one."""
    found = contents(scene.store)
    if found.keys() != undisturbed.keys():
        scene.problems.append(f"there are {sorted(found)}")
    for name in found.keys() & undisturbed.keys():
        parts = {*found[name], *undisturbed[name]}
        other = [each for each in parts if found[name].get(each) != undisturbed[name].get(each)]
        if other:
            scene.problems.append(f"{name} differs in {sorted(other)}")


def check_left(scene: Scene) -> None:
    """No temporary file is left; a lock file holds nothing."""
    for path in scene.store.rglob("*"):
        if path.is_file() and path.suffix not in (".nc", ".lock"):
            scene.problems.append(f"{path.name} was left behind")


def check_alone(scene: Scene) -> None:
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
        attributes = {name: str(value) for name, value in results.attrs.items()}
        parts: dict[str, Any] = {n: v for n, v in attributes.items() if n not in OF_THE_MAKING}
        for name, array in (*results.variables.items(), *state.items()):
            values = np.asarray(array)
            parts[str(name)] = str(values.dtype), values.shape, values.tobytes()
        found[f"{run.experiment.name}/{run.replica}"] = parts
    return found


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def disturb(times: int, seed: int, folder: Path) -> dict[str, Any]:
    """So many faults, the kinds in turn; the counts."""
    from repro.provenance import code_version

    undisturbed, operations, events = _undisturbed(folder)
    counts: dict[str, Any] = {
        "code_version": code_version(), "seed": seed, "faults": 0, "failures": 0, "processes": 0,
        "runs_compared": 0, "kinds": {kind: {"faults": 0, "failures": 0} for kind in KINDS},
        "failed": [],
    }  # fmt: skip
    for number in range(times):
        kind, fault = list(KINDS.items())[number % len(KINDS)]
        generator = np.random.default_rng((seed, number))
        lanes = 1 + number // len(KINDS) % 2
        scene = Scene(folder / f"scene-{number}", generator, operations, events, lanes)
        fault(scene)
        check_whole(scene)
        scene.expect(scene.sweep(), 0)  # the same command again
        check_same(scene, undisturbed)
        check_left(scene)
        check_alone(scene)
        counts["processes"] += len(scene.processes)
        counts["faults"] += 1
        counts["runs_compared"] += RUNS
        counts["kinds"][kind]["faults"] += 1
        if scene.problems:
            counts["failures"] += 1
            counts["kinds"][kind]["failures"] += 1
            counts["failed"].append({"number": number, "kind": kind, "problems": scene.problems})
        print(f"{number + 1}: {kind}: {scene.problems or 'survived'}", file=sys.stderr, flush=True)
        shutil.rmtree(scene.folder)
    counts["attempts"] = [
        {"what": f"sweep: {kind}", "times": row["faults"], "failures": row["failures"]}
        for kind, row in counts["kinds"].items()
    ]
    return counts


def _undisturbed(folder: Path) -> tuple[dict[str, Any], int, int]:
    """The runs as they should be, and how many operations and events a sweep comes to."""
    scene = Scene(folder / "undisturbed")
    counting = scene.folder / "operations"

    def count() -> None:
        descriptor = os.open(counting, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        _at_operation(0, lambda _: os.write(descriptor, b"\n"), lasting=True)

    scene.expect(scene.sweep(count), 0)
    found = contents(scene.store)
    if scene.problems or len(found) != RUNS:
        raise SystemExit(f"The undisturbed sweep fails: {scene.problems}")
    return found, _lines(counting), _lines(scene.log)


def asked(description: str, times: int, what: str) -> argparse.Namespace:
    """A harness's options: how many ``times`` it does what, the seed, a file for the counts."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--times", type=int, default=times, help=f"{what} (default: {times})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", metavar="FILE", type=Path, help="write the counts there, too")
    return parser.parse_args()


def told_of(counts: dict[str, Any], output: Path | None) -> int:
    """Print a harness's counts, write them; the exit code is 1 where something failed."""
    from repro import sealed_json

    print(json.dumps(counts, indent=1))
    if output:
        sealed_json.write(output, counts)
    return 1 if counts["failures"] else 0


def main() -> int:
    """The command line."""
    chosen = asked("Disturb sweeps and see what is left of them.", 100, "faults")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from repro import provenance
    from repro.data import datasets

    # Import all there is to import, but compute nothing: threads do not survive a fork.
    provenance.code_version()
    datasets.load("digits")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        os.environ["REPRO_PUBLISHED"] = str(Path(folder) / "none")
        # Compiled once and read from there by all, which saves most of the time.
        compiled = Path(folder) / "compiled"
        os.environ["TF_XLA_FLAGS"] = f"--tf_xla_persistent_cache_directory={compiled}"
        from repro.training import loop  # noqa: F401  (TensorFlow, once for all)

        counts = disturb(chosen.times, chosen.seed, Path(folder))
    return told_of(counts, chosen.output)


if __name__ == "__main__":
    sys.exit(main())
