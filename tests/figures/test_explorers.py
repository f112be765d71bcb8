"""The moving figures: what their data say, from made-up runs. That they move: `test_browser`."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import synthetic_run

from repro import ReproError
from repro.analysis import regimes
from repro.figures import explorers
from repro.figures.explorers import letter_explorer, phase_explorer
from repro.model import deviation


@pytest.fixture(scope="module")
def marked():
    return {
        width: synthetic_run(width, 120, kind, mark="a", joint_layers=())
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
    with pytest.raises(ReproError, match="has no mark"):
        letter_explorer({16: synthetic_run(16, 10)})
    with pytest.raises(ReproError, match="at least one marked run"):
        letter_explorer({})


@given(st.lists(st.floats(-40, 40), min_size=1, max_size=200))
def test_no_weight_is_lost_between_bins(values):
    """In the shares are all weights well within, and none well outside, of the page's bins."""
    edge, limit = deviation.DEVIATION_EDGES, explorers.LIMIT
    shares = explorers.shares_between(np.histogram(values, edge)[0], edge)
    size = np.abs(values)
    assert (shares >= 0).all()
    assert np.mean(size < 0.9 * limit) - 1e-9 <= shares.sum() <= np.mean(size < 1.1 * limit) + 1e-9


def test_phase_explorer_holds_every_run_and_its_outcome():
    runs = [
        synthetic_run(16, 1000, "weak", replicas=2, joint_layers=()),
        synthetic_run(32, 1000, "unstable", joint_layers=()),
        synthetic_run(32, 200, dataset="mnist", joint_layers=()),
        synthetic_run(16, 5, loss="logits", joint_layers=()),
    ]
    data = phase_explorer(runs).data
    names = ["HASYv2 (fold-1), clipped loss", "HASYv2 (fold-1), exact loss", "MNIST, clipped loss"]
    assert [one["name"] for one in data["sets"]] == names
    first = data["sets"][0]["widths"]
    assert [(one["width"], len(one["runs"])) for one in first] == [(16, 2), (32, 1)]
    for one, run in ((first[1]["runs"][0], runs[1]), (first[0]["runs"][1], runs[0])):
        summary = regimes.summary(run).sel(replica=one["replica"])
        for name, value in summary.items():
            assert one[name] == value or (one[name] is None and np.isnan(value))
        shown = run.test_loss.sel(replica=one["replica"], epoch=data["at"][one["epochs"]])
        np.testing.assert_allclose(one["test_loss"], shown, rtol=6e-3)
    assert first[1]["runs"][0]["divergence_epoch"] is not None
    assert first[0]["runs"][0]["divergence_epoch"] is None
    with pytest.raises(ReproError, match="at least one run"):
        phase_explorer([])


def test_an_explorer_is_one_piece_of_html_that_needs_nothing_else(marked):
    explorer = letter_explorer(marked)
    html = explorer._repr_html_()
    assert html == letter_explorer(marked)._repr_html_(), "nbval compares it"
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)", html)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", html)
    data = re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL).group(1)
    assert json.loads(data) == explorer.data
    assert len(repr(explorer)) < 100, "a notebook keeps it, too"
