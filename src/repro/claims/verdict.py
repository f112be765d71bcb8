"""What a verdict is: the parts of a claim, each with its effect and interval, and their sum.

A claim has one or more parts. Each part is a statistic with an interval over runs and an answer:

- **holds**: enough runs, and the interval lies on the claim's side;
- **fails**: enough runs, and the interval lies on the other side;
- **mixed**: holds for some of the runs and clearly not for others;
- **open**: too few runs, or an interval that reaches over to the other side;
- **absent**: no run that could tell, in a part the claim can do without;
- **told**: measured beside the claim, and not part of it.

The verdict follows from the answers of the parts that are neither absent nor told: all hold is
*reproduced*, all fail is *not reproduced*, none decided is *inconclusive*. Parts that hold beside
others that do not, or that are open, make *partly*; parts that fail beside open ones leave it
*inconclusive*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from repro.analysis.captions import width_of
from repro.analysis.evidence import name_of, widths_in_words
from repro.analysis.intervals import Interval, mean_interval, share_interval

Answer = Literal["holds", "fails", "mixed", "open", "absent", "told"]
VerdictWord = Literal["reproduced", "partly", "not reproduced", "inconclusive"]
VERDICTS: tuple[VerdictWord, ...] = ("reproduced", "partly", "not reproduced", "inconclusive")

MINIMUM_RUNS = 3
"""Fewer runs decide nothing: an interval over two is wider than any effect here."""

MOST = 0.8
"""A claim on single runs holds where at least this share of them obey it."""

HALF = 0.5
"""It fails where no more than this share do; between the two it is mixed."""


@dataclass(frozen=True)
class Part:
    """One statistic of a claim on one dataset.

    Attributes
    ----------
    statistic:
        What is measured, in words.
    unit:
        Of the effect; empty for pure numbers.
    effect, interval:
        The number and its interval; None where there is none.
    over:
        What the interval is taken over, or why there is none.
    answer:
        See the module's text.
    reason:
        Why, in a sentence without a full stop.
    runs:
        The names of the runs that counted.
    """

    statistic: str
    unit: str
    effect: float | None
    interval: Interval | None
    over: str
    answer: Answer
    reason: str
    runs: tuple[str, ...] = ()


def verdict_of(parts: Sequence[Part]) -> VerdictWord:
    """The verdict that follows from the parts' answers (see the module's text)."""
    answers = {part.answer for part in parts} - {"absent", "told"}
    if answers == {"holds"}:
        return "reproduced"
    if answers == {"fails"}:
        return "not reproduced"
    return "partly" if answers & {"holds", "mixed"} else "inconclusive"


def mean_part(
    runs: Sequence[xr.Dataset],
    values: Sequence[float],
    *,
    statistic: str,
    unit: str,
    threshold: float,
    above: bool,
    kind: str,
    needed: bool = True,
) -> Part:
    """A part on the mean of a statistic over runs: on which side of a threshold it lies.

    It holds where there are at least ``MINIMUM_RUNS`` runs, the interval of their mean lies on the
    claim's side, and so does the mean of every width; is mixed where only the last is wanting; and
    fails where the interval lies on the other side.

    Parameters
    ----------
    runs, values:
        Single runs and the statistic of each.
    statistic, unit:
        As in `Part`.
    threshold, above:
        The limit, and whether the claim is that the statistic is above it (or below).
    kind:
        What the runs are, for the reason: ``strong run of the paper's length``.
    needed:
        Whether the claim needs this part: without a run it is open if so, else absent.
    """
    if not len(runs):
        answer: Answer = "open" if needed else "absent"
        return Part(statistic, unit, None, None, "no run", answer, f"{statistic}: no {kind}")
    sample = np.asarray(values, dtype=np.float64)
    widths = np.array([width_of(run) for run in runs])
    mean, interval = float(sample.mean()), mean_interval(sample)
    means = {int(width): float(sample[widths == width].mean()) for width in np.unique(widths)}

    def right(value: float) -> bool:
        return value > threshold if above else value < threshold

    wrong = [width for width, value in means.items() if not right(value)]
    side = f"{'above' if above else 'below'} {threshold:.3g}"
    what = f"{statistic}: mean {mean:.3g} over {widths_in_words(runs)}"
    if len(sample) < MINIMUM_RUNS or interval is None:
        answer, reason = "open", f"{what}; {MINIMUM_RUNS} runs are needed to decide"
    elif right(interval[0]) and right(interval[1]):
        answer, reason = "holds", f"{what}, with its whole interval {side}"
        if wrong:
            listed = ", ".join(map(str, wrong))
            answer, reason = "mixed", f"{what}, {side}, but not for N = {listed}"
    elif not right(interval[0]) and not right(interval[1]):
        answer, reason = "fails", f"{what}, with its whole interval not {side}"
    else:
        answer, reason = "open", f"{what}; its interval reaches across {threshold:.3g}"
    return Part(
        statistic, unit, mean, interval, over_runs(runs), answer, reason, tuple(map(name_of, runs))
    )


def share_part(
    runs: Sequence[xr.Dataset],
    obeys: Sequence[bool],
    *,
    statistic: str,
    chance: float,
    kind: str,
) -> Part:
    """A part on the share of runs that obey a statement.

    It holds where there are at least ``MINIMUM_RUNS`` runs, at least the share ``MOST`` obeys, and
    the interval of the share lies above chance; it fails where no more than ``HALF`` obey.

    Parameters
    ----------
    runs, obeys:
        Single runs, and whether each obeys.
    statistic:
        As in `Part`.
    chance:
        The share that would obey if the statement were empty.
    kind:
        What the runs are, for the reason.
    """
    if not len(runs):
        return Part(statistic, "", None, None, "no run", "open", f"{statistic}: no {kind}")
    number, good = len(runs), int(sum(obeys))
    share, interval = good / number, share_interval(good, number)
    what = f"{statistic}: {good} of {number}"
    if number < MINIMUM_RUNS:
        answer: Answer = "open"
        reason = f"{what}; {MINIMUM_RUNS} runs are needed to decide"
    elif share <= HALF:
        answer, reason = "fails", f"{what}, no more than half"
    elif share < MOST:
        answer, reason = "mixed", f"{what}, more than half but not {MOST:.0%}"
    elif interval[0] <= chance:
        answer, reason = "open", f"{what}, which chance ({chance:.2g}) could do as well"
    else:
        answer, reason = "holds", what
    return Part(
        statistic, "", share, interval, over_runs(runs), answer, reason, tuple(map(name_of, runs))
    )


def over_runs(runs: Sequence[xr.Dataset]) -> str:
    """What an interval over these runs is an interval over, and what it cannot tell."""
    words = widths_in_words(runs)
    widths = [width_of(run) for run in runs]
    if len(widths) == 1:
        return f"{words}: one run has no interval over runs"
    if len(set(widths)) == len(widths):
        return f"{words}: widths stand in for replicas"
    return words


def plain(value: Any) -> Any:
    """A number as JSON has it: None for what is not finite, floats for NumPy's."""
    if value is None:
        return None
    return float(value) if np.isfinite(value) else None
