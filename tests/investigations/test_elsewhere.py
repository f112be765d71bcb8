"""Other initializers, optimizers and depths: what is chosen, and what is read off a run."""

import numpy as np
import pytest
from synthetic import synthetic_run

from repro.book.build import ROOT
from repro.investigations import elsewhere
from repro.training.grid import read_plan


def test_each_optimizer_is_used_at_its_best_rate(monkeypatch):
    monkeypatch.setattr(elsewhere, "found", lambda one, store: [] if one.learning_rate > 0.2 else [
        synthetic_run(128, 30, dataset="mnist", shift=abs(np.log(one.learning_rate / 0.03)) + 0.5)
    ])  # fmt: skip
    tried = elsewhere.rates()
    assert len(tried) == 10 and tried["train_loss"].is_monotonic_increasing
    varied = elsewhere.variations(tried)
    assert [varied[name]["learning_rate"] for name in elsewhere.GRID] == [0.03, 0.03, 0.01]
    wanted = {each.digest for each, _ in read_plan(ROOT / "sweeps" / "elsewhere.yml")}
    for changes in ({"initializer": "he_normal"}, {"hidden_layers": 4}, varied["momentum"]):
        one = elsewhere.Experiment("mnist", 128, elsewhere.EARLY, **changes)
        assert one.digest in wanted


def test_statistics_leave_out_what_was_drawn_beyond_the_bins():
    run = synthetic_run(64, 200)
    usual = elsewhere.statistics(run)
    assert usual["outward"] > 0 and 0 < usual["correlation"] < 1
    counts = run["joint_histogram"].copy()
    counts[..., [0, -1], :] *= 7
    assert elsewhere.statistics(run.assign(joint_histogram=counts)) == usual
    assert elsewhere.statistics(run.drop_sel(layer="hidden_hidden")).keys() == {"train_loss"}
    assert "outward" not in elsewhere.statistics(run.drop_dims("joint_epoch"))


def test_an_exponent_needs_three_widths():
    there = [synthetic_run(width, 100, noise=0) for width in (64, 128, 256)]
    assert elsewhere.exponent(there) < 0
    assert np.isnan(elsewhere.exponent(there[:2]))


def test_a_cell_tells_a_plateau_of_dead_samples_from_silent_units():
    diverged = elsewhere.cell(synthetic_run(64, 1000, "unstable"))
    assert diverged["regime"] == "unstable" and diverged["explained"] == pytest.approx(1, abs=0.1)
    silent = synthetic_run(64, 1000, dataset="mnist")
    silent["train_loss"][:, 5:] = np.log(10)
    silent["dead_fraction"][:] = 0
    assert (found := elsewhere.cell(silent))["regime"] == "silent" and found["explained"] == 0
