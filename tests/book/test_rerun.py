"""The page on running it again: its folder, its figures, and commands that are what they say."""

import os
import re
import shlex
from pathlib import Path

import jupytext
import nbformat
import pytest

from repro import Experiment, ReproError
from repro.book import build as book
from repro.book.rerun import Scratch, figure_of
from repro.command_line import _parser
from repro.places import published_path
from repro.store.store import Store

FENCE = re.compile(r"^```(?:bash|\{code-cell\} ipython3)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\.venv/bin/)?repro (.*?)(?:\s+#.*)?$", re.MULTILINE)


def test_a_scratch_folder_leaves_nothing_changed(monkeypatch):
    before, environment, published = Path.cwd(), dict(os.environ), published_path()
    scratch = Scratch()
    place = Path.cwd()
    assert place != before and (place / "book" / "figure-2.ipynb").is_file()
    assert Store().path.parent == place and Path(os.environ["REPRO_CACHE_DIR"]).parent == place
    assert published_path() == published.resolve()
    (place / "some.npz").write_text("made by a command")
    scratch.remove()
    assert not place.exists() and (book.ROOT / "book" / "figure-2.ipynb").is_file()
    assert Path.cwd() == before and dict(os.environ) == environment


def test_a_figure_is_shown_as_the_notebook_shows_it():
    notebook = book.ROOT / "book" / "figure-2.ipynb"
    cells = nbformat.read(notebook, as_version=4).cells
    shown = [
        output for cell in cells for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]  # fmt: skip
    for number, output in enumerate(shown):
        name = output.metadata["image/png"]["name"]
        figure = figure_of(notebook, name if number else None)
        png, metadata = figure._repr_png_()
        assert png.startswith(b"\x89PNG") and metadata == output.metadata["image/png"]
        assert name in repr(figure)


def test_a_figure_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ReproError, match=r"nowhere\.ipynb cannot be read"):
        figure_of(tmp_path / "nowhere.ipynb")
    with pytest.raises(ReproError, match="has no figure 'lost'"):
        figure_of(book.ROOT / "book" / "figure-2.ipynb", "lost")


@pytest.mark.parametrize("file", ["README.md", "book/text/rerun.md"])
def test_every_command_shown_is_one_that_the_command_line_knows(file):
    fences = FENCE.findall((book.ROOT / file).read_text())
    commands = [words for fence in fences for words in COMMAND.findall(fence)]
    assert len(commands) > 3
    for words in commands:
        assert _parser().parse_args(shlex.split(words)).command == words.split()[0]


def test_what_the_page_trains_is_trained_by_its_commands_and_by_nothing_else():
    cells = jupytext.read(book.ROOT / book.TEXT / "rerun.md").cells
    for cell in cells:
        commanded = cell.source.startswith("%%bash")
        assert commanded == (book.TRAINS in cell.metadata.get("tags", []))


def test_the_page_shows_what_its_runs_are_called():
    """The arrays of its own dataset, and so its names, are the same everywhere."""
    page = nbformat.read(book.ROOT / book.PAGES / "rerun.ipynb", as_version=4)
    said = "".join(
        output.get("text", "") for cell in page.cells for output in cell.get("outputs", [])
    )
    assert f"{Experiment('digits', 10, 60).name} replica 0: 60 epochs" in said
    own = re.search(r"mine-[0-9a-f]{12}", said)[0]
    assert f"{Experiment(own, 200, 300, loss='logits').name} replica 0: 300 epochs" in said
