"""The book's way from notebooks to pages. That notebooks run is tested in `test_notebooks`."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from repro import ReproError, book


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the book is made of, so that nothing is built in the real checkout."""
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(book.ROOT / name, tmp_path)
    shutil.copytree(book.ROOT / book.PAGES, tmp_path / book.PAGES)
    monkeypatch.setattr(book, "ROOT", tmp_path)
    return tmp_path


def page_with(code: str) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["parameters"]})
    kernel = {"name": book.KERNEL, "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})


def test_book_is_built_without_warnings_and_is_read_without_a_network(checkout, monkeypatch):
    pages = book.pages()

    def as_committed(parameters: dict, folder: Path) -> None:
        folder.mkdir(parents=True)
        for page in pages:
            shutil.copy(checkout / book.PAGES / f"{page}.ipynb", folder)

    monkeypatch.setattr(book, "execute_all", as_committed)
    assert book.build({}) == 0
    html = checkout / "_build" / "html"
    assert pages[0] == "index"
    for page in pages:
        text = (html / f"{page}.html").read_text()
        assert "<h1>" in text
        assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(?:https?:)?//', text)
    for image in re.findall(r'<img[^>]*src="([^"#]+)"', text):
        assert image.startswith("data:") or (html / image).is_file()
    assert (html / "_static" / "mathjax" / "tex-chtml.js").is_file()


def test_every_profile_names_pages_and_their_parameters():
    profiles = (book.ROOT / book.PAGES / "profiles.yml").read_text()
    names = re.findall(r"^(\w+):", profiles, flags=re.MULTILINE)
    assert "published" in names
    assert book.profile("published") == {}, "the default shows the notebooks as they are"
    for name in names:
        assert book.profile(name).keys() <= {"all", *book.pages()}


def test_an_unknown_profile_is_told():
    with pytest.raises(ReproError, match=r"profile must be one of published, .*not 'lost'"):
        book.profile("lost")
    assert book.main(["build", "--profile", "lost"]) == 2


def test_a_notebook_that_fails_leaves_the_earlier_one(tmp_path):
    source, target = tmp_path / "page.ipynb", tmp_path / "out" / "page.ipynb"
    target.parent.mkdir()
    target.write_text("earlier")
    nbformat.write(page_with("width = 3\nassert width < 3, 'too wide'"), source)
    with pytest.raises(ReproError, match=r"page\.ipynb .*AssertionError: too wide"):
        book.execute(source, target, {})
    assert [path.name for path in target.parent.iterdir()] == ["page.ipynb"]
    assert target.read_text() == "earlier"


def test_a_notebook_is_executed_with_its_parameters_and_keeps_nothing_that_changes(tmp_path):
    source, target = tmp_path / "page.ipynb", tmp_path / "out.ipynb"
    page = page_with("width = 3")
    page.cells.append(
        nbformat.v4.new_code_cell("import sys\nprint('note', file=sys.stderr)\nwidth")
    )
    nbformat.write(page, source)
    book.execute(source, target, {"width": 64})
    executed = nbformat.read(target, as_version=4)
    assert [output["data"]["text/plain"] for output in executed.cells[-1].outputs] == ["64"]
    first = target.read_bytes()
    book.execute(source, target, {"width": 64})
    assert target.read_bytes() == first
