"""How to cite: `CITATION.cff` as BibTeX entries and as CodeMeta, and the repository's address.

``python -m repro.book.citation`` writes ``codemeta.json`` beside it.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """The content of a citation file."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


# The owner may stand before the host, with a password even: that is left out. What has neither a
# scheme nor a colon behind the host is a path.
_REMOTE = re.compile(
    r"(?:(?:https|ssh)://(?:[^@/]+@)?(?P<host>github\.com|gitlab\.com)(?::\d+)?/"
    r"|(?:[^@/:]+@)?(?P<short_host>github\.com|gitlab\.com):)"
    r"(?P<path>[\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


def repository(citation: dict[str, Any], checkout: Path) -> str | None:
    """Where the code can be had, without a slash at the end; None where nobody says.

    The citation file decides (``repository-code``); otherwise, where the folder is the top of a
    clone from GitHub or GitLab, that is it.
    """
    if stated := _stated(citation):
        return stated
    if not (checkout / ".git").exists():
        return None
    try:
        asked = ["git", "-C", str(checkout), "remote", "get-url", "origin"]
        remote = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    except OSError:  # there is no git
        return None
    found = _REMOTE.fullmatch(remote)
    return f"https://{found['host'] or found['short_host']}/{found['path']}" if found else None


def _stated(citation: dict[str, Any]) -> str | None:
    return str(citation.get("repository-code") or "").rstrip("/") or None


def bibtex(citation: dict[str, Any], address: str | None = None) -> str:
    """BibTeX entries of the paper (the preferred citation) and of the software at ``address``."""
    paper = citation["preferred-citation"]
    named = [str(one["value"]) for one in paper.get("identifiers", [])]
    arxiv = [one.removeprefix("arXiv:") for one in named if one.startswith("arXiv:")]
    article = {
        "author": _authors(paper["authors"]),
        "title": f"{{{paper['title'].strip()}}}",
        "journal": paper["journal"],
        "year": paper["year"],
        "volume": paper["volume"],
        "number": paper["issue"],
        "pages": paper["start"],
        "doi": paper["doi"],
        "eprint": arxiv[0] if arxiv else None,
        "archiveprefix": "arXiv" if arxiv else None,
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
    lines = [f"  {name} = {{{value}}},\n" for name, value in fields.items() if value is not None]
    return f"@{kind}{{{key},\n{''.join(lines)}}}\n"


def _authors(people: list[dict[str, str]]) -> str:
    """A group's name stands in braces, so that BibTeX does not take it apart."""
    return " and ".join(
        f"{{{one['name']}}}" if "name" in one else f"{one['family-names']}, {one['given-names']}"
        for one in people
    )


def codemeta(citation: dict[str, Any]) -> dict[str, Any]:
    """The software as ``codemeta.json`` (CodeMeta 3.0) describes it."""
    paper = citation["preferred-citation"]
    described = {
        "@context": "https://w3id.org/codemeta/3.0",
        "@type": "SoftwareSourceCode",
        "name": citation["title"].strip(),
        "description": citation["abstract"].strip(),
        "version": citation["version"],
        "license": f"https://spdx.org/licenses/{citation['license']}",
        "author": [{"@type": "Organization", "name": one["name"]} for one in citation["authors"]],
        "keywords": citation["keywords"],
        "programmingLanguage": "Python",
        "referencePublication": {
            "@type": "ScholarlyArticle",
            "name": paper["title"].strip(),
            "@id": f"https://doi.org/{paper['doi']}",
        },
        "codeRepository": _stated(citation),
    }
    return {name: value for name, value in described.items() if value}


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[3]
    made = json.dumps(codemeta(read(root / "CITATION.cff")), indent=2, ensure_ascii=False)
    (root / "codemeta.json").write_text(f"{made}\n", encoding="utf-8")
