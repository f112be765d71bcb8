"""The first page's sentences."""

import numpy as np
from synthetic import synthetic_run, with_curves

from repro.figures import front
from repro.store.record import joined

FALLING = np.interp(np.arange(1001), [0, 300, 1000], [5.9, 0.1, 0.02])


def _strong(width: int, loss: np.ndarray):
    return with_curves(synthetic_run(width, 1000), loss, np.linspace(0, 1, 1001))


def test_a_strong_network_on_its_way_up_is_told():
    rising = np.interp(np.arange(1001), [0, 300, 1000], [5.9, 0.3, 0.45])
    runs = {100: _strong(100, rising), 300: _strong(300, FALLING)}
    assert "strong at width 100 (rising), 300" in front.finding({}, runs)
    assert front.rising_words(runs).endswith("risen again at width 100 to 1.5 times its lowest.")


def test_strong_networks_that_stay_low_need_no_more_words():
    spiked = FALLING.copy()
    spiked[-3] = 2.0  # a spike at the end is no rise
    runs = {300: _strong(300, FALLING), 500: _strong(500, spiked)}
    assert front.finding({}, runs).endswith("strong at width 300, 500.")
    assert front.rising_words(runs) == ""


def test_replicas_of_a_width_that_part_are_counted():
    once = [synthetic_run(250, 1000, kind).assign_coords(replica=[number])
            for number, kind in enumerate(("unstable", "strong", "unstable"))]  # fmt: skip
    parted = joined(once)
    said = front.finding({}, {250: parted, 300: synthetic_run(300, 1000)})
    assert "unstable at width 250 (2 of 3); strong at 250 (1 of 3), 300." in said
    short = front.finding({}, {150: synthetic_run(150, 40, "unstable")})
    assert "undecided at width 150 (only 40 epochs)" in short
    wide = {width: synthetic_run(width, 1000) for width in (300, 400, 500, 600)}
    assert front.finding({}, wide).endswith("strong at width 300 to 600.")
    wide[400] = synthetic_run(400, 40, "unstable")
    said = front.finding({}, wide)
    assert said.endswith("strong at width 300, 500, 600; undecided at 400 (only 40 epochs).")
