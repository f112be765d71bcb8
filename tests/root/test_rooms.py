"""The rooms of the package: imports go one way only."""

import ast
from pathlib import Path

import pytest

import repro

PACKAGE = Path(repro.__file__).parent
# A module may import those in its own place of this list and in places before it.
ORDER = (
    {"errors", "provenance", "sealed_json", "places", "paper"},
    {"data"},
    {"experiment"},
    {"model"},
    {"store"},
    {"training"},
    {"runs"},
    {"analysis", "summary"},
    {"claims"},
    {"figures"},
    {"book"},
    {"investigations", "bench"},
    {"command_line", "command_options"},
)
PLACES = {room: place for place, rooms in enumerate(ORDER) for room in rooms}


def imported(path: Path) -> set[str]:
    """The rooms, or modules beside them, that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "repro":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize(
    "path",
    [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_imports_go_one_way(path):
    place = PLACES[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]
    ahead = {name for name in imported(path) if PLACES.get(name, 0) > place}
    assert not ahead
