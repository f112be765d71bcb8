"""Tables as pages show them."""

import numpy as np
import pandas as pd
import pytest

from repro import paper
from repro.book.tables import compare, compared, readable, shown
from repro.paper import Reading


def test_numbers_are_rounded_and_what_is_not_there_is_empty() -> None:
    table = pd.DataFrame(
        {"of": ["a", "b"], "number": [1234.5678, np.nan], "small": [0.00012345, 3.0],
         "count": [1000, 12345], "right": [True, False], "none": [None, "x"]}
    )  # fmt: skip
    told = readable(table, ["of"])
    assert told.loc["a"].tolist() == ["1230", "0.000123", "1000", "yes", ""]
    assert told.loc["b"].tolist() == ["", "3", "12345", "no", "x"]
    assert readable(table, digits=2).loc[0, "number"] == "1200"


def test_a_page_shows_the_whole_of_a_table() -> None:
    long = 80 * "so "
    table = readable(pd.DataFrame({"width": range(100), "text": long}), ["width"])
    html = table._repr_html_()
    assert html.count("<tr") >= 100, "pandas would show sixty rows"
    assert html.count(long.strip()) == 100
    assert html.count("<th>width</th>") == html.count("<thead>\n    <tr") == 1, "one header row"
    assert html.partition("</thead>")[0].count("<tr") == 1


def test_ours_stand_beside_theirs() -> None:
    theirs = paper.read("minimum_train_loss", 10), paper.read("divergence_epoch", 500), None
    table = pd.DataFrame(
        {"width": [10, 500, 64], "of_what": ["a_loss", "divergence", "loss"], "paper": theirs,
         "ours": [2.0, np.nan, 1.5], "deviation": [0.05, np.nan, np.nan],
         "later_than": [np.nan, 1000, np.nan]}
    )  # fmt: skip
    told = compared(table, ["width", "of_what"])
    assert told["difference_percent"][0] == pytest.approx(100 * (2.0 / 2.22 - 1))
    assert told["difference_in_errors"][0] == pytest.approx((2.0 - 2.22) / 0.08)
    assert told["difference_percent"][1:].isna().all()
    page = shown(told)
    assert page.index.tolist() == [(10, "a loss"), (500, "divergence"), (64, "loss")]
    assert page.loc[(10, "a loss"), "ours"] == "2 ± 0.05"
    assert page.loc[(500, "divergence")].tolist() == ["none by 1000", "> 1000", "", "", "agrees"]
    assert "theirs" not in shown(told[2:])  # a column that says nothing
    assert compared(table[:0], ["width"]).empty


@pytest.mark.parametrize(
    ("theirs", "ours", "later_than", "remark"),
    [
        (Reading(1000, "", kind="more than"), np.nan, 1000, "agrees"),
        (Reading(1000, "", kind="more than"), np.nan, 500, "our runs end earlier"),
        (Reading(1000, "", kind="none by"), 400.0, np.nan, "earlier than theirs"),
        (Reading(1000, "", kind="at least"), 1000.0, np.nan, "agrees"),
        (Reading(421, ""), np.nan, 1000, "later than theirs"),
        (Reading(421, ""), np.nan, 200, "our runs end earlier"),
        (Reading(15.7, "", error=0.35), np.nan, np.nan, "none in ours"),
        (None, 3.0, np.nan, ""),
    ],
)
def test_lower_bounds_are_judged(theirs, ours, later_than, remark) -> None:
    row = compare(theirs, ours, later_than=later_than)
    assert row["remark"] == remark
    assert np.isnan(row["difference_percent"])
