"""What this project is built from: licences, citation, and nothing run that was not meant to be."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import licences
import pytest

from repro import provenance
from repro.book import citation

ROOT = Path(__file__).resolve().parents[2]
# Ruff's names of: exec, extractall, pickle, marshal, eval, unsafe YAML, shells.
FORBIDDEN = "S102,S202,S301,S302,S307,S506,S602,S604,S605,S609"


def test_every_locked_package_has_an_allowed_licence_and_is_listed():
    told = {package: licences.licence(package) for package in licences.locked()}
    assert len(told) > 100
    assert {name: text for name, text in told.items() if not text or licences.unknown(text)} == {}
    assert licences.unknown("MIT AND AGPL-3.0") == {"AGPL-3.0"}
    listed = re.findall(r"^\| (\S+) \| (\S+) \|", (ROOT / licences.FILE).read_text(), re.MULTILINE)
    assert dict(listed[1:]) == licences.locked(), "run `python tests/licences.py`"


def test_the_descriptions_of_the_software_agree():
    said = citation.read(ROOT / "CITATION.cff")
    described = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
    assert described == citation.codemeta(said), "run `python -m repro.book.citation`"
    assert said["version"] == provenance.VERSION
    assert f"## {provenance.VERSION}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("right", [True, False])
def test_pip_refuses_what_does_not_have_the_locked_hash(tmp_path, right):
    """As `make` calls it; offline, with a package made here."""
    wheel = tmp_path / "harmless-1.0-py3-none-any.whl"
    about = "harmless-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("harmless.py", "")
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n")
        file.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{about}/RECORD", "")
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
    recipe = (ROOT / "Makefile").read_text()
    assert "--require-hashes" in recipe and "--no-build-isolation" in recipe


def test_nothing_is_unpacked_by_its_own_names_nor_run_from_a_file(tmp_path):
    def found(place: Path) -> str:
        command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache",
                   "--ignore-noqa", f"--select={FORBIDDEN}", "--output-format=concise"]  # fmt: skip
        done = subprocess.run([*command, str(place)], capture_output=True, text=True)
        return done.stdout

    (tmp_path / "module.py").write_text("import pickle, os\npickle.loads(x)\nos.system(y)\n")
    assert found(tmp_path).count("module.py:") == 2
    safe = re.compile(r"training/grid\.py.*S506")  # its loader is derived from the safe one
    lines = [line for line in found(ROOT / "src").splitlines() if ".py:" in line]
    assert [line for line in lines if not safe.search(line)] == []
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert "allow_pickle=True" not in sources
