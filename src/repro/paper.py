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
from types import MappingProxyType
from typing import Literal

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


_A = "Figure 2a"
_C = "Figure 2c"
_D = "Figure 2d"

FIGURE_2_WIDTHS: tuple[int, ...] = (50, 100, 150, 200, 225, 250, 275, 300, 350, 400, 450, 500)
"""Widths on the axis of Figure 2c; Figure 2d has 10 as well."""

SINGLE_RUN_WIDTHS: tuple[int, ...] = (10, 150, 275, 500)
"""Widths whose single runs Figures 2a and 2b show."""

FIGURE_2: Mapping[str, Mapping[int, Reading | None]] = MappingProxyType(
    {
        "epoch_of_minimum_train_loss": {
            50: None,
            100: Reading(320, _C),
            150: Reading(165, _C),
            200: Reading(145, _C),
            225: Reading(128, _C),
            250: Reading(130, _C, error=25),
            275: Reading(450, _C, error=118),
            300: Reading(880, _C, error=370),
            500: Reading(1000, _C, kind="more than"),
        },
        "divergence_epoch": {
            50: None,
            100: Reading(1000, _C, kind="about"),
            150: Reading(421, _C),
            200: Reading(370, _C),
            225: Reading(330, _C),
            250: Reading(330, _C),
            275: Reading(660, _C, error=112),
            300: Reading(1000, _C, kind="at least"),
            500: Reading(1000, _C, kind="none by"),
        },
        "epoch_of_minimum_test_loss": {
            50: Reading(85, _C, error=25),
            100: Reading(30, _C),
            150: Reading(24, _C),
            200: Reading(18, _C),
            225: Reading(18, _C),
            250: Reading(18, _C),
            275: Reading(17, _C),
            300: Reading(17, _C),
            500: Reading(17, _C),
        },
        "minimum_train_loss": {
            10: Reading(2.22, _D, error=0.08),
            50: Reading(0.69, _D),
            100: Reading(0.41, _D),
            150: Reading(0.29, _D),
            200: Reading(0.18, _D),
            225: Reading(0.155, _D),
            250: Reading(0.115, _D),
            275: Reading(0.02, _D),
            300: Reading(0.016, _D),
            500: Reading(0.0157, _D),
        },
        "minimum_test_loss": {
            10: Reading(2.05, _D),
            50: Reading(1.09, _D),
            100: Reading(0.98, _D),
            150: Reading(0.94, _D),
            200: Reading(0.905, _D),
            225: Reading(0.885, _D),
            250: Reading(0.885, _D),
            275: Reading(0.87, _D),
            300: Reading(0.87, _D),
            500: Reading(0.84, _D),
        },
    }
)
"""Quantity, then width: means over ten runs. The quantities are those of ``regimes.summary``."""

EARLY_EPOCHS = 100
"""Where the train loss is read early: the length of a run for the early marks (`choices`)."""

TRAIN_LOSS_AT_100: Mapping[int, Reading] = MappingProxyType({150: Reading(0.33, "Figure 2a")})
"""Width, then the train loss of the single run at epoch 100; read at that width alone."""

_READ: Mapping[int, Mapping[int, float]] = {
    10: {1: 4.6, 1000: 2.4},
    150: {100: 0.345, 155: 0.305, 200: 0.33, 300: 0.49, 350: 1.0, 400: 2.3, 432: 15.7},
    275: {100: 0.105, 140: 0.04, 146: 0.45, 200: 0.03, 300: 0.022, 312: 0.55, 345: 0.10, 400: 0.21,
          500: 3.4, 550: 15.7},
    500: {1: 3.05, 100: 0.035, 200: 0.022, 1000: 0.0157},
}  # fmt: skip

TRAIN_LOSS: Mapping[int, Mapping[int, Reading]] = MappingProxyType(
    {
        width: {epoch: Reading(value, _A) for epoch, value in read.items()}
        for width, read in _READ.items()
    }
)
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
    {
        "stable_final_train_loss": Reading(0.015, "Figure 1a", kind="about"),
        "stable_minimum_test_loss": Reading(0.82, "Figure 1a"),
        "stable_epoch_of_minimum_test_loss": Reading(20, "Figure 1a", kind="about"),
        "stable_final_test_loss": Reading(2.15, "Figure 1a"),
        "unstable_train_loss_at_200": Reading(0.025, "Figure 1b", kind="about"),
        "unstable_start_of_climb": Reading(290, "Figure 1b", kind="about"),
        "unstable_divergence_epoch": Reading(500, "Figure 1b", kind="about"),
        "unstable_plateau_level": PLATEAU_LEVEL,
    }
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
        (0.0, 0.02): Reading(-0.245, "Figure 3"),
        (0.0, 0.25): Reading(-0.06, "Figure 3", kind="about"),
        (0.0, 0.75): Reading(0.045, "Figure 3", kind="about"),
        (0.0, 0.98): Reading(0.23, "Figure 3"),
        (0.075, 0.25): Reading(0.05, "Figure 3"),
        (0.075, 0.5): Reading(0.085, "Figure 3", kind="about"),
        (0.075, 0.75): Reading(0.16, "Figure 3"),
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
