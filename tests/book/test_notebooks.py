"""The notebooks: paired with their texts, with outputs, and rerun by papermill with parameters.

That the committed outputs come out again is checked by nbval, on the notebooks themselves.
"""

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

from repro.book import build as book
from repro.store.store import Store

PAGES = book.pages()
PAGE_COLUMNS = 94  # characters of code that a laptop's page shows without pushing it sideways
FIGURES = [page for page in PAGES if page.startswith("figure")]


def notebook(page: str) -> nbformat.NotebookNode:
    return nbformat.read(book.ROOT / book.PAGES / f"{page}.ipynb", as_version=4)


def text(page: str) -> nbformat.NotebookNode:
    return jupytext.read(book.ROOT / book.TEXT / f"{page}.md")


def sources(cells: list[nbformat.NotebookNode]) -> list[tuple[str, str, list[str]]]:
    return [(cell.cell_type, cell.source.strip(), cell.metadata.get("tags", [])) for cell in cells]


def test_every_notebook_and_text_is_a_page_once():
    assert len(set(PAGES)) == len(PAGES)
    for folder, suffix in ((book.PAGES, ".ipynb"), (book.TEXT, ".md")):
        assert {path.stem for path in (book.ROOT / folder).glob(f"*{suffix}")} == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_notebook_and_text_say_the_same(page):
    assert sources(notebook(page).cells) == sources(book.from_text(page).cells), (
        "run `make notebooks`"
    )


@pytest.mark.parametrize("page", PAGES)
def test_one_cell_holds_the_parameters(page):
    tagged = [cell for cell in text(page).cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert tagged[0].cell_type == "code"


@pytest.mark.parametrize("page", PAGES)
def test_a_line_of_code_is_no_wider_than_the_page(page):
    lines = [
        line
        for cell in text(page).cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
    ]
    assert [line for line in lines if len(line) > PAGE_COLUMNS] == []


@pytest.mark.parametrize("page", PAGES)
def test_committed_notebook_was_executed_without_a_complaint(page):
    cells = [cell for cell in notebook(page).cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in cells if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), "executed in order, from a fresh kernel"
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


def papermill(page: str, target: Path, store: Path, *options: str, **environment: str):
    return subprocess.run(
        [
            sys.executable, "-m", "papermill", f"book/{page}.ipynb", str(target), *options,
            "-p", "dataset", "digits", "-p", "epochs", "2",
        ],
        cwd=book.ROOT, env=os.environ | {"REPRO_STORE": str(store)} | environment,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks") / "store"


@pytest.mark.parametrize("page", PAGES)
def test_every_table_is_shown_whole(page):
    shown = [
        output.get("data", {}).get("text/html", "")
        for cell in notebook(page).cells
        for output in cell.get("outputs", [])
    ]
    assert not any("<td>...</td>" in table for table in shown), "pandas left rows or columns out"


@pytest.mark.parametrize("page", FIGURES)
def test_figure_runs_at_other_widths_and_trains_only_what_is_missing(page, tmp_path, shared_store):
    """Both of papermill's ways to give widths; what the first run trained the second finds."""
    first = papermill(page, tmp_path / "1.ipynb", shared_store, "-y", "widths: [24, 12]")
    assert first.returncode == 0, first.stderr
    trained = {(run.experiment.width, run.epochs) for run in Store(shared_store).runs()}
    assert trained == {(24, 2), (12, 2)}

    # With a backend that there is not, any training would end in an error.
    second = papermill(
        page, tmp_path / "2.ipynb", shared_store, "-p", "widths", "24,12", KERAS_BACKEND="none"
    )
    assert second.returncode == 0, second.stderr
    shown = nbformat.read(tmp_path / "2.ipynb", as_version=4)
    outputs = [output for cell in shown.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs), "a figure is drawn"
    assert "digits" in str(outputs)
    assert "hasyv2" not in str([output.get("text", "") for output in outputs])


def test_a_mistaken_width_is_told_in_one_sentence(tmp_path):
    failed = papermill("figure-2", tmp_path / "out.ipynb", tmp_path, "-p", "widths", "ten")
    assert failed.returncode != 0
    assert "ReproError: widths must be whole numbers from 1" in failed.stderr
    assert not list(Store(tmp_path).runs())


@pytest.mark.parametrize("page", PAGES)
def test_committed_notebook_is_as_the_build_leaves_it(page):
    """Nothing in it changes from one execution to the next: no times, no random identifiers."""
    as_committed = notebook(page)
    assert book.lasting(notebook(page)) == as_committed
