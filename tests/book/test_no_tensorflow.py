"""Importing the package, reading results and drawing them load no machine-learning library."""

import os
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from conftest import LIGHT

import repro
from repro.book import build


def run_without_heavy_libraries(code: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | {"PYTHONPATH": LIGHT},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_check_notices_an_import(tmp_path):
    with pytest.raises(AssertionError, match="keras was imported"):
        run_without_heavy_libraries("import keras", tmp_path)


def test_all_modules_but_those_that_train_and_listing_results(tmp_path):
    package = Path(repro.__file__).parent
    trains = {"training.backend", "training.loop", "training.program", "bench.engine_repro"}
    modules = {
        ".".join(path.relative_to(package).with_suffix("").parts)
        for path in package.rglob("*.py") if path.stem != "__init__"
    }  # fmt: skip
    assert trains <= modules
    light = sorted(modules - trains)
    code = [*(f"import repro.{name}" for name in light), "from repro.command_line import main",
            "assert main(['results']) == 0"]  # fmt: skip
    run_without_heavy_libraries("\n".join(code), tmp_path)


def test_the_kernels_that_execute_the_committed_notebooks():
    """nbval executes every page of the book; here it is seen that they could not import it."""
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import keras")])
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="keras was imported"):
        nbclient.NotebookClient(page, kernel_name=build.KERNEL).execute()
