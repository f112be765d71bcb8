"""Verdicts on made-up runs: what is reproduced, what is not, and what cannot be told."""

import json
import random
import re

import pytest
from made_up import made_up_run
from synthetic import synthetic_run, with_final

from repro import Experiment
from repro.analysis import evidence, regimes
from repro.book import verdict_tables
from repro.claims import jump, large, made, near, wider
from repro.claims import regimes as claim_regimes
from repro.claims import verdicts as claims
from repro.claims.verdict import WORDS, Part, mean_part, share_part, word_of
from repro.claims.verdicts import CLAIMS, Verdict, claim, verdict
from repro.command_line import main
from repro.store.store import Store

RUNS = {
    (width, kind): synthetic_run(
        width, 1000, kind, replicas=3, joint_layers=("hidden_hidden",), seed=width
    )
    for width, kind in ((12, "weak"), (24, "unstable"), (32, "strong"), (48, "strong"))
}
ALL = evidence.single_runs([*RUNS.values(), synthetic_run(64, 400, "strong", joint_layers=())])


def strong(deviation: float, correlation: float, widths=(32, 48), replicas: int = 3) -> list:
    """Strong runs that end so far from their start."""
    runs = [
        with_final(RUNS[width, "strong"], deviation=deviation, correlation=correlation)
        for width in widths
    ]
    return evidence.single_runs(run.isel(replica=slice(replicas)) for run in runs)


def judged(name: str, runs: list, dataset: str = "hasyv2") -> Verdict:
    return verdict(claim(name), dataset, runs)


# From answers to a verdict


@pytest.mark.parametrize(
    ("answers", "place"),
    [
        ("holds", 0), ("holds holds absent told", 0), ("holds fails", 1), ("holds open", 1),
        ("mixed", 1), ("fails fails", 2), ("fails absent", 2), ("open fails", 2), ("open", 3),
        ("absent", 3), ("", 3), ("no-run-crosses absent", 4), ("no-run-crosses open", 4),
        ("no-run-crosses fails", 2),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_the_parts_of_its_question(answers: str, place: int) -> None:
    words = [answer.replace("-", " ") for answer in answers.split()]
    parts = [Part(statistic="", answer=answer, reason="") for answer in words]
    assert word_of(parts, "measurement") == WORDS["measurement"][place]
    assert word_of(parts, "wording") == "inconclusive", "none of them bears on it"


@pytest.mark.parametrize(
    ("values", "above", "answer"),
    [
        ([2.0, 2.1, 2.2], True, "holds"),
        ([2.0, 2.1, 2.2], False, "fails"),
        ([0.0, 2.1, 4.2], True, "open"),  # the interval reaches across
        ([2.0, 2.1], True, "open"),  # two runs decide nothing
        ([], True, "open"),
        ([5.0] * 9 + [0.9], True, "mixed"),  # the second width is on the wrong side
    ],
)
def test_the_mean_of_runs_against_a_limit(values: list[float], above: bool, answer: str) -> None:
    runs = strong(1.0, 0.5)
    runs = [*runs[:3] * 3, runs[3]][: len(values)]
    found = mean_part(runs, values, statistic="s", kind="run", threshold=1.0, above=above)
    assert found.answer == answer
    assert answer != "mixed" or "not for N = 48" in found.reason
    if values == [2.0, 2.1, 2.2]:  # Student: 2.1 +- 4.303 * 0.1 / sqrt(3)
        assert found.interval == pytest.approx((2.1 - 0.2484, 2.1 + 0.2484), abs=1e-3)


@pytest.mark.parametrize(
    ("good", "number", "answer", "of_all"),
    [
        (6, 6, "holds", "holds"), (5, 6, "holds", "mixed"), (4, 6, "mixed", "mixed"),
        (3, 6, "fails", "fails"), (0, 6, "fails", "fails"), (2, 2, "open", "open"),
    ],
)  # fmt: skip
def test_the_share_of_runs_that_obey(good: int, number: int, answer: str, of_all: str) -> None:
    runs = strong(1.0, 0.5)[:number]
    assert share_part(runs, good, statistic="s").answer == answer
    assert share_part(runs, good, statistic="s", most=1.0).answer == of_all


# The controls, and that they can tell


def test_every_claim_has_controls_of_both_kinds_and_all_are_as_they_should_be() -> None:
    table = claims.controls()
    assert len(table) == 69 and table.passes.all(), table[~table.passes].to_string()
    for one in CLAIMS:
        kinds = table[table.claim == one.name].groupby("question").kind.agg(set)
        assert kinds["measurement"] == {"positive", "negative"}, one.name
        assert kinds["wording"] == {"positive", "negative"}, one.name


@pytest.mark.parametrize(
    ("name", "module", "limit", "broken"),
    [
        ("near", near, "QUANTILE_DIFFERENCE", 0.01),
        ("near", near, "NEAR_DEVIATION", 5.0),
        ("near", near, "NEAR_CORRELATION", 0.1),
        ("near", near, "NEAR_AREA", 0.3),
        ("traces", near, "NULL_ERRORS", -100),
        ("traces", near, "RECOGNISABLE_AREA", 0.99),
        ("jump", jump, "LAG_SHARE", 0.5),
        ("jump", jump, "GROWTH", 0.0),
        ("jump", jump, "RESOLUTION", 10.0),
        ("only-near", regimes, "PLATEAU_RATIO", 1e3),
        ("wider", wider, "MINIMUM_WIDTHS", 50),
        ("large", large, "BINNING", -0.1),
        ("regimes", regimes, "LEFT_RATIO", 10.0),
        ("regimes", regimes, "LOW_LOSS_SHARE", 0.5),
        ("regimes", claim_regimes, "SIGNIFICANT", 1.1),
    ],
)
def test_a_broken_rule_fails_a_control(name, module, limit, broken, monkeypatch) -> None:
    monkeypatch.setattr(module, limit, broken)
    monkeypatch.setattr(made, "of_other_runs", lambda width: [])  # made-up runs are enough
    evidence._regime.cache_clear()
    assert not claims.controls.__wrapped__(name).passes.all()
    evidence._regime.cache_clear()


# Claim by claim


@pytest.mark.parametrize(
    ("deviation", "correlation", "measurement", "wording"),
    [
        (0.5, 0.9, "reproduced", "holds"),
        (2.0, 0.7, "reproduced", "partly"),
        (2.0, 0.3, "reproduced", "does not hold"),
        (2.0, 0.01, "not reproduced", "does not hold"),
    ],
)
def test_near(deviation: float, correlation: float, measurement: str, wording: str) -> None:
    found = judged("near", strong(deviation, correlation))
    assert (found.verdict, found.wording) == (measurement, wording)
    assert found.first("wording").effect == pytest.approx(deviation)
    assert len(found.runs) == 6


def test_near_looks_at_strong_runs_alone() -> None:
    others = evidence.single_runs([RUNS[12, "weak"], RUNS[24, "unstable"]])
    assert judged("near", others).verdict == "inconclusive"
    assert judged("near", others + strong(0.5, 0.9)).verdict == "reproduced"


def test_one_run_has_no_interval_and_says_so() -> None:
    found = judged("near", strong(0.5, 0.9, (32,), 1))
    told = found.to_json()
    assert told["verdict"] == "inconclusive" and told["interval"] is None
    assert "no interval" in told["interval_over"]
    assert told["effect"] == pytest.approx(0.9 - 5 / 32)
    widths = judged("near", strong(0.5, 0.9, (32, 48), 1)).to_json()
    assert "widths stand in for replicas" in widths["interval_over"]


def test_traces_are_more_than_unstable_runs_keep() -> None:
    less, more = (
        evidence.single_runs([with_final(RUNS[24, "unstable"], correlation=kept)])
        for kept in (0.1, 0.8)
    )
    assert judged("traces", strong(2.0, 0.4) + less).verdict == "reproduced"
    assert judged("traces", strong(2.0, 0.4) + more).verdict == "partly"
    assert judged("traces", strong(2.0, 0.4)).wording == "holds"
    assert judged("traces", strong(2.0, 0.2)).wording == "does not hold"


def test_where_no_run_crosses_it_is_told_where_that_was_looked_for() -> None:
    runs = strong(0.5, 0.9)
    for name in ("jump", "only-near", "regimes"):
        found = judged(name, runs)
        assert (found.verdict, found.wording) == ("no run crosses",) * 2
        assert found.to_json()["looked_for"] == {"widths": [32, 48], "epochs": 1000, "runs": 6}
        assert "N = 32, 48: 3 each" in found.reason
        assert judged(name, runs[:2]).verdict == "inconclusive"
    assert judged("near", runs).to_json()["looked_for"] is None


def test_some_runs_that_jump_apart_make_the_measurement_open() -> None:
    together, apart = made.rises(), made.rises(made.RISE / 3)
    assert judged("jump", together).first().effect == pytest.approx(0.0, abs=0.02)
    assert judged("jump", apart).first().effect == pytest.approx(1 / 3, abs=0.03)
    assert judged("jump", [*together[:2], apart[2]]).verdict == "inconclusive"


def test_large_needs_several_strong_runs_within_the_bins() -> None:
    runs = made.moved(0.3, 0.4)
    assert judged("large", runs, "mnist").first().effect == pytest.approx(0.3, abs=0.02)
    assert judged("large", runs[:1], "mnist").verdict == "inconclusive"
    for run in runs:
        run["joint_histogram"][..., -1] += 1_000_000
    assert judged("large", runs, "mnist").verdict == "inconclusive"


def test_too_few_widths_decide_nothing() -> None:
    assert judged("wider", made.powers(-1.0)[:6]).verdict == "inconclusive"
    few = [run.isel(replica=[0]) for run in RUNS.values()]
    for number in (2, 3):
        assert judged("regimes", few[:number], "mnist").verdict == "inconclusive"


# What holds for all claims


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.name)
def test_neither_the_order_of_runs_nor_short_ones_matter(one) -> None:
    expected = verdict(one, "hasyv2", ALL).to_json()
    assert [run["epochs"] for run in expected["runs_too_short"]] == [400]
    shuffled = ALL.copy()
    random.Random(0).shuffle(shuffled)
    assert verdict(one, "hasyv2", shuffled).to_json() == expected
    without = verdict(one, "hasyv2", evidence.complete(ALL)).to_json()
    assert without == expected | {"runs_too_short": []}
    only = verdict(one, "hasyv2", evidence.short(ALL))
    assert only.verdict == only.wording == "inconclusive" and "only 1 shorter" in only.reason


def test_every_claim_tells_its_rules_with_their_dates_and_one_verdict_a_dataset(tmp_path) -> None:
    from repro.command_line import _parser

    found = claims.verdicts(tmp_path)
    assert [one.number for one in CLAIMS] == [1, 2, 3, 4, 5, 6, 7]
    assert len(found) == 21
    for one in found:
        told = one.to_json()
        assert told["verdict"] == told["wording"] == "inconclusive" and told["effect"] is None
        assert told["command"].startswith(f"repro train --dataset {one.dataset} ")
        assert "500" in _parser().parse_args(told["command"].split()[1:]).widths
        assert told["rule_written"] == "2026-11-28" and len(told["rule"]) > 100
        for former in told["former"]:
            assert former["written"] < former["replaced"] <= told["rule_written"]
            assert former["rule"] != told["rule"] and former["reason"]
            assert former["verdict"] in WORDS["measurement"]
    assert verdict(CLAIMS[0], "mnist", []).reason == "no published runs"


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("near", (near.NEAR_DEVIATION, near.NEAR_CORRELATION, near.NEAR_AREA)),
        ("traces", (near.RECOGNISABLE_CORRELATION, near.RECOGNISABLE_AREA, near.NULL_ERRORS)),
        ("jump", (jump.LAG_SHARE, jump.RESOLUTION)),
        ("wider", (len(wider.LOSS_SHARES), max(wider.LOSS_SHARES), min(wider.LOSS_SHARES))),
        ("large", (large.BINNING,)),
        ("regimes", (claim_regimes.MINIMUM_READINGS,)),
    ],
)
def test_the_rule_in_words_has_the_limits_of_the_code(name: str, limits: tuple) -> None:
    assert all(f" {limit:g}" in claim(name).rule for limit in limits)


# From files, and on the page


def test_controls_and_other_settings_are_no_evidence(tmp_path) -> None:
    place = Store(tmp_path)
    options = [{}, {"loss": "logits"}, {"pixels": "inverted"}, {"batch_size": 64}, {"mark": "a"}]
    for number, option in enumerate(options):
        experiment = Experiment("hasyv2", 8 + number, 3, **option)
        place.save(made_up_run(3, experiment)[0], None)
    place.save(made_up_run(3, Experiment("digits", 8, 3))[0], None)
    place.save(made_up_run(1002, Experiment("mnist", 8, 1002))[0], None)
    runs = evidence.runs_by_dataset(tmp_path)
    assert {name: [evidence.name_of(run) for run in those] for name, those in runs.items()} == {
        "hasyv2": [
            "N = 8, replica 0, 3 epochs only", "N = 12, marked “a”, replica 0, 3 epochs only",
        ],
        "mnist": ["N = 8, replica 0"],
        "fashion-mnist": [],
    }  # fmt: skip
    assert int(runs["mnist"][0]["epoch"].max()) == 1000, "judged at the paper's length"


def test_the_command_line_prints_what_the_page_shows(capsys, monkeypatch) -> None:
    runs = {"hasyv2": ALL, "mnist": strong(2.0, 0.3), "fashion-mnist": ALL[:3]}
    found = [verdict(one, name, runs[name]) for one in CLAIMS for name in claims.DATASETS]
    monkeypatch.setattr(claims, "verdicts", lambda *_, **__: found)
    assert main(["claims", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["claims"]
    table = verdict_tables.verdict_table(found)
    for one, told in zip(found, printed, strict=True):
        assert (told["verdict"], told["wording"]) == (one.verdict, one.wording)
        assert told["verdict"] in WORDS["measurement"] and told["wording"] in WORDS["wording"]
        assert f'href="{told["page"]}"' in table
        assert all(row["passes"] for row in told["controls"])
        chips = [verdict_tables.chip(word) for word in (one.verdict, one.wording)]
        assert all(chip in table for chip in chips)
        assert len(verdict_tables.part_table(one)) == len(one.parts)
    assert 'class="verdict not-reproduced">does not hold<' in table
    assert len(verdict_tables.changes(found)) == 21
    assert main(["claims"]) == 0
    shown = capsys.readouterr().out
    assert all(shown.count(one.claim.title) == 1 for one in found[:: len(claims.DATASETS)])
    assert shown.count("wording:") == 21
    measured = re.sub(r"wording: (no run crosses|does not hold|\w+)", "", shown)
    words = sorted(WORDS["measurement"], key=len, reverse=True)
    assert len(re.findall("|".join(words), measured)) == 21
