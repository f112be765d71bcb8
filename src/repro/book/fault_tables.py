"""What was done to sweeps and to files, and what became of them: the harnesses' counts as tables.

``python -m tests.faults`` disturbs sweeps, ``python tests/damage.py`` damages files; what they
counted is published in ``results/faults.json`` and ``results/damage.json``.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from repro import sealed_json
from repro.places import published_path

WAYS = {
    "kill -9": "killed at a random moment",
    "kill -9 within a write": "killed within a random operation on files, half of a file written",
    "SIGTERM": "asked to end at a random moment",
    "Ctrl-C": "interrupted at a random moment",
    "no space left": "without space on the disk from a random moment on",
    "full file system": "put on a file system too small for its results",
    "file size limit": "not allowed files beyond a random size",
    "read-only store": "not allowed to write from a random moment on, nor when begun again",
    "clock jumps": "under a clock that jumps by years, among files from the future, and killed",
    "two sweeps at once": "beside another on one store, one or both killed, then two again",
}
"""The kinds of faults in words."""

_CAUGHT, _HARMLESS, _FAILURES = "caught", "harmless", "failures"
_FLIPS = "flipped bits"


def fault_counts(folder: str | os.PathLike | None = None) -> dict[str, Any]:
    """The counts of the disturbed sweeps: the published ones, or those in a folder.

    Raises ReproError where the file is not there, or damaged.
    """
    return sealed_json.read(Path(folder or published_path()) / "faults.json")


def damage_counts(folder: str | os.PathLike | None = None) -> dict[str, Any]:
    """The counts of the damaged files: the published ones, or those in a folder.

    Raises ReproError where the file is not there, or damaged.
    """
    return sealed_json.read(Path(folder or published_path()) / "damage.json")


def fault_table(counts: Mapping[str, Any]) -> pd.DataFrame:
    """A kind of fault a row, and all of them in the last.

    Columns ``fault``, ``a sweep was`` (in words), ``times``, ``survived`` and ``failures``.
    """
    lines = [
        _fault_line(kind, WAYS.get(kind, ""), row["faults"], row["failures"])
        for kind, row in counts["kinds"].items()
    ]
    lines.append(_fault_line("all", "", counts["faults"], counts["failures"]))
    return pd.DataFrame(lines)


def damage_table(counts: Mapping[str, Any]) -> pd.DataFrame:
    """A format a row, and all of them in the last.

    Columns ``format``, ``flipped bits`` and ``otherwise damaged`` (how many files), and what became
    of them all: ``caught``, ``harmless`` (all that was read was right), ``failures``.
    """
    table = pd.DataFrame([_damage_line(name, rows) for name, rows in counts["formats"].items()])
    total = table.drop(columns="format").sum()
    return pd.concat(
        [table, pd.DataFrame([{"format": "all"} | total.to_dict()])], ignore_index=True
    )


def damage_ways(counts: Mapping[str, Any]) -> list[str]:
    """What was done to files besides flipping bits, each once."""
    names = dict.fromkeys(way for rows in counts["formats"].values() for way in rows)
    return [name for name in names if name != _FLIPS]


def _fault_line(kind: str, way: str, faults: int, failures: int) -> dict[str, Any]:
    return {
        "fault": kind, "a sweep was": way, "times": faults, "survived": faults - failures,
        "failures": failures,
    }  # fmt: skip


def _damage_line(name: str, rows: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    flips = sum(rows[_FLIPS].values())
    outcomes = {
        outcome: sum(row[outcome] for row in rows.values())
        for outcome in (_CAUGHT, _HARMLESS, _FAILURES)
    }
    return {
        "format": name,
        _FLIPS: flips,
        "otherwise damaged": sum(outcomes.values()) - flips,
    } | outcomes
