"""One set of versions: the lock, what the package asks for, and the file for conda users."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CONDA_NAMES = {"matplotlib-base": "matplotlib"}
NOT_IN_LOCK = {"python", "pip", "make", "git"}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK_TEXT = (ROOT / "requirements.lock").read_text()


def locked() -> dict[str, list[str]]:
    """Every version of every package in the lock."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK_TEXT, flags=re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def asked_for() -> list[Requirement]:
    extras = [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
    return [Requirement(text) for text in [*PROJECT["dependencies"], *extras]]


def conda() -> tuple[dict[str, str], list[str]]:
    """Pins of environment.yml by name, and the lines of its pip section."""
    pins, lines = {}, []
    for entry in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]:
        if isinstance(entry, dict):
            lines += entry["pip"]
        else:
            name, _, version = entry.partition("=")
            pins[CONDA_NAMES.get(name, name)] = version
    return pins, lines


def test_lock_has_one_version_of_each_package_with_hashes_and_no_addresses():
    entries = re.split(r"\n(?=\S)", LOCK_TEXT.strip())
    assert len(entries) == len(locked()) > 100
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry, re.DOTALL), entry
    assert "://" not in LOCK_TEXT
    assert "index-url" not in LOCK_TEXT


def test_lock_is_for_processors_alone():
    """CUDA's packages, of several gigabytes, come with the extra `gpu` only."""
    assert not [name for name in locked() if name.startswith(("nvidia", "jax-cuda"))]


@pytest.mark.parametrize("requirement", asked_for(), ids=str)
def test_lock_satisfies_what_the_package_asks_for(requirement):
    (version,) = locked()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version), f"run `make lock`: {version} is locked"


def test_build_backend_is_locked_because_the_package_is_built_without_isolation():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert {canonicalize_name(Requirement(text).name) for text in build} <= locked().keys()


def test_conda_users_get_the_locked_versions():
    pins, pip_lines = conda()
    versions = {name: pin for name, pin in pins.items() if name not in NOT_IN_LOCK}
    assert versions == {name: locked()[name][0] for name in versions}
    assert versions.keys() == {Requirement(text).name for text in PROJECT["dependencies"]}
    assert pip_lines == ["--requirement requirements.lock"]


def test_conda_users_get_a_supported_python():
    assert SpecifierSet(PROJECT["requires-python"]).contains(conda()[0]["python"])


def test_binder_gets_the_locked_versions_of_what_reading_results_needs_and_no_more():
    text = (ROOT / ".binder" / "requirements.txt").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.MULTILINE))
    needed = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    assert needed | {"hatchling", "ipykernel", "jupytext"} <= pins.keys()
    assert not {"tensorflow", "keras", "jax", "torch"} & pins.keys(), "2 GB of memory"
    for name, version in pins.items():
        assert version in locked()[canonicalize_name(name)], f"run `make lock`: {name}"
    python = (ROOT / ".binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
