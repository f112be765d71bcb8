"""The paper's seven claims (SPEC section 3), and a verdict on each for every dataset.

Their statements, rules and former rules are in ``claims.yml``; each rule was written on the date it
bears. A verdict is a pure function of runs: nothing here trains, and runs that are published later
change it by themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import xarray as xr
import yaml

from repro import paper
from repro.analysis import evidence
from repro.analysis.captions import epochs_of, setting, width_of
from repro.analysis.evidence import DATASETS
from repro.analysis.intervals import Interval
from repro.claims.jump import judge_jump, judge_only_near
from repro.claims.large import judge_large
from repro.claims.near import judge_near, judge_traces
from repro.claims.regimes import judge_regimes
from repro.claims.verdict import NO_EVENT, Part, Question, word_of
from repro.claims.wider import judge_wider
from repro.commands import train_command
from repro.errors import ReproError
from repro.experiment import Experiment


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and the rule by which runs are held against it.

    ``page`` has the evidence; ``rule`` was written on the date ``written`` and replaced those of
    ``former``, each with ``rule``, ``written``, ``replaced``, ``reason`` and by dataset the
    ``verdicts`` it gave; ``judge`` leads from the runs of one dataset to the claim's parts.
    """

    name: str
    number: int
    title: str
    page: str
    statement: str
    rule: str
    written: str
    former: Sequence[Mapping[str, Any]]
    judge: Callable[[Sequence[xr.Dataset]], list[Part]]


@dataclass(frozen=True)
class Verdict:
    """What the runs of one dataset say of one claim.

    Attributes
    ----------
    claim, dataset:
        Of what, on what.
    verdict, wording:
        Whether the measurement is reproduced, and whether the wording holds.
    parts:
        The claim's statistics, of both questions.
    reason, wording_reason:
        Why, question by question.
    runs:
        The runs that counted, each with its width, mark, seed, replica and epochs.
    left_out:
        The runs with the paper's settings that are too short to count.
    looked_for:
        Where no run crosses: the widths, epochs and number of the runs that were looked at.
    command:
        What would train the missing runs; None where there are some.
    """

    claim: Claim
    dataset: str
    verdict: str
    wording: str
    parts: tuple[Part, ...]
    reason: str
    wording_reason: str
    runs: tuple[Mapping[str, Any], ...] = ()
    left_out: tuple[Mapping[str, Any], ...] = ()
    looked_for: Mapping[str, Any] | None = None
    command: str | None = None

    def parts_of(self, question: Question) -> tuple[Part, ...]:
        """The parts that bear on one question."""
        return tuple(part for part in self.parts if part.question == question)

    def first(self, question: Question) -> Part | None:
        """The first part of a question that has an effect, or else its first."""
        parts = self.parts_of(question)
        return next((p for p in parts if p.effect is not None), parts[0] if parts else None)

    @property
    def effect(self) -> float | None:
        """The effect of the measurement's first part."""
        return first.effect if (first := self.first("measurement")) else None

    @property
    def interval(self) -> Interval | None:
        """The interval of the measurement's first part."""
        return first.interval if (first := self.first("measurement")) else None

    @property
    def unit(self) -> str:
        """The effect's unit; empty for pure numbers."""
        return first.unit if (first := self.first("measurement")) else ""

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain numbers and texts, as `repro claims --json` prints it."""
        from repro.claims.controls import controls

        first = self.first("measurement")
        former = [
            {name: one[name] for name in ("rule", "written", "replaced", "reason")}
            | dict(one["verdicts"].get(self.dataset, {}))
            for one in self.claim.former
        ]
        return {
            "claim": self.claim.name,
            "number": self.claim.number,
            "title": self.claim.title,
            "dataset": self.dataset,
            "verdict": self.verdict,
            "wording": self.wording,
            "effect": plain(self.effect),
            "interval": _plain_interval(self.interval),
            "interval_over": first.over if first else "no run",
            "unit": self.unit,
            "statistic": first.statistic if first else "",
            "runs": [dict(run) for run in self.runs],
            "runs_too_short": [dict(run) for run in self.left_out],
            "looked_for": self.looked_for,
            "reason": self.reason,
            "wording_reason": self.wording_reason,
            "command": self.command,
            "statement": self.claim.statement,
            "rule": self.claim.rule,
            "rule_written": self.claim.written,
            "former": former,
            "controls": controls(self.claim.name).to_dict("records"),
            "page": f"{self.claim.page}.html",
            "parts": [
                {
                    "question": part.question,
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


_JUDGES = {
    "near": judge_near, "jump": judge_jump, "only-near": judge_only_near, "wider": judge_wider,
    "large": judge_large, "regimes": judge_regimes, "traces": judge_traces,
}  # fmt: skip

CLAIMS: tuple[Claim, ...] = tuple(
    Claim(
        judge=_JUDGES[one["name"]], **{k: v.strip() if k == "rule" else v for k, v in one.items()}
    )
    for one in yaml.safe_load(resources.files("repro.claims").joinpath("claims.yml").read_text())
)
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
    whole = evidence.complete(ordered)
    if not whole:
        reason = f"no {origin}"
        if short:
            reason += f" of {paper.EPOCHS} epochs, only {len(short)} shorter"
        command, unknown = training_command(dataset), "inconclusive"
        return Verdict(
            one, dataset, unknown, unknown, (), reason, reason, left_out=short, command=command
        )
    parts = tuple(one.judge(ordered))
    counted = {name for part in parts for name in part.runs}
    measured = word_of(parts, "measurement")
    widths = sorted({width_of(run) for run in whole})
    looked_for = {"widths": widths, "epochs": paper.EPOCHS, "runs": len(whole)}
    return Verdict(
        one, dataset, measured, word_of(parts, "wording"), parts,
        _reason(parts, "measurement"), _reason(parts, "wording"),
        tuple(_described(run) for run in ordered if evidence.name_of(run) in counted),
        short, looked_for if measured == NO_EVENT else None,
    )  # fmt: skip


def training_command(dataset: str) -> str:
    """The command that trains what the paper's Figure 2 shows, on a dataset."""
    widths = (10, *paper.FIGURE_2_WIDTHS)
    return train_command(Experiment(dataset, widths[0], paper.EPOCHS), 10, widths)


def as_json(found: Sequence[Verdict]) -> str:
    """What `repro claims --json` prints."""
    return json.dumps({"claims": [one.to_json() for one in found]}, indent=1, ensure_ascii=False)


def plain(value: Any) -> float | None:
    """A number as JSON has it: None for what is not finite, floats for NumPy's."""
    return float(value) if value is not None and np.isfinite(value) else None


def _reason(parts: Sequence[Part], question: Question) -> str:
    told = [part for part in parts if part.question == question]
    return "; ".join(f"({part.answer}) {part.reason}" for part in told)


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
