"""Tables as pages show them, and the paper's values beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from repro.paper import Reading

# Both values as text, ours less theirs in per cent of theirs and in the paper's error bars.
COMPARISON = ("theirs", "ours", "difference_percent", "difference_in_errors", "remark")


class _Page(pd.DataFrame):
    """A table that a notebook shows whole: no text cut short, no row left out, one header row."""

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self)
        if self.index.nlevels == self.columns.nlevels == 1:  # the index's name beside the columns'
            table = table.rename_axis(index=None, columns=self.index.name)
        unnamed = isinstance(self.index, pd.RangeIndex)
        with pd.option_context("display.max_colwidth", None):
            return table.to_html(index=not unnamed, border=0, max_rows=None, max_cols=None)


def readable(table: pd.DataFrame, index: Sequence[str] = (), digits: int = 3) -> pd.DataFrame:
    """A table as a page shows it: numbers to so many significant digits, nothing for none.

    ``index`` names the columns that say what a row is of: they stand at its left.
    """

    def text(value: Any) -> str:
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        if isinstance(value, float | np.floating):
            return "" if np.isnan(value) else f"{float(f'{value:.{digits}g}'):g}"
        return "" if value is None else str(value)

    told = table.astype(object).map(text)
    return _Page(told.set_index(list(index)) if index else told)


def compared(table: pd.DataFrame, index: Sequence[str]) -> pd.DataFrame:
    """The paper's values beside ours: the columns of ``index``, then those of COMPARISON.

    ``table`` has a row per value: beside the index ``paper`` (`Reading` or None), ``ours`` and,
    where there are any, ``deviation`` and ``later_than``.
    """
    rows = [
        {name: row[name] for name in index}
        | compare(row["paper"], row["ours"], row.get("deviation"), row.get("later_than"))
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=[*index, *COMPARISON])


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """A comparison as a page shows it, rounded; columns that say nothing are left out."""
    index = list(table.columns.drop(list(COMPARISON)))
    told = table[index].replace("_", " ", regex=True).assign(theirs=table.theirs, ours=table.ours)
    for name, header, digits in (
        ("difference_percent", "difference, %", 0), ("difference_in_errors", "in error bars", 1),
    ):  # fmt: skip
        told[header] = [
            "" if np.isnan(value) else f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
            for value in table[name].astype(float)
        ]
    told = told.assign(remark=table.remark).set_index(index).fillna("")
    return _Page(told.loc[:, (told != "").any()])


def compare(
    theirs: Reading | None,
    ours: float,
    deviation: float | None = None,
    later_than: float | None = None,
) -> dict[str, Any]:
    """One row of COMPARISON; ``ours`` is NaN where there is none, with its standard deviation.

    By the epoch ``later_than`` ours had not happened. A lower bound, theirs or ours, is judged in
    ``remark`` and has no difference.
    """
    deviation, later_than = (None if pd.isna(one) else one for one in (deviation, later_than))
    row: dict[str, Any] = dict.fromkeys(COMPARISON, np.nan) | {
        "theirs": "", "ours": _text(ours, deviation, later_than), "remark": "",
    }  # fmt: skip
    if theirs is None:
        return row
    row["theirs"] = str(theirs)
    if later_than is not None:
        beyond = "agrees" if theirs.is_lower_bound else "later than theirs"
        row["remark"] = beyond if later_than >= theirs.value else "our runs end earlier"
    elif np.isnan(ours):
        row["remark"] = "none in ours"
    elif theirs.is_lower_bound:
        row["remark"] = "agrees" if ours >= theirs.value else "earlier than theirs"
    else:
        row["difference_percent"] = 100 * (ours - theirs.value) / abs(theirs.value)
        if theirs.error:
            row["difference_in_errors"] = (ours - theirs.value) / theirs.error
    return row


def _text(value: float, deviation: float | None, later_than: float | None) -> str:
    if later_than is not None:
        return f"> {later_than:.0f}"
    if not np.isfinite(value):
        return "beyond the bins" if np.isinf(value) else ""
    text = f"{value:{'.3g' if abs(value) < 100 else '.0f'}}"
    if deviation is not None:
        text += f" ± {deviation:{'.2g' if deviation < 100 else '.0f'}}"
    return text
