"""Verdicts as the book and the command line show them: chips, headlines and tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from repro.analysis.captions import dataset_name
from repro.analysis.intervals import Interval
from repro.claims.verdict import WORDS
from repro.claims.verdicts import CLAIMS, Claim, Verdict, controls

# Words on the wording look as those on the measurement do.
_CLASSES = dict(zip(WORDS["wording"], WORDS["measurement"], strict=True))


class Shown(str):
    """Markdown with HTML in it that a notebook shows as such; a string everywhere else."""

    def _repr_markdown_(self) -> str:
        return str(self)


def chip(word: str) -> str:
    """A verdict as a coloured word, for use in Markdown: its class is the word with dashes."""
    name = _CLASSES.get(word, word).replace(" ", "-")
    return f'<span class="verdict {name}">{word}</span>'


def verdict_table(found: Sequence[Verdict]) -> Shown:
    """All verdicts, claim by dataset: the measurement's chip above the wording's."""
    cells: dict[str, dict[str, str]] = {}
    for one in found:
        label = f'<a href="{one.claim.page}.html">{one.claim.number}. {one.claim.title}</a>'
        chips = f"{chip(one.verdict)}<br>{chip(one.wording)}"
        cells.setdefault(label, {})[dataset_name(one.dataset)] = chips
    return _html(pd.DataFrame.from_dict(cells, orient="index"))


def changes(found: Sequence[Verdict]) -> pd.DataFrame:
    """The verdicts before and after the last change of rules, a row per claim and dataset."""
    rows = []
    for one in (each for each in found if each.claim.former):
        before, first = one.claim.former[-1]["verdicts"].get(one.dataset, {}), one.first()
        rows.append(
            {
                "claim": one.claim.title, "dataset": dataset_name(one.dataset),
                "verdict before": before.get("verdict", ""),
                "effect before": effect_in_words(before.get("effect"), before.get("interval")),
                "measurement": one.verdict, "wording": one.wording,
                "effect": effect_in_words(first.effect, first.interval),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def former_table(claims: Sequence[Claim]) -> Shown:
    """The rules that were replaced: text, dates and the reason for the change."""
    rows = pd.DataFrame([{"claim": one.title} | each for one in claims for each in one.former])
    return _html(rows.set_index("claim")[["written", "replaced", "rule", "reason"]])


def rule_table() -> Shown:
    """The rules in force."""
    rows = {one.title: {"written": one.written, "rule": one.rule} for one in CLAIMS}
    return _html(pd.DataFrame.from_dict(rows, orient="index"))


def part_table(found: Verdict) -> pd.DataFrame:
    """The parts of one verdict: question, statistic, effect with interval, over what, answer."""
    rows = [
        (part.question, part.statistic, effect_in_words(part.effect, part.interval, part.unit),
         part.over, part.answer)
        for part in found.parts
    ]  # fmt: skip
    columns = ["question", "statistic", "effect", "over", "answer"]
    return pd.DataFrame(rows, columns=columns).set_index(["question", "statistic"])


def controls_table(claim: Claim | None = None) -> pd.DataFrame:
    """The controls of one claim's rule, or of all: what must be found and what is."""
    shown = controls(claim.name if claim else None)
    shown = shown.set_index(["claim", "question", "control"])
    return shown.droplevel("claim") if claim else shown


def effect_in_words(effect: float | None, interval: Interval | None, unit: str = "") -> str:
    """``0.2 [0.1, 0.3] epochs``; empty where there is no effect."""
    if effect is None:
        return ""
    limits = "" if interval is None else f" [{interval[0]:.3g}, {interval[1]:.3g}]"
    return f"{effect:.3g}{limits} {unit}".strip()


def _html(table: pd.DataFrame) -> Shown:
    """A table of texts as a page shows it: whole, left-aligned, HTML in its cells kept."""
    with pd.option_context("display.max_colwidth", None):  # pandas shortens texts
        return Shown(table.rename_axis(None).to_html(escape=False, classes="sentences", border=0))
