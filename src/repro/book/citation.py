"""How to cite: `CITATION.cff` as BibTeX entries, and the repository's address."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml


def read(path: Path) -> dict[str, Any]:
    """The content of a citation file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# Before the host the owner may stand, with a password even: that is left out.
_REMOTE = re.compile(
    r"(?:(?:https|ssh)://)?(?:[^@/]+@)?(github\.com|gitlab\.com)(?::\d+)?[:/]"
    r"([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


def repository(citation: dict[str, Any], checkout: Path) -> str | None:
    """Where the code can be had, as the citation file says, or where the checkout is from."""
    if stated := str(citation.get("repository-code") or "").rstrip("/"):
        return stated
    if not (checkout / ".git").exists() or not shutil.which("git"):
        return None
    asked = ["git", "-C", str(checkout), "remote", "get-url", "origin"]
    remote = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    found = _REMOTE.fullmatch(remote)
    return f"https://{found[1]}/{found[2]}" if found else None


def bibtex(citation: dict[str, Any], address: str | None = None) -> str:
    """BibTeX entries of the paper (the preferred citation) and of the software at ``address``."""
    paper = citation["preferred-citation"]
    article = {
        "author": _authors(paper["authors"]),
        "title": f"{{{paper['title'].strip()}}}",
        "journal": paper["journal"],
        "year": paper["year"],
        "volume": paper["volume"],
        "number": paper["issue"],
        "pages": paper["start"],
        "doi": paper["doi"],
        "eprint": paper["identifiers"][0]["value"].removeprefix("arXiv:"),
        "archiveprefix": "arXiv",
    }
    software = {
        "author": _authors(citation["authors"]),
        "title": f"{{{citation['title'].strip()}}}",
        "version": citation["version"],
        "url": address,
        "note": f"Licence {citation['license']}",
    }
    key = f"{paper['authors'][0]['family-names'].lower()}{paper['year']}"
    return f"{_entry('article', key, article)}\n{_entry('software', 'repro', software)}"


def _entry(kind: str, key: str, fields: dict[str, Any]) -> str:
    lines = [f"  {name} = {{{value}}},\n" for name, value in fields.items() if value]
    return f"@{kind}{{{key},\n{''.join(lines)}}}\n"


def _authors(people: list[dict[str, str]]) -> str:
    """A group's name stands in braces, so that BibTeX does not take it apart."""
    return " and ".join(
        f"{{{one['name']}}}" if "name" in one else f"{one['family-names']}, {one['given-names']}"
        for one in people
    )
