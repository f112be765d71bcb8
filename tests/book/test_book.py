"""The book's way from notebooks to pages. That notebooks run is tested in `test_notebooks`."""

import functools
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import jupytext
import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

import repro
from repro import ReproError, by_width
from repro.book import build as book
from repro.book import citation


def page_with(code: str) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["parameters"]})
    kernel = {"name": book.KERNEL, "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})


@functools.cache
def soup(html: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((html / name).read_text(encoding="utf-8"), "html.parser")


def targets(page: BeautifulSoup) -> set[str]:
    """Everything the page links to or shows."""
    named = {(element, name) for name in ("href", "src") for element in page.select(f"[{name}]")}
    return {element[name] for element, name in named}


def downloads(page: BeautifulSoup, html: Path) -> dict[str, Path]:
    """Files to take, by their own names."""
    return {Path(link["href"]).name: html / link["href"] for link in page.select("a.download")}


@pytest.mark.parametrize("name", book.contents())
def test_no_link_or_image_is_broken_and_nothing_is_loaded_from_elsewhere(built_book, name):
    page = soup(built_book, f"{name}.html")
    assert page.h1
    for element in page.select("script[src], link[rel=stylesheet], img[src]"):
        assert "//" not in (element.get("src") or element.get("href")).partition("data:")[0]
    assert "unpkg" not in str(page.head)
    for target in targets(page):
        if target.startswith(("http:", "https:", "data:", "mailto:")):
            continue
        file, _, fragment = target.partition("#")
        file = file.partition("?")[0] or f"{name}.html"
        assert (built_book / file).is_file(), target
        if fragment and file.endswith(".html"):
            assert soup(built_book, file).find(id=fragment), target


@pytest.mark.parametrize("name", book.contents())
def test_every_page_can_be_taken_as_it_is(built_book, name):
    files = downloads(soup(built_book, f"{name}.html"), built_book)
    if name in book.plain_pages():
        source = book.ROOT / book.PAGES / f"{name}.md"
        assert (built_book / "_sources" / f"{name}.md").read_bytes() == source.read_bytes()
    else:
        source = book.ROOT / book.TEXT / f"{name}.md"
        taken = nbformat.read(files[f"{name}.ipynb"], as_version=4)
        committed = nbformat.read(book.ROOT / book.PAGES / f"{name}.ipynb", as_version=4)
        assert [cell.source for cell in taken.cells] == [cell.source for cell in committed.cells]
        offered = built_book / "_sources" / f"{name}.ipynb"  # by the theme's button
        assert offered.read_bytes() == files[f"{name}.ipynb"].read_bytes()
    assert files[f"{name}.md"].read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", book.pages())
def test_every_figure_is_numbered_described_and_can_be_taken(built_book, name):
    page = soup(built_book, f"{name}.html")
    pictures = page.select(".cell_output img")
    assert all(len(picture["alt"]) > 30 for picture in pictures)
    figures = page.select(".cell_output figure")
    assert len(figures) == len(page.select(".cell_output img:not(.explorer img)"))
    for figure in figures:
        assert re.fullmatch(r"Our figure \d+ ", figure.select_one(".caption-number").text)
        assert len(figure.select_one(".caption-text").text) > 40
        files = {path.suffix: path for path in downloads(figure, built_book).values()}
        assert files[".pdf"].read_bytes().startswith(b"%PDF-")
        assert ElementTree.parse(files[".svg"]).getroot().tag.endswith("svg")
        assert len(pd.read_csv(files[".csv"])) > 0


def test_numbers_of_figures_are_in_the_order_of_the_book(built_book):
    texts = [soup(built_book, f"{name}.html").select(".caption-number") for name in book.pages()]
    numbers = [int(one.text.split()[-1]) for page in texts for one in page]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_figures_table_holds_the_values_of_the_runs(built_book):
    figure = soup(built_book, "figure-1.html").select_one("#fig-figure-1-letter")
    table = pd.read_csv(downloads(figure, built_book)["letter.csv"])
    (run,) = by_width("hasyv2", [512], replicas=1, mark="a").values()
    of_panel = table[table["panel_title"].str.contains("512") & (table["series"] == "test loss")]
    np.testing.assert_allclose(of_panel["y"], run.test_loss[0], rtol=1e-5)
    np.testing.assert_array_equal(of_panel["x"], run.epoch)


def test_how_to_cite_is_what_the_citation_file_says(built_book):
    page = soup(built_book, "references.html")
    said = citation.read(book.ROOT / "CITATION.cff")
    assert said["preferred-citation"]["doi"] in page.select_one("div.highlight").text
    assert said["version"] in page.select_one("div.highlight").text
    cff = downloads(page, built_book)["CITATION.cff"]
    assert cff.read_bytes() == (book.ROOT / "CITATION.cff").read_bytes()


def test_the_package_is_documented_from_its_docstrings(built_book):
    page = soup(built_book, "api.html")
    for name in repro.__all__:
        entry = page.find(id=f"repro.{name}") or page.find(id=f"repro.errors.{name}")
        assert len(entry.find_next("dd").text) > 40, name


def test_words_are_explained_where_they_first_come_up(built_book):
    for name in ("index", "set-up", "figure-1", "figure-2", "figure-3"):
        links = soup(built_book, f"{name}.html").select('a[href^="glossary.html#term-"]')
        assert links, name


def clone_of(folder: Path, remote: str | None) -> Path:
    """A repository that was cloned from there."""
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    if remote is not None:
        subprocess.run(["git", "-C", folder, "remote", "add", "origin", remote], check=True)
    return folder


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/owner/name.git", "https://github.com/owner/name"),
        ("https://github.com/owner/name/", "https://github.com/owner/name"),
        ("https://user:secret@github.com/owner/some.name", "https://github.com/owner/some.name"),
        ("git@github.com:owner/name.git", "https://github.com/owner/name"),
        ("ssh://git@gitlab.com:22/owner/name.git", "https://gitlab.com/owner/name"),
        ("https://gitlab.com/owner/name.git", "https://gitlab.com/owner/name"),
        ("https://example.org/owner/name.git", None),
        ("https://github.com.example.org/owner/name", None),
        ("/home/someone/github.com/owner/name", None),
        ("github.com/owner/name", None),
        ("../name", None),
        ("file:///srv/github.com/owner/name", None),
        (None, None),
    ],
)
def test_the_repositorys_address_is_that_of_the_clone(tmp_path, remote, address):
    checkout = clone_of(tmp_path / "checkout", remote)
    assert citation.repository({}, checkout) == address
    (checkout / "inside").mkdir()
    assert citation.repository({}, checkout / "inside") is None, "that is another's repository"
    said = {"repository-code": "https://example.org/a/b/"}
    assert citation.repository(said, checkout) == "https://example.org/a/b", "the file decides"


def test_a_folder_that_is_no_checkout_has_no_address(tmp_path, monkeypatch):
    assert citation.repository({}, tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert citation.repository({}, tmp_path) is None


def small_book(root: Path, remote: str | None) -> Path:
    """A checkout with a book of three pages, one of which trains."""
    clone_of(root, remote)
    for name in ("_config.yml", "CITATION.cff"):
        shutil.copy(book.ROOT / name, root)
    for folder in (book.PAGES, book.TEXT):
        (root / folder).mkdir()
    (root / "_toc.yml").write_text(
        "{format: jb-book, root: first, chapters: [{file: second}, {file: references}]}"
    )
    shutil.copy(book.ROOT / book.PAGES / "references.bib", root / book.PAGES)
    (root / book.PAGES / "references.md").write_text("# Plain\n")
    for name in ("first", "second"):
        page = page_with("width = 3\nwidth + 1")
        page.cells.insert(0, nbformat.v4.new_markdown_cell(f"# {name.title()}"))
        if name == "second":
            cell = nbformat.v4.new_code_cell("1 / 0", metadata={"tags": [book.TRAINS]})
            cell.outputs = [nbformat.v4.new_output("stream", text="as it was committed")]
            page.cells.append(cell)
        nbformat.write(page, root / book.PAGES / f"{name}.ipynb")
        (root / book.TEXT / f"{name}.md").write_text("text")
    return root


def test_a_book_with_an_address_opens_notebooks_and_edits_their_texts(tmp_path, monkeypatch):
    root = small_book(tmp_path / "checkout", "git@github.com:owner/name.git")
    monkeypatch.setattr(book, "ROOT", root)
    assert book.build({}) == 0
    html = root / "_build" / "html"
    here = "https://github.com/owner/name"
    for name in ("first", "second"):
        links = targets(soup(html, f"{name}.html"))
        assert (
            f"https://mybinder.org/v2/gh/owner/name/main?urlpath=lab/tree/{book.PAGES}/{name}.ipynb"
        ) in links
        assert f"{here}/edit/main/{book.TEXT}/{name}.md" in links
    links = targets(soup(html, "references.html"))
    assert f"{here}/edit/main/{book.PAGES}/references.md" in links
    assert not any("mybinder" in link for link in links), "there is nothing to run"
    assert here in citation.bibtex(citation.read(root / "CITATION.cff"), here)
    assert here in (root / "_build" / "stage" / "citation.bib.txt").read_text()
    # The page that trains is as it was committed; executed, it would have ended in an error.
    assert "as it was committed" in (html / "second.html").read_text()


ADDRESS = "https://github.com/owner/name"


def test_where_the_citation_file_has_an_address_colab_opens_what_is_committed(
    tmp_path, monkeypatch
):
    root = small_book(tmp_path / "checkout", None)
    with (root / "CITATION.cff").open("a") as file:
        file.write(f"repository-code: {ADDRESS}/\n")
    for name in ("first", "second"):
        page = page_with("width = 3\nwidth + 1")
        page.cells.insert(0, nbformat.v4.new_markdown_cell(f"# {name.title()}"))
        jupytext.write(page, root / book.TEXT / f"{name}.md")
    monkeypatch.setattr(book, "ROOT", root)
    for name in ("first", "second"):
        book.sync(name)
    assert book.build({}) == 0
    html = root / "_build" / "html"
    opened = (
        f"https://colab.research.google.com/github/owner/name/blob/main/{book.PAGES}/first.ipynb"
    )
    assert opened in targets(soup(html, "first.html"))
    page = nbformat.read(root / book.PAGES / "first.ipynb", as_version=4)
    assert [cell.cell_type for cell in page.cells][:2] == ["markdown", "code"]
    assert f"git clone --quiet --depth 1 {ADDRESS} " in page.cells[1].source
    assert "git clone" not in (html / "first.html").read_text()


def test_a_book_has_such_buttons_only_with_an_address(built_book):
    assert book.launch_settings(None) == book.launch_settings("https://example.org/a/b") == {}
    said = citation.read(book.ROOT / "CITATION.cff")
    known = citation.repository(said, built_book.parents[1]) is not None
    for name in book.contents():
        links = targets(soup(built_book, f"{name}.html"))
        assert any("/edit/" in link for link in links) == known
        assert any("mybinder" in link for link in links) == (known and name in book.pages())
        on_colab = book.opened_on_colab() is not None and name in book.pages()
        assert any("colab" in link for link in links) == on_colab


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


def kernels_that_end_at_once(monkeypatch, number: int) -> list[int]:
    """Has the first kernels end before they answer, as jupyter_client tells it; those it did."""
    import papermill

    ended, execute = [], papermill.execute_notebook

    def start(*given, **named):
        if len(ended) < number:
            ended.append(len(ended))
            raise RuntimeError("Kernel died before replying to kernel_info")
        return execute(*given, **named)

    monkeypatch.setattr(papermill, "execute_notebook", start)
    return ended


def test_a_kernel_that_ends_before_it_answers_is_started_once_more(tmp_path, monkeypatch):
    source, target = tmp_path / "page.ipynb", tmp_path / "out.ipynb"
    nbformat.write(page_with("width = 3"), source)
    ended = kernels_that_end_at_once(monkeypatch, 1)
    book.execute(source, target, {})
    assert ended == [0] and target.is_file()


def test_kernels_that_all_end_are_told(tmp_path, monkeypatch):
    source, target = tmp_path / "page.ipynb", tmp_path / "out.ipynb"
    nbformat.write(page_with("width = 3"), source)
    ended = kernels_that_end_at_once(monkeypatch, 5)
    with pytest.raises(ReproError, match="was not executed, for its kernel python3 ended twice"):
        book.execute(source, target, {})
    assert len(ended) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["page.ipynb"]


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


def test_executing_the_pages_leaves_the_working_directory(tmp_path, monkeypatch):
    """Side by side, each page in the checkout's root; afterwards the process is where it was."""
    before, checkout = Path.cwd(), tmp_path / "checkout"
    (checkout / book.PAGES).mkdir(parents=True)
    monkeypatch.setattr(book, "ROOT", checkout)
    names = ["one", "two", "three", "four"]
    for name in names:
        nbformat.write(page_with("import os\nos.getcwd()"), checkout / book.PAGES / f"{name}.ipynb")
    book.execute_all(names, {}, tmp_path / "out")
    assert Path.cwd() == before
    for name in names:
        page = nbformat.read(tmp_path / "out" / f"{name}.ipynb", as_version=4)
        assert page.cells[-1].outputs[0]["data"]["text/plain"] == repr(str(checkout))
