"""The first page's picture."""

import numpy as np
from synthetic import synthetic_run

from repro.figures.front import front_figure
from repro.figures.phase_diagram import outcomes


def test_the_letter_before_and_after_and_the_phase_diagram() -> None:
    runs = {
        w: synthetic_run(w, 1000, k, joint_layers=()) for w, k in ((16, "weak"), (64, "strong"))
    }
    marked = {w: synthetic_run(w, 120, "strong", mark="a", joint_layers=()) for w in (40, 24)}
    figure = front_figure(marked, outcomes(runs.values()))
    pictures = [axes for axes in figure.axes if axes.get_images()]
    assert [axes.get_title() for axes in pictures] == ["epoch 0", "epoch 120"] * 2
    before, after = (np.asarray(axes.get_images()[0].get_array()) for axes in pictures[:2])
    assert (before == 0).mean() > 0.5 > (after == 0).mean()
    assert [axes.get_ylabel() for axes in figure.axes][-1] == "epoch"
