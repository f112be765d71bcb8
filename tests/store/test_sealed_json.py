"""Sealed JSON: whatever is written is read back, and damage is noticed."""

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro import ReproError, sealed_json
from repro.errors import DamagedFile

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=st.dictionaries(st.text().filter(lambda name: name != "sha256"), VALUES))
def test_what_is_written_is_read_back(tmp_path, content):
    path = tmp_path / "some.json"
    path.write_text(sealed_json.sealed(content, path.name))
    assert sealed_json.read(path) == content


def test_numbers_are_sealed_whatever_their_layout(tmp_path):
    path = tmp_path / "some.json"
    content = {"name": "[\n 1\n]", "curve": [1.5, None, 2e-7], "π": []}
    sealed_json.write(path, content)
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text), sort_keys=True))
    assert sealed_json.read(path) == content
    path.write_text(text.replace("1.5", "1.6"))
    with pytest.raises(DamagedFile, match="is damaged"):
        sealed_json.read(path)
    subprocess.run([sys.executable, "-m", "repro.sealed_json", str(path)], check=True)
    assert sealed_json.read(path)["curve"][0] == 1.6
    with pytest.raises(ReproError, match="There is no"):
        sealed_json.read(tmp_path / "none.json")
