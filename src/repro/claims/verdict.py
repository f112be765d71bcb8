"""What a verdict is made of: the parts of a claim, each with its effect, interval and answer.

Every part bears on one of two questions: is the **measurement** reproduced, and does the
**wording** hold? It *holds* or *fails* where there are enough runs and the interval lies on one
side, is *mixed* where it holds for some runs alone, and *open* where there are too few or the
interval reaches over. It is *absent* where no run could tell and the claim can do without, only
*told* where it is no part of the claim; *no run crosses* where the event did not happen.
"""

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
# On each question: yes, partly, no, cannot be told, and nothing to tell.

MINIMUM_RUNS = 3  # fewer decide nothing: an interval over two is wider than any effect here
MOST = 0.8  # a claim on single runs holds where at least this share of them obey it
HALF = 0.5  # it fails where no more than this share do; between the two it is mixed


@dataclass(frozen=True, kw_only=True)
class Part:
    """One statistic of a claim on one dataset; ``over`` says what its interval is taken over."""

    question: Question = "measurement"
    statistic: str
    unit: str = ""
    effect: float | None = None
    interval: Interval | None = None
    over: str = "no run"
    answer: Answer
    reason: str
    runs: tuple[str, ...] = ()


def part_of(runs: Sequence[xr.Dataset], **told: Any) -> Part:
    """A part to which these runs led; ``over`` tells what an interval over them cannot."""
    over, widths = widths_in_words(runs), [width_of(run) for run in runs]
    if len(widths) == 1:
        over += ": one run has no interval over runs"
    elif len(set(widths)) == len(widths):
        over += ": widths stand in for replicas"
    return Part(**{"over": over, "runs": tuple(map(name_of, runs))} | told)


def word_of(parts: Sequence[Part], question: Question) -> str:
    """The verdict on a question from its parts' answers; no event decides only by itself."""
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


def reason_of(parts: Sequence[Part], question: Question) -> str:
    """Why a question's parts have their answers."""
    told = [part for part in parts if part.question == question]
    return "; ".join(f"({part.answer}) {part.reason}" for part in told)


def nothing_met(
    runs: Sequence[xr.Dataset], event: str, statistic: str, question: Question = "measurement"
) -> Part:
    """The part of a statistic on an event, such as ``diverges``, that no run met."""
    answer = NO_EVENT if len(runs) >= MINIMUM_RUNS else "open"
    reason = f"none of {widths_in_words(runs)} {event}"
    return Part(question=question, statistic=statistic, answer=answer, reason=reason)


def mean_part(
    runs: Sequence[xr.Dataset], values: Sequence[float], *, statistic: str, threshold: float,
    above: bool, kind: str, needed: bool = True, **more: Any,
) -> Part:  # fmt: skip
    """A part on the mean of a statistic over runs, and of every width: its side of a threshold.

    Without a run (``kind`` says which) it is open where the claim needs it, else absent.
    """
    if not len(runs):
        answer = "open" if needed else "absent"
        return Part(statistic=statistic, answer=answer, reason=f"{statistic}: no {kind}", **more)
    sample = np.asarray(values, dtype=np.float64)
    widths = np.array([width_of(run) for run in runs])
    mean, interval = float(sample.mean()), mean_interval(sample)

    def right(value: float) -> bool:
        return value > threshold if above else value < threshold

    wrong = [int(n) for n in np.unique(widths) if not right(sample[widths == n].mean())]
    side = f"{'above' if above else 'below'} {threshold:.3g}"
    sides = {right(limit) for limit in interval or ()}
    answer = "open"
    if len(sample) < MINIMUM_RUNS:
        why = f"; {MINIMUM_RUNS} runs are needed to decide"
    elif len(sides) == 2:
        why = f"; its interval reaches across {threshold:.3g}"
    elif sides == {False}:
        answer, why = "fails", f", with its whole interval not {side}"
    elif wrong:
        answer, why = "mixed", f", {side}, but not for N = {', '.join(map(str, wrong))}"
    else:
        answer, why = "holds", f", with its whole interval {side}"
    reason = f"{statistic}: mean {mean:.3g} over {widths_in_words(runs)}{why}"
    return part_of(
        runs, statistic=statistic, effect=mean, interval=interval, answer=answer, reason=reason,
        **more,
    )  # fmt: skip


def share_part(
    runs: Sequence[xr.Dataset], good: int, *, statistic: str, most: float = MOST, of: str = "",
    **more: Any,
) -> Part:  # fmt: skip
    """A part on the share of runs that obey: it holds from ``most`` on, fails up to ``HALF``."""
    number = len(runs)
    answer = "holds" if good >= most * number else "mixed" if good > HALF * number else "fails"
    reason = f"{statistic}: {good} of {of or number}"
    if number < MINIMUM_RUNS:
        answer, reason = "open", f"{reason}; {MINIMUM_RUNS} runs are needed to decide"
    return part_of(
        runs, statistic=statistic, effect=good / number, interval=share_interval(good, number),
        answer=answer, reason=reason, **more,
    )  # fmt: skip
