"""What is there and what is missing, what it took; what pages name, tests and commands, exists."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from repro import Experiment, sealed_json
from repro.analysis.captions import in_words
from repro.book.status import attempts, computing, coverage, provenance
from repro.command_line import _parser

ROOT = Path(__file__).resolve().parents[2]
PLAIN, MARKED = Experiment("digits", 8, 6), Experiment("digits", 9, 6, mark="a")


def _row(experiment, replica, epochs, **changes):
    return (
        {"name": experiment.name, "changed": in_words(experiment.unusual),
         **experiment.parameters, "replica": replica, "epochs": epochs}
        | {"wall_seconds": 1800.0, "started": "2026-01-01T00:00:00+00:00",
           "finished": "2026-01-01T00:30:00+00:00", "device": "CPU Some(R) Processor, 2 cores",
           "code_version": "0.1.0+g1234567abc", "backend": "tensorflow"}
        | changes
    )  # fmt: skip


def test_coverage_counts_full_lengths_and_names_the_rest():
    runs = pd.DataFrame([_row(PLAIN, 0, 6), _row(PLAIN, 2, 4), _row(MARKED, 0, 3)])
    wanted = [(PLAIN, [0, 1, 2]), (MARKED, [0]), (Experiment("digits", 10, 6), [0])]
    found = coverage(wanted, runs)
    assert found.complete.tolist() == [1, 0, 0] and found.wanted.tolist() == [3, 1, 1]
    assert found.begun.tolist() == [1, 1, 0]
    assert found.otherwise.tolist() == ["", "marked “a”", ""]
    assert "--replicas 3" in found.command[0] and "--mark a" in found.command[1]
    assert coverage([(PLAIN, [0])], runs).command[0] == ""
    assert coverage(wanted, runs[:0]).complete.sum() == 0


def test_runs_that_only_differ_in_number_share_a_row():
    elsewhere = {"device": "NVIDIA X, then CPU Y, 1 cores from epoch 3", "wall_seconds": 7200.0}
    runs = [_row(PLAIN, number, 6) for number in (0, 1, 2, 5)] + [_row(PLAIN, 3, 6, **elsewhere)]
    made = provenance(pd.DataFrame(runs))
    assert made.replicas.tolist() == ["0 to 2, 5", "3"]
    assert made.hours.tolist() == [0.5, 2.0]


def test_hours_are_of_cores_and_of_each_gpu_once():
    gpu = {"device": "NVIDIA X", "started": "2026-01-01T00:15:00+00:00",
           "finished": "2026-01-01T01:15:00+00:00"}  # fmt: skip
    begun = gpu | {"device": "NVIDIA X, then CPU Y, 1 cores from epoch 3", "wall_seconds": 7200.0}
    runs = [_row(PLAIN, 0, 6), _row(PLAIN, 1, 6, **gpu), _row(PLAIN, 2, 6, **gpu),
            _row(PLAIN, 3, 6, **gpu | {"started": "2026-01-01T01:00:00+00:00",
                                       "finished": "2026-01-01T02:15:00+00:00"}),
            _row(PLAIN, 4, 6, **begun)]  # fmt: skip
    hours = computing(pd.DataFrame(runs))
    assert hours == pytest.approx({"core_hours": 2 * 0.5 + 2.0, "gpu_hours": 2.0})
    assert computing(pd.DataFrame(runs[:1]))["gpu_hours"] == 0


def test_every_attempt_to_break_it_is_counted(tmp_path):
    found = attempts()
    parts = [sealed_json.read(ROOT / "results" / f"{name}.json") for name in ("faults", "damage")]
    assert found.times.sum() > parts[0]["faults"] + parts[1]["flips"]
    assert found.failures.sum() == 0 and len(found) <= 15
    assert attempts(tmp_path).empty


def test_every_test_that_a_page_names_is_there():
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (ROOT / "book/text/status.md").read_text())
    assert len(named) > 5
    for file, test in named:
        (path,) = (ROOT / "tests").rglob(file)
        assert f"def {test}(" in path.read_text(), f"{file}::{test}"


FENCE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\.venv/bin/)?repro (.*?)(?:\s+#.*)?$", re.MULTILINE)
NOTEBOOK = re.compile(r"papermill book/([\w-]+)\.ipynb")


@pytest.mark.parametrize(
    "file",
    ["README.md", *(f"book/text/{n}.md" for n in ("rerun", "benchmark", "status"))],
)
def test_every_command_shown_is_one_that_there_is(file):
    text = (ROOT / file).read_text()
    commands = [words for fence in FENCE.findall(text) for words in COMMAND.findall(fence)]
    assert commands
    for words in commands:
        assert _parser().parse_args(shlex.split(words)).command == words.split()[0]
    for page in NOTEBOOK.findall(text):
        assert (ROOT / "book" / "text" / f"{page}.md").is_file()
