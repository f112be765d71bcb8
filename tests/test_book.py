"""The book's way from notebooks to pages. That notebooks run is tested in `test_notebooks`."""

import functools
import re
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

import repro
from repro import ReproError, book, by_width, citation


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


def test_launch_buttons_only_where_the_repository_has_an_address():
    assert book.launch_settings(None) == {}
    address = citation.repository({"repository-code": "https://example.org/a/b/"})
    settings = book.launch_settings(address)
    assert settings["repository"]["url"] == "https://example.org/a/b"
    assert settings["launch_buttons"]["binderhub_url"] == "https://mybinder.org"


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


def test_executing_the_pages_leaves_the_working_directory(tmp_path, monkeypatch):
    """Pages are executed side by side; afterwards the process is where it was."""
    before, checkout = Path.cwd(), tmp_path / "checkout"
    (checkout / book.PAGES).mkdir(parents=True)
    monkeypatch.setattr(book, "ROOT", checkout)
    names = ["one", "two", "three", "four"]
    for name in names:
        nbformat.write(page_with("width = 3\nwidth"), checkout / book.PAGES / f"{name}.ipynb")
    monkeypatch.setattr(book, "pages", lambda: names)
    book.execute_all({}, tmp_path / "out")
    assert Path.cwd() == before
    for name in names:
        page = nbformat.read(tmp_path / "out" / f"{name}.ipynb", as_version=4)
        assert page.cells[-1].outputs[0]["data"]["text/plain"] == "3"
