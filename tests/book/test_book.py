"""The book's way from notebooks to pages. That notebooks run is tested in `test_notebooks`."""

import functools
import json
import re
import sys
from pathlib import Path
from unittest.mock import Mock
from xml.etree import ElementTree

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import EXECUTED

import repro
from repro import ReproError, by_width
from repro.book import build


def page_with(code: str) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["parameters"]})
    kernel = {"name": build.KERNEL, "display_name": "Python 3", "language": "python"}
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


@pytest.mark.parametrize("name", build.contents())
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
    suffix = "ipynb" if name in build.notebooks() else "md"
    assert (built_book / "_sources" / f"{name}.{suffix}").is_file(), "it offers its source"


@pytest.mark.parametrize("name", build.notebooks())
def test_every_figure_is_described(built_book, name):
    page = soup(built_book, f"{name}.html")
    assert all(len(picture.get("alt", "")) > 30 for picture in page.select(".cell_output img"))
    for figure in page.select(".cell_output figure"):
        assert len(figure.select_one(".caption-text").text) > 40


def test_figures_can_be_taken_with_the_values_of_the_runs(built_book):
    figures = soup(built_book, f"{EXECUTED}.html").select(".cell_output figure")
    for figure in figures:
        files = {path.suffix: path for path in downloads(figure, built_book).values()}
        assert files[".pdf"].read_bytes().startswith(b"%PDF-")
        assert ElementTree.parse(files[".svg"]).getroot().tag.endswith("svg")
        assert len(pd.read_csv(files[".csv"])) > 0
    table = pd.read_csv(downloads(figures[0], built_book)["figure-1.csv"])
    (run,) = by_width("hasyv2", [512], replicas=1, mark="a").values()
    drawn = table[table["series"] == "test loss"].sort_values("x")
    np.testing.assert_allclose(drawn["y"].to_numpy()[-1], run.test_loss[0, -1], rtol=1e-5)


def test_how_to_cite_is_what_the_citation_file_says(built_book):
    page = soup(built_book, "glossary.html")
    said = yaml.safe_load((build.ROOT / "CITATION.cff").read_text())
    told = " ".join(block.text for block in page.select("div.highlight"))
    assert said["preferred-citation"]["doi"] in told
    assert said["version"] in told


def test_the_public_interface_is_documented(built_book):
    page = soup(built_book, "api.html")
    for name in repro.__all__:
        assert page.find(id=re.compile(rf"^repro\.(\w+\.)?{name}$")), name


def test_every_profile_names_pages_and_their_parameters():
    profiles = (build.ROOT / build.BOOK / "profiles.yml").read_text()
    names = re.findall(r"^(\w+):", profiles, flags=re.MULTILINE)
    assert "published" in names
    assert build.profile("published") == {}, "the default shows the notebooks as they are"
    for name in names:
        assert build.profile(name).keys() <= {"all", *build.notebooks()}
    with pytest.raises(ReproError, match=r"profile must be one of published, .*not 'lost'"):
        build.profile("lost")
    assert build.main(["build", "--profile", "lost"]) == 2


def test_a_notebook_that_fails_leaves_the_earlier_one(tmp_path):
    source, target = tmp_path / "page.ipynb", tmp_path / "out" / "page.ipynb"
    target.parent.mkdir()
    target.write_text("earlier")
    nbformat.write(page_with("width = 3\nassert width < 3, 'too wide'"), source)
    with pytest.raises(ReproError, match=r"page\.ipynb .*AssertionError: too wide"):
        build.execute(source, target, {})
    assert [path.name for path in target.parent.iterdir()] == ["page.ipynb"]
    assert target.read_text() == "earlier"


def test_a_kernel_that_ends_before_it_answers_is_started_once_more(tmp_path, monkeypatch):
    died = RuntimeError("Kernel died before replying to kernel_info")
    start = Mock(side_effect=[died, page_with("width = 3"), died, died])
    monkeypatch.setattr(papermill, "execute_notebook", start)
    source, target = tmp_path / "page.ipynb", tmp_path / "out.ipynb"
    assert build.execute(source, target, {}).exists()
    with pytest.raises(ReproError, match="was not executed, for its kernel python3 ended"):
        build.execute(source, target, {})
    assert start.call_count == 4


def test_a_notebook_is_executed_with_its_parameters_and_keeps_nothing_that_changes(tmp_path):
    source, target = tmp_path / "page.ipynb", tmp_path / "out.ipynb"
    page = page_with("width = 3")
    code = "import sys\nprint('note', file=sys.stderr)\nwidth"
    page.cells.append(nbformat.v4.new_code_cell(code))
    nbformat.write(page, source)
    written = []
    for _ in range(2):
        build.execute(source, target, {"width": 64})
        written.append(target.read_bytes())
    assert written[0] == written[1]
    (output,) = nbformat.read(target, as_version=4).cells[-1].outputs
    assert output["data"]["text/plain"] == "64"


def test_pages_are_executed_by_our_kernel_in_the_checkouts_root(tmp_path, monkeypatch):
    """Side by side; afterwards the process is where it was."""
    foreign = tmp_path / "kernels" / build.KERNEL
    foreign.mkdir(parents=True)
    described = {"argv": ["false"], "display_name": "Another", "language": "python"}
    (foreign / "kernel.json").write_text(json.dumps(described))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    before, checkout = Path.cwd(), tmp_path / "checkout"
    (checkout / build.BOOK).mkdir(parents=True)
    monkeypatch.setattr(build, "ROOT", checkout)
    names = ["one", "two"]
    page = page_with("import os, sys\nf'{os.getcwd()} {sys.prefix}'")
    for name in names:
        nbformat.write(page, checkout / build.BOOK / f"{name}.ipynb")
    (tmp_path / "out").mkdir()
    build.execute_all(names, {}, tmp_path / "out")
    assert Path.cwd() == before
    for name in names:
        (output,) = nbformat.read(tmp_path / "out" / f"{name}.ipynb", 4).cells[-1].outputs
        assert output["data"]["text/plain"] == repr(f"{checkout} {sys.prefix}")
