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
from typing import Literal

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

VERDICTS = WORDS["measurement"]

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
    statistic, unit:
        What is measured, and the effect's unit (empty for pure numbers).
    effect, interval:
        The number and its interval; None where there is none.
    over:
        What the interval is taken over, or why there is none.
    answer, reason:
        See the module's text, and why, without a full stop.
    runs:
        The names of the runs that counted.
    question:
        Which of the two questions it bears on.
    """

    statistic: str
    unit: str
    effect: float | None
    interval: Interval | None
    over: str
    answer: Answer
    reason: str
    runs: tuple[str, ...] = ()
    question: Question = "measurement"


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
    """The part of a statistic on an event that no run met.

    Parameters
    ----------
    statistic, question:
        As in `Part`.
    looked_at:
        The runs in which it was looked for; fewer than ``MINIMUM_RUNS`` leave the part open.
    event:
        Such as ``diverges``.
    """
    reason = f"none of {widths_in_words(looked_at)} {event}"
    answer: Answer = NO_EVENT if len(looked_at) >= MINIMUM_RUNS else "open"
    return Part(statistic, "", None, None, "no run", answer, reason, question=question)


def mean_part(
    runs: Sequence[xr.Dataset],
    values: Sequence[float],
    *,
    statistic: str,
    unit: str = "",
    threshold: float,
    above: bool,
    kind: str,
    needed: bool = True,
    question: Question = "measurement",
) -> Part:
    """A part on the mean of a statistic over runs: on which side of a threshold it lies.

    It holds where there are at least ``MINIMUM_RUNS`` runs, the interval of their mean lies on the
    claim's side, and so does the mean of every width; is mixed where only the last is wanting; and
    fails where the interval lies on the other side.

    Parameters
    ----------
    runs, values:
        Single runs and the statistic of each.
    statistic, unit, question:
        As in `Part`.
    threshold, above:
        The limit, and whether the claim is that the statistic is above it (or below).
    kind:
        What the runs are, for the reason: ``strong run``.
    needed:
        Whether the claim needs this part: without a run it is open if so, else absent.
    """
    if not len(runs):
        answer: Answer = "open" if needed else "absent"
        reason = f"{statistic}: no {kind}"
        return Part(statistic, unit, None, None, "no run", answer, reason, question=question)
    sample = np.asarray(values, dtype=np.float64)
    widths = np.array([width_of(run) for run in runs])
    mean, interval = float(sample.mean()), mean_interval(sample)

    def right(value: float) -> bool:
        return value > threshold if above else value < threshold

    wrong = [int(n) for n in np.unique(widths) if not right(sample[widths == n].mean())]
    side = f"{'above' if above else 'below'} {threshold:.3g}"
    what = f"{statistic}: mean {mean:.3g} over {widths_in_words(runs)}"
    if len(sample) < MINIMUM_RUNS or interval is None:
        answer, reason = "open", f"{what}; {MINIMUM_RUNS} runs are needed to decide"
    elif right(interval[0]) and right(interval[1]):
        answer, reason = "holds", f"{what}, with its whole interval {side}"
        if wrong:
            answer = "mixed"
            reason = f"{what}, {side}, but not for N = {', '.join(map(str, wrong))}"
    elif not right(interval[0]) and not right(interval[1]):
        answer, reason = "fails", f"{what}, with its whole interval not {side}"
    else:
        answer, reason = "open", f"{what}; its interval reaches across {threshold:.3g}"
    return Part(
        statistic, unit, mean, interval, over_runs(runs), answer, reason,
        tuple(map(name_of, runs)), question,
    )  # fmt: skip


def share_part(
    runs: Sequence[xr.Dataset],
    obeys: Sequence[bool],
    *,
    statistic: str,
    kind: str,
    most: float = MOST,
    question: Question = "measurement",
) -> Part:
    """A part on the share of runs that obey a statement.

    It holds where there are at least ``MINIMUM_RUNS`` runs and at least the share ``most`` obeys;
    it fails where no more than ``HALF`` obey.

    Parameters
    ----------
    runs, obeys:
        Single runs, and whether each obeys.
    statistic, question, kind:
        As for `mean_part`.
    """
    if not len(runs):
        reason = f"{statistic}: no {kind}"
        return Part(statistic, "", None, None, "no run", "open", reason, question=question)
    number, good = len(runs), int(sum(obeys))
    answer: Answer = "holds" if good >= most * number else "mixed"
    if good <= HALF * number:
        answer = "fails"
    reason = f"{statistic}: {good} of {number}"
    if number < MINIMUM_RUNS:
        answer, reason = "open", f"{reason}; {MINIMUM_RUNS} runs are needed to decide"
    return Part(
        statistic, "", good / number, share_interval(good, number), over_runs(runs), answer, reason,
        tuple(map(name_of, runs)), question,
    )  # fmt: skip


def over_runs(runs: Sequence[xr.Dataset]) -> str:
    """What an interval over these runs is an interval over, and what it cannot tell."""
    words = widths_in_words(runs)
    widths = [width_of(run) for run in runs]
    if len(widths) == 1:
        return f"{words}: one run has no interval over runs"
    if len(set(widths)) == len(widths):
        return f"{words}: widths stand in for replicas"
    return words
