"""The controls of the rules: what each must accept, and what it must reject.

Positive: the paper's own figures, where they can be read, and made-up runs that obey the claim.
Negative: made-up runs that break it, and nulls from our own runs (the loss of one run beside the
deviation of another). A rule that fails a control is replaced, and stays on record. ``claims.yml``
has them beside the rules: what the runs are, which functions of `repro.claims.made` make them, and
what they must be found to be; of a single loss, the regime.
"""

from functools import cache

import pandas as pd

from repro.analysis import regimes
from repro.claims import made, verdicts

COLUMNS = ("claim", "question", "control", "kind", "expected", "found", "passes")


@cache
def controls(claim: str | None = None) -> pd.DataFrame:
    """Every control of a claim, or of all, with what was expected and found.

    Returns
    -------
    Columns ``COLUMNS``; a row for each question. Where "or" stands between two verdicts either
    will do: an interval leaves one null in forty on either side of it.
    """
    if claim is None:
        return pd.concat([controls(one.name) for one in verdicts.CLAIMS], ignore_index=True)
    rows = []
    for one in verdicts.claim(claim).controls:
        runs = [run for name, *values in one["made"] for run in getattr(made, name)(*values)]
        if not runs:
            continue
        if "regime" in one:
            kind, found = one["kind"], regimes.regime(runs)
            rows.append((claim, "measurement", one["runs"], kind, one["regime"], found))
            continue
        told = verdicts.verdict(verdicts.claim(claim), runs[0].attrs["dataset"], runs)
        for question, found in (("measurement", told.verdict), ("wording", told.wording)):
            if expected := one.get(question):
                kind = "positive" if expected in ("reproduced", "holds") else "negative"
                rows.append((claim, question, one["runs"], kind, expected, found))
    return pd.DataFrame(
        [(*row, row[-1] in row[-2].split(" or ")) for row in rows], columns=list(COLUMNS)
    )


table = controls  # what `repro claims --controls` prints
