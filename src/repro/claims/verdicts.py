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
from repro.analysis.captions import epochs_of, replica_of, setting, width_of
from repro.analysis.evidence import DATASETS
from repro.analysis.intervals import Interval
from repro.claims.jump import judge_jump, judge_only_near
from repro.claims.large import judge_large
from repro.claims.near import judge_near, judge_traces
from repro.claims.regimes import judge_regimes
from repro.claims.verdict import NO_EVENT, Part, Question, word_of
from repro.claims.wider import judge_wider
from repro.commands import train_command
from repro.experiment import Experiment

_JUDGES = {
    "near": judge_near, "jump": judge_jump, "only-near": judge_only_near, "wider": judge_wider,
    "large": judge_large, "regimes": judge_regimes, "traces": judge_traces,
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and the rule by which runs are held against it.

    ``page`` has the evidence; ``rule`` was written on the date ``written`` and replaced those of
    ``former``, each with ``rule``, ``written``, ``replaced``, ``reason`` and by dataset the
    ``verdicts`` it gave.
    """

    name: str
    number: int
    title: str
    page: str
    statement: str
    rule: str
    written: str
    former: Sequence[Mapping[str, Any]]

    @property
    def judge(self) -> Callable[[Sequence[xr.Dataset]], list[Part]]:
        """From the runs of one dataset, of the paper's length and in order, to the parts."""
        return _JUDGES[self.name]


CLAIMS: tuple[Claim, ...] = tuple(
    Claim(**one)
    for one in yaml.safe_load(resources.files("repro.claims").joinpath("claims.yml").read_text())
)
"""In the order of SPEC section 3."""


@dataclass(frozen=True)
class Verdict:
    """What the runs of one dataset say of one claim.

    Attributes
    ----------
    parts:
        The claim's statistics, of both questions.
    runs, left_out:
        The runs that counted, and those with the paper's settings that are too short to count, each
        with its width, mark, seed, replica and epochs.
    looked_at:
        The widths, epochs and number of the runs of the paper's length.
    nothing:
        Why there are no parts, where there are none.
    """

    claim: Claim
    dataset: str
    parts: tuple[Part, ...] = ()
    runs: tuple[Mapping[str, Any], ...] = ()
    left_out: tuple[Mapping[str, Any], ...] = ()
    looked_at: Mapping[str, Any] | None = None
    nothing: str = ""

    @property
    def verdict(self) -> str:
        """Whether the measurement is reproduced."""
        return word_of(self.parts, "measurement")

    @property
    def wording(self) -> str:
        """Whether the wording holds."""
        return word_of(self.parts, "wording")

    @property
    def reason(self) -> str:
        """Why the verdict is what it is."""
        return self._reason("measurement")

    @property
    def wording_reason(self) -> str:
        """Why the wording does or does not hold."""
        return self._reason("wording")

    @property
    def command(self) -> str | None:
        """What trains the paper's Figure 2 on the dataset, where there is no run to judge."""
        if self.parts:
            return None
        widths = (10, *paper.FIGURE_2_WIDTHS)
        return train_command(Experiment(self.dataset, widths[0], paper.EPOCHS), 10, widths)

    def first(self, question: Question) -> Part | None:
        """The first part of a question that has an effect, or else its first."""
        parts = [part for part in self.parts if part.question == question]
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
        return {
            "claim": self.claim.name,
            "number": self.claim.number,
            "title": self.claim.title,
            "dataset": self.dataset,
            "verdict": self.verdict,
            "wording": self.wording,
            "effect": _plain(self.effect),
            "interval": _plain_interval(self.interval),
            "interval_over": first.over if first else "no run",
            "unit": self.unit,
            "statistic": first.statistic if first else "",
            "runs": self.runs,
            "runs_too_short": self.left_out,
            "looked_for": self.looked_at if self.verdict == NO_EVENT else None,
            "reason": self.reason,
            "wording_reason": self.wording_reason,
            "command": self.command,
            "statement": self.claim.statement,
            "rule": self.claim.rule,
            "rule_written": self.claim.written,
            "former": [
                {name: one[name] for name in ("rule", "written", "replaced", "reason")}
                | one["verdicts"].get(self.dataset, {})
                for one in self.claim.former
            ],
            "controls": controls(self.claim.name).to_dict("records"),
            "page": f"{self.claim.page}.html",
            "parts": [
                {
                    "question": part.question,
                    "statistic": part.statistic,
                    "unit": part.unit,
                    "effect": _plain(part.effect),
                    "interval": _plain_interval(part.interval),
                    "interval_over": part.over,
                    "answer": part.answer,
                    "reason": part.reason,
                    "runs": part.runs,
                }
                for part in self.parts
            ],
        }

    def _reason(self, question: Question) -> str:
        told = [part for part in self.parts if part.question == question]
        return self.nothing or "; ".join(f"({part.answer}) {part.reason}" for part in told)


def claim(name: str) -> Claim:
    """The claim of that name."""
    return next(one for one in CLAIMS if one.name == name)


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
    runs:
        Single runs of it with the paper's settings, of any length and in any order.
    origin:
        What they are, for a verdict that has none.
    """
    ordered = evidence.in_order(runs)
    short = tuple(map(_described, evidence.short(ordered)))
    whole = evidence.complete(ordered)
    if not whole:
        beside = f" of {paper.EPOCHS} epochs, only {len(short)} shorter" if short else ""
        return Verdict(one, dataset, left_out=short, nothing=f"no {origin}{beside}")
    parts = tuple(one.judge(whole))
    counted = {name for part in parts for name in part.runs}
    widths = sorted({width_of(run) for run in whole})
    return Verdict(
        one, dataset, parts,
        tuple(_described(run) for run in whole if evidence.name_of(run) in counted), short,
        {"widths": widths, "epochs": paper.EPOCHS, "runs": len(whole)},
    )  # fmt: skip


def as_json(found: Sequence[Verdict]) -> str:
    """What `repro claims --json` prints."""
    return json.dumps({"claims": [one.to_json() for one in found]}, indent=1, ensure_ascii=False)


def _described(run: xr.Dataset) -> dict[str, Any]:
    return {
        "name": evidence.name_of(run),
        "width": width_of(run),
        "mark": setting(run, "mark"),
        "seed": int(setting(run, "seed") or 0),
        "replica": replica_of(run),
        "epochs": epochs_of(run),
        "experiment": str(run.attrs.get("digest", "")),
    }


def _plain(value: float | None) -> float | None:
    """A number as JSON has it: None for what is not finite."""
    return float(value) if value is not None and np.isfinite(value) else None


def _plain_interval(interval: Interval | None) -> list[float | None] | None:
    return None if interval is None else [_plain(limit) for limit in interval]
