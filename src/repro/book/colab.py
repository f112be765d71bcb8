"""On Google Colab a notebook is opened alone: the cell that brings the rest of the book there."""

from typing import Any

TAG = "colab"
HOST = "github.com"  # Colab opens notebooks from nowhere else
FOLDER = "/content/repro"

_SOURCE = """\
# Google Colab opens this notebook alone: there, fetch the package and the published runs.
import sys

if "google.colab" in sys.modules:
    !git clone --quiet --depth 1 {address} {folder}
    %cd {folder}
    %pip install --quiet --editable .
    sys.path.insert(0, "{folder}/src")"""


def prepared(notebook: Any, address: str) -> Any:
    """The notebook with that cell before its first code; the book does not show it.

    ``address`` is the repository's. Elsewhere than on Colab the cell does nothing.
    """
    import nbformat

    source = _SOURCE.format(address=address, folder=FOLDER)
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [TAG, "remove-cell"]})
    kinds = [one.cell_type for one in notebook.cells]
    notebook.cells.insert(kinds.index("code") if "code" in kinds else len(kinds), cell)
    return notebook
