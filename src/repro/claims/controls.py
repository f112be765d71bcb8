"""The controls of the rules: what each must accept, and what it must reject.

Positive: the paper's own figures, where they can be read, and made-up runs that obey the claim.
Negative: made-up runs that break it, and nulls from our own runs (the loss of one run beside the
deviation of another). A rule that fails a control is replaced, and stays on record.
"""

from __future__ import annotations

from functools import cache

import pandas as pd

from repro.analysis import regimes
from repro.claims import made, verdicts
from repro.claims.made import RISE, moved, of_weights, rises

COLUMNS = ("claim", "question", "control", "kind", "expected", "found", "passes")

ACCEPTED = {"reproduced", "holds"}
REJECTED = "not reproduced or inconclusive"
"""What a null must give: an interval leaves one in forty on either side of it."""

YES, NO = ("reproduced", "holds"), ("not reproduced", "does not hold")
NOTHING = (verdicts.NO_EVENT, verdicts.NO_EVENT)
PAIRED = "Figure 3, w_f and w_i paired at random"
STRONG = "networks that stay strong, with spikes"


@cache
def controls(claim: str | None = None) -> pd.DataFrame:
    """Every control of a claim, or of all, with what was expected and found.

    Returns
    -------
    Columns ``COLUMNS``; a row for each question.
    """
    if claim is None:
        return pd.concat([controls(one.name) for one in verdicts.CLAIMS], ignore_index=True)
    rows = []
    for text, expected, given in CONTROLS[claim]:
        if runs := given():
            told = verdicts.verdict(verdicts.claim(claim), runs[0].attrs["dataset"], runs)
            found = ("measurement", told.verdict), ("wording", told.wording)
            for word, (question, answer) in zip(expected, found, strict=True):
                if word:
                    kind = "positive" if word in ACCEPTED else "negative"
                    rows.append((claim, question, text, kind, word, answer))
    if claim == "regimes":
        for text, kind, expected, given in OF_ONE_CURVE:
            rows.append((claim, "measurement", text, kind, expected, regimes.regime(given())))
    return pd.DataFrame(
        [(*row, row[-1] in row[-2].split(" or ")) for row in rows], columns=list(COLUMNS)
    )


table = controls  # what `repro claims --controls` prints


CONTROLS = {
    "near": (
        ("the paper's Figure 3, two to three initial spreads away",
         ("reproduced", "does not hold"), of_weights),
        ("weights that hardly move", YES, lambda: moved(0.1, 0.4)),
        (PAIRED, NO, lambda: of_weights(made.shuffled)),
        ("weights three initial spreads away", (None, "does not hold"), lambda: moved(0.1, 3.0)),
        ("weights that hardly move, a letter that is gone", (None, "partly"),
         lambda: [*moved(0.1, 0.4), *made.marked(0.0)]),
    ),
    "jump": (
        ("rises at the same time, noise and spikes", YES, rises),
        ("steps at the same epoch", YES, lambda: rises(length=1, spikes=False)),
        ("deviation four epochs early", ("reproduced", "partly"), lambda: rises(-4)),
        ("deviation a third of the rise late", ("not reproduced", None), lambda: rises(RISE / 3)),
        ("deviation a third of the rise early", ("not reproduced", None),
         lambda: rises(-RISE / 3)),
        ("deviation that grows evenly", NO, made.without_a_jump),
        ("N = 150, our runs: loss of one, deviation of another", (REJECTED, None),
         lambda: made.of_other_runs(150)),
        ("N = 225, our runs: loss of one, deviation of another", (REJECTED, None),
         lambda: made.of_other_runs(225)),
        (STRONG, NOTHING, made.strong),
    ),
    "only-near": (
        ("the paper's Figure 2a", YES, made.papers_unstable),
        ("networks that recover and learn on", NO, made.recovered),
        ("one network of ten learns on", (None, "partly"), lambda: made.recovered(10)),
        (STRONG, NOTHING, made.strong),
    ),
    "wider": (
        ("deviation falls with width", YES, lambda: made.powers(-1.0)),
        ("deviation falls as the initial weights do", ("reproduced", "partly"),
         lambda: made.powers(-0.5)),
        ("deviation the same at every width", (REJECTED, None), lambda: made.powers(0.0)),
        ("deviation grows with width", NO, lambda: made.powers(0.5)),
        ("widths dealt out at random", (REJECTED, None), lambda: made.powers(-1.0, shuffled=True)),
    ),
    "large": (
        ("the paper's Figure 3", ("reproduced", None), of_weights),
        ("outward growth", YES, lambda: moved(0.3, 0.5)),
        ("updates that know nothing of the start", NO, lambda: of_weights(made.blind)),
        (PAIRED, ("not reproduced", None), lambda: of_weights(made.shuffled)),
        ("weights that do not move", NO, lambda: moved(0.0, 0.0)),
        ("a drift of all weights", NO, lambda: of_weights(made.drifted)),
    ),
    "regimes": (
        ("the paper's Figures 2c and 2d", YES, made.papers_regimes),
        ("the same, every epoch half as late", ("partly", None),
         lambda: made.papers_regimes(0.5)),
        ("the same, widths dealt out at random", NO, made.dealt_out),
        (STRONG, NOTHING, lambda: made.strong("mnist")),
    ),
    "traces": (
        ("the paper's Figure 3", YES, of_weights),
        ("Figure 3, a letter that is left", YES, lambda: [*of_weights(), *made.marked(0.6)]),
        ("Figure 3, a letter that is gone", ("partly", "partly"),
         lambda: [*of_weights(), *made.marked(0.0)]),
        (PAIRED, NO, lambda: of_weights(made.shuffled)),
    ),
}  # fmt: skip
"""By claim: what the runs of one dataset are, the verdict on measurement and on wording that they
must get (None where either will do), and the runs."""

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
