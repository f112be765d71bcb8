"""How to cite: `CITATION.cff` as BibTeX entries, and the repository's address where it has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """The content of a citation file."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def repository(citation: dict[str, Any]) -> str | None:
    """Where the code can be had, without a slash at the end; None where the file does not say."""
    address = str(citation.get("repository-code") or "").rstrip("/")
    return address or None


def bibtex(citation: dict[str, Any]) -> str:
    """BibTeX entries of the paper (the file's preferred citation) and of the software."""
    paper = citation["preferred-citation"]
    arxiv = [
        str(one["value"]).removeprefix("arXiv:")
        for one in paper.get("identifiers", [])
        if str(one["value"]).startswith("arXiv:")
    ]
    article = {
        "author": _authors(paper["authors"]),
        "title": _capitals(paper["title"]),
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
        "title": _capitals(citation["title"]),
        "version": citation["version"],
        "url": repository(citation),
        "note": f"Licence {citation['license']}",
    }
    paper_key = f"{paper['authors'][0]['family-names'].lower()}{paper['year']}"
    return f"{_entry('article', paper_key, article)}\n{_entry('software', 'repro', software)}"


def _entry(kind: str, key: str, fields: dict[str, Any]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value is not None]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"]) + "\n"


def _authors(people: list[dict[str, str]]) -> str:
    """A group's name stands in braces, so that BibTeX does not take it apart."""
    return " and ".join(
        f"{one['family-names']}, {one['given-names']}"
        if "family-names" in one
        else f"{{{one['name']}}}"
        for one in people
    )


def _capitals(title: str) -> str:
    return f"{{{title.strip()}}}"
