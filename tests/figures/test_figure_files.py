"""Figures for reuse, and what the build makes of a page."""

import copy

import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from repro.book import pages as book_pages
from repro.figures import files as figure_files
from repro.figures.style import new_figure, width_colour


def drawn():
    one = new_figure(3, 2)
    left, right = one.subplots(1, 2)
    left.plot([0, 1, 2], [3.0, np.nan, 5.0], label="a line")
    left.set(xlabel="epoch", ylabel="loss", title="left")
    right.stairs([4, 6], [0, 1, 3])
    right.bar([7.0], [8.0], label="a bar")
    right.scatter([1.5], [2.5])
    return one.described("small", "A caption with $N$.", "What is seen.")


@pytest.fixture
def figure():
    return drawn()


def test_the_table_has_what_is_drawn(figure):
    table = figure_files.drawn_values(figure)
    line = table[table.series == "a line"]
    assert line[["x", "y"]].values.tolist() == [[0, 3], [2, 5]]
    assert set(line.x_label) == {"epoch"}
    assert set(line.panel) == {1}
    right = table[table.panel == 2].set_index("series")[["x", "y"]]
    assert right.loc["a bar"].tolist() == [7, 8]
    assert right.loc["histogram 1"].to_numpy().tolist() == [[0.5, 4], [2, 6]]
    assert [1.5, 2.5] in right.values.tolist()


def test_a_mesh_is_told_cell_by_cell_without_the_empty_ones():
    figure = new_figure(2, 2)
    axes = figure.subplots()
    cells = np.ma.masked_less(np.array([[1.0, 0.0], [3.0, 4.0]]), 1)
    mesh = axes.pcolormesh([0, 1, 2], [0, 10, 20], cells)
    figure.colorbar(mesh)
    rows = figure_files.drawn_values(figure)[["x", "y", "value"]].values.tolist()
    assert rows == [[0.5, 5, 1], [0.5, 15, 3], [1.5, 15, 4]]


def test_files_are_the_same_each_time_and_only_written_where_asked(figure, tmp_path):
    figure._repr_png_()
    assert not list(tmp_path.iterdir())
    contents = []
    for folder in ("first", "second"):
        with figure_files.figures_written_to(tmp_path / folder):
            png, metadata = drawn()._repr_png_()
        written = tmp_path / folder / figure_files.digest(png)
        contents.append({path.name: path.read_bytes() for path in written.iterdir()})
    assert contents[0] == contents[1]
    assert contents[0].keys() == {"small.pdf", "small.svg", "small.csv"}
    assert metadata["alt"] == "What is seen."


def test_the_files_have_everything_where_the_picture_has_it(figure, tmp_path, monkeypatch):
    shown = drawn()
    shown._repr_png_()
    seen, save = [], figure.savefig

    def saved(*given, **named):
        save(*given, **named)
        seen.append([axes.get_position().bounds for axes in figure.axes])

    monkeypatch.setattr(figure, "savefig", saved)
    layout = figure.get_layout_engine()
    with figure_files.figures_written_to(tmp_path):
        figure._repr_png_()
    assert seen == 3 * [[axes.get_position().bounds for axes in shown.axes]]
    assert figure.get_layout_engine() is layout  # whoever adds to it sees that laid out, too


def test_a_described_table_is_the_one_written(tmp_path):
    figure = new_figure(1, 1).described("own", "", "", pd.DataFrame({"weight": [0.25]}))
    with figure_files.figures_written_to(tmp_path):
        figure._repr_png_()
    (table,) = tmp_path.glob("*/own.csv")
    assert table.read_text() == "weight\n0.25\n"


def test_a_figure_without_a_description_says_what_its_axes_say(figure):
    figure.description = None
    assert figure.alternative() == "Figure; left: loss against epoch"


def page_with(*outputs) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("show()", outputs=list(outputs))
    return nbformat.v4.new_notebook(cells=[cell])


def shown(name: str, caption: str = "A caption.") -> nbformat.NotebookNode:
    return nbformat.v4.new_output(
        "display_data", {"image/png": "AAAA"},
        metadata={"image/png": {"name": name, "caption": caption, "alt": f"Seen: {name}."}},
    )  # fmt: skip


def test_every_picture_of_a_cell_becomes_a_figure_of_its_own(tmp_path):
    notebook = page_with(shown("one"), shown("two"), shown("two"))
    before = copy.deepcopy(notebook)
    *cells, last = book_pages.dressed(notebook, "page", tmp_path).cells
    assert notebook == before, "the page to take along is left as it is"
    settings = [cell.metadata["mystnb"] for cell in cells]
    names = [one["figure"]["name"] for one in settings]
    assert names == ["fig-page-one", "fig-page-two", "fig-page-two-3"]
    assert [one["image"]["alt"] for one in settings] == ["Seen: one.", "Seen: two.", "Seen: two."]
    assert [cell.metadata.get("tags") for cell in cells] == [
        None, ["remove-input"], ["remove-input"],
    ]  # fmt: skip
    assert "page.ipynb" in last.source


def test_empty_header_cells_are_no_headers(tmp_path):
    table = pd.DataFrame({"a": [1]}, index=pd.Index([2], name="n")).to_html()
    output = nbformat.v4.new_output("display_data", {"text/html": table})
    (cell, _) = book_pages.dressed(page_with(output), "page", tmp_path).cells
    dressed = cell.outputs[0]["data"]["text/html"]
    assert "<th></th>" in table
    assert "<th></th>" not in dressed
    assert "<th>n</th>" in dressed


def test_nor_is_one_that_stands_for_several_rows(tmp_path):
    index = pd.MultiIndex.from_tuples([("", 0), ("", 1)], names=["otherwise", "replica"])
    table = pd.DataFrame({"a": [1, 2]}, index=index).to_html()
    assert '<th rowspan="2" valign="top"></th>' in table
    output = nbformat.v4.new_output("display_data", {"text/html": table})
    (cell, _) = book_pages.dressed(page_with(output), "page", tmp_path).cells
    assert '<td rowspan="2" valign="top"></td>' in cell.outputs[0]["data"]["text/html"]


def test_mathematics_is_loaded_where_there_is_some():
    script = '<script>window.MathJax = {}</script><script src="_static/mathjax/a.js"></script>'
    assert "math" not in book_pages.mended(f"<head>{script}</head><p>none</p>").lower()
    some = f'<head>{script}</head><span class="math notranslate">x</span>'
    assert book_pages.mended(some) == some


@pytest.mark.parametrize(("on_dark", "ground"), [(False, "#ffffff"), (True, "#121212")])
def test_colours_of_widths_stand_out_and_keep_their_order_without_colour(on_dark, ground):
    """Contrast as the accessibility guidelines define it (WCAG 2.2, 1.4.11 asks for 3 to 1)."""

    def luminance(colour: str) -> float:
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    values = [luminance(width_colour(w, on_dark)) for w in (10, 50, 100, 150, 256, 350, 512, 1000)]
    assert (np.diff(values) > 0).all()
    page = luminance(ground)
    for value in values[:-1] if not on_dark else values:
        assert (max(value, page) + 0.05) / (min(value, page) + 0.05) >= (3 if on_dark else 2.2)


def test_matplotlib_is_left_as_it_was(figure, tmp_path):
    before = dict(matplotlib.rcParams)
    figure_files.write(figure, tmp_path, "small")
    assert dict(matplotlib.rcParams) == before
