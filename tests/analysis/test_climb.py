"""When a diverging network leaves its low loss for good, and how long it climbs."""

import numpy as np
import pytest
from synthetic import loss_curve, synthetic_run

from repro.analysis import climb
from repro.analysis.crossing import crossing
from repro.figures.jump import climb_figure


def _climbing(left: int, climb_epochs: int = 200) -> np.ndarray:
    """Low until ``left``, then an even climb in the logarithm to a plateau at 15."""
    curve = np.full(1001, 0.02)
    curve[0] = 5.9
    curve[1 : left + 1] = np.geomspace(2, 0.02, left)
    climbing = np.geomspace(0.2, 15, climb_epochs)
    curve[left + 1 : left + 1 + climb_epochs] = climbing[: 1000 - left]
    curve[left + 1 + climb_epochs :] = 15
    return curve


@pytest.mark.parametrize("left", [150, 400])
def test_the_low_loss_is_left_at_its_last_epoch(left):
    assert crossing(_climbing(left)).start == left


def test_a_spike_that_recovers_leaves_nothing():
    curve = _climbing(400)
    curve[350:352] = 3.0
    assert crossing(curve).start == 400
    curve[300:330] = 0.5  # a long one recovers, too
    assert crossing(curve).start == 400


def test_a_run_that_does_not_diverge_has_no_climb():
    assert crossing(loss_curve("strong", spikes=(300,))) is None
    assert crossing(_climbing(400)[:500]) is None, "it is still climbing"


def _run(width, replica, curve):
    run = synthetic_run(8, 1000, "unstable", joint_layers=()).assign_coords(replica=[replica])
    run.attrs["width"] = width
    return run.assign(train_loss=(("replica", "epoch"), curve[None].astype(np.float32)))


def test_the_table_is_over_the_runs_that_diverge():
    runs = [_run(225, number, _climbing(left)) for number, left in enumerate((200, 300))]
    runs += [_run(225, 2, loss_curve("strong")), _run(500, 0, loss_curve("strong"))]
    table = climb.table(runs)
    assert table.width.tolist() == [225] and table.diverged.tolist() == ["2 of 3"]
    assert table["left at"].tolist() == ["250 ± 71"]
    assert table["paper: lowest to plateau"].tolist() == ["202"]
    (climbed,) = table.climb
    assert 190 <= int(climbed.split(" ± ")[0]) <= 205


def test_the_figure_has_a_panel_for_each_width_with_several_runs():
    runs = [_run(200, number, _climbing(250)) for number in range(3)]
    runs += [_run(225, number, loss_curve("strong")) for number in range(3)]
    (axes,) = climb_figure([*runs, _run(250, 0, _climbing(300))]).axes
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(axes.lines) == 6 and [line.get_xdata()[0] for line in dots] == [250] * 3
    assert not climb_figure(runs[:2]).axes, "two are not several"
    runs[-1] = _run(225, 2, _climbing(850))  # not on the plateau yet
    _, wide = climb_figure(runs).axes
    assert len(wide.lines) == 3, "what is on its way is shown, without a dot"
