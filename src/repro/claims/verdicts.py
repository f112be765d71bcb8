"""The paper's seven claims (SPEC section 3), and a verdict on each for every dataset.

Each claim's statistics and rule are in a module of their own; the rules were written on the date
they bear, before they met a result. A verdict is a pure function of runs: nothing here trains, and
runs that are published later change it by themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from repro import paper
from repro.analysis import evidence
from repro.analysis.captions import epochs_of, setting, width_of
from repro.analysis.evidence import DATASETS
from repro.analysis.intervals import Interval
from repro.claims import jump as claim_jump
from repro.claims import large as claim_large
from repro.claims import near as claim_near
from repro.claims import regimes as claim_regimes
from repro.claims import wider as claim_wider
from repro.claims.verdict import Part, VerdictWord, plain, verdict_of
from repro.commands import train_command
from repro.errors import ReproError
from repro.experiment import Experiment


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and the rule by which runs are held against it.

    Attributes
    ----------
    name, number, title:
        What it is called.
    statement:
        What the paper says, in our words.
    rule, written:
        The rule in words, and the date it was written.
    page:
        The page of the book with the evidence.
    judge:
        From the runs of one dataset to the claim's parts.
    """

    name: str
    number: int
    title: str
    statement: str
    rule: str
    written: str
    page: str
    judge: Callable[[Sequence[xr.Dataset]], list[Part]]


@dataclass(frozen=True)
class Verdict:
    """What the runs of one dataset say of one claim.

    Attributes
    ----------
    claim, dataset, verdict:
        Of what, on what, and the word.
    parts:
        The claim's statistics; the first is the one that tables show.
    reason:
        Why, in sentences.
    runs:
        The runs that counted, each with its width, mark, seed, replica and epochs.
    left_out:
        The runs with the paper's settings that are too short to count.
    command:
        What would train the missing runs; None where there are some.
    """

    claim: Claim
    dataset: str
    verdict: VerdictWord
    parts: tuple[Part, ...]
    reason: str
    runs: tuple[Mapping[str, Any], ...]
    left_out: tuple[Mapping[str, Any], ...]
    command: str | None = None

    @property
    def effect(self) -> float | None:
        """The first part's effect."""
        return self.parts[0].effect if self.parts else None

    @property
    def interval(self) -> Interval | None:
        """The first part's interval."""
        return self.parts[0].interval if self.parts else None

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain numbers and texts, as `repro claims --json` prints it."""
        first = self.parts[0] if self.parts else None
        return {
            "claim": self.claim.name,
            "number": self.claim.number,
            "title": self.claim.title,
            "dataset": self.dataset,
            "verdict": self.verdict,
            "effect": plain(self.effect),
            "interval": _plain_interval(self.interval),
            "interval_over": first.over if first else "no run",
            "unit": first.unit if first else "",
            "statistic": first.statistic if first else "",
            "runs": [dict(run) for run in self.runs],
            "runs_too_short": [dict(run) for run in self.left_out],
            "reason": self.reason,
            "command": self.command,
            "statement": self.claim.statement,
            "rule": _one_line(self.claim.rule),
            "rule_written": self.claim.written,
            "page": f"{self.claim.page}.html",
            "parts": [
                {
                    "statistic": part.statistic,
                    "unit": part.unit,
                    "effect": plain(part.effect),
                    "interval": _plain_interval(part.interval),
                    "interval_over": part.over,
                    "answer": part.answer,
                    "reason": part.reason,
                    "runs": list(part.runs),
                }
                for part in self.parts
            ],
        }


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "near", 1, "Near",
        "Successful training ends close to the initial weights.",
        claim_near.NEAR_RULE, claim_near.WRITTEN, "near", claim_near.judge_near,
    ),
    Claim(
        "jump", 2, "Jump",
        "When a network crosses into untrainability, the distribution of the deviation jumps "
        "together with the loss.",
        claim_jump.JUMP_RULE, claim_jump.WRITTEN, "jump", claim_jump.judge_jump,
    ),
    Claim(
        "only-near", 3, "Only near",
        "The minimum that gradient descent finds lies before the jump; after it no lower loss is "
        "found.",
        claim_jump.ONLY_NEAR_RULE, claim_jump.WRITTEN, "jump", claim_jump.judge_only_near,
    ),
    Claim(
        "wider", 4, "Wider moves less",
        "At the first crossing of any chosen loss, the deviation falls with width.",
        claim_wider.RULE, claim_wider.WRITTEN, "wider", claim_wider.judge_wider,
    ),
    Claim(
        "large", 5, "Large moves more",
        "Weights that start larger are updated more, in the direction of their sign.",
        claim_large.RULE, claim_large.WRITTEN, "large", claim_large.judge_large,
    ),
    Claim(
        "regimes", 6, "Three regimes",
        "Networks are weak, unstable or strong, in this order of width, as in the paper's phase "
        "diagram.",
        claim_regimes.RULE, claim_regimes.WRITTEN, "regimes", claim_regimes.judge_regimes,
    ),
    Claim(
        "traces", 7, "Traces",
        "The success of wide networks comes with recognisable traces of the initial configuration "
        f"after {paper.EPOCHS} epochs.",
        claim_near.TRACES_RULE, claim_near.WRITTEN, "near", claim_near.judge_traces,
    ),
)  # fmt: skip
"""In the order of SPEC section 3."""


def claim(name: str) -> Claim:
    """The claim of that name.

    Raises
    ------
    ReproError
        Where there is none.
    """
    for one in CLAIMS:
        if one.name == name:
            return one
    raise ReproError(f"claim must be one of {', '.join(c.name for c in CLAIMS)}, not {name!r}.")


def verdicts(store: str | os.PathLike | None = None) -> list[Verdict]:
    """The verdict on every claim for every dataset, claim by claim.

    Parameters
    ----------
    store:
        A folder of runs; None for the published results.

    Raises
    ------
    ReproError
        As `evidence.runs_by_dataset`.
    """
    runs = evidence.runs_by_dataset(store)
    origin = "published runs" if store is None else f"runs in {store}"
    return [verdict(one, name, runs[name], origin) for one in CLAIMS for name in DATASETS]


def verdict(
    one: Claim, dataset: str, runs: Sequence[xr.Dataset], origin: str = "published runs"
) -> Verdict:
    """The verdict on one claim from the runs of one dataset.

    Parameters
    ----------
    one:
        The claim.
    dataset:
        The dataset's name.
    runs:
        Single runs of it with the paper's settings, of any length and in any order.
    origin:
        What they are, for a verdict that has none.
    """
    ordered = evidence.in_order(runs)
    short = tuple(map(_described, evidence.short(ordered)))
    if not evidence.complete(ordered):
        reason = f"no {origin}"
        if short:
            reason += f" of {paper.EPOCHS} epochs, only {len(short)} shorter"
        command = training_command(dataset)
        return Verdict(one, dataset, "inconclusive", (), reason, (), short, command)
    parts = tuple(one.judge(ordered))
    counted = {name for part in parts for name in part.runs}
    return Verdict(
        one,
        dataset,
        verdict_of(parts),
        parts,
        "; ".join(f"({part.answer}) {part.reason}" for part in parts),
        tuple(_described(run) for run in ordered if evidence.name_of(run) in counted),
        short,
    )


def training_command(dataset: str) -> str:
    """The command that trains what the paper's Figure 2 shows, on a dataset."""
    widths = (10, *paper.FIGURE_2_WIDTHS)
    return train_command(Experiment(dataset, widths[0], paper.EPOCHS), 10, widths)


def as_json(found: Sequence[Verdict]) -> str:
    """What `repro claims --json` prints."""
    return json.dumps({"claims": [one.to_json() for one in found]}, indent=1, ensure_ascii=False)


def _described(run: xr.Dataset) -> dict[str, Any]:
    return {
        "name": evidence.name_of(run),
        "width": width_of(run),
        "mark": setting(run, "mark"),
        "seed": int(setting(run, "seed") or 0),
        "replica": int(run["replica"].item()),
        "epochs": epochs_of(run),
        "experiment": str(run.attrs.get("digest", "")),
    }


def _plain_interval(interval: Interval | None) -> list[float | None] | None:
    return None if interval is None else [plain(limit) for limit in interval]


def _one_line(text: str) -> str:
    return " ".join(text.split())
