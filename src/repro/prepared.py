"""Prepared copies: plain bytes in a cache folder, trusted only where their hash is as expected."""

import hashlib
import warnings
from pathlib import Path

from repro.whole_file import replacing


def read(path: Path, sha256: str) -> bytes | None:
    """The bytes of `path` where their SHA-256 is `sha256`; None where there is no such file.

    A file with other content, or one that cannot be read, is reported by a warning and treated as
    absent, so that the caller makes it again.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        warnings.warn(
            f"The prepared copy {path} cannot be read ({error.strerror}) and is made again.",
            stacklevel=2,
        )
        return None
    if hashlib.sha256(content).hexdigest() != sha256:
        warnings.warn(f"The prepared copy {path} is damaged and is made again.", stacklevel=2)
        return None
    return content


def write(path: Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all; raises OSError where that is impossible."""
    # Another process may have written the same content meanwhile: replacing it is harmless.
    with replacing(path) as temporary:
        temporary.write_bytes(content)
