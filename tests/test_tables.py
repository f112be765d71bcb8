"""Tables as pages show them."""

import numpy as np
import pandas as pd

from repro.benchmark_figure import aims_table, published_benchmark, seconds_table
from repro.tables import readable


def test_numbers_are_rounded_and_what_is_not_there_is_empty():
    table = pd.DataFrame(
        {"of": ["a", "b"], "number": [1234.5678, np.nan], "small": [0.00012345, 3.0],
         "count": [1000, 12345], "right": [True, False], "none": [None, "x"]}
    )  # fmt: skip
    shown = readable(table, ["of"])
    assert shown.loc["a"].tolist() == ["1230", "0.000123", "1000", "yes", ""]
    assert shown.loc["b"].tolist() == ["", "3", "12345", "no", "x"]


def test_the_published_benchmark_has_what_was_aimed_for():
    measured = published_benchmark("mnist")
    table = seconds_table(measured["rows"])
    assert len(table) == 10 and (table["repro-tensorflow"] > 0).all()
    aims = aims_table(measured, published_benchmark("hasyv2"))
    assert len(aims) == 11
    reached = aims["measured"] >= aims["wanted"]
    # Of memory, less is better.
    assert (aims.reached[:-1] == reached[:-1]).all() and aims.reached.iloc[-1]
    assert all(row["same_work"] for row in measured["rows"])
