"""The book: notebooks executed by papermill with a named profile, and built into HTML.

Run as ``python -m repro.book.build build`` (into ``_build/html``) or ``python -m repro.book.build notebooks``
(the committed notebooks of ``book/`` executed again from their paired text in ``book/text/``, and
the picture that the README shows).
Profiles are sets of notebook parameters in ``book/profiles.yml``; ``published``, the default, shows
the published results and trains nothing. A page with a cell tagged ``trains`` is built as it was
committed, so that the book needs no more than the published results.
"""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from repro.book import citation, colab
from repro.book import pages as book_pages
from repro.errors import ReproError
from repro.figures import files as figure_files

ROOT = Path(__file__).resolve().parents[3]
PAGES = "book"
TEXT = "book/text"
BRANCH = "main"
HOSTS = ("github.com", "gitlab.com")  # for which the theme makes links
TAKE = "take"  # in the stage: the pages as a reader may take them along
KERNEL = "python3"
TRAINS = "trains"  # tag of a cell
_NEVER_ANSWERED = "Kernel died before replying"  # in the words of jupyter_client


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the module's command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m repro.book.build", description=__doc__)
    parser.add_argument("what", choices=("build", "notebooks"))
    parser.add_argument("--profile", default="published", help="a set of book/profiles.yml")
    chosen = parser.parse_args(arguments)
    try:
        parameters = profile(chosen.profile)
        if chosen.what == "build":
            return build(parameters)
        for page in pages():
            sync(page)
        with tempfile.TemporaryDirectory() as folder:
            with figure_files.figures_written_to(Path(folder)):
                execute_all(pages(), parameters, ROOT / PAGES)
            keep_figures(Path(folder))
        draw_readme_picture()
        return 0
    except ReproError as error:
        print(f"repro.book.build: {error}", file=sys.stderr)
        return 2


def contents() -> list[str]:
    """Names of everything in the table of contents, in its order."""
    import yaml

    listed = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [part for group in listed.get("parts", []) for part in group["chapters"]]
    files = [listed["root"], *(part["file"] for part in listed.get("chapters", []) + chapters)]
    return [Path(file).name for file in files]


def plain_pages() -> list[str]:
    """Names of the pages without code, in the order of the contents: ``book/<name>.md``."""
    return [name for name in contents() if (ROOT / PAGES / f"{name}.md").is_file()]


def pages() -> list[str]:
    """Names of the pages that are notebooks, in the order of the table of contents."""
    return [name for name in contents() if name not in plain_pages()]


def trains(page: str) -> bool:
    """Whether a page's commands train networks."""
    import nbformat

    cells = nbformat.read(ROOT / PAGES / f"{page}.ipynb", as_version=4).cells
    return any(TRAINS in cell.metadata.get("tags", []) for cell in cells)


def profile(name: str) -> dict[str, dict[str, Any]]:
    """Parameters by page of the named profile; those under ``all`` go to every page.

    Raises
    ------
    ReproError
        Where there is no such profile.
    """
    import yaml

    profiles = yaml.safe_load((ROOT / PAGES / "profiles.yml").read_text())
    if name not in profiles:
        raise ReproError(f"profile must be one of {', '.join(profiles)}, not {name!r}.")
    return profiles[name] or {}


def execute_all(names: Sequence[str], parameters: dict[str, dict[str, Any]], folder: Path) -> None:
    """Execute the pages of these names into the folder, two at a time.

    Raises
    ------
    ReproError
        Where a notebook ends in an error; the message names it and the cell's error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Processes, not threads: papermill moves the working directory, which all threads share. They
    # start afresh, since a copy of a process with threads in it may hang.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, fresh, initializer=os.chdir, initargs=(ROOT,)) as pool:
        tasks = [
            pool.submit(
                execute,
                ROOT / PAGES / f"{page}.ipynb",
                folder / f"{page}.ipynb",
                parameters.get("all", {}) | parameters.get(page, {}),
            )
            for page in names
        ]
        for task in tasks:
            print(f"executed {task.result().name}", flush=True)


def execute(source: Path, target: Path, parameters: dict[str, Any]) -> Path:
    """Execute a notebook by papermill, in the working directory.

    The target is written only when it ended well.
    """
    import nbformat
    import papermill

    temporary = target.with_name(f".{target.stem}.part.ipynb")
    try:
        _execute_once_more_at_most(source, temporary, parameters)
        notebook = nbformat.read(temporary, as_version=4)
        nbformat.write(lasting(notebook), temporary)
        os.replace(temporary, target)
    except papermill.PapermillExecutionError as error:
        raise ReproError(
            f"{source.name} ended in an error in cell {error.exec_count}: {error.ename}: "
            f"{error.evalue}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _execute_once_more_at_most(source: Path, target: Path, parameters: dict[str, Any]) -> None:
    """Execute by papermill; anew where the kernel ended before it answered.

    That happens now and then where several kernels start at the same time, and says nothing of the
    notebook.
    """
    import papermill

    for first in (True, False):
        try:
            papermill.execute_notebook(
                str(source), str(target), parameters, kernel_name=KERNEL,
                progress_bar=False, extra_arguments=["--log-level=CRITICAL"],  # else kernels chat
                coalesce_streams=True,
            )  # fmt: skip
            return
        except RuntimeError as error:
            if _NEVER_ANSWERED not in str(error):
                raise
            if not first:
                raise ReproError(
                    f"{source.name} was not executed, for its kernel {KERNEL} ended twice before "
                    "it answered: see whether `jupyter kernelspec list` names it and "
                    f"{sys.executable} -m ipykernel --version runs."
                ) from error


def lasting(notebook: Any) -> Any:
    """The notebook without what changes from one execution to the next: times, paths, progress."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def sync(page: str) -> None:
    """Bring the notebook's sources up to its paired text."""
    import nbformat

    nbformat.write(from_text(page), ROOT / PAGES / f"{page}.ipynb")


def from_text(page: str) -> Any:
    """The page's notebook, not executed: its paired text, and what Colab needs besides."""
    import jupytext

    notebook = jupytext.read(ROOT / TEXT / f"{page}.md")
    notebook.metadata["kernelspec"] = {
        "name": KERNEL, "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    address = opened_on_colab()
    return lasting(notebook if address is None else colab.prepared(notebook, address))


def opened_on_colab() -> str | None:
    """The repository's address, where Colab can open the committed notebooks from it.

    It must stand in the citation file: a clone's own address is no part of what is committed.
    """
    address = citation.stated_address(citation.read(ROOT / "CITATION.cff"))
    return address if address and urlsplit(address).hostname == colab.HOST else None


def keep_figures(folder: Path) -> None:
    """Keep the files of the figures on pages that the build does not execute, for it to offer.

    ``folder`` has those of every page, as `figure_files` writes them.
    """
    kept = ROOT / PAGES / book_pages.FIGURES
    shutil.rmtree(kept, ignore_errors=True)
    for page in filter(trains, pages()):
        for picture in book_pages.pictures(ROOT / PAGES / f"{page}.ipynb"):
            shutil.copytree(folder / picture, kept / picture, dirs_exist_ok=True)


def draw_readme_picture() -> None:
    """Figure 2 of the published runs, for the README."""
    from repro.figures.figure_2 import figure_2
    from repro.runs import by_width

    target = ROOT / PAGES / "images" / "figure-2.png"
    target.parent.mkdir(exist_ok=True)
    figure_2(by_width("hasyv2")).savefig(target, dpi=110, metadata={"Software": None})


def build(parameters: dict[str, dict[str, Any]]) -> int:
    """Build the book into ``_build/html`` from its pages, executed now; the exit code."""
    stage = ROOT / "_build" / "stage"
    html = ROOT / "_build" / "html"
    for folder in (stage, html):
        shutil.rmtree(folder, ignore_errors=True)
    committed = [page for page in pages() if trains(page)]
    with figure_files.figures_written_to(stage / book_pages.FIGURES):
        others = [page for page in pages() if page not in committed]
        execute_all(others, parameters, stage / TAKE)
    for page in committed:
        shutil.copy(ROOT / PAGES / f"{page}.ipynb", stage / TAKE)
    set_stage(stage)
    program = "from jupyter_book.cli.main import main; main()"  # it has no `python -m`
    command = ["-c", program, "build", str(stage), "--path-output", str(ROOT)]
    code = subprocess.run(
        [sys.executable, *command, "--all", "--warningiserror", "--keep-going"], cwd=ROOT
    ).returncode
    if code == 0:
        for page in pages():  # what the theme's own button offers: the page as it is here
            shutil.copy(stage / TAKE / f"{page}.ipynb", html / "_sources")
        for page in plain_pages():
            shutil.copy(stage / TAKE / f"{page}.md", html / "_sources")
        for file in html.glob("*.html"):
            file.write_text(book_pages.mended(file.read_text(encoding="utf-8")), encoding="utf-8")
    return code


def set_stage(stage: Path) -> None:
    """Fill the folder that Jupyter Book builds from, its executed notebooks being there."""
    import nbformat
    import yaml

    reference = citation.read(ROOT / "CITATION.cff")
    configuration = yaml.safe_load((ROOT / "_config.yml").read_text())
    address = citation.repository(reference, ROOT)
    for part, settings in launch_settings(address, opened_on_colab() is not None).items():
        configuration[part] = configuration.get(part, {}) | settings
    (stage / "_config.yml").write_text(yaml.safe_dump(configuration))
    (stage / "citation.bib.txt").write_text(citation.bibtex(reference, address), encoding="utf-8")
    for file in (ROOT / "_toc.yml", ROOT / "CITATION.cff", *(ROOT / PAGES).glob("*.bib")):
        shutil.copy(file, stage)
    for folder in ("images", "_static", book_pages.FIGURES):
        if (ROOT / PAGES / folder).is_dir():
            shutil.copytree(ROOT / PAGES / folder, stage / folder, dirs_exist_ok=True)
    for page in pages():
        shutil.copy(ROOT / TEXT / f"{page}.md", stage / TAKE)
        executed = nbformat.read(stage / TAKE / f"{page}.ipynb", as_version=4)
        nbformat.write(book_pages.dressed(executed, page, stage), stage / f"{page}.ipynb")
    for page in plain_pages():
        shutil.copy(ROOT / PAGES / f"{page}.md", stage / TAKE)
        text = (ROOT / PAGES / f"{page}.md").read_text(encoding="utf-8")
        take = book_pages.take_page(page, is_notebook=False)
        (stage / f"{page}.md").write_text(f"{text}\n{take}", encoding="utf-8")


def launch_settings(repository: str | None, with_colab: bool = False) -> dict[str, Any]:
    """Buttons that open a page's notebook on Binder and on Colab, or its text to be edited.

    There are none where the repository has no address, or one that the theme does not know what to
    do with.
    """
    if repository is None or urlsplit(repository).hostname not in HOSTS:
        return {}
    buttons = {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"}
    if with_colab:
        buttons["colab_url"] = "https://colab.research.google.com"
    return {
        "repository": {"url": repository, "path_to_book": PAGES, "branch": BRANCH},
        "html": {"use_edit_page_button": True},
        "launch_buttons": buttons,
    }


if __name__ == "__main__":
    sys.exit(main())
