"""The notebooks: paired with their texts, with outputs, and run by papermill on every dataset.

That the committed outputs come out again is checked by nbval, on the notebooks themselves.
"""

import os
import shutil
import time
from pathlib import Path

import nbformat
import pytest
from jupytext.cli import jupytext

from repro.book import build
from repro.store.store import Store

NAMES = build.notebooks()
OF_ONE_DATASET = ("verdicts", "choices", "benchmark", "status", "rerun")
MARKED = ("index", "figure-1", "figure-3")  # of width 512, published on HASYv2 alone
FEW = {"dataset": "digits", "widths": [12, 24], "marked": [24, 12], "epochs": 2}


def notebook(name: str) -> nbformat.NotebookNode:
    return nbformat.read(build.ROOT / build.BOOK / f"{name}.ipynb", as_version=4)


def parameters(name: str) -> nbformat.NotebookNode:
    (cell,) = (one for one in notebook(name).cells if "parameters" in one.metadata.get("tags", []))
    return cell


def test_every_notebook_and_text_is_a_page_once():
    assert len(set(NAMES)) == len(NAMES)
    for folder, suffix in ((build.BOOK, ".ipynb"), (build.TEXT, ".md")):
        assert {path.stem for path in (build.ROOT / folder).glob(f"*{suffix}")} == set(NAMES)


@pytest.mark.parametrize("newer", ["text/{}.md", "{}.ipynb"])
def test_syncing_unedited_pairs_changes_nothing(tmp_path, monkeypatch, newer):
    book = tmp_path / build.BOOK
    shutil.copy(build.ROOT / "jupytext.toml", tmp_path)
    shutil.copytree(build.ROOT / build.TEXT, tmp_path / build.TEXT)
    for name in NAMES:
        shutil.copy(build.ROOT / build.BOOK / f"{name}.ipynb", book)
        os.utime(book / newer.format(name), (time.time() + 9,) * 2)
    before = {path: path.read_bytes() for path in book.rglob("*") if path.is_file()}
    monkeypatch.chdir(tmp_path)
    jupytext(["--quiet", "--sync", *(f"{build.TEXT}/{name}.md" for name in NAMES)])
    assert {path.name for path, was in before.items() if path.read_bytes() != was} == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_notebook_was_executed_without_a_complaint(name):
    shown = notebook(name)
    assert build.lasting(notebook(name)) == shown, "nothing in it changes by itself"
    cells = [cell for cell in shown.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in cells if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), "executed in order, from a fresh kernel"
    for cell in cells:
        assert cell.metadata.get("tags"), "no code stands open on a page"
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
    parameters(name)


def test_the_notebooks_are_small():
    sizes = [(build.ROOT / build.BOOK / f"{name}.ipynb").stat().st_size for name in NAMES]
    assert sum(sizes) < 4_000_000, "3 MB, and a third more for base64"


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks") / "store"


@pytest.fixture
def executed(tmp_path, shared_store, monkeypatch):
    """Executes a page with some of the parameters that it has; its outputs."""
    monkeypatch.chdir(build.ROOT)
    monkeypatch.setenv("REPRO_STORE", str(shared_store))
    monkeypatch.delenv("JUPYTER_PATH")  # a kernel that can train

    def execute(name: str, **given) -> list:
        known = {
            one: value for one, value in given.items() if f"{one} =" in parameters(name).source
        }
        source = build.ROOT / build.BOOK / f"{name}.ipynb"
        target = build.execute(source, tmp_path / f"{name}.ipynb", known)
        cells = nbformat.read(target, as_version=4).cells
        return [output for cell in cells for output in cell.get("outputs", [])]

    return execute


@pytest.mark.parametrize(
    ("name", "given"),
    [(name, FEW) for name in NAMES if name not in OF_ONE_DATASET]
    + [(name, {"dataset": "mnist"}) for name in NAMES if name not in OF_ONE_DATASET + MARKED]
    + [("figure-3", {"dataset": "fashion-mnist", "widths": [500]})],
    ids=lambda one: one if isinstance(one, str) else one["dataset"],
)
def test_a_page_runs_on_a_dataset(executed, name, given):
    outputs = executed(name, **given)
    assert any("image/png" in output.get("data", {}) for output in outputs), "a figure is drawn"


@pytest.mark.parametrize("name", [name for name in NAMES if "store" in parameters(name).source])
def test_a_page_runs_on_a_store_without_runs(executed, name, tmp_path):
    (tmp_path / "empty").mkdir()
    assert executed(name, store=str(tmp_path / "empty"))


def test_what_one_rerun_trained_the_next_finds(executed, monkeypatch, shared_store):
    """Both of papermill's ways to give widths."""
    trained = {(run.experiment.width, run.epochs) for run in Store(shared_store).runs()}
    if not {(12, 2), (24, 2)} <= trained:  # by the test before
        executed("near", **FEW)
    monkeypatch.setenv("KERAS_BACKEND", "none")  # any training would end in an error
    assert executed("near", **FEW | {"widths": "12,24"})
