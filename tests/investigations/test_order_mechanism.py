"""What a repeated order does: measured on a small network, and drawn."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import repro
from repro import Experiment
from repro.investigations import order_mechanism as mechanism


def test_push_and_turns_are_measured_where_a_run_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path))
    monkeypatch.setattr(mechanism, "WIDTH", 8)
    monkeypatch.setattr(mechanism.paper, "DATASET", "digits")
    for order in mechanism.ARMS[1:3]:
        repro.run(Experiment("digits", 8, 2, order=order), store=tmp_path / "store", progress=False)
        mechanism.measure_turns(tmp_path / "store", order, stops=4)
    turns = mechanism.turns()
    assert set(turns["order"]) == {"cycle:1", "batches"} and turns["mean"].gt(0).all()
    assert set(turns["steps"]) == {-2, -1, 1, 2, 4}  # of eleven batches, stopped every second
    mechanism.measure([tmp_path / "store"] * 2, fresh=2)
    first, second = mechanism.pushes().to_dict("records")
    assert second["cosine_with_last"] == pytest.approx(1)  # the same run looked at twice
    assert first["push_over_both"] < 1 and all(np.abs(first["cosine_with_fresh"]) < 1)


def test_the_published_measurement_is_drawn():
    curves = mechanism.curves()
    assert set(curves["order"]) == set(mechanism.ARMS)
    assert isinstance(mechanism.turns_figure(curves, mechanism.turns()), Figure)
    assert isinstance(mechanism.turns_figure(curves[:0], mechanism.turns()), Figure)
