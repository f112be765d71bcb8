"""What this project is built from: one set of versions, licences, and nothing run unmeant."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import licences
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from repro import provenance

ROOT = Path(__file__).resolve().parents[2]
# Ruff's names of: exec, extractall, pickle, marshal, eval, unsafe YAML, shells.
FORBIDDEN = "S102,S202,S301,S302,S307,S506,S602,S604,S605,S609"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK_TEXT = (ROOT / "requirements.lock").read_text()
LOCKED = {canonicalize_name(name): version for name, version in licences.locked().items()}


def named(texts: list[str]) -> dict[str, SpecifierSet]:
    return {canonicalize_name(one.name): one.specifier for one in map(Requirement, texts)}


NEEDED = named(PROJECT["dependencies"])


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


def test_lock_has_one_version_of_each_package_with_hashes_and_no_addresses():
    entries = re.split(r"\n(?=\S)", LOCK_TEXT.strip())
    assert len(entries) == len(LOCKED) > 100
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry, re.DOTALL), entry
    assert "://" not in LOCK_TEXT and "index-url" not in LOCK_TEXT
    # CUDA's packages, of several gigabytes, come with the extra `gpu` only.
    assert not [name for name in LOCKED if name.startswith(("nvidia", "jax-cuda"))]


def test_lock_satisfies_what_the_package_and_its_build_ask_for():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for texts in (*PROJECT["optional-dependencies"].values(), PROJECT["dependencies"], build):
        for name, specifier in named(texts).items():
            assert specifier.contains(LOCKED[name]), f"run `make lock`: {name} {LOCKED[name]}"


def test_conda_users_get_the_locked_versions():
    *entries, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert pip == {"pip": ["--requirement requirements.lock"]}
    pins = dict(entry.replace("matplotlib-base", "matplotlib").split("=") for entry in entries
                if "=" in entry)  # fmt: skip
    assert SpecifierSet(PROJECT["requires-python"]).contains(pins.pop("python"))
    assert pins == {name: LOCKED[name] for name in NEEDED}


def test_binder_gets_the_locked_versions_of_what_reading_results_needs_and_no_more():
    text = (ROOT / ".binder" / "requirements.txt").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.MULTILINE))
    assert NEEDED.keys() | {"hatchling", "ipykernel", "jupytext"} <= pins.keys()
    assert not {"tensorflow", "keras", "jax", "torch"} & pins.keys(), "2 GB of memory"
    for name, version in pins.items():
        assert version == LOCKED[canonicalize_name(name)], f"run `make lock`: {name}"
    python = (ROOT / ".binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
