"""Sealed JSON: whatever is written is read back, and damage is noticed."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro import sealed_json
from repro.errors import DamagedFile

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(st.dictionaries(st.text().filter(lambda name: name != "sha256"), VALUES))
def test_what_is_written_is_read_back(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.json"
        sealed_json.write(path, content)
        assert sealed_json.read(path) == content


def test_a_curve_is_one_line_and_a_changed_number_is_noticed(tmp_path):
    path = tmp_path / "some.json"
    sealed_json.write(path, {"name": "[\n 1\n]", "curve": [1.5, None, 2e-7], "none": []})
    text = path.read_text()
    assert ' "curve": [1.5, null, 2e-07],\n' in text and r'"[\n 1\n]"' in text
    path.write_text(text.replace("1.5", "1.6"))
    with pytest.raises(DamagedFile, match="its checksum is wrong"):
        sealed_json.read(path)
