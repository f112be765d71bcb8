"""The licences of everything in the lock, as the packages themselves say or looked up by hand.

``python tests/licences.py`` writes them to ``LICENCES.md``.
"""

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = "LICENCES.md"

# Of packages whose metadata do not say, read from their LICENSE file; and of those that the lock
# has for other systems or versions of Python than the one this was written on, from their projects.
BY_HAND = {
    "axe-playwright-python": "MIT", "namex": "Apache-2.0", "aiohappyeyeballs": "PSF-2.0",
    "aiohttp": "Apache-2.0 AND MIT", "aiosignal": "Apache-2.0", "appnope": "BSD-3-Clause",
    "cffi": "MIT", "colorama": "BSD-3-Clause", "frozenlist": "Apache-2.0",
    "multidict": "Apache-2.0", "propcache": "Apache-2.0", "pycparser": "BSD-3-Clause",
    "yarl": "Apache-2.0",
}  # fmt: skip

# Names of licences that allow use, change and passing on; MPL-2.0 asks for its own files' source.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "HPND", "ISC", "MIT",
    "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib", "Public-Domain",
}  # fmt: skip

# How else packages write them, in lower case.
_WRITTEN = {
    "apache": "Apache-2.0", "apache software license": "Apache-2.0", "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0", "bsd license": "BSD", "3-clause bsd license":
    "BSD-3-Clause", "bsd 3-clause": "BSD-3-Clause", "bsd 3-clause license": "BSD-3-Clause",
    "isc license (iscl)": "ISC", "mit license": "MIT", "mozilla public license 2.0 (mpl 2.0)":
    "MPL-2.0", "python software foundation license": "PSF-2.0", "public domain": "Public-Domain",
}  # fmt: skip

# Of docutils only tools for editors are under it, and none of them is used here.
_PASSED_OVER = {"docutils": {"GNU General Public License (GPL)"}}


def locked() -> dict[str, str]:
    """Version of every package in the lock."""
    text = (ROOT / "requirements.lock").read_text()
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, flags=re.MULTILINE))


def licence(package: str) -> str:
    """The licence of a package, as an SPDX expression where it has one; "" where none is known."""
    try:
        told = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        return BY_HAND.get(package, "")
    if expression := told.get("License-Expression"):
        return expression
    classifiers = [text.rpartition(" :: ")[2] for text in told.get_all("Classifier") or []
                   if text.startswith("License :: ")]  # fmt: skip
    classifiers = [c for c in classifiers if c not in _PASSED_OVER.get(package, ())]
    written = [_WRITTEN.get(name.lower(), name) for name in classifiers]
    line = (told.get("License") or "").strip().partition("\n")[0]
    named = _WRITTEN.get(line.lower(), line)
    # The field is the more exact of the two where it is an expression and not a text.
    if named and not unknown(named) and (not written or written == ["BSD"]):
        return named
    return " AND ".join(written) or BY_HAND.get(package, "")


def unknown(expression: str) -> set[str]:
    """The parts of an expression that are none of ALLOWED."""
    return set(re.split(r" AND | OR |[()]", expression)) - ALLOWED - {""}


if __name__ == "__main__":
    rows = [f"| {name} | {version} | {licence(name)} |" for name, version in locked().items()]
    head = """# Licences of the dependencies

Of every package in `requirements.lock`, as it says itself (`python tests/licences.py`).
None of them is part of this repository. The licences of the data are in `README.md`.

| package | version | licence |
|---|---|---|
"""
    (ROOT / FILE).write_text(head + "\n".join(rows) + "\n")
