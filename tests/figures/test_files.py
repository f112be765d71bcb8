"""A figure's files for reuse, and what the build makes of a page with figures and tables."""

import base64
import re

import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest

from repro.book import build
from repro.figures import files
from repro.figures.style import new_figure


def drawn():
    one = new_figure(3, 2)
    left, right = one.subplots(1, 2)
    left.plot([0, 1, 2], [3.0, np.nan, 5.0], label="a line")
    left.set(xlabel="epoch", ylabel="loss", title="left")
    right.stairs([4, 6], [0, 1, 3])
    right.scatter([1.5], [2.5])
    right.errorbar([7], [8], [0.5], fmt="none")
    cells = np.ma.masked_less(np.array([[1.0, 0.0], [3.0, 4.0]]), 1)
    one.colorbar(right.pcolormesh([0, 1, 2], [0, 10, 20], cells), ax=right)
    return one


def test_the_table_has_what_is_drawn():
    table = files.drawn_values(drawn())
    line = table[table.series == "a line"]
    assert line[["x", "y"]].values.tolist() == [[0, 3], [2, 5]]
    assert set(line.x_label) == {"epoch"}
    right = table[table.panel == 2].set_index("series")
    assert right.loc["histogram 1", ["x", "y"]].values.tolist() == [[0.5, 4], [2, 6]]
    assert right.loc["points 1", ["x", "y"]].tolist() == [1.5, 2.5]
    assert right.loc["segments 2", ["x", "y"]].values.tolist() == [[7, 7.5], [7, 8.5]]
    mesh = right.loc["mesh 3", ["x", "y", "value"]].values.tolist()
    assert mesh == [[0.5, 5, 1], [0.5, 15, 3], [1.5, 15, 4]], "without the empty one"


def test_files_are_the_same_each_time_and_only_written_where_asked(tmp_path):
    before = dict(matplotlib.rcParams)
    new_figure(1, 1)._repr_png_()
    assert not list(tmp_path.iterdir())
    contents = []
    for folder in ("first", "second"):
        with files.written_to(tmp_path / folder):
            png, _ = drawn()._repr_png_()
        written = tmp_path / folder / files.digest(png)
        contents.append({path.name: path.read_bytes() for path in written.iterdir()})
    assert contents[0] == contents[1]
    assert contents[0].keys() == {"figure.pdf", "figure.svg", "figure.csv"}
    assert dict(matplotlib.rcParams) == before


def page_with(output, **metadata) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("show()", outputs=[output], metadata=metadata)
    return nbformat.v4.new_notebook(cells=[cell])


def test_a_caption_ends_with_the_figures_files(tmp_path):
    with files.written_to(tmp_path / files.FOLDER):
        png, _ = new_figure(1, 1)._repr_png_()
    output = nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(png).decode()})
    notebook = page_with(
        output, mystnb={"figure": {"name": "fig-near", "caption": "What is drawn."}}
    )
    (cell,) = build.dressed(notebook, tmp_path).cells
    caption = cell.metadata["mystnb"]["figure"]["caption"]
    assert caption.startswith("What is drawn.")
    for suffix in files.FORMATS:
        assert f"figures/near.{suffix}" in caption
        assert (tmp_path / "figures" / f"near.{suffix}").is_file()


@pytest.mark.parametrize(
    "index", [pd.Index([1, 2], name="n"), pd.MultiIndex.from_product([[""], [0, 1]])]
)
def test_empty_header_cells_are_no_headers(tmp_path, index):
    html, empty = pd.DataFrame({"a": [1, 2]}, index).to_html(), re.compile(r"<th[^>]*></th>")
    assert empty.search(html)
    page = page_with(nbformat.v4.new_output("display_data", {"text/html": html}))
    (cell,) = build.dressed(page, tmp_path).cells
    assert not empty.search(cell.outputs[0]["data"]["text/html"])


def test_mathematics_is_loaded_where_there_is_some():
    script = '<script>window.MathJax = {}</script><script src="_static/mathjax/a.js"></script>'
    assert "math" not in build.mended(f"<head>{script}</head><p>none</p>").lower()
    some = f'<head>{script}</head><span class="math notranslate">x</span>'
    assert build.mended(some) == some
