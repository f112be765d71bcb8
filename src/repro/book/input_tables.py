"""What was tried as bad input, and what became of it: the counts of the harness as a table.

``python tests/bad_input.py`` tries them; what it counted is published in
``results/bad-input.json``.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from repro import sealed_json
from repro.model import deviation
from repro.places import published_path


def bad_input_counts(folder: str | os.PathLike | None = None) -> dict[str, Any]:
    """The counts of the inputs tried: the published ones, or those in a folder.

    Raises ReproError where the file is not there, or damaged.
    """
    return sealed_json.read(Path(folder or published_path()) / "bad-input.json")


def bad_input_table(counts: Mapping[str, Any]) -> pd.DataFrame:
    """An entry point a row, and all of them in the last.

    Columns ``entry point`` (in words), ``tried``, ``refused`` (in one clear sentence), ``accepted``
    (for they were good, or could be taken as such) and ``failures``.
    """
    names = {"tried": "tried", "refused": "refused", "accepted": "accepted", "failed": "failures"}
    lines = [
        {"entry point": row["what"]} | {title: row[name] for name, title in names.items()}
        for row in counts["rows"]
    ]
    total = {title: sum(row[name] for row in counts["rows"]) for name, title in names.items()}
    return pd.DataFrame([*lines, {"entry point": "all"} | total])


def tolerance_table() -> pd.DataFrame:
    """How far the statistics of the deviation may be from float64: `deviation.TOLERANCES`."""
    parts = ["of its own value", "of the largest deviation", "of one"]
    table = pd.DataFrame.from_dict(deviation.TOLERANCES, "index", columns=parts)
    return table.rename_axis("statistic").reset_index()
