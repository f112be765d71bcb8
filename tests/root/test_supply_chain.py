"""What this project is built from: licences, citation, and nothing run that was not meant to be."""

import re
import subprocess
import sys
from pathlib import Path

import licences
import yaml

from repro import provenance

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


def test_the_version_is_the_same_wherever_it_is_said():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert said["version"] == provenance.VERSION
    assert f"## {provenance.VERSION}" in (ROOT / "CHANGELOG.md").read_text()


def test_what_is_installed_must_have_the_locked_hash():
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
