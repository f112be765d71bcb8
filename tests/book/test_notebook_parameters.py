"""Parameters of notebooks: both of papermill's ways to give them, and mistakes."""

import numpy as np
import pytest

from repro import ReproError
from repro.book.parameters import whole_number, whole_numbers


@pytest.mark.parametrize(
    "value",
    [[96, 64], (96, 64, 96), "96,64", "9.6e1,64.0", [96.0, "64"], " 96, 64 ", "[96, 64]",
     ["96", "64"], np.array([96, 64])],
)  # fmt: skip
def test_all_ways_to_name_two_widths_keep_their_order(value):
    assert whole_numbers("widths", value) == [96, 64]


@pytest.mark.parametrize("value", [64, " 64", "6.4e1", 64.0])
def test_one_number_and_none(value):
    assert whole_numbers("widths", value) == [whole_number("epochs", value)] == [64]
    assert whole_numbers("widths", None) is whole_number("epochs", None) is None


@pytest.mark.parametrize(
    "value",
    [[], "", "64;96", "sixty-four", [64.5], "6.45e1", "inf", True, [None], [0, 64], -3, "64,,96"],
)
def test_anything_else_is_one_clear_sentence(value):
    with pytest.raises(ReproError, match=r"^widths must be whole numbers from 1.*-p widths 64,96"):
        whole_numbers("widths", value)


@pytest.mark.parametrize("value", [[], [64], "", "64,96", 64.5, True, 0, -1])
def test_anything_but_one_number_is_one_clear_sentence(value):
    with pytest.raises(ReproError, match=r"^epochs must be a whole number from 1.*-p epochs 64"):
        whole_number("epochs", value)
