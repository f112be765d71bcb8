"""The book: its pages executed by papermill with a named profile, and built into HTML.

``python -m repro.book.build build`` builds ``_build/html``; ``... notebooks`` executes the
committed notebooks of ``book/`` again from their texts in ``book/text/``. A profile is a set of
parameters by page in ``book/profiles.yml``; ``published``, the default, shows the published runs.
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

from repro.book import citation, pages
from repro.errors import ReproError
from repro.figures import files

ROOT = Path(__file__).resolve().parents[3]
BOOK = "book"
TEXT = "book/text"
KERNEL = "python3"
_NEVER_ANSWERED = "Kernel died before replying"  # in the words of jupyter_client

Parameters = dict[str, dict[str, Any]]
"""Of notebooks, by page; those under ``all`` go to every page."""


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
        picture = pages.first_picture(ROOT / BOOK / "figure-2.ipynb")
        (ROOT / BOOK / "images" / "figure-2.png").write_bytes(picture)  # for the README
        return 0
    except ReproError as error:
        print(f"repro.book: {error}", file=sys.stderr)
        return 2


def contents() -> list[str]:
    """Names of all pages, in the order of the table of contents."""
    import yaml

    listed = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [one for part in listed.get("parts", [listed]) for one in part.get("chapters", [])]
    return [listed["root"], *(chapter["file"] for chapter in chapters)]


def notebooks() -> list[str]:
    """Names of the pages that are notebooks; the others are ``book/<name>.md``."""
    return [name for name in contents() if not (ROOT / BOOK / f"{name}.md").is_file()]


def profile(name: str) -> Parameters:
    """The named profile. Raises ReproError where there is none."""
    import yaml

    profiles = yaml.safe_load((ROOT / BOOK / "profiles.yml").read_text())
    if name not in profiles:
        raise ReproError(f"profile must be one of {', '.join(profiles)}, not {name!r}.")
    return profiles[name] or {}


def sync(name: str) -> None:
    """Bring the sources of a page's notebook up to its text; what it shows stays until executed."""
    import jupytext
    import nbformat

    notebook = jupytext.read(ROOT / TEXT / f"{name}.md")
    nbformat.write(pages.lasting(notebook), ROOT / BOOK / f"{name}.ipynb")


def execute_all(names: Sequence[str], parameters: Parameters, folder: Path) -> None:
    """Execute the pages of these names into the folder, two at a time, as `execute` does."""
    folder.mkdir(parents=True, exist_ok=True)
    # Processes, not threads: papermill moves the working directory, which all threads share. They
    # start afresh, since a copy of a process with threads in it may hang.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, fresh, initializer=_start, initargs=(ROOT,)) as pool:
        tasks = [
            pool.submit(
                execute,
                ROOT / BOOK / f"{name}.ipynb",
                folder / f"{name}.ipynb",
                parameters.get("all", {}) | parameters.get(name, {}),
            )
            for name in names
        ]
        for task in tasks:
            print(f"executed {task.result().name}", flush=True)


def _start(root: Path) -> None:
    os.chdir(root)
    # This Python's own kernel before any other of its name that a user may have.
    paths = [os.path.join(sys.prefix, "share", "jupyter"), os.environ.get("JUPYTER_PATH")]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))


def execute(source: Path, target: Path, parameters: dict[str, Any]) -> Path:
    """Execute a notebook by papermill, in the working directory; the target, written if all went
    well.

    Raises ReproError where it ended in an error; the message names it and the cell's error.
    """
    import nbformat
    import papermill

    temporary = target.with_name(f".{target.stem}.part.ipynb")
    try:
        _executed(source, temporary, parameters)
        nbformat.write(pages.lasting(nbformat.read(temporary, as_version=4)), temporary)
        os.replace(temporary, target)
    except papermill.PapermillExecutionError as error:
        raise ReproError(
            f"{source.name} ended in an error in cell {error.exec_count}: {error.ename}: "
            f"{error.evalue}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _executed(source: Path, target: Path, parameters: dict[str, Any]) -> None:
    """Execute; once more where the kernel ended before it answered.

    That happens where two kernels start in the same moment, and says nothing of the notebook.
    """
    import papermill

    for last in (False, True):
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
            if last:
                raise ReproError(
                    f"{source.name} was not executed, for its kernel {KERNEL} ended twice before "
                    "it answered: see whether `jupyter kernelspec list` names it and "
                    f"{sys.executable} -m ipykernel --version runs."
                ) from error


def build(parameters: Parameters) -> int:
    """Build the book into ``_build/html`` from its pages, executed now; the exit code."""
    stage, html = ROOT / "_build" / "stage", ROOT / "_build" / "html"
    for folder in (stage, html):
        shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as executed, files.written_to(stage / files.FOLDER):
        execute_all(notebooks(), parameters, Path(executed))
        _set(stage, Path(executed))
        program = "from jupyter_book.cli.main import main; main()"  # it has no `python -m`
        command = ["-c", program, "build", str(stage), "--path-output", str(ROOT)]
        code = subprocess.run(
            [sys.executable, *command, "--all", "--warningiserror", "--keep-going"], cwd=ROOT
        ).returncode
        if code == 0:
            for name in notebooks():  # what the theme's button offers: the page without dressing
                shutil.copy(Path(executed) / f"{name}.ipynb", html / "_sources")
            for file in html.glob("*.html"):
                file.write_text(pages.mended(file.read_text(encoding="utf-8")), encoding="utf-8")
    return code


def _set(stage: Path, executed: Path) -> None:
    """Fill the folder that Jupyter Book builds from."""
    import nbformat
    import yaml

    reference = citation.read(ROOT / "CITATION.cff")
    address = citation.repository(reference, ROOT)
    configuration = yaml.safe_load((ROOT / "_config.yml").read_text())
    for part, settings in launch_settings(address).items():
        configuration[part] = configuration.get(part, {}) | settings
    (stage / "_config.yml").write_text(yaml.safe_dump(configuration))
    (stage / "citation.bib.txt").write_text(citation.bibtex(reference, address), encoding="utf-8")
    for file in (ROOT / "_toc.yml", ROOT / "CITATION.cff", *(ROOT / BOOK).glob("*.bib")):
        shutil.copy(file, stage)
    for folder in ("images", "_static"):
        shutil.copytree(ROOT / BOOK / folder, stage / folder)
    for name in contents():
        if name in notebooks():
            notebook = nbformat.read(executed / f"{name}.ipynb", as_version=4)
            nbformat.write(pages.dressed(notebook, stage), stage / f"{name}.ipynb")
        else:
            shutil.copy(ROOT / BOOK / f"{name}.md", stage)


def launch_settings(repository: str | None) -> dict[str, Any]:
    """Buttons that open a page's notebook on Binder, or its text to be edited.

    There are none where the repository has no address that the theme knows what to do with.
    """
    if repository is None or urlsplit(repository).hostname not in ("github.com", "gitlab.com"):
        return {}
    binder = {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"}
    return {
        "repository": {"url": repository, "path_to_book": BOOK, "branch": "main"},
        "html": {"use_edit_page_button": True},
        "launch_buttons": binder,
    }


if __name__ == "__main__":
    sys.exit(main())
