"""The runs a page on a claim draws, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from repro.analysis import evidence
from repro.analysis.captions import dataset_label, epochs_of, making, setting, width_of


def evidence_table(runs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """One row per width, mark and length: how many replicas, whether they count, and the making."""
    groups: dict[tuple, list[xr.Dataset]] = {}
    for run in runs:
        mark = setting(run, "mark") or ""
        groups.setdefault((width_of(run), mark, epochs_of(run)), []).append(run)
    rows = []
    for (width, mark, epochs), group in groups.items():
        row: dict[str, object] = {"width": width, "dataset": dataset_label(group[0])}
        row |= {"mark": mark, "replicas": len(group), "epochs": epochs}
        row["counts"] = "no, too short" if evidence.short(group) else "yes"
        rows.append(row | making(group))
    return pd.DataFrame(rows).set_index("width") if rows else pd.DataFrame()
