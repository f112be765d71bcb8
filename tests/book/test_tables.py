"""Tables as pages show them."""

import numpy as np
import pandas as pd
import pytest

from repro import Experiment, ReproError, published_runs
from repro.bench.benchmark_figure import aims_table, joined, published_benchmark, seconds_table
from repro.bench.benchmark_gpu import (
    accelerated_table,
    figure_2c_operations,
    gpu_aims_table,
    products_table,
    published_products,
    sessions_table,
)
from repro.bench.workload import Workload
from repro.book.fault_tables import (
    damage_counts,
    damage_table,
    damage_ways,
    fault_counts,
    fault_table,
)
from repro.book.prose import in_sentences, shared_above
from repro.book.tables import readable
from repro.store.run_file import Run


def test_numbers_are_rounded_and_what_is_not_there_is_empty():
    table = pd.DataFrame(
        {"of": ["a", "b"], "number": [1234.5678, np.nan], "small": [0.00012345, 3.0],
         "count": [1000, 12345], "right": [True, False], "none": [None, "x"]}
    )  # fmt: skip
    shown = readable(table, ["of"])
    assert shown.loc["a"].tolist() == ["1230", "0.000123", "1000", "yes", ""]
    assert shown.loc["b"].tolist() == ["", "3", "12345", "no", "x"]


def test_ways_to_make_the_products_faster_are_timed_and_checked():
    table = products_table(published_products()).set_index(["products", "classes"])
    plain, fastest = table.loc[("float32", 369)], table.loc[("BF16_BF16_F32_X9", 369)]
    assert plain["us/step"] == pytest.approx(326.0)  # the median of five, not their mean
    counted = Workload("hasyv2", 512, 10, 1).operations_per_step
    assert plain["TFLOP/s"] * 1e12 * 326e-6 == pytest.approx(counted)
    # What the page says of them: the one that would reach the aim is not float32.
    assert fastest["of ceiling %"] > 60 and fastest["error"] > 100 * plain["error"]
    others = table.drop(index=[("BF16_BF16_F32_X9", 369)])
    assert (others["of ceiling %"] < 60).all() and (others["error"] < 1e-6).all()


def test_the_published_benchmark_has_what_was_aimed_for():
    measured = published_benchmark("mnist")
    table = seconds_table(measured["rows"])
    assert len(table) == 10 and (table["repro-tensorflow"] > 0).all()
    aims = aims_table(measured, published_benchmark("hasyv2"))
    assert len(aims) == 11
    reached = aims["measured"] >= aims["wanted"]
    # Of memory, less is better.
    assert (aims.reached[:-1] == reached[:-1]).all() and aims.reached.iloc[-1]
    assert all(row["same_work"] for row in measured["rows"])
    # What the page says: all is reached but three aims that no engine could reach there.
    missed = aims[~aims.reached]
    assert missed.aim.str.contains("Model.fit").all()
    fastest = missed[missed.against == "Keras, best settings"]
    assert len(fastest) == 3 and (fastest.possible < fastest.wanted).all()


def test_the_growth_agrees_with_what_was_measured_side_by_side():
    grown = published_benchmark("mnist-growth")
    one = {(row["width"], row["replicas"]): row["seconds_per_epoch"] for row in grown["growth"]}
    for row in published_benchmark("mnist")["rows"]:
        size = row["width"], row["replicas"]
        if row["engine"] == "repro-tensorflow" and size in one:
            assert one[size] == pytest.approx(row["seconds_per_epoch_with_statistics"], rel=0.25)


def test_what_a_gpu_measured_is_held_against_the_aims():
    measured = published_benchmark("gpu")
    (ours,) = (row for row in measured["rows"] if row["engine"] == "repro-jax")
    # The specification counts 5e16 for thirteen widths; the twelve of Figure 2c are fewer.
    assert 3e16 < figure_2c_operations() < 5e16
    share, minutes = gpu_aims_table({"all": measured}).value
    assert share == ours["fraction_of_ceiling"]
    assert share * measured["ceiling"]["square"] * minutes * 60 == pytest.approx(
        figure_2c_operations() * ours["seconds_per_epoch_with_statistics"]
        / ours["seconds_per_epoch"]
    )  # fmt: skip
    twice = measured["rows"] + [ours | {"width": 256, "fraction_of_ceiling": 0.7}]
    table = gpu_aims_table({"all": measured, "some": measured | {"rows": twice}})
    assert table.kernels.tolist() == ["all"] * 2 + ["some"] * 3
    assert table.reached.tolist() == [False, False, False, True, False]


def test_no_ensemble_is_faster_on_another_processor():
    narrow, wide = (published_benchmark(f"mnist-epyc-{part}") for part in ("narrow", "wide"))
    both = joined(narrow, wide)
    assert sorted({row["width"] for row in both["rows"]}) == [16, 64, 150, 256, 512]
    assert all(row["same_work"] for row in both["rows"])
    aims = aims_table(both)
    assert aims[aims.against.str.contains("vmap")].reached.tolist() == [True, True]
    assert aims[~aims.reached].aim.str.contains("Model.fit").tolist() == [True] * 3
    with pytest.raises(ReproError, match="Measurements of one device can be joined"):
        joined(narrow, published_benchmark("mnist-xeon"))


def test_what_the_engine_missed_before_it_turned_narrow_layers_round():
    aims = aims_table(published_benchmark("mnist-xeon"))
    missed = aims[~aims.reached & ~aims.aim.str.contains("Model.fit")]
    assert missed.against.tolist() == ["jax-vmap, closest at width 16, one replica", ""]
    assert missed.aim.iloc[1] == "share of the ceiling, width 512, one replica"


@pytest.mark.parametrize("name", ["gpu-cublas", "gpu-h100"])
def test_the_gpu_was_measured_at_both_widths_on_the_same_work(name):
    measured = published_benchmark(name)
    assert {row["width"] for row in measured["rows"]} == {256, 512}
    assert all(row["same_work"] for row in measured["rows"])
    assert "triton_gemm=false" in measured["xla_flags"]


def test_runs_of_a_gpu_are_listed_and_those_finished_on_a_cpu_are_not():
    runs = published_runs()
    table = accelerated_table(runs)
    assert len(table) and not table.device.str.contains("CPU|then").any()
    assert sorted(table.runs[table.width == 275]) == [4, 5]  # two programs
    alone = [run for run in runs if str(run.made["device"]).startswith("CPU")]
    assert alone and accelerated_table(alone).empty and sessions_table(alone).empty


def test_programs_side_by_side_are_one_session(tmp_path):
    def made(width, started, finished, device="a GPU"):
        times = {n: f"2026-01-01T10:{minute:02}:00" for n, minute in
                 (("started", started), ("finished", finished))}  # fmt: skip
        experiment = Experiment("hasyv2", width, 1000)
        return Run(tmp_path, experiment, 0, False, {"device": device, **times})

    beside = made(300, 5, 20)
    runs = [beside, made(200, 0, 10), made(300, 0, 59, "CPU"), made(200, 30, 40)]
    first, second = sessions_table(runs).to_dict("records")
    moved = made(250, 32, 59, "a GPU, then CPU from epoch 7")
    small = made(50, 32, 59, "a GPU, then CPU from epoch 7")
    assert sessions_table([*runs, small]).elsewhere.tolist() == [0, 1]
    assert sessions_table([*runs, small])["TFLOP/s"].notna().all()
    mostly = sessions_table([*runs, moved])
    assert mostly.elsewhere.tolist() == [0, 1]
    assert mostly["TFLOP/s"].notna().tolist() == [True, False]
    assert (first["runs"], first["minutes"], second["runs"], second["minutes"]) == (2, 20, 1, 10)
    per_second = Workload("hasyv2", 200, 1, 1).operations_per_epoch * 1000 / 600
    assert second["TFLOP/s"] == pytest.approx(per_second / 1e12)
    assert second["figure_2c_minutes"] == pytest.approx(figure_2c_operations() / per_second / 60)


def test_faults_are_counted_by_kind_and_together():
    kinds = {"SIGTERM": {"faults": 7, "failures": 2}, "new": {"faults": 3, "failures": 0}}
    table = fault_table({"kinds": kinds, "faults": 10, "failures": 2})
    assert table.fault.tolist() == ["SIGTERM", "new", "all"]
    assert table.survived.tolist() == [5, 3, 8] and table.failures.tolist() == [2, 0, 2]


def test_damages_are_counted_by_format_and_together():
    def row(caught: int, harmless: int, failures: int) -> dict[str, int]:
        return {"caught": caught, "harmless": harmless, "failures": failures}

    formats = {
        "run": {"flipped bits": row(5, 0, 1), "emptied": row(1, 0, 0)},
        "pack": {"flipped bits": row(2, 3, 0), "swapped": row(0, 0, 1)},
    }
    table = damage_table({"formats": formats})
    assert table["flipped bits"].tolist() == [6, 5, 11]
    assert table["otherwise damaged"].tolist() == [1, 1, 2]
    assert table.caught.tolist() == [6, 2, 8] and table.harmless.tolist() == [0, 3, 3]
    assert table.failures.tolist() == [1, 1, 2]
    assert damage_ways({"formats": formats}) == ["emptied", "swapped"]


def test_the_published_counts_are_enough_and_without_a_failure():
    faults, damages = fault_counts(), damage_counts()
    assert faults["faults"] >= 100 and faults["failed"] == []
    assert all(kind["faults"] > 0 for kind in faults["kinds"].values())
    assert damages["flips"] >= 1000 and damages["failed"] == []
    assert not any("dirty" in counts["code_version"] for counts in (faults, damages))


def test_a_table_of_sentences_is_whole_and_breaks_long_names_alone() -> None:
    long = "test_some_file.py::test_that_something_holds"
    table = pd.DataFrame({"word": ["w_f, " + 80 * "so "], "test": [long]}, index=["row"])
    shown = in_sentences(table)
    assert (80 * "so ").strip() in shown and "w_f" in shown
    assert long not in shown and long in shown.replace("<wbr>", "")
    assert "::<wbr>test_<wbr>that" in shown
    assert shown._repr_html_() == shown


def test_what_every_row_shares_is_told_once_above_the_table() -> None:
    table = pd.DataFrame(
        {
            "width": [10, 20],
            "epochs": [9, 9],
            "mark": ["", ""],
            "on": ["<A>", "B"],
            "loss": "x",
        }
    ).set_index("width")
    shown = shared_above(table)
    assert "<caption>In every row: epochs 9, loss x</caption>" in shown
    assert "mark" not in shown
    assert [line.strip() for line in shown.splitlines() if "<td>" in line] == [
        "<td>&lt;A&gt;</td>", "<td>B</td>",
    ]  # fmt: skip
    one = shared_above(table.iloc[:1])
    assert "caption" not in one and "epochs" in one  # one row shares nothing with another


def test_a_page_shows_the_whole_of_a_table():
    table = readable(pd.DataFrame({"width": range(100), "runs": 1}), ["width"])
    assert table._repr_html_().count("<tr") >= 100, "pandas would show sixty rows"
