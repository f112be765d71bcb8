"""Verdicts on made-up runs: what is reproduced, what is not, and what cannot be told."""

import json
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import made_up_run
from synthetic import jumping_run, synthetic_run, with_curves, with_final

from repro import Experiment
from repro.analysis import evidence
from repro.book.verdict_tables import (
    account,
    effect_in_words,
    headline,
    missing,
    part_table,
    verdict_row,
    verdict_table,
    verdict_words,
)
from repro.claims import verdicts as claims
from repro.claims.verdict import VERDICTS, Part, mean_part, share_part, verdict_of
from repro.claims.verdicts import CLAIMS, Verdict, claim, verdict
from repro.command_line import main
from repro.errors import ReproError
from repro.store.store import Store

RUNS = {
    (width, kind): synthetic_run(
        width, 1000, kind, replicas=3, joint_layers=("hidden_hidden",), seed=width
    )
    for width, kind in ((12, "weak"), (24, "unstable"), (32, "strong"), (48, "strong"))
}


def strong(deviation: float, correlation: float, widths=(32, 48), replicas: int = 3) -> list:
    """Strong runs that end so far from their start."""
    runs = [with_final(RUNS[width, "strong"], deviation=deviation) for width in widths]
    runs = [with_final(run, correlation=correlation) for run in runs]
    return evidence.single_runs(run.isel(replica=slice(replicas)) for run in runs)


def judged(name: str, runs: list, dataset: str = "hasyv2") -> Verdict:
    return verdict(claim(name), dataset, runs)


def part(answer: str) -> Part:
    return Part("", "", 0.0, None, "", answer, "")


# From answers to a verdict


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("holds", "reproduced"),
        ("holds holds absent told", "reproduced"),
        ("fails fails", "not reproduced"),
        ("fails absent", "not reproduced"),
        ("holds fails", "partly"),
        ("holds open", "partly"),
        ("mixed", "partly"),
        ("open", "inconclusive"),
        ("open fails", "inconclusive"),
        ("absent", "inconclusive"),
        ("", "inconclusive"),
    ],
)
def test_the_verdict_follows_from_the_parts(answers: str, expected: str) -> None:
    assert verdict_of([part(answer) for answer in answers.split()]) == expected


def test_the_mean_of_runs_against_a_limit() -> None:
    runs = strong(1.0, 0.5)

    def answer(values: list[float], above: bool = True) -> str:
        about = {"statistic": "s", "unit": "", "kind": "run", "threshold": 1.0, "above": above}
        return mean_part(runs[: len(values)], values, **about).answer

    assert answer([2.0, 2.1, 2.2]) == "holds"
    assert answer([2.0, 2.1, 2.2], above=False) == "fails"
    assert answer([0.0, 2.1, 4.2]) == "open", "the interval reaches across"
    assert answer([2.0, 2.1]) == "open", "two runs decide nothing"
    assert answer([]) == "open"
    # Student's interval of 2.0, 2.1, 2.2: 2.1 +- 4.303 * 0.1 / sqrt(3)
    about = {"statistic": "s", "unit": "", "kind": "run", "threshold": 1.0, "above": True}
    found = mean_part(runs[:3], [2.0, 2.1, 2.2], **about)
    assert found.interval == pytest.approx((2.1 - 0.2484, 2.1 + 0.2484), abs=1e-3)


def test_a_width_on_the_wrong_side_makes_it_mixed() -> None:
    runs = strong(1.0, 0.5)
    values = [9.0, 9.1, 9.2, 0.99, 0.98, 0.99]
    about = {"statistic": "s", "unit": "", "kind": "run", "threshold": 0.0, "above": True}
    assert mean_part(runs, values, **about).answer == "holds"
    found = mean_part(runs, [5.0, 5.1, 5.2, -0.1, -0.1, -0.1], **about)
    assert found.interval[0] < 0 and found.answer == "open"
    more = [*runs[:3], *runs[:3], *runs[:3], runs[3]]
    found = mean_part(more, [5.0] * 9 + [-0.1], **about)
    assert found.answer == "mixed" and "not for N = 48" in found.reason


@pytest.mark.parametrize(
    ("obeys", "chance", "answer"),
    [
        ("yyyyyy", 0.1, "holds"),
        ("yyyyyn", 0.1, "holds"),
        ("yyyyyy", 0.9, "open"),
        ("yyyynn", 0.1, "mixed"),
        ("yyynnn", 0.1, "fails"),
        ("nnnnnn", 0.1, "fails"),
        ("yy", 0.1, "open"),
        ("", 0.1, "open"),
    ],
)
def test_the_share_of_runs_that_obey(obeys: str, chance: float, answer: str) -> None:
    runs = strong(1.0, 0.5)[: len(obeys)]
    found = share_part(runs, [o == "y" for o in obeys], statistic="s", chance=chance, kind="run")
    assert found.answer == answer


# Claim by claim: near and traces


@pytest.mark.parametrize(
    ("deviation", "correlation", "expected"),
    [
        (0.5, 0.9, "reproduced"),
        (2.0, 0.2, "not reproduced"),
        (2.0, 0.7, "partly"),
    ],
)
def test_near(deviation: float, correlation: float, expected: str) -> None:
    runs = strong(deviation, correlation)
    found = judged("near", runs)
    assert found.verdict == expected
    assert found.effect == pytest.approx(deviation)
    assert len(found.runs) == 6
    assert judged("near", strong(deviation, correlation, (32,), 1)).verdict == "inconclusive"


def test_the_headline_lists_what_counted_those_of_a_kind_together() -> None:
    runs = [run.assign_attrs(seed=0) for run in strong(0.5, 0.9)]
    lines = str(headline(judged("near", runs))).splitlines()
    assert lines[-1] == "Counted: 6 runs: N = 32, 48: replicas 0, 1, 2."
    runs[0] = runs[0].assign_attrs(seed=7)
    told = str(headline(judged("near", runs)))
    assert "N = 32: replicas 1, 2; N = 48: replicas 0, 1, 2; N = 32, seed 7: replica 0" in told


def test_near_looks_at_strong_runs_alone() -> None:
    others = evidence.single_runs([RUNS[12, "weak"], RUNS[24, "unstable"]])
    assert judged("near", others).verdict == "inconclusive"
    assert judged("near", others + strong(0.5, 0.9)).verdict == "reproduced"


def test_one_run_has_no_interval_and_says_so() -> None:
    told = judged("near", strong(0.5, 0.9, (32,), 1)).to_json()
    assert told["interval"] is None and "no interval" in told["interval_over"]
    assert told["effect"] == pytest.approx(0.5)
    widths = judged("near", strong(0.5, 0.9, (32, 48), 1)).to_json()
    assert "widths stand in for replicas" in widths["interval_over"]


def test_the_mark_decides_with_where_there_is_one() -> None:
    runs = strong(0.5, 0.9)
    letters = synthetic_run(40, 1000, "strong", replicas=3, mark="a", joint_layers=())
    kept = letters.copy(deep=True)
    kept["matrix"][:, -1] = kept["matrix"][:, 0].values
    assert judged("near", runs + evidence.single_runs([kept])).verdict == "reproduced"
    lost = letters.copy(deep=True)
    lost["matrix"][:, -1] = np.random.default_rng(0).normal(size=(3, 40, 40))
    found = judged("near", runs + evidence.single_runs([lost]))
    assert found.verdict == "partly"
    assert found.parts[-1].effect == pytest.approx(0.5, abs=0.05)
    assert judged("traces", runs + evidence.single_runs([lost])).verdict == "partly"


def test_traces() -> None:
    diverged = evidence.single_runs([with_final(RUNS[24, "unstable"], correlation=0.1)])
    assert judged("traces", strong(2.0, 0.4)).verdict == "reproduced"
    assert judged("traces", strong(2.0, 0.4) + diverged).verdict == "reproduced"
    assert judged("traces", strong(2.0, 0.05)).verdict == "not reproduced"
    more = evidence.single_runs([with_final(RUNS[24, "unstable"], correlation=0.8)])
    assert judged("traces", strong(2.0, 0.4) + more).verdict == "partly"
    assert judged("traces", strong(2.0, 0.4, (32,), 2)).verdict == "inconclusive"


def test_a_correlation_within_the_scatter_of_shuffled_pairs_is_no_trace() -> None:
    narrow = with_final(
        synthetic_run(8, 1000, "strong", replicas=3, joint_layers=()), correlation=0.4
    )
    assert judged("traces", evidence.single_runs([narrow])).verdict == "not reproduced"


# Jump and only near


def test_jump() -> None:
    together = [jumping_run(24, replica=r) for r in range(4)]
    assert judged("jump", together).verdict == "reproduced"
    apart = [jumping_run(24, lag=7, replica=r) for r in range(4)]
    assert judged("jump", apart).verdict == "not reproduced"
    assert judged("jump", together[:2]).verdict == "inconclusive"
    assert judged("jump", strong(0.5, 0.9)).verdict == "inconclusive"
    late = [jumping_run(24, lag=7, replica=r) for r in (8, 9)]
    some = [*together[:3], *late]
    assert judged("jump", some).verdict == "partly"


def with_loss(loss: np.ndarray, number: int = 3) -> list:
    run = synthetic_run(24, 1000, "unstable", joint_layers=())
    spread = np.linspace(0.1, 2, 1001)
    return [
        with_curves(run, loss * (1 + 0.001 * r), spread).assign_coords(replica=[r])
        for r in range(number)
    ]


def test_only_near() -> None:
    diverged = [jumping_run(24, replica=r) for r in range(3)]
    assert judged("only-near", diverged).verdict == "reproduced"
    assert judged("only-near", diverged[:2]).verdict == "inconclusive"
    assert judged("only-near", strong(0.5, 0.9)).verdict == "inconclusive", (
        "none leaves its low loss"
    )
    down = np.geomspace(5.9, 0.3, 300)
    recovers = np.concatenate([down, np.full(100, 9.0), np.geomspace(0.29, 0.05, 601)])
    found = judged("only-near", with_loss(recovers))
    assert found.verdict == "not reproduced"
    # The lowest after is that of the end, the lowest before that of epoch 299.
    assert found.effect == pytest.approx(np.log(0.05 / 0.3), rel=1e-5)
    both = diverged + with_loss(recovers, 1)
    assert judged("only-near", both).verdict != "reproduced"


# Wider, large, regimes


def test_wider() -> None:
    def scaled(power: float) -> list:
        changed = []
        for (width, _), run in RUNS.items():
            factor = width**power / float(run["glorot_std"].sel(layer="hidden_hidden"))
            spread = 0.01 * factor * np.log1p(np.arange(1001))
            loss = run["train_loss"].isel(replica=0).to_numpy()
            changed.append(with_curves(run, loss, spread))
        return evidence.single_runs(changed)

    assert judged("wider", scaled(-2.0)).verdict == "reproduced"
    assert judged("wider", scaled(2.0)).verdict == "not reproduced"
    assert judged("wider", scaled(-2.0)[:6]).verdict == "inconclusive", "two widths"
    assert judged("wider", scaled(-2.0)).parts[1].answer == "told"


def with_counts(outward: float, size: float, replicas: int = 3) -> list:
    """Strong runs whose updates grow so with the initial size."""
    run = RUNS[48, "strong"].isel(replica=slice(replicas)).copy(deep=True)
    generator = np.random.default_rng(5)
    for replica in range(replicas):
        start = generator.uniform(-np.sqrt(3), np.sqrt(3), 200_000)
        noise = (0.5 + size * np.abs(start)) * generator.normal(size=start.size)
        counts = np.histogram2d(
            start, start + outward * start + noise, (run["initial_edge"], run["final_edge"])
        )[0]
        run["joint_histogram"].loc[{"replica": replica, "layer": "hidden_hidden"}] = counts
    return evidence.single_runs([run])


@pytest.mark.parametrize(
    ("outward", "size", "expected"),
    [(0.3, 0.4, "reproduced"), (0.0, 0.0, "not reproduced"), (0.0, 0.4, "partly"),
     (-1.0, -0.1, "partly")],
)  # fmt: skip
def test_large(outward: float, size: float, expected: str) -> None:
    found = judged("large", with_counts(outward, size))
    assert found.effect == pytest.approx(outward, abs=0.02)
    assert found.verdict == expected


def test_large_needs_several_strong_runs_within_the_bins() -> None:
    assert judged("large", with_counts(0.3, 0.4, 1)).verdict == "inconclusive"
    beyond = with_counts(0.3, 0.4)
    for run in beyond:
        run["joint_histogram"][..., -1] += 1_000_000
    assert judged("large", beyond).verdict == "inconclusive"


def test_regimes() -> None:
    kinds = ((8, "weak"), (12, "weak"), (20, "unstable"), (24, "unstable"), (32, "strong"))

    def runs(order: tuple, replicas: int = 2, dataset: str = "mnist") -> list:
        return evidence.single_runs(
            synthetic_run(
                width, 1000, kind, replicas=replicas, joint_layers=(), seed=width, dataset=dataset
            )
            for width, kind in order
        )

    assert judged("regimes", runs(kinds), "mnist").verdict == "reproduced"
    assert judged("regimes", runs(kinds[:4]), "mnist").verdict == "inconclusive", "none is strong"
    turned = tuple((width, kind) for (width, _), (_, kind) in zip(kinds, kinds[::-1], strict=True))
    assert judged("regimes", runs(turned), "mnist").verdict != "reproduced"
    few = ((8, "weak"), (20, "unstable"), (32, "strong"))
    assert judged("regimes", runs(few, 1), "mnist").verdict == "inconclusive"
    missing_one = tuple((width, "weak") for width in (10, 50, 100, 150, 200, 500))
    # Small networks that bear wide names, so as to be quick
    wide = []
    for width, _ in missing_one:
        run = synthetic_run(8, 1000, "weak", joint_layers=(), dataset="mnist")
        run.attrs["width"] = width
        wide.append(run)
    assert judged("regimes", wide, "mnist").verdict == "not reproduced"


# What holds for all claims


def all_runs() -> list:
    short = synthetic_run(64, 400, "strong", joint_layers=())
    return evidence.single_runs([*RUNS.values(), short])


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.name)
def test_the_order_of_runs_does_not_matter(one) -> None:
    runs = all_runs()
    expected = verdict(one, "hasyv2", runs).to_json()
    shuffled = runs.copy()
    for seed in range(2):
        random.Random(seed).shuffle(shuffled)
        assert verdict(one, "hasyv2", shuffled).to_json() == expected


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.name)
def test_short_runs_never_count_and_are_named(one) -> None:
    runs = all_runs()
    with_short, without = (verdict(one, "hasyv2", r) for r in (runs, evidence.complete(runs)))
    assert [run["epochs"] for run in with_short.left_out] == [400]
    told = with_short.to_json() | {"runs_too_short": []}
    assert told == without.to_json()
    only = verdict(one, "hasyv2", evidence.short(runs))
    assert only.verdict == "inconclusive" and "only 1 shorter" in only.reason


@settings(deadline=None, max_examples=15)
@given(scale=st.floats(1e-3, 1e3), replicas=st.integers(1, 3))
def test_the_unit_of_the_weights_does_not_matter_to_wider(scale: float, replicas: int) -> None:
    runs = evidence.single_runs(run.isel(replica=slice(replicas)) for run in RUNS.values())
    scaled = [run.assign(deviation_std=scale * run["deviation_std"]) for run in runs]
    before, after = judged("wider", runs), judged("wider", scaled)
    assert before.verdict == after.verdict
    assert after.effect == pytest.approx(before.effect, abs=1e-4)
    assert after.interval == pytest.approx(before.interval, abs=1e-3)


def test_every_claim_tells_rule_date_and_page_and_one_verdict_a_dataset(tmp_path) -> None:
    found = claims.verdicts(tmp_path)
    assert [one.number for one in CLAIMS] == [1, 2, 3, 4, 5, 6, 7]
    assert len(found) == 21
    for one in found:
        told = one.to_json()
        assert told["verdict"] == "inconclusive" and told["effect"] is None
        assert told["command"].startswith(f"repro train --dataset {one.dataset} ")
        assert told["rule_written"] == "2026-11-24" and len(told["rule"]) > 100
    assert verdict(CLAIMS[0], "mnist", []).reason == "no published runs"


def test_the_command_that_trains_is_one_that_the_command_line_knows() -> None:
    from repro.command_line import _parser

    words = claims.training_command("mnist").split()
    assert words[0] == "repro"
    assert 500 in _parser().parse_args(words[1:]).widths


def test_an_unknown_claim_or_folder_is_told(tmp_path) -> None:
    with pytest.raises(ReproError, match="claim must be one of near, jump"):
        claim("far")
    with pytest.raises(ReproError, match="There is no folder"):
        claims.verdicts(tmp_path / "nowhere")


# From files, and on the page


def test_controls_and_other_settings_are_no_evidence(tmp_path) -> None:
    place = Store(tmp_path)
    options = [{}, {"loss": "logits"}, {"pixels": "inverted"}, {"batch_size": 64}, {"mark": "a"}]
    for number, option in enumerate(options):
        experiment = Experiment("hasyv2", 8 + number, 3, **option)
        place.save(made_up_run(3, experiment)[0], None)
    place.save(made_up_run(3, Experiment("digits", 8, 3))[0], None)
    runs = evidence.runs_by_dataset(tmp_path)
    assert {name: len(found) for name, found in runs.items()} == {
        "hasyv2": 2, "mnist": 0, "fashion-mnist": 0,
    }  # fmt: skip
    assert [evidence.name_of(run) for run in runs["hasyv2"]] == [
        "N = 8, replica 0, 3 epochs only", "N = 12, marked “a”, replica 0, 3 epochs only",
    ]  # fmt: skip


def test_a_longer_run_is_judged_at_the_papers_length(tmp_path) -> None:
    experiment = Experiment("mnist", 8, 1002)
    Store(tmp_path).save(made_up_run(1002, experiment)[0], None)
    (run,) = evidence.runs_by_dataset(tmp_path)["mnist"]
    assert int(run["epoch"].max()) == 1000


@pytest.fixture(scope="module")
def found() -> list[claims.Verdict]:
    """The verdicts on the published runs."""
    return claims.verdicts()


def test_the_command_line_prints_what_the_page_shows(found, capsys, monkeypatch) -> None:
    assert main(["claims", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["claims"]
    assert printed == json.loads(claims.as_json(found))["claims"]
    table = verdict_table(found)
    for one in printed:
        assert one["verdict"] in VERDICTS
        assert f'href="{one["page"]}"' in table
    for one in found:
        assert f">{one.verdict}</span>" in table and effect_in_words(one) in table
        words = account(one.claim, found)
        assert one.claim.written in words and all(p.reason in words for p in one.parts)
        part_table(one)
    row = verdict_row(found, "hasyv2")
    for one in found:
        assert row.count(f"[{one.claim.title}]({one.claim.page}.html)") == 1
    kinds = {one.verdict for one in found if one.dataset == "hasyv2"}
    assert sorted(re.findall(r'nowrap">([^<]+)</span>', row)) == sorted(kinds)
    assert all(one.command in missing(found) for one in found if one.command)
    monkeypatch.setattr(claims, "verdicts", lambda *_, **__: found)  # as they have just come out
    assert main(["claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines[1:22] if any(word in line for word in VERDICTS)]) == 21


def test_the_committed_page_has_the_verdicts_of_the_published_runs(found) -> None:
    import nbformat

    from repro.book import build as book

    page = nbformat.read(book.ROOT / book.PAGES / "verdicts.ipynb", as_version=4)
    shown = [
        output["data"]["text/html"]
        for cell in page.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    assert shown[0].strip() == verdict_table(found).strip()
    readme = (book.ROOT / "README.md").read_text()
    for dataset in ("hasyv2", "mnist", "fashion-mnist"):
        assert f"- {verdict_words(found, dataset)}\n" in readme, "make the README say it anew"


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path, capsys) -> None:
    assert main(["claims", "--store", str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("repro: There is no folder") and said.count("\n") == 1
