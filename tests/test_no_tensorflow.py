"""Importing the package, reading results and drawing them load no machine-learning library."""

import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

from repro import book

HEAVY = ("tensorflow", "keras", "jax", "jaxlib", "torch")

# Even a guarded import would be noticed.
FORBID = f"""
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise AssertionError(f"{{name}} was imported")

sys.meta_path.insert(0, Forbidden())
"""


def run_without_heavy_libraries(code: str, folder: Path) -> None:
    script = folder / "script.py"
    script.write_text(FORBID + code)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_the_check_notices_an_import(tmp_path):
    with pytest.raises(AssertionError, match="keras was imported"):
        run_without_heavy_libraries("import keras", tmp_path)


def test_all_modules_but_those_that_train(tmp_path):
    modules = sorted(path.stem for path in Path(book.__file__).parent.glob("*.py"))
    engines = {f"engine_{name}" for name in ("repro", "keras", "keras_default", "jax", "torch")}
    light = (
        set(modules)
        - engines
        - {"__init__", "__main__", "backend", "program", "samples", "training"}
    )
    assert {"runs", "figures", "command_line", "regimes", "benchmark", "benchmark_figure"} <= light
    run_without_heavy_libraries("\n".join(f"import repro.{name}" for name in light), tmp_path)


def test_listing_results_from_the_command_line(tmp_path):
    run_without_heavy_libraries(
        'from repro.command_line import main\nassert main(["results"]) == 0', tmp_path
    )


def test_verdicts_from_the_command_line(tmp_path):
    run_without_heavy_libraries(
        'from repro.command_line import main\nassert main(["claims", "--json"]) == 0', tmp_path
    )


def test_every_page_of_the_book_reads_and_draws_published_runs(tmp_path):
    pages = [page for page in book.pages() if not book.trains(page)]
    texts = [jupytext.read(book.ROOT / book.TEXT / f"{page}.md") for page in pages]
    cells = [
        f"# {page}\n{cell.source}"
        for page, text in zip(pages, texts, strict=True)
        for cell in text.cells
        if cell.cell_type == "code"
    ]
    assert len(cells) > len(pages)
    run_without_heavy_libraries("\n".join(cells), tmp_path)
