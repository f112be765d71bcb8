"""The values read off the paper's figures, as data.

R. J. Jesus et al., Mathematics 2021, 9(18), 2246, doi:10.3390/math9182246, arXiv:2012.02550. It
prints no tables: every number here was read off a published figure by eye and pixel, to about
``READING_ERROR`` of its value. All three figures show HASYv2.
"""

from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import yaml

Kind = Literal["value", "about", "at least", "more than", "none by"]

READING_ERROR = 0.03  # of the value
EPOCHS = 1000
DATASET = "hasyv2"


@dataclass(frozen=True)
class Reading:
    """One value read off a figure.

    ``value`` is an epoch, a loss in nats or a weight; ``error`` the paper's own error bar (a
    standard deviation over ten runs), None where none shows; ``kind`` what the value says:
    ``"at least"`` and ``"more than"`` that the figure ends here and the mark lies on its edge or
    beyond, ``"none by"`` that it had not happened by this epoch.
    """

    value: float
    source: str
    error: float | None = None
    kind: Kind = "value"

    @property
    def relative_error(self) -> float:
        """The paper's error bar, or else that of the reading, as a share of the value."""
        return READING_ERROR if self.error is None else self.error / self.value

    @property
    def is_lower_bound(self) -> bool:
        """Whether the paper only says that the value is no less than this."""
        return self.kind in ("at least", "more than", "none by")

    def __str__(self) -> str:
        text = f"{self.value:g}"
        if self.kind == "none by":
            return f"none by {text}"
        if self.error is not None:
            text += f" ± {self.error:g}"
        return {"value": "", "about": "≈ ", "at least": "≥ ", "more than": "> "}[self.kind] + text


_READ = yaml.safe_load(resources.files("repro").joinpath("paper.yml").read_text(encoding="utf-8"))


def _readings(name: str) -> Any:
    """The readings of one figure, as deep as they are nested."""

    def made(read: Any) -> Any:
        if isinstance(read, dict):
            return {key: made(value) for key, value in read.items()}
        value, more = read if isinstance(read, list) else (read, None)
        told = {"kind" if isinstance(more, str) else "error": more}
        return None if value is None else Reading(value, name.replace("figure_", "Figure "), **told)

    return made(_READ[name])


# Widths on the axis of Figure 2c (Figure 2d has 10 as well), and of the runs of Figures 2a and 2b.
FIGURE_2_WIDTHS = (50, 100, 150, 200, 225, 250, 275, 300, 350, 400, 450, 500)
SINGLE_RUN_WIDTHS = (10, 150, 275, 500)
# Quantity of ``regimes.summary``, then width: means over ten runs.
FIGURE_2: dict[str, dict[int, Reading | None]] = _readings("figure_2c") | _readings("figure_2d")
# Width, epoch, then the train loss of the single run: a second reading of the picture.
TRAIN_LOSS: dict[int, dict[int, Reading]] = _readings("figure_2a")
# Where the train loss is read early: the length of a run for the early marks (`choices`).
EARLY_EPOCHS = 100
TRAIN_LOSS_AT_100: dict[int, Reading] = _readings("train_loss_at_100")
# Train loss of a diverged network, in nats; the error is that of the reading.
PLATEAU_LEVEL = Reading(15.7, "Figures 1b and 2a", error=0.35)

STABLE_WIDTH = 512
UNSTABLE_WIDTH = 256
MARK = "a"
# Width, then the epochs of Figure 1's matrices, and those near which the train loss spikes.
MATRIX_EPOCHS = {STABLE_WIDTH: (0, 250, 500, 750, 1000), UNSTABLE_WIDTH: (0, 75, 200, 500, 1000)}
FIGURE_1_SPIKES = {STABLE_WIDTH: (120, 235, 570), UNSTABLE_WIDTH: (255,)}
FIGURE_1: dict[str, Reading] = {
    **_readings("figure_1a"),
    **_readings("figure_1b"),
    "unstable_plateau_level": PLATEAU_LEVEL,
}
# Width, then points of the loss: (epoch, loss).
FIGURE_1_TRAIN = {
    STABLE_WIDTH: ((EPOCHS, FIGURE_1["stable_final_train_loss"]),),
    UNSTABLE_WIDTH: ((200, FIGURE_1["unstable_train_loss_at_200"]),),
}
FIGURE_1_TEST = {
    STABLE_WIDTH: (
        (20, FIGURE_1["stable_minimum_test_loss"]),
        (EPOCHS, FIGURE_1["stable_final_test_loss"]),
    ),
    UNSTABLE_WIDTH: (),
}

FIGURE_3_WIDTH = 512
# Initial weights whose strips Figure 3 shows; and the outer two in units of the Glorot limit.
FIGURE_3_STRIPS = (-0.075, 0.0, 0.075)
OUTER_STRIP_SHARE = 0.98
# (initial weight, quantile), then the final weight at that quantile.
FIGURE_3: dict[tuple[float, float], Reading] = {
    (initial, quantile): reading
    for initial, readings in _readings("figure_3").items()
    for quantile, reading in readings.items()
}


def read(quantity: str, width: int, dataset: str = DATASET) -> Reading | None:
    """The paper's value of a quantity of ``regimes.summary`` at a width; None where it has none."""
    return FIGURE_2.get(quantity, {}).get(width) if dataset == DATASET else None
