"""Verdicts as the book shows them: the table of all, and the account of one claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from repro.analysis.captions import dataset_name
from repro.analysis.evidence import in_groups
from repro.analysis.intervals import Interval
from repro.book.prose import Prose, Table, in_sentences
from repro.claims.verdict import VERDICTS
from repro.claims.verdicts import Claim, Verdict

COLOURS = {
    "reproduced": "#d5ecd8",
    "partly": "#f6e8c3",
    "not reproduced": "#f4d3cc",
    "inconclusive": "#ececec",
}
"""Behind the verdicts; the word itself is always written."""


def verdict_table(found: Sequence[Verdict]) -> Table:
    """All verdicts, claim by dataset, each with its effect and interval and a link to the page."""
    datasets = list(dict.fromkeys(one.dataset for one in found))
    rows = {}
    for one in found:
        label = (
            f'<a href="{one.claim.page}.html">{one.claim.number}. {one.claim.title}</a>'
            f"<br><small>{one.parts[0].statistic if one.parts else ''}</small>"
        )
        cells = rows.setdefault(one.claim.number, {"claim": label})
        if one.parts:
            cells["claim"] = label
        effect = effect_in_words(one)
        cells[dataset_name(one.dataset)] = _chip(one) + (
            f"<br><small>{effect}</small>" if effect else ""
        )
    columns = ["claim", *(dataset_name(name) for name in datasets)]
    table = pd.DataFrame(list(rows.values()), columns=columns).set_index("claim")
    return in_sentences(table)


def verdict_row(found: Sequence[Verdict], dataset: str) -> Prose:
    """The claims on one dataset by their verdict, in a line, each a link to its evidence."""
    parts = []
    for word in VERDICTS:
        here = [one for one in found if (one.dataset, one.verdict) == (dataset, word)]
        if here:
            links = (f"[{one.claim.title}]({one.claim.page}.html)" for one in here)
            parts.append(f"{_chip(here[0])} {', '.join(links)}")
    label = f"[The claims](verdicts.html) on {dataset_name(dataset)}"
    return Prose(f"{label}: {' · '.join(parts) or 'none judged'}")


def verdict_words(found: Sequence[Verdict], dataset: str) -> str:
    """The claims on one dataset by their verdict, in a sentence, as the README has it."""
    parts = []
    for word in VERDICTS:
        titles = [one.claim.title for one in found if (one.dataset, one.verdict) == (dataset, word)]
        if titles:
            parts.append(f"**{word}**: {', '.join(titles)}")
    return f"{dataset_name(dataset)}: {'; '.join(parts) or 'none judged'}."


def account(one: Claim, found: Sequence[Verdict]) -> Prose:
    """A claim's rule in words with its date, and the reason of its verdict on every dataset."""
    lines = [
        f"**The rule**, written on {one.written}. {' '.join(one.rule.split())}",
        "",
    ]
    for verdict in found:
        if verdict.claim.name == one.name:
            lines += [*_reasons(verdict), ""]
    return Prose("\n".join(lines))


def part_table(found: Verdict) -> Table:
    """The parts of one verdict: statistic, effect, interval, over what, answer."""
    rows = [
        {
            "statistic": part.statistic,
            "effect": number(part.effect),
            "95 % interval": interval_in_words(part.interval) or "none",
            "over": part.over,
            "answer": part.answer,
        }
        for part in found.parts
    ]
    columns = ["statistic", "effect", "95 % interval", "over", "answer"]
    return in_sentences(pd.DataFrame(rows, columns=columns).set_index("statistic"))


def headline(found: Verdict) -> Prose:
    """The verdict in one line, and what counted and what did not."""
    lines = [
        f"**{found.claim.number}. {found.claim.title}** on {dataset_name(found.dataset)}: "
        f"**{found.verdict}**. {found.claim.statement}"
    ]
    counted = f"{len(found.runs)} run{'' if len(found.runs) == 1 else 's'}"
    listed = f": {_listed(found.runs)}" if found.runs else ""
    lines += ["", f"Counted: {counted}{listed}."]
    if found.left_out:
        lines[-1] += f" Too short to count: {len(found.left_out)}."
    if found.command:
        lines += ["", f"{found.reason}; to train them: `{found.command}`"]
    return Prose("\n".join(lines))


def missing(found: Sequence[Verdict]) -> Prose:
    """The datasets without runs of the paper's length, and the commands that would train them."""
    commands = {dataset_name(one.dataset): one.command for one in found if one.command}
    if not commands:
        return Prose("Every dataset has published runs of the paper's length.")
    lines = [f"- {name}: `{command}`" for name, command in commands.items()]
    return Prose("\n".join(["Datasets without such runs, and what would train them:", "", *lines]))


def effect_in_words(found: Verdict) -> str:
    """Effect and interval in short; empty where there is no effect."""
    if found.effect is None:
        return ""
    interval = interval_in_words(found.interval)
    return f"{number(found.effect)} {interval or '(no interval)'}"


def interval_in_words(interval: Interval | None) -> str:
    """``[0.1, 0.3]``; empty where there is none."""
    return "" if interval is None else f"[{number(interval[0])}, {number(interval[1])}]"


def number(value: float | None) -> str:
    """Three digits; empty for None."""
    return "" if value is None else f"{value:.3g}"


def _listed(runs: Sequence[Mapping[str, Any]]) -> str:
    """Which runs, those of a kind together: ``N = 10, 50: replica 0; N = 150: replicas 0, 1``."""
    of_kind: dict[tuple[str | None, int], dict[int, tuple[int, ...]]] = {}
    for run in runs:
        of_width = of_kind.setdefault((run["mark"], run["seed"]), {})
        of_width[run["width"]] = (*of_width.get(run["width"], ()), run["replica"])
    words = []
    for (mark, seed), of_width in of_kind.items():
        for replicas, widths in in_groups(of_width).items():
            words.append(
                f"N = {', '.join(map(str, widths))}"
                + (f", marked “{mark}”" if mark else "")
                + (f", seed {seed}" if seed else "")
                + f": replica{'' if len(replicas) == 1 else 's'} {', '.join(map(str, replicas))}"
            )
    return "; ".join(words)


def _reasons(found: Verdict) -> list[str]:
    name = dataset_name(found.dataset)
    if not found.parts:
        return [f"- {name}: **{found.verdict}**: {found.reason}"]
    lines = [f"- {name}: **{found.verdict}**"]
    return lines + [f"  - {part.answer}: {part.reason}" for part in found.parts]


def report(found: Sequence[Verdict]) -> str:
    """What `repro claims` prints: a line for each claim and dataset, and the reasons below."""
    row = "{:<20} {:<14} {:<15} {}"
    lines = [row.format("claim", "dataset", "verdict", "effect [95 % interval]")]
    lines += [
        row.format(
            f"{one.claim.number} {one.claim.title}", one.dataset, one.verdict, effect_in_words(one)
        )
        for one in found
    ]
    lines += ["", "Why:"]
    lines += [f"{one.claim.number} {one.dataset}: {one.reason}." for one in found]
    commands = dict.fromkeys(one.command for one in found if one.command)
    if commands:
        lines += ["", "To train what is missing:", *commands]
    return "\n".join(lines)


def _chip(one: Verdict) -> str:
    # The colour of the words, too: on a dark page they would be light.
    style = f"background:{COLOURS[one.verdict]};color:#1b1b1b;padding:0 .4em;border-radius:.2em"
    return f'<span style="{style};white-space:nowrap">{one.verdict}</span>'
