"""Bad input for every way into the program, and what each makes of it.

`tests/root/test_bad_input.py` tries a few examples of each in every run of the tests. As a program,
``python tests/bad_input.py --examples 1000``, it tries many, once, and writes the counts that the
book shows.
"""

import argparse
import collections
import contextlib
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import numpy as np
from hypothesis import strategies as st

from repro import command_line, provenance, sealed_json
from repro.book.parameters import whole_number, whole_numbers
from repro.data import datasets
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.training import grid

LONGEST = 8000  # characters of a message that someone is to read


class Failure(AssertionError):
    """Neither accepted nor refused in one clear sentence."""


@dataclass(frozen=True)
class EntryPoint:
    """A way into the program: ``attempt`` is called with an input, in a folder of its own."""

    name: str
    what: str
    inputs: st.SearchStrategy
    attempt: Callable[[Any], None]


def outcome(entry: EntryPoint, value: Any) -> str:
    """``accepted`` or ``refused``, in an empty folder that is the working directory.

    Raises Failure for any other error, and for a message that is no clear line.
    """
    with tempfile.TemporaryDirectory() as folder:
        places = ("REPRO_STORE", "REPRO_PUBLISHED", "REPRO_DATA_DIR", "REPRO_CACHE_DIR")
        named = {name: str(Path(folder) / name.lower()) for name in places}
        with mock.patch.dict(os.environ, named), contextlib.chdir(folder):
            try:
                entry.attempt(value)
            except ReproError as error:
                said = str(error)
                if not said.strip() or len(said) > LONGEST or not said.isprintable():
                    raise Failure(f"no clear sentence: {said[:200]!r}") from error
                return "refused"
            except Failure:
                raise
            except Exception as error:
                raise Failure(f"{type(error).__name__}: {error}") from error
    return "accepted"


# Values of any type, as Python or a file may bring them.

_TEXTS = st.text(max_size=20) | st.sampled_from(
    ["", " ", "a", "fold-1", "digits", "nan", "-1", "1e999", "\x1b[2J", "\ud800", "\n", "x" * 5000]
)
_HUGE = st.sampled_from([19, 400, 5000]).map(lambda digits: 10**digits)
_STRANGE = st.sampled_from(
    [b"64", 1j, object(), int, ..., np.float32("nan"), np.int8(3), np.bool_(True), np.array([1, 2]),
     np.array(["digits", "mnist"]), np.datetime64("NaT"), {8, 9}, {"a": 1}, [[8]], (8, None)]
)  # fmt: skip
_ANY = st.none() | st.booleans() | st.integers() | _HUGE | st.floats() | _TEXTS | _STRANGE
_ANY |= st.lists(_ANY, max_size=3)

_VALID = {
    "dataset": st.sampled_from(datasets.NAMES),
    "width": st.integers(1, 1000),
    "epochs": st.integers(1, 1000),
    "loss": st.sampled_from(["clipped", "logits"]),
    "pixels": st.sampled_from(["archived", "inverted"]),
    "split": st.sampled_from(["fold-1", 0.85]),
    "mark": st.none() | st.sampled_from("aZ€"),
    "learning_rate": st.floats(1e-6, 1e6),
    "batch_size": st.integers(1, 1000),
    "seed": st.integers(0, 2**63 - 1),
    "order": st.sampled_from(["fresh", "cycle:3"]),
}
_PARAMETERS = st.builds(
    lambda base, changes: base | changes,
    st.fixed_dictionaries(_VALID),
    st.dictionaries(st.sampled_from(sorted(_VALID)), _ANY, max_size=2),
)


def _make_experiment(parameters: dict[str, Any]) -> None:
    experiment = Experiment(**parameters)
    if not (experiment.digest and Experiment.from_json(experiment.to_json()) == experiment):
        raise Failure("an experiment that is not read back")


# The command line.

_ARGUMENTS = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=15)
_COMMANDS = ("data", "train", "sweep", "results", "claims", "bench", "publish")
_OPTIONS = {
    "--dataset": ("digits", "mnist", "cifar", "mine.npz", ""),
    "--widths": ("8", "8,9", "0", "-1", "8,,9", "99999", "1" * 5000, "8.5", "1_000"),
    "--loss": ("clipped", "mse"), "--pixels": ("inverted", "grey"),
    "--mark": ("a", "ab", " ", "\n", "\udcff"), "--split": ("fold-1", "fold-11", "0.85", "nan"),
    "--learning-rate": ("0.1", "nan", "-1", "1e-400"),
    "--replicas": ("1", "0", "99999999999", "1,8"), "--epochs": ("1", "0", "99999999999"),
    "--batch-size": ("128", "0"), "--seed": ("0", "-1", str(2**64)),
    "--time-limit": ("60", "-1", "nan"), "--lanes": ("1", "0"),
    "--store": ("own", "/dev/null/x", "/proc/nowhere", "x" * 300, "\udcff"),
    "--plan": ("plan.yml", "nowhere.yml", ".", "x" * 300),
    "--engines": ("repro-tensorflow", "fastest", ","), "--output": ("out.json", ".", "no/out.json"),
    **dict.fromkeys(("--quiet", "--json", "--synthetic", "--unfinished", "--help", "--")),
}  # fmt: skip


@st.composite
def _arguments(draw: Callable) -> list[str]:
    words = [draw(st.sampled_from(_COMMANDS))] if draw(st.integers(0, 9)) else []
    if words == ["train"] and draw(st.booleans()):  # which needs these two
        words += ["--dataset", "digits", "--widths", "8"]
    for option in draw(st.lists(st.sampled_from(sorted(_OPTIONS)), max_size=5)):
        words.append(option)
        if (values := _OPTIONS[option]) is not None:
            words.append(draw(st.sampled_from(values) | _ARGUMENTS))
    return words + draw(st.lists(_ARGUMENTS, max_size=1))


def _run_command(arguments: list[str]) -> None:
    """Run the command line, with nothing trained, and with one line for each mistake."""
    Path("plan.yml").write_text("{datasets: digits, widths: 8, epochs: 1}")
    said, told = io.StringIO(), io.StringIO()
    trains = mock.patch("repro.training.schedule._work_off")
    measures = mock.patch("repro.bench.benchmark.worker.started", side_effect=ReproError("no"))
    streams = contextlib.redirect_stdout(said), contextlib.redirect_stderr(told)
    with trains, measures, mock.patch("repro.training.loop.samples"), streams[0], streams[1]:
        try:
            code = command_line.main(arguments)
        except SystemExit as stop:
            code = stop.code
    lines = told.getvalue().splitlines()
    if code == 2:
        if len(lines) != 1 or not lines[0].startswith("repro: "):
            raise Failure(f"not one line: {lines}")
        raise ReproError(lines[0])
    if code not in (0, 3) or any("Error" in line for line in lines):
        raise Failure(f"exit code {code}, {lines}")


# Plans of sweeps.

_SCALARS = _TEXTS.map(repr) | st.sampled_from(
    ["8", "[8, 9]", "digits", "~", "1" * 5000, "2001-99-99", ".nan", "-1", "1e999", "!!int abc",
     "!!python/object/apply:os.system ['true']", "&a [*a]", "{8: 9}", "{? [8] : 9}", "<<", "%",
     "[" * 2000 + "]" * 2000, "\x00", "yes"]
)  # fmt: skip
_ENTRIES = st.lists(st.tuples(st.sampled_from([*grid.KEYS, "<<", "? [8]"]), _SCALARS), max_size=4)
_PLANS = _ENTRIES.map(
    lambda entries: "\n".join(
        ["datasets: digits", "widths: 8", *(f"{key}: {value}" for key, value in entries)]
    ).encode("utf-8", "surrogatepass")
)
_PLANS |= st.binary(max_size=60) | st.sampled_from(
    [b"\xff\xfe", b"- " * 5000, b"[" * 9000, b"a: &a [8]\nwidths: *a",
     b"{datasets: digits, widths: [8, 9], replicas: 99999}"]
)  # fmt: skip


def _read_plan(content: bytes) -> None:
    Path("plan.yml").write_bytes(content)
    if not all(
        isinstance(each, Experiment) and numbers for each, numbers in grid.read_plan("plan.yml")
    ):
        raise Failure("no experiments")


def _notebook(value: Any) -> None:
    numbers = whole_numbers("widths", value)
    if value is not None and not all(type(n) is int and n >= 1 for n in numbers):
        raise Failure(f"{numbers!r} are no whole numbers from 1")
    whole_number("epochs", value)


# One's own dataset.

_X = st.sampled_from(
    [np.zeros((6, 4)), np.full((6, 4), 7, np.uint8), np.full((6, 4), np.nan), np.zeros((6, 2, 2)),
     np.zeros(6), np.zeros((0, 4)), np.zeros((6, 0)), np.array(3), np.zeros((5, 4)),
     np.zeros((6, 4), complex), np.array([["x"] * 4] * 6), np.array([[None] * 4] * 6),
     np.zeros((6, 4), [("a", "f4")]), np.zeros((6, 4), bool), np.full((6, 4), 1e300)]
)  # fmt: skip
_Y = st.sampled_from(
    [np.arange(6), np.arange(6)[:, None], np.arange(6.0), np.full(6, -1), np.full(6, 2**40),
     np.zeros((6, 3), int), np.zeros(0, int), np.array(["a"] * 6), np.array([None] * 6),
     np.full(6, np.nan), np.array(0), np.arange(5), np.full(6, 99_999)]
)  # fmt: skip
_GOOD = {"x_train": np.eye(6, 4), "y_train": np.arange(6), "x_test": np.eye(6, 4),
         "y_test": np.arange(6)}  # fmt: skip


def _npz(wrong: dict[str, np.ndarray], left_out: str | None, cut: int) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{n: array for n, array in (_GOOD | wrong).items() if n != left_out})
    content = file.getvalue()
    return content[: cut % len(content)] if cut else content


_NPZ = st.builds(
    _npz,
    st.fixed_dictionaries({}, optional={name: _X if name[0] == "x" else _Y for name in _GOOD}),
    st.none() | st.none() | st.sampled_from(sorted(_GOOD)),
    st.just(0) | st.just(0) | st.integers(0, 5000),
)


def _read_own(content: bytes) -> None:
    Path("mine.npz").write_bytes(content)
    data = datasets.load(Experiment("mine.npz", 8, 1).dataset)
    sound = len(data.x_train) == len(data.y_train) > 0 < len(data.x_test) == len(data.y_test)
    if not sound or not np.isfinite(data.x_train).all() or data.y_train.min() < 0:
        raise Failure("taken though it is not sound")
    if data.x_train.shape[1:] != data.x_test.shape[1:] or data.y_test.max() >= data.classes:
        raise Failure("taken though its parts do not fit")


ENTRY_POINTS = (
    EntryPoint("experiment", "Experiment", _PARAMETERS, _make_experiment),
    EntryPoint("command line", "repro ...", _arguments(), _run_command),
    EntryPoint("plan", "YAML for repro sweep", _PLANS, _read_plan),
    EntryPoint("notebook", "widths and epochs of a notebook", _ANY, _notebook),
    EntryPoint("own dataset", "arrays in an .npz file", _NPZ | st.binary(max_size=99), _read_own),
)


def tried(entry: EntryPoint, examples: int, seed: int) -> dict[str, Any]:
    """Counts of what came of so many examples; the first failures in words."""
    counts: collections.Counter[str] = collections.Counter()
    failures: list[str] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples, database=None, deadline=None, derandomize=False,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(entry.inputs)
    def attempts(value: Any) -> None:
        counts["tried"] += 1
        try:
            counts[outcome(entry, value)] += 1
        except Failure as failure:
            counts["failed"] += 1
            failures.append(f"{str(failure)[:300]} <- {type(value).__name__}")
            if len(failures) <= 3:
                traceback.print_exc()

    attempts()
    return {
        "entry": entry.name, "what": entry.what,
        **{name: counts[name] for name in ("tried", "refused", "accepted", "failed")},
        "failures": failures[:20],
    }  # fmt: skip


def main() -> int:
    """Try many examples of every entry point and write the counts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", help="a file for the counts, such as results/bad-input.json")
    chosen = parser.parse_args()
    rows = []
    for entry in ENTRY_POINTS:
        rows.append(tried(entry, chosen.examples, chosen.seed))
        print(rows[-1], flush=True)
    if chosen.output:
        times, failures = (sum(row[name] for row in rows) for name in ("tried", "failed"))
        attempts = [{"what": "bad input", "times": times, "failures": failures}]
        found = {"attempts": attempts, "code_version": provenance.code_version(),
                 "finished": provenance.now(), "seed": chosen.seed,
                 "examples": chosen.examples, "rows": rows}  # fmt: skip
        sealed_json.write(Path(chosen.output), found)
    return int(any(row["failed"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
