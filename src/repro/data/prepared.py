"""Prepared copies: plain bytes in a cache folder, trusted only where their hash is as expected."""

import hashlib
import os
import warnings
from pathlib import Path

from repro.errors import Mended
from repro.whole_file import replacing, set_aside


def read(path: Path, sha256: str) -> bytes | None:
    """The bytes of `path` where their SHA-256 is `sha256`; None where there is no such file.

    A file with other content, or one that cannot be read, is reported by a warning and treated as
    absent, so that the caller makes it again.
    """
    if not os.path.lexists(path):
        return None
    try:
        content = path.read_bytes() if path.is_file() else b""
        problem = "is damaged"
    except OSError as error:
        content, problem = b"", f"cannot be read ({error.strerror})"
    if hashlib.sha256(content).hexdigest() == sha256:
        return content
    warnings.warn(f"The prepared copy {path} {problem} and is made again.", Mended, stacklevel=2)
    return None


def write(path: Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all; raises OSError where that is impossible."""
    if path.is_dir() and not path.is_symlink():  # which no file can replace
        set_aside(path)
    # Another process may have written the same content meanwhile: replacing it is harmless.
    with replacing(path) as temporary:
        temporary.write_bytes(content)
