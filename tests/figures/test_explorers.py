"""The moving figures: what their data say, from made-up runs. That they move: `test_browser`."""

import io
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from synthetic import synthetic_run

from repro import ReproError
from repro.analysis import regimes
from repro.figures.explorer import rounded
from repro.figures.letter_explorer import letter_explorer, picture, shares_between
from repro.figures.phase_explorer import POINTS, phase_explorer, set_name, shown_epochs
from repro.model import deviation


@pytest.fixture(scope="module")
def marked():
    return {
        width: synthetic_run(width, 120, kind, mark="a")
        for width, kind in ((40, "strong"), (24, "unstable"))
    }


def test_letter_explorer_holds_the_runs_numbers(marked):
    data = letter_explorer(marked).data
    assert [network["name"] for network in data["networks"]] == ["N = 40", "N = 24"]
    for network, run in zip(data["networks"], marked.values(), strict=True):
        one = run.isel(replica=0)
        np.testing.assert_allclose(network["trainLoss"], one.train_loss, rtol=6e-4)
        spread = one.relative_deviation.sel(layer="hidden_hidden")
        np.testing.assert_allclose(network["relativeDeviation"], spread, rtol=6e-4)
        assert network["matrixEpochs"] == one.matrix_epoch.values.tolist()
        assert len(network["pictures"]) == len(network["contrasts"]) == one.sizes["matrix_epoch"]
        assert len(network["histograms"]) == one.sizes["histogram_epoch"]
        assert set(network["matrixEpochs"] + network["histogramEpochs"]) <= set(data["steps"])
        assert data["steps"][-1] == 120


def test_letter_explorer_says_what_it_lacks(marked):
    with pytest.raises(ReproError, match="has no mark"):
        letter_explorer({16: synthetic_run(16, 10)})
    with pytest.raises(ReproError, match="no replica 3 of the run at width 40"):
        letter_explorer(marked, replica=3)
    with pytest.raises(ReproError, match="at least one marked run"):
        letter_explorer({})


def test_picture_is_lightest_at_zero_and_darkest_beyond_twice_the_limit():
    shades = Image.open(io.BytesIO(picture(np.array([[0.0, 0.5], [-4.0, 9.0]]), 1.0)))
    index = np.asarray(shades)
    assert index[0, 0] == 0
    assert index[1, 0] == index[1, 1] == index.max()
    grey = np.asarray(shades.convert("L"), dtype=int)
    assert grey[0, 0] == 255 > grey[0, 1] > grey[1, 0]


@given(st.lists(st.floats(-40, 40), min_size=1, max_size=200), st.integers(1, 8))
def test_no_link_is_lost_between_bins(values, limit):
    """In the shares are all links well within, and none well outside, of the grid."""
    edge = deviation.DEVIATION_EDGES
    counts = np.histogram(values, edge)[0]
    shares = shares_between(counts, edge, np.linspace(-limit, limit, 61))
    size = np.abs(values)
    assert (shares >= 0).all()
    assert np.mean(size < 0.9 * limit) - 1e-9 <= shares.sum() <= np.mean(size < 1.1 * limit) + 1e-9


def test_phase_explorer_holds_every_run_and_what_became_of_it():
    runs = [
        synthetic_run(16, 1000, "weak", replicas=2),
        synthetic_run(32, 1000, "unstable"),
        synthetic_run(32, 200, "strong", dataset="mnist"),
    ]
    data = phase_explorer(runs).data
    assert [one["name"] for one in data["sets"]] == [set_name(runs[0]), set_name(runs[2])]
    first = data["sets"][0]["widths"]
    assert [(one["width"], len(one["runs"])) for one in first] == [(16, 2), (32, 1)]
    for one, run in ((first[1]["runs"][0], runs[1]), (first[0]["runs"][1], runs[0])):
        replica = one["replica"]
        summary = regimes.summary(run).sel(replica=replica)
        assert one["regime"] == summary.regime.item()
        assert one["minimumTrainEpoch"] == int(summary.epoch_of_minimum_train_loss)
        at = phase_explorer(runs).data["at"][one["epochs"]]
        shown = run.test_loss.sel(replica=replica, epoch=at)
        np.testing.assert_allclose(one["test"], shown, rtol=6e-3)
    assert first[1]["runs"][0]["divergence"] is not None
    assert first[0]["runs"][0]["divergence"] is None
    with pytest.raises(ReproError, match="at least one run"):
        phase_explorer([])


def test_runs_of_another_setting_are_another_set():
    clipped, exact = synthetic_run(16, 5), synthetic_run(16, 5, loss="logits")
    assert set_name(clipped) == "HASYv2 (fold-1), clipped loss"
    assert len(phase_explorer([clipped, exact]).data["sets"]) == 2


@given(st.integers(0, 3000))
def test_shown_epochs_are_few_and_reach_both_ends(last):
    epochs = shown_epochs(last)
    assert epochs[0] == 0
    assert epochs[-1] == last
    assert (np.diff(epochs) > 0).all()
    assert len(epochs) <= POINTS + 2


def test_what_is_no_number_is_none():
    assert rounded([1.23456, np.nan, np.inf, 12345.6]) == [1.235, None, None, 12350.0]


def test_an_explorer_is_one_piece_of_html_that_needs_nothing_else(marked):
    html = letter_explorer(marked)._repr_html_()
    assert html == letter_explorer(marked)._repr_html_(), "nbval compares it"
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)", html)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", html)
    data = re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL).group(1)
    assert json.loads(data) == letter_explorer(marked).data
    assert len(repr(letter_explorer(marked))) < 100, "a notebook keeps it, too"
