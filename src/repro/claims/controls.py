"""The controls of the rules: what each must accept, and what it must reject.

Positive: the paper's own figures, where they can be read, and made-up runs that obey the claim.
Negative: made-up runs that break it, and nulls from our own runs (the loss of one run beside the
deviation of another). A rule that fails a control is replaced, and stays on record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
import xarray as xr

from repro.analysis import regimes
from repro.claims import made
from repro.claims.verdict import NO_EVENT, Question

COLUMNS = ("claim", "question", "control", "kind", "expected", "found", "passes")


ACCEPTED = {"reproduced", "holds"}
REJECTED = "not reproduced or inconclusive"
"""What a null must give: an interval leaves one in forty on either side of it."""


@dataclass(frozen=True)
class Control:
    """Runs whose verdict is known beforehand.

    Attributes
    ----------
    claim, text:
        Whose rule, and what the runs are.
    expected:
        The verdict by question; two, with an "or" between, where either rejects.
    given:
        The runs of one dataset.
    """

    claim: str
    text: str
    expected: Mapping[Question, str]
    given: Callable[[], Sequence[xr.Dataset]]


@cache
def controls(claim: str | None = None) -> pd.DataFrame:
    """Every control of a claim, or of all, with what was expected and found.

    Returns
    -------
    Columns ``COLUMNS``; a row for each question.
    """
    from repro.claims import verdicts

    if claim is None:
        return pd.concat([controls(one.name) for one in verdicts.CLAIMS], ignore_index=True)
    rows = []
    for one in CONTROLS:
        if one.claim == claim and (runs := one.given()):
            told = verdicts.verdict(verdicts.claim(claim), runs[0].attrs["dataset"], runs)
            found = {"measurement": told.verdict, "wording": told.wording}
            for question, expected in one.expected.items():
                kind = "positive" if expected in ACCEPTED else "negative"
                rows.append((claim, question, one.text, kind, expected, found[question]))
    if claim == "regimes":
        for text, kind, expected, given in OF_ONE_CURVE:
            rows.append((claim, "measurement", text, kind, expected, regimes.regime(given())))
    table = pd.DataFrame(rows, columns=list(COLUMNS[:-1]))
    passes = [
        found in e.split(" or ") for e, found in zip(table.expected, table.found, strict=True)
    ]
    return table.assign(passes=passes)


table = controls  # what `repro claims --controls` prints


def _expected(measurement: str | None, wording: str | None = None) -> dict[Question, str]:
    given: dict[Question, str | None] = {"measurement": measurement, "wording": wording}
    return {question: word for question, word in given.items() if word}


YES, NO = _expected("reproduced", "holds"), _expected("not reproduced", "does not hold")
NOTHING = _expected(NO_EVENT, NO_EVENT)
PAIRED = "Figure 3, w_f and w_i paired at random"
STRONG = "networks that stay strong, with spikes"

CONTROLS: tuple[Control, ...] = (
    Control("near", "the paper's Figure 3, two to three initial spreads away",
            _expected("reproduced", "does not hold"), made.of_weights),
    Control("near", "weights that hardly move", YES, lambda: made.moved(0.1, 0.4)),
    Control("near", PAIRED, NO, lambda: made.of_weights(made.shuffled)),
    Control("near", "weights three initial spreads away", _expected(None, "does not hold"),
            lambda: made.moved(0.1, 3.0)),
    Control("near", "weights that hardly move, a letter that is gone", _expected(None, "partly"),
            lambda: [*made.moved(0.1, 0.4), *made.marked(0.0)]),
    Control("jump", "rises at the same time, noise and spikes", YES, made.rises),
    Control("jump", "steps at the same epoch", YES, lambda: made.rises(length=1, spikes=False)),
    Control("jump", "deviation four epochs early", _expected("reproduced", "partly"),
            lambda: made.rises(-4)),
    Control("jump", "deviation a third of the rise late", _expected("not reproduced"),
            lambda: made.rises(made.RISE / 3)),
    Control("jump", "deviation a third of the rise early", _expected("not reproduced"),
            lambda: made.rises(-made.RISE / 3)),
    Control("jump", "deviation that grows evenly", NO, made.without_a_jump),
    Control("jump", "N = 150, our runs: loss of one, deviation of another", _expected(REJECTED),
            lambda: made.of_other_runs(150)),
    Control("jump", "N = 225, our runs: loss of one, deviation of another", _expected(REJECTED),
            lambda: made.of_other_runs(225)),
    Control("jump", STRONG, NOTHING, made.strong),
    Control("only-near", "the paper's Figure 2a", YES, made.papers_unstable),
    Control("only-near", "networks that recover and learn on", NO, made.recovered),
    Control("only-near", "one network of ten learns on", _expected(None, "partly"),
            lambda: made.recovered(10)),
    Control("only-near", STRONG, NOTHING, made.strong),
    Control("wider", "deviation falls with width", YES, lambda: made.powers(-1.0)),
    Control("wider", "deviation falls as the initial weights do",
            _expected("reproduced", "partly"), lambda: made.powers(-0.5)),
    Control("wider", "deviation the same at every width", _expected(REJECTED),
            lambda: made.powers(0.0)),
    Control("wider", "deviation grows with width", NO, lambda: made.powers(0.5)),
    Control("wider", "widths dealt out at random", _expected(REJECTED),
            lambda: made.powers(-1.0, shuffled=True)),
    Control("large", "the paper's Figure 3", _expected("reproduced"), made.of_weights),
    Control("large", "outward growth", YES, lambda: made.moved(0.3, 0.5)),
    Control("large", "updates that know nothing of the start", NO,
            lambda: made.of_weights(made.blind)),
    Control("large", PAIRED, _expected("not reproduced"), lambda: made.of_weights(made.shuffled)),
    Control("large", "weights that do not move", NO, lambda: made.moved(0.0, 0.0)),
    Control("large", "a drift of all weights", NO, lambda: made.of_weights(made.drifted)),
    Control("regimes", "the paper's Figures 2c and 2d", YES, made.papers_regimes),
    Control("regimes", "the same, every epoch half as late", _expected("partly"),
            lambda: made.papers_regimes(0.5)),
    Control("regimes", "the same, widths dealt out at random", NO, made.dealt_out),
    Control("regimes", STRONG, NOTHING, lambda: made.strong("mnist")),
    Control("traces", "the paper's Figure 3", YES, made.of_weights),
    Control("traces", "Figure 3, a letter that is left", YES,
            lambda: [*made.of_weights(), *made.marked(0.6)]),
    Control("traces", "Figure 3, a letter that is gone", _expected("partly", "partly"),
            lambda: [*made.of_weights(), *made.marked(0.0)]),
    Control("traces", PAIRED, NO, lambda: made.of_weights(made.shuffled)),
)  # fmt: skip

OF_ONE_CURVE = (
    ("Figure 2a, N = 10", "positive", "weak", lambda: made.papers_curve(10)),
    ("Figure 2a, N = 150", "positive", "unstable", lambda: made.papers_curve(150)),
    ("Figure 2a, N = 275", "positive", "unstable", lambda: made.papers_curve(275)),
    ("Figure 2a, N = 500", "positive", "strong", lambda: made.papers_curve(500)),
    ("risen by half, still rising at the end", "positive", "unstable", made.slowly_rising),
    ("a spike near the end that recovers", "negative", "strong", made.late_spike),
    ("noise of 5 % at the minimum", "negative", "strong", made.noisy_minimum),
)  # fmt: skip
"""Single train losses, and the regime that they are of."""
