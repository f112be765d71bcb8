"""Letters written into a matrix, and how well they can be seen."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import mannwhitneyu
from synthetic import synthetic_run

from repro.analysis.weights import contrast_of_run, mark_contrast, silent_share
from repro.errors import ReproError
from repro.model.letter import letter_mask

# The marked runs in results/ started from this letter: another outline would make them other runs.
SMALL_A = """
....................
........###.........
....##########......
....###########.....
....#........###....
..............##....
..............###...
..............###...
......###########...
.....############...
....###.......###...
...###........###...
...###........###...
...###........###...
...###.......####...
...####.....#####...
....#############...
.....########.###...
.......###..........
....................
"""


def test_the_letter_a_is_upright_with_its_hole_and_never_changes() -> None:
    drawn = "\n".join("".join("#" if on else "." for on in row) for row in letter_mask("a", 20))
    assert drawn == SMALL_A.strip()


def test_any_printable_character_has_an_inside_and_an_outside() -> None:
    for character in "aZßé$%i8Жω.∑":
        assert 0.01 < letter_mask(character, 48).mean() < 0.9
    assert np.array_equal(letter_mask("e\N{COMBINING ACUTE ACCENT}", 32), letter_mask("é", 32))


@pytest.mark.parametrize(
    ("character", "size", "words"),
    [
        ("", 32, "exactly one character"),
        ("ab", 32, "exactly one character"),
        (None, 32, "one character"),
        (" ", 32, "blank"),
        ("\N{ZERO WIDTH SPACE}", 32, "blank"),
        ("\N{CJK UNIFIED IDEOGRAPH-5B57}", 32, "no such character"),
        ("a", 7, "at least 8 rows"),
    ],
)
def test_a_mark_that_cannot_be_drawn_is_refused(character: str, size: int, words: str) -> None:
    with pytest.raises(ReproError, match=words):
        letter_mask(character, size)


def test_contrast_is_one_at_the_start_and_half_without_a_trace() -> None:
    mask = letter_mask("a", 128)
    weights = np.random.default_rng(0).uniform(-1, 1, mask.shape)
    assert mark_contrast(weights * mask, mask) == 1.0
    assert mark_contrast(weights, mask) == pytest.approx(0.5, abs=0.02)
    assert mark_contrast(weights * ~mask, mask) == 0.0
    assert mark_contrast(np.zeros_like(weights), mask) == 0.5
    assert np.isnan(mark_contrast(np.where(mask, np.nan, weights), mask))
    weights[:, ~mask.any(axis=0)] = 0.0  # units that no stroke reaches do not count
    assert mark_contrast(weights, mask) == pytest.approx(0.5, abs=0.02)


@settings(deadline=None, max_examples=20)
@given(
    weights=arrays(np.float64, (9, 9), elements=st.integers(-20, 20).map(float)),
    signs=arrays(np.int64, (9, 9), elements=st.sampled_from([-1, 1])),
    scale=st.floats(1e-3, 1e3),
)
def test_contrast_does_not_see_sign_or_scale(weights, signs, scale) -> None:
    mask = letter_mask("o", 9)
    contrast = mark_contrast(weights, mask)
    assert mark_contrast(weights * signs, mask) == contrast
    assert mark_contrast(weights * scale, mask) == pytest.approx(contrast, abs=1e-12)
    size, inside = np.abs(weights[:, mask.any(axis=0)]), mask[:, mask.any(axis=0)]
    surplus = mannwhitneyu(size[inside], size[~inside]).statistic
    assert contrast == pytest.approx(surplus / inside.sum() / (~inside).sum(), abs=1e-12)


def test_contrast_of_a_run_follows_its_pictures() -> None:
    run = synthetic_run(24, 60, "strong", mark="x", replicas=2)
    contrast = contrast_of_run(run)
    assert contrast.dims == ("replica", "matrix_epoch")
    assert contrast.sel(matrix_epoch=0).values == pytest.approx([1, 1])
    direct = mark_contrast(run["matrix"].sel(replica=1, matrix_epoch=50), letter_mask("x", 24))
    assert float(contrast.sel(replica=1, matrix_epoch=50)) == direct
    assert 0.5 < direct < 1


def test_units_outside_the_letter_stay_silent() -> None:
    matrix = np.zeros((2, 1, 4, 5))  # replica, epoch, row, column
    matrix[0, 0, 1, 2] = matrix[1, 0, 0, [0, 2]] = 0.1
    run = xr.Dataset({"matrix": (("replica", "matrix_epoch", "row", "column"), matrix)})
    assert silent_share(run) == pytest.approx((4 / 5 + 3 / 5) / 2)
