"""The values read off the paper's figures, as data.

R. J. Jesus, M. L. Antunes, R. A. da Costa, S. N. Dorogovtsev, J. F. F. Mendes, R. L. Aguiar,
*Effect of initial configuration of weights on training and function of artificial neural
networks*, Mathematics 2021, 9(18), 2246, doi:10.3390/math9182246, arXiv:2012.02550. The paper
prints no tables: every number here was read off a published figure by eye and pixel, to about
``READING_ERROR`` of its value. All three figures show HASYv2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

import yaml

Kind = Literal["value", "about", "at least", "more than", "none by"]

READING_ERROR = 0.03
"""Relative error of a reading, by eye and pixel."""

EPOCHS = 1000
"""Length of every run in the paper."""

DATASET = "hasyv2"
"""The dataset of all three published figures."""


@dataclass(frozen=True)
class Reading:
    """One value read off a figure.

    Attributes
    ----------
    value:
        The value: an epoch, a loss in nats or a weight.
    source:
        Where in the paper it is read.
    error:
        The paper's own error bar (a standard deviation over ten runs), None where none shows.
    kind:
        What the value says. ``"value"``: this; ``"about"``: roughly this; ``"at least"`` and
        ``"more than"``: the figure ends here and the mark lies on its edge or beyond;
        ``"none by"``: had not happened by this epoch.
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


@dataclass(frozen=True)
class CurvePoint:
    """A point of a published loss curve: its epoch, its loss in nats, and what is there."""

    epoch: float
    loss: Reading
    what: str


_READ: Mapping[str, Any] = yaml.safe_load(
    resources.files("repro").joinpath("paper.yml").read_text(encoding="utf-8")
)


def _reading(read: Any, source: str) -> Reading | None:
    """As `paper.yml` has it: a number, with its error bar or its kind, or none."""
    if read is None:
        return None
    value, more = read if isinstance(read, list) else (read, None)
    if isinstance(more, str):
        return Reading(value, source, kind=more)
    return Reading(value, source, more)


def _readings(name: str, source: str) -> dict[Any, Any]:
    """The readings of one figure, as deep as they are nested."""

    def made(read: Any) -> Any:
        if isinstance(read, dict):
            return MappingProxyType({key: made(value) for key, value in read.items()})
        return _reading(read, source)

    return dict(made(_READ[name]))


FIGURE_2_WIDTHS: tuple[int, ...] = (50, 100, 150, 200, 225, 250, 275, 300, 350, 400, 450, 500)
"""Widths on the axis of Figure 2c; Figure 2d has 10 as well."""

SINGLE_RUN_WIDTHS: tuple[int, ...] = (10, 150, 275, 500)
"""Widths whose single runs Figures 2a and 2b show."""

FIGURE_2: Mapping[str, Mapping[int, Reading | None]] = MappingProxyType(
    _readings("figure_2c", "Figure 2c") | _readings("figure_2d", "Figure 2d")
)
"""Quantity, then width: means over ten runs. The quantities are those of ``regimes.summary``."""

EARLY_EPOCHS = 100
"""Where the train loss is read early: the length of a run for the early marks (`choices`)."""

TRAIN_LOSS_AT_100: Mapping[int, Reading] = _readings("train_loss_at_100", "Figure 2a")
"""Width, then the train loss of the single run at epoch 100; read at that width alone."""

TRAIN_LOSS: Mapping[int, Mapping[int, Reading]] = _readings("figure_2a", "Figure 2a")
"""Width, epoch, then the train loss of the single run: a second reading of the picture."""

PLATEAU_LEVEL = Reading(15.7, "Figures 1b and 2a", error=0.35)
"""Train loss of a diverged network, in nats; the error is that of the reading."""

STABLE_WIDTH = 512
UNSTABLE_WIDTH = 256
MARK = "a"

MATRIX_EPOCHS: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {STABLE_WIDTH: (0, 250, 500, 750, 1000), UNSTABLE_WIDTH: (0, 75, 200, 500, 1000)}
)
"""Width, then the epochs at which Figure 1 pictures the marked matrix."""

FIGURE_1: Mapping[str, Reading] = MappingProxyType(
    _readings("figure_1a", "Figure 1a")
    | _readings("figure_1b", "Figure 1b")
    | {"unstable_plateau_level": PLATEAU_LEVEL}
)

FIGURE_1_SPIKES: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {STABLE_WIDTH: (120, 235, 570), UNSTABLE_WIDTH: (255,)}
)
"""Width, then the epochs near which the train loss spikes for a short while and recovers."""

FIGURE_1_TRAIN: Mapping[int, tuple[CurvePoint, ...]] = MappingProxyType(
    {
        STABLE_WIDTH: (CurvePoint(EPOCHS, FIGURE_1["stable_final_train_loss"], "end"),),
        UNSTABLE_WIDTH: (CurvePoint(200, FIGURE_1["unstable_train_loss_at_200"], "lowest"),),
    }
)
"""Width, then points of the train loss in Figure 1."""

FIGURE_1_TEST: Mapping[int, tuple[CurvePoint, ...]] = MappingProxyType(
    {
        STABLE_WIDTH: (
            CurvePoint(20, FIGURE_1["stable_minimum_test_loss"], "minimum"),
            CurvePoint(EPOCHS, FIGURE_1["stable_final_test_loss"], "end"),
        ),
        UNSTABLE_WIDTH: (),
    }
)
"""Width, then points of the test loss in Figure 1."""

FIGURE_3_WIDTH = 512
FIGURE_3_STRIPS: tuple[float, ...] = (-0.075, 0.0, 0.075)
"""Initial weights whose strips Figure 3 shows; the outer two are at 0.98 of the Glorot limit."""

OUTER_STRIP_SHARE = 0.98
"""Place of the outer strips in units of the Glorot limit, for any width."""

FIGURE_3: Mapping[tuple[float, float], Reading] = MappingProxyType(
    {
        (initial, quantile): reading
        for initial, readings in _readings("figure_3", "Figure 3").items()
        for quantile, reading in readings.items()
    }
)
"""(initial weight, quantile), then the final weight at that quantile."""


def read(quantity: str, width: int, dataset: str = DATASET) -> Reading | None:
    """The paper's value of one of ``regimes.summary``'s quantities at a width.

    Parameters
    ----------
    quantity:
        Such as ``"minimum_train_loss"``.
    width:
        Units in each hidden layer.
    dataset:
        The paper gives values for HASYv2 only.

    Returns
    -------
    The reading, or None where the paper gives none.
    """
    if dataset != DATASET:
        return None
    return FIGURE_2.get(quantity, {}).get(width)
