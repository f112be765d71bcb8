"""One set of versions: the lock, what the package asks for, and the file for conda users."""

import re
import tomllib
from pathlib import Path

import licences
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK_TEXT = (ROOT / "requirements.lock").read_text()
LOCKED = {canonicalize_name(name): version for name, version in licences.locked().items()}


def named(texts: list[str]) -> dict[str, SpecifierSet]:
    return {canonicalize_name(one.name): one.specifier for one in map(Requirement, texts)}


NEEDED = named(PROJECT["dependencies"])


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
