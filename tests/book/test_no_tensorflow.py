"""Importing the package, reading results and drawing them load no machine-learning library."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import LIGHT

import repro
from repro import ReproError
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


def test_all_modules_but_those_that_train(tmp_path):
    package = Path(repro.__file__).parent
    trains = {"training.backend", "training.loop", "training.optimizer", "training.program",
              "training.samples", "investigations.sharpness", "bench.engine_repro"}  # fmt: skip
    modules = {
        ".".join(path.relative_to(package).with_suffix("").parts)
        for path in package.rglob("*.py") if path.stem != "__init__"
    }  # fmt: skip
    assert trains <= modules
    light = sorted(modules - trains)
    run_without_heavy_libraries("\n".join(f"import repro.{name}" for name in light), tmp_path)


def test_listing_results_from_the_command_line(tmp_path):
    run_without_heavy_libraries(
        'from repro.command_line import main\nassert main(["results"]) == 0', tmp_path
    )


def test_verdicts_from_the_command_line(tmp_path):
    run_without_heavy_libraries(
        'from repro.command_line import main\nassert main(["claims", "--json"]) == 0', tmp_path
    )


def test_every_page_of_the_book_reads_and_draws_published_runs(built_book, tmp_path, monkeypatch):
    """The book is built with this check on; that it is on in the pages' kernels is seen here."""
    assert all((built_book / f"{page}.html").is_file() for page in build.contents())
    monkeypatch.setenv("PYTHONPATH", LIGHT)
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import keras")])
    nbformat.write(page, tmp_path / "heavy.ipynb")
    with pytest.raises(ReproError, match="keras was imported"):
        build.execute(tmp_path / "heavy.ipynb", tmp_path / "out.ipynb", {})
