"""What a verdict is made of: the parts of a claim, each with its effect, interval and answer.

Every part belongs to one of two questions, which are kept apart: is the **measurement** reproduced
(the paper's numbers where it gives any, the phenomenon where it does not), and does the **wording**
hold? A part's answer:

- **holds**: enough runs, and the interval lies on the claim's side;
- **fails**: enough runs, and the interval lies on the other side;
- **mixed**: holds for some of the runs and clearly not for others;
- **open**: too few runs, or an interval that reaches over to the other side;
- **absent**: no run that could tell, in a part the claim can do without;
- **told**: measured beside the claim, and not part of it;
- **no run crosses**: the event did not happen in the runs that were looked at.
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

NO_EVENT = "no run crosses"
Question = Literal["measurement", "wording"]
Answer = Literal["holds", "fails", "mixed", "open", "absent", "told", "no run crosses"]
WORDS: dict[Question, tuple[str, ...]] = {
    "measurement": ("reproduced", "partly", "not reproduced", "inconclusive", NO_EVENT),
    "wording": ("holds", "partly", "does not hold", "inconclusive", NO_EVENT),
}
"""The verdicts on each question: yes, partly, no, cannot be told, and nothing to tell."""

MINIMUM_RUNS = 3
"""Fewer runs decide nothing: an interval over two is wider than any effect here."""

MOST = 0.8
"""A claim on single runs holds where at least this share of them obey it."""

HALF = 0.5
"""It fails where no more than this share do; between the two it is mixed."""


@dataclass(frozen=True)
class Part:
    """One statistic of a claim on one dataset; effect and interval are None where there is none.

    ``over`` says what the interval is taken over, ``reason`` (without a full stop) why the answer
    is what it is; ``runs`` names those that counted; ``unit`` is empty for pure numbers.
    """

    statistic: str
    answer: Answer
    reason: str
    effect: float | None = None
    interval: Interval | None = None
    over: str = "no run"
    runs: tuple[str, ...] = ()
    unit: str = ""
    question: Question = "measurement"


def part_of(
    runs: Sequence[xr.Dataset], statistic: str, answer: Answer, reason: str,
    effect: float | None, interval: Interval | None, over: str | None = None, **more: Any,
) -> Part:  # fmt: skip
    """A part to which these runs led."""
    names = tuple(map(name_of, runs))
    return Part(statistic, answer, reason, effect, interval, over or over_runs(runs), names, **more)


def word_of(parts: Sequence[Part], question: Question) -> str:
    """The verdict on a question that follows from the answers of its parts.

    All hold: yes. Some hold or are mixed: partly. None does, and one fails: no. What is absent or
    only told counts for nothing; an event that did not happen decides only by itself.
    """
    yes, partly, no, unknown, nothing = WORDS[question]
    answers = {part.answer for part in parts if part.question == question} - {"absent", "told"}
    if answers - {"open"} == {NO_EVENT}:
        return nothing
    answers.discard(NO_EVENT)
    if answers == {"holds"}:
        return yes
    if answers & {"holds", "mixed"}:
        return partly
    return no if "fails" in answers else unknown


def nothing_met(
    statistic: str, looked_at: Sequence[xr.Dataset], event: str, question: Question = "measurement"
) -> Part:
    """The part of a statistic on an event, such as ``diverges``, that no run met."""
    reason = f"none of {widths_in_words(looked_at)} {event}"
    answer: Answer = NO_EVENT if len(looked_at) >= MINIMUM_RUNS else "open"
    return Part(statistic, answer, reason, question=question)


def mean_part(
    runs: Sequence[xr.Dataset],
    values: Sequence[float],
    *,
    statistic: str,
    threshold: float,
    above: bool,
    kind: str,
    needed: bool = True,
    **more: Any,
) -> Part:
    """A part on the mean of a statistic over runs: on which side of a threshold it lies.

    It holds where there are at least ``MINIMUM_RUNS`` runs, the interval of their mean lies on the
    claim's side, and so does the mean of every width; is mixed where only the last is wanting; and
    fails where the interval lies on the other side.

    Parameters
    ----------
    runs, values:
        Single runs and the statistic of each.
    threshold, above:
        The limit, and whether the claim is that the statistic is above it (or below).
    kind:
        What the runs are, for the reason: ``strong run``.
    needed:
        Whether the claim needs this part: without a run it is open if so, else absent.
    statistic, more:
        As in `Part`.
    """
    if not len(runs):
        return Part(statistic, "open" if needed else "absent", f"{statistic}: no {kind}", **more)
    sample = np.asarray(values, dtype=np.float64)
    widths = np.array([width_of(run) for run in runs])
    mean, interval = float(sample.mean()), mean_interval(sample)

    def right(value: float) -> bool:
        return value > threshold if above else value < threshold

    wrong = [int(n) for n in np.unique(widths) if not right(sample[widths == n].mean())]
    side = f"{'above' if above else 'below'} {threshold:.3g}"
    reason = f"{statistic}: mean {mean:.3g} over {widths_in_words(runs)}"
    answer: Answer = "open"
    sides = {right(limit) for limit in interval or ()}
    if len(sample) < MINIMUM_RUNS:
        reason += f"; {MINIMUM_RUNS} runs are needed to decide"
    elif len(sides) == 2:
        reason += f"; its interval reaches across {threshold:.3g}"
    elif sides == {False}:
        answer, reason = "fails", f"{reason}, with its whole interval not {side}"
    elif wrong:
        answer, reason = "mixed", f"{reason}, {side}, but not for N = {', '.join(map(str, wrong))}"
    else:
        answer, reason = "holds", f"{reason}, with its whole interval {side}"
    return part_of(runs, statistic, answer, reason, mean, interval, **more)


def share_part(
    runs: Sequence[xr.Dataset], obeys: Sequence[bool], *, statistic: str, most: float = MOST,
    **more: Any,
) -> Part:  # fmt: skip
    """A part on the share of runs that obey a statement.

    It holds where there are at least ``MINIMUM_RUNS`` runs and at least the share ``most`` obeys;
    it fails where no more than ``HALF`` obey.
    """
    number, good = len(runs), int(sum(obeys))
    answer: Answer = "holds" if good >= most * number else "mixed"
    if good <= HALF * number:
        answer = "fails"
    reason = f"{statistic}: {good} of {number}"
    if number < MINIMUM_RUNS:
        answer, reason = "open", f"{reason}; {MINIMUM_RUNS} runs are needed to decide"
    interval = share_interval(good, number)
    return part_of(runs, statistic, answer, reason, good / number, interval, **more)


def over_runs(runs: Sequence[xr.Dataset]) -> str:
    """What an interval over these runs is an interval over, and what it cannot tell."""
    words = widths_in_words(runs)
    widths = [width_of(run) for run in runs]
    if len(widths) == 1:
        return f"{words}: one run has no interval over runs"
    if len(set(widths)) == len(widths):
        return f"{words}: widths stand in for replicas"
    return words
