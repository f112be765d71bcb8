"""A process of `worker`, as `benchmark` talks to it: requests and answers are lines of JSON."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import repro

PEERS = Path(repro.__file__).resolve().parents[2] / "benchmarks"
"""Where the engines are that are not ours: in a checkout, beside the package."""


class Failed(Exception):
    """A process ended before it answered."""


class Process:
    """Its first answer comes unasked: its device and versions, or what is missing."""

    def __init__(self, process: subprocess.Popen, errors: Any) -> None:
        self._process, self._errors = process, errors

    def ask(self, action: str, **request: Any) -> dict[str, Any]:
        """The answer to a request. Raises Failed."""
        try:
            line = json.dumps({"action": action} | request)
            print(line, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise Failed(self._last_words()) from None
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next answer. Raises Failed."""
        line = self._process.stdout.readline()
        if not line:
            raise Failed(self._last_words())
        answer = json.loads(line)
        if "missing" in answer:
            raise Failed(answer["missing"])
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"ended with code {code}: {lines[-1] if lines else 'no message'}"


@contextlib.contextmanager
def started(module: str, keras_backend: str | None) -> Iterator[Process]:
    """A process for a module with an engine, or for ``numpy``."""
    path = [str(PEERS), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # On a GPU each takes what it needs, not all there is: there are several.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    if keras_backend is not None:
        environment["KERAS_BACKEND"] = keras_backend
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "repro.bench.worker", module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            env=environment,
        )  # fmt: skip
        try:
            yield Process(process, errors)
        finally:
            process.kill()  # it keeps nothing that could be lost
            process.communicate()
