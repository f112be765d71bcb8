"""JSON files that carry the SHA-256 of their name and content, so that damage is noticed.

``python -m repro.sealed_json FILE ...`` seals files that were written otherwise.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from repro.errors import DamagedFile, ReproError
from repro.places import write_whole

_SEAL = "sha256"
_ADVICE = "take it from the repository again, or seal it with `python -m repro.sealed_json`"


def read(path: Path) -> dict[str, Any]:
    """What the file holds, without its seal. Raises ReproError where it is not there or damaged."""
    if not path.exists():
        raise ReproError(f"There is no {path}: take it from the repository.")
    try:
        content = json.loads(path.read_bytes())
        seal = content.pop(_SEAL)
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFile(f"{path} is damaged, or was not sealed", _ADVICE) from error
    if seal != _digest(content, path.name):
        raise DamagedFile(f"{path} is damaged, for its checksum is wrong", _ADVICE)
    return content


def write(path: Path, content: dict[str, Any]) -> None:
    """Write the content and its seal, whole or not at all. Raises OSError where that fails."""
    write_whole(path, sealed(content, path.name).encode())


def sealed(content: dict[str, Any], name: str) -> str:
    """The text of a file of that name with this content."""
    return json.dumps(content | {_SEAL: _digest(content, name)}, indent=1) + "\n"


def _digest(content: dict[str, Any], name: str) -> str:
    """Of the values, however they are laid out, and the name: two files may not be swapped."""
    content = json.loads(json.dumps(content))  # as they are read back
    return hashlib.sha256(json.dumps([name, content], sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        kept = json.loads(file.read_bytes())
        kept.pop(_SEAL, None)
        write(file, kept)
