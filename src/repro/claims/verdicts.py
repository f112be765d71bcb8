"""The paper's seven claims (SPEC section 3), a verdict on each for every dataset, and the controls.

Statements, rules (with the dates on which they were written) and controls are in ``claims.yml``. A
verdict is a pure function of runs: those published later change it by themselves.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import yaml

from repro import paper
from repro.analysis import evidence, regimes
from repro.analysis.captions import epochs_of, replica_of, setting, width_of
from repro.analysis.evidence import DATASETS
from repro.claims import made
from repro.claims.jump import judge_jump, judge_only_near
from repro.claims.large import judge_large
from repro.claims.near import judge_near, judge_traces
from repro.claims.regimes import judge_regimes
from repro.claims.verdict import NO_EVENT, Part, Question, reason_of, word_of
from repro.claims.wider import judge_wider
from repro.experiment import Experiment
from repro.training.grid import train_command

_JUDGES = {
    "near": judge_near, "jump": judge_jump, "only-near": judge_only_near, "wider": judge_wider,
    "large": judge_large, "regimes": judge_regimes, "traces": judge_traces,
}  # fmt: skip
"""From the runs of one dataset, of the paper's length and in order, to the parts of a claim."""


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, the page with the evidence, and the rules: in force and former."""

    name: str
    number: int
    title: str
    page: str
    statement: str
    rule: str
    written: str
    controls: Sequence[Mapping[str, Any]]
    former: Sequence[Mapping[str, Any]]


CLAIMS: tuple[Claim, ...] = tuple(
    Claim(**one)
    for one in yaml.safe_load(resources.files("repro.claims").joinpath("claims.yml").read_text())
)
"""In the order of SPEC section 3."""


@dataclass(frozen=True)
class Verdict:
    """What the runs of one dataset say of one claim; ``command`` trains what is missing."""

    claim: Claim
    dataset: str
    verdict: str
    wording: str
    reason: str
    wording_reason: str
    left_out: tuple[Mapping[str, Any], ...]
    runs: tuple[Mapping[str, Any], ...] = ()
    parts: tuple[Part, ...] = ()
    looked_for: Mapping[str, Any] | None = None
    command: str | None = None

    def first(self, question: Question = "measurement") -> Part:
        """The first part of a question that has an effect, else its first, else an empty one."""
        parts = [part for part in self.parts if part.question == question]
        parts.append(Part(statistic="", answer="open", reason=""))
        return next((part for part in parts if part.effect is not None), parts[0])

    def to_json(self, tried: pd.DataFrame | None = None) -> dict[str, Any]:
        """As `repro claims --json` prints it; ``tried``: all `controls`, where they are known."""
        claim, first = self.claim, self.first()
        tried = controls(claim.name) if tried is None else tried[tried["claim"] == claim.name]
        former = [
            {name: one[name] for name in ("rule", "written", "replaced", "reason")}
            | one["verdicts"].get(self.dataset, {})
            for one in claim.former
        ]
        parts = [
            {"interval_over" if name == "over" else name: told for name, told in asdict(p).items()}
            for p in self.parts
        ]
        told = {
            "claim": claim.name, "number": claim.number, "title": claim.title,
            "dataset": self.dataset, "verdict": self.verdict, "wording": self.wording,
            "effect": first.effect, "interval": first.interval, "interval_over": first.over,
            "unit": first.unit, "statistic": first.statistic, "runs": self.runs,
            "runs_too_short": self.left_out, "looked_for": self.looked_for, "reason": self.reason,
            "wording_reason": self.wording_reason, "command": self.command,
            "statement": claim.statement, "rule": claim.rule, "rule_written": claim.written,
            "former": former, "controls": tried.to_dict("records"),
            "page": f"{claim.page}.html", "parts": parts,
        }  # fmt: skip
        return _finite(told)


def claim(name: str) -> Claim:
    """The claim of that name."""
    return next(one for one in CLAIMS if one.name == name)


def verdicts(store: str | os.PathLike | None = None) -> list[Verdict]:
    """The verdict on every claim for every dataset, on the published runs or those of a folder."""
    runs = evidence.runs_by_dataset(store)
    origin = "published runs" if store is None else f"runs in {store}"
    return [verdict(one, name, runs[name], origin) for one in CLAIMS for name in DATASETS]


def verdict(
    one: Claim, dataset: str, runs: Sequence[xr.Dataset], origin: str = "published runs"
) -> Verdict:
    """The verdict on one claim from single runs of one dataset, of any length and in any order."""
    ordered = evidence.in_order(runs)
    short = tuple(map(_described, evidence.short(ordered)))
    whole = evidence.complete(ordered)
    if not whole:
        beside = f" of {paper.EPOCHS} epochs, only {len(short)} shorter" if short else ""
        told = ("inconclusive",) * 2 + (f"no {origin}{beside}",) * 2
        widths = (10, *paper.FIGURE_2_WIDTHS)
        command = train_command(Experiment(dataset, widths[0], paper.EPOCHS), 10, widths)
        return Verdict(one, dataset, *told, short, command=command)
    parts = tuple(_JUDGES[one.name](whole))
    counted = {name for part in parts for name in part.runs}
    measured, wording = word_of(parts, "measurement"), word_of(parts, "wording")
    widths = sorted({width_of(run) for run in whole})
    looked_for = {"widths": widths, "epochs": paper.EPOCHS, "runs": len(whole)}
    return Verdict(
        one, dataset, measured, wording, reason_of(parts, "measurement"),
        reason_of(parts, "wording"), short,
        tuple(_described(run) for run in whole if evidence.name_of(run) in counted), parts,
        looked_for if measured == NO_EVENT else None,
    )  # fmt: skip


@cache
def controls(name: str | None = None) -> pd.DataFrame:
    """Every control of a claim, or of all, with what was expected and found: a row a question.

    Where "or" is expected either verdict will do: intervals leave one null in forty on either side.
    """
    if name is None:
        return pd.concat([controls(one.name) for one in CLAIMS], ignore_index=True)
    rows = []
    for one in claim(name).controls:
        runs = [run for maker, *values in one["made"] for run in getattr(made, maker)(*values)]
        if not runs:
            continue
        if "regime" in one:
            kind, found = one["kind"], regimes.regime(runs)
            rows.append((name, "measurement", one["runs"], kind, one["regime"], found))
            continue
        told = verdict(claim(name), runs[0].attrs["dataset"], runs)
        for question, found in (("measurement", told.verdict), ("wording", told.wording)):
            if expected := one.get(question):
                kind = "positive" if expected in ("reproduced", "holds") else "negative"
                rows.append((name, question, one["runs"], kind, expected, found))
    columns = ["claim", "question", "control", "kind", "expected", "found", "passes"]
    return pd.DataFrame([(*row, row[-1] in row[-2].split(" or ")) for row in rows], columns=columns)


def _described(run: xr.Dataset) -> dict[str, Any]:
    return {
        "name": evidence.name_of(run), "width": width_of(run), "mark": setting(run, "mark"),
        "seed": int(setting(run, "seed") or 0), "replica": replica_of(run),
        "epochs": epochs_of(run), "experiment": str(run.attrs.get("digest", "")),
    }  # fmt: skip


def _finite(told: Any) -> Any:
    """As JSON has it: None for numbers that are not finite."""
    if isinstance(told, dict):
        return {name: _finite(value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return list(map(_finite, told))
    return None if isinstance(told, float) and not np.isfinite(told) else told
