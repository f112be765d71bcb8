"""What this project is built from: hashes, licences, and nothing run that was not meant to be."""

import ast
import hashlib
import re
import subprocess
import sys
import zipfile

import pytest

from repro.book import build as book
from repro.book import licences

ROOT = licences.ROOT
SOURCES = sorted((ROOT / "src" / "repro").glob("*.py"))


def test_every_locked_package_has_an_allowed_licence():
    table = licences.table()
    assert len(table) > 100
    for row in table.itertuples():
        assert row.licence and not licences.unknown(row.licence), f"{row.package}: {row.licence}"
    assert (
        licences.unknown("MIT AND AGPL-3.0") == {"AGPL-3.0"} and licences.licence("no-such") == ""
    )


def test_the_list_of_licences_is_that_of_the_lock():
    listed = re.findall(r"^\| (\S+) \| (\S+) \|", (ROOT / licences.FILE).read_text(), re.MULTILINE)
    assert dict(listed[1:]) == licences.locked(), "run `python -m repro.book.licences`"


def test_the_licences_of_the_data_are_told():
    told = (ROOT / "README.md").read_text()
    assert all(name in told for name in ("HASYv2 ODbL", "MNIST CC BY-SA", "Fashion-MNIST MIT"))


@pytest.mark.parametrize("right", [True, False])
def test_pip_refuses_what_does_not_have_the_locked_hash(tmp_path, right):
    """As `make` calls it; offline, with a package made here."""
    wheel = tmp_path / "harmless-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("harmless.py", "")
        file.writestr("harmless-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: harmless\n"
                      "Version: 1.0\n")  # fmt: skip
        file.writestr("harmless-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: here\n"
                      "Root-Is-Purelib: true\nTag: py3-none-any\n")  # fmt: skip
        file.writestr("harmless-1.0.dist-info/RECORD", "")
    content = wheel.read_bytes()
    sha256 = hashlib.sha256(content if right else content + b"other").hexdigest()
    (tmp_path / "lock").write_text(f"harmless==1.0 --hash=sha256:{sha256}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--isolated", "--disable-pip-version-check",
         "--no-index", "--find-links", str(tmp_path), "--require-hashes", "--target",
         str(tmp_path / "to"), "--requirement", str(tmp_path / "lock")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode == 0) == right == (tmp_path / "to" / "harmless.py").exists()
    if not right:
        assert "DO NOT MATCH THE HASHES" in done.stderr


def test_make_installs_by_hash():
    recipe = (ROOT / "Makefile").read_text()
    assert "--require-hashes" in recipe and "--no-build-isolation" in recipe


def _calls(path):
    """Names of all that is called in a file, with their keywords: ("yaml.load", {...})."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            keywords = {word.arg: word.value for word in node.keywords}
            yield ast.unparse(node.func), node, keywords


def _forbidden(path) -> list[str]:
    found = []
    for name, node, keywords in _calls(path):
        last = name.rpartition(".")[2]
        true = {word for word, value in keywords.items() if ast.unparse(value) == "True"}
        # Of what unpacks to paths that an archive names, or runs what a file holds.
        if last in ("extractall", "extract", "unpack_archive", "unsafe_load", "full_load"):
            found.append(name)
        if name in ("eval", "exec", "os.system", "os.popen", "marshal.loads", "shelve.open"):
            found.append(name)
        if name.partition(".")[0] in ("pickle", "cPickle", "dill", "joblib"):
            found.append(name)
        if true & {"allow_pickle", "shell", "trust_remote_code"}:
            found.append(f"{name}({', '.join(true)})")
        if name == "yaml.load":
            loader = ast.unparse(node.args[1]) if len(node.args) > 1 else "none"
            safe = f"class {loader}(yaml.SafeLoader)" in path.read_text()
            found += [] if safe else [f"yaml.load({loader})"]
    return [f"{path.name}: {name}" for name in found]


def test_nothing_is_unpacked_by_its_own_names_nor_run_from_a_file():
    assert len(SOURCES) > 50
    assert [line for path in SOURCES for line in _forbidden(path)] == []


@pytest.mark.parametrize(
    "line",
    [
        "archive.extractall(x)", "eval(x)", "pickle.loads(x)", "np.load(x, allow_pickle=True)",
        "subprocess.run(x, shell=True)", "yaml.load(x, yaml.Loader)", "yaml.load(x)",
        "yaml.unsafe_load(x)", "os.system(x)",
    ],
)  # fmt: skip
def test_such_a_line_would_be_found(line, tmp_path):
    (tmp_path / "module.py").write_text(line)
    assert len(_forbidden(tmp_path / "module.py")) == 1


def test_only_the_pages_of_the_contents_are_executed(tmp_path, monkeypatch):
    """Whatever the table of contents names, a page is a file of book/: folders are left out."""
    (tmp_path / "_toc.yml").write_text(
        "root: index\nchapters:\n- file: ../../elsewhere/evil\n- file: /absolute/worse\n"
    )
    monkeypatch.setattr(book, "ROOT", tmp_path)
    assert book.pages() == ["index", "evil", "worse"]
