"""The book: its pages executed by papermill with a named profile, and built into HTML.

``python -m repro.book.build build`` builds ``_build/html``; ``... notebooks`` executes the
committed notebooks of ``book/`` again from their texts in ``book/text/``. A profile is a set of
parameters by page in ``book/profiles.yml``; ``published``, the default, shows the published runs.
"""

import argparse
import base64
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import yaml

from repro.errors import ReproError
from repro.figures import files

ROOT = Path(__file__).resolve().parents[3]
BOOK = "book"
TEXT = "book/text"
KERNEL = "python3"
# Scripts on every page that nothing here needs: to start kernels, and icons that a font has, too.
_UNUSED = re.compile(
    r"\s*<script>const THEBE_JS_URL[^<]*</script>"
    r"|\s*<script[^>]*(?:sphinx-thebe|fontawesome)\.js[^>]*></script>"
)
_MATHEMATICS = re.compile(
    r"\s*<script>window\.MathJax[^<]*</script>|\s*<script[^>]*/mathjax/[^>]*></script>"
)
_EMPTY_HEADER = re.compile(r"<th([^>]*)>(?:&nbsp;)?</th>")
_FOR_SCREEN_READERS = {
    # An entry of a list must say so; the other role is no longer part of the standard.
    'role="doc-biblioentry"': 'role="listitem"',
    '<div id="pst-primary-sidebar" class="': '<div id="pst-primary-sidebar" role="region" '
    'aria-label="Contents of the book" class="',
}
_METADATA = {
    "jupytext": {"default_lexer": "ipython3"},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
}

Parameters = dict[str, dict[str, Any]]  # by page; those under ``all`` go to every page


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the module's command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m repro.book.build", description=__doc__)
    parser.add_argument("what", choices=("build", "notebooks"))
    parser.add_argument("--profile", default="published", help="a set of book/profiles.yml")
    parser.add_argument("pages", nargs="*", help="of notebooks: these alone")
    chosen = parser.parse_args(arguments)
    try:
        parameters = profile(chosen.profile)
        if chosen.what == "build":
            return build(parameters)
        names = chosen.pages or notebooks()
        for name in names:
            sync(name)
        execute_all(names, parameters, ROOT / BOOK)
        cells = nbformat.read(ROOT / BOOK / "figure-2.ipynb", as_version=4).cells
        shown = (output.get("data", {}) for cell in cells for output in cell.get("outputs", []))
        picture = next(data["image/png"] for data in shown if "image/png" in data)
        (ROOT / BOOK / "images" / "figure-2.png").write_bytes(base64.b64decode(picture))  # README's
        return 0
    except ReproError as error:
        print(f"repro.book: {error}", file=sys.stderr)
        return 2


def contents() -> list[str]:
    """Names of all pages, in the order of the table of contents."""
    listed = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [listed["root"], *(one["file"] for part in listed["parts"] for one in part["chapters"])]


def notebooks() -> list[str]:
    """Names of the pages that are notebooks; the others are ``book/<name>.md``."""
    return [name for name in contents() if not (ROOT / BOOK / f"{name}.md").is_file()]


def profile(name: str) -> Parameters:
    """The named profile. Raises ReproError where there is none."""
    profiles = yaml.safe_load((ROOT / BOOK / "profiles.yml").read_text())
    if name not in profiles:
        raise ReproError(f"profile must be one of {', '.join(profiles)}, not {name!r}.")
    return profiles[name] or {}


def sync(name: str) -> None:
    """Bring the sources of a page's notebook up to its text; what it shows stays until executed."""
    import jupytext

    notebook = jupytext.read(ROOT / TEXT / f"{name}.md")
    nbformat.write(lasting(notebook), ROOT / BOOK / f"{name}.ipynb")


def execute_all(names: Sequence[str], parameters: Parameters, folder: Path) -> None:
    """Execute the pages of these names into the folder, two at a time, as `execute` does."""
    sources = [ROOT / BOOK / f"{name}.ipynb" for name in names]
    targets = [folder / source.name for source in sources]
    given = [parameters.get("all", {}) | parameters.get(name, {}) for name in names]
    # Not threads, which share papermill's working directory; and a copied process may hang.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, fresh, initializer=_start, initargs=(ROOT,)) as pool:
        for target in pool.map(execute, sources, targets, given):
            print(f"executed {target.name}", flush=True)


def _start(root: Path) -> None:
    os.chdir(root)
    # This Python's own kernel before any other of its name that a user may have.
    paths = [os.path.join(sys.prefix, "share", "jupyter"), os.environ.get("JUPYTER_PATH")]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))


def execute(source: Path, target: Path, parameters: dict[str, Any]) -> Path:
    """Execute a notebook by papermill, in the working directory; the target, if all went well.

    Once more where the kernel ended before it answered: that happens where two start in the same
    moment. Raises ReproError where a cell ended in an error.
    """
    import papermill

    for last in (False, True):
        try:
            notebook = papermill.execute_notebook(
                str(source), None, parameters, kernel_name=KERNEL, coalesce_streams=True,
                progress_bar=False, extra_arguments=["--log-level=CRITICAL"],  # else kernels chat
            )  # fmt: skip
            break
        except papermill.PapermillExecutionError as error:
            where = f"{source.name} ended in an error in cell {error.exec_count}"
            raise ReproError(f"{where}: {error.ename}: {error.evalue}") from error
        except RuntimeError as error:
            if "Kernel died before replying" not in str(error):  # in the words of jupyter_client
                raise
            if last:
                raise ReproError(
                    f"{source.name} was not executed, for its kernel {KERNEL} ended twice: see "
                    f"whether {sys.executable} -m ipykernel --version runs."
                ) from error
    nbformat.write(lasting(notebook), target)
    return target


def build(parameters: Parameters) -> int:
    """Build the book into ``_build/html`` from its pages, executed now; the exit code."""
    stage, html = ROOT / "_build" / "stage", ROOT / "_build" / "html"
    for folder in (stage, html):
        shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as executed, files.written_to(stage / files.FOLDER):
        execute_all(notebooks(), parameters, Path(executed))
        _set(stage, Path(executed))
        program = "from jupyter_book.cli.main import main; main()"  # it has no `python -m`
        command = [sys.executable, "-c", program, "build", stage, "--path-output", ROOT]
        command += ["--all", "--warningiserror", "--keep-going"]
        code = subprocess.run(command, cwd=ROOT).returncode
        if code == 0:
            for name in notebooks():  # what the theme's button offers: the page without dressing
                shutil.copy(Path(executed) / f"{name}.ipynb", html / "_sources")
            for file in html.glob("*.html"):
                file.write_text(mended(file.read_text(encoding="utf-8")), encoding="utf-8")
    return code


def _set(stage: Path, executed: Path) -> None:
    """Fill the folder that Jupyter Book builds from."""
    for file in (*ROOT.glob("_*.yml"), ROOT / "CITATION.cff", *(ROOT / BOOK).glob("*.bib")):
        shutil.copy(file, stage)
    for folder in ("images", "_static"):
        shutil.copytree(ROOT / BOOK / folder, stage / folder)
    for name in contents():
        if name in notebooks():
            notebook = nbformat.read(executed / f"{name}.ipynb", as_version=4)
            nbformat.write(dressed(notebook, stage), stage / f"{name}.ipynb")
        else:
            shutil.copy(ROOT / BOOK / f"{name}.md", stage)


def lasting(notebook: Any) -> Any:
    """The notebook as it is committed: the same after every execution and `jupytext --sync`."""
    notebook.metadata = nbformat.from_dict(_METADATA)
    for number, cell in enumerate(notebook.cells):
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if not cell.metadata.get("tags", ["some"]):
            del cell.metadata["tags"]
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def dressed(notebook: Any, stage: Path) -> Any:
    """A page as the book is built from it: each caption ends with links to the figure's files.

    Changed in place. Those files are in ``figures/`` of the folder that the book is built in.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in {"text/html", "text/markdown"} & set(data):
                # pandas leaves header cells empty, which a screen reader would announce
                data[kind] = _EMPTY_HEADER.sub(r"<td\1></td>", "".join(data[kind]))
            figure = cell.metadata.get("mystnb", {}).get("figure")
            if "image/png" in data and figure:
                links = _links(base64.b64decode(data["image/png"]), figure["name"], stage)
                figure["caption"] = f"{figure.get('caption', '').rstrip()}\n\n{links}"
    return notebook


def mended(html: str) -> str:
    """A page as it is read: without scripts of no use to it, with the roles it should have."""
    html = _UNUSED.sub("", html)
    if not re.search(r'class="[^"]*\bmath\b', html):
        html = _MATHEMATICS.sub("", html)
    for wrong, right in _FOR_SCREEN_READERS.items():
        html = html.replace(wrong, right)
    return html


def _links(png: bytes, name: str, stage: Path) -> str:
    """Links to the figure's files, which take its name."""
    links, folder = [], stage / files.FOLDER
    for written in (folder / files.digest(png) / f"figure.{suffix}" for suffix in files.FORMATS):
        if written.is_file():
            named = f"{name.removeprefix('fig-')}{written.suffix}"
            shutil.copy(written, folder / named)
            links.append(f"{{download}}`{written.suffix[1:].upper()} <{files.FOLDER}/{named}>`")
    return " · ".join(links)


if __name__ == "__main__":
    sys.exit(main())
