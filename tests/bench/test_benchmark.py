"""`repro bench` at its smallest: what it reports and that all did the same work. Never how fast."""

import contextlib
import importlib.util
import io
import json
import multiprocessing

import numpy as np
import pytest

from repro import ReproError
from repro.bench import benchmark, benchmark_figure
from repro.bench.worker import Workload
from repro.command_line import main
from repro.model import network

WORK = Workload("digits", 8, 2, 4)
WORDS = ["bench", "--dataset", "digits", "--quiet", "--steps", "3", "--widths", "8"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Our engine, another in Keras's place, and two that cannot be; the JSON as printed."""
    if not all(importlib.util.find_spec(name) for name in ("tensorflow", "jax")):
        pytest.skip("TensorFlow and JAX are not both here")
    folder = tmp_path_factory.mktemp("bench")
    (folder / "torch.py").write_text("raise ImportError('no torch on this machine')")
    (folder / "killed.py").write_text("import os; os.kill(os.getpid(), 9)")
    names = "repro-tensorflow,keras-fit,torch-vmap,repro-jax"
    command = [*WORDS, "--replicas", "2", "--repeats", "2", "--json", "--engines", names,
               "--output", str(folder / "bench.json")]  # fmt: skip
    with (
        contextlib.redirect_stdout(io.StringIO()) as printed,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.syspath_prepend(folder)
        patch.setattr(benchmark, "LIBRARIES", {"numpy": ("numpy", None)})
        patch.setitem(benchmark.ENGINES, "keras-fit", benchmark.ENGINES["jax-vmap"])
        patch.setitem(benchmark.ENGINES, "repro-jax", ("killed", None))
        assert main(command) == 0
    report = json.loads(printed.getvalue())
    assert json.loads((folder / "bench.json").read_text()) == report
    return report


def test_every_engine_has_a_row_or_is_named_as_skipped_with_the_reason(measured):
    assert [row["engine"] for row in measured["rows"]] == ["repro-tensorflow", "keras-fit"]
    skipped = {each["engine"]: each["reason"] for each in measured["skipped"]}
    told = {"torch-vmap": "no torch", "repro-jax": "terminated"}
    assert set(skipped) == set(told) and all(told[name] in skipped[name] for name in told)
    assert not multiprocessing.active_children()


def test_rows_say_what_was_measured(measured):
    for row in measured["rows"]:
        assert (row["width"], row["replicas"], row["steps"]) == (8, 2, 3)
        assert row["seconds_per_epoch"] > 0
        assert row["seconds_per_epoch_and_replica"] == row["seconds_per_epoch"] / 2
        assert row["peak_memory_bytes"] > 10**7 and row["compile_seconds"] >= 0
        assert 0 < row["fraction_of_ceiling"] < 1
        ours = row["engine"].startswith("repro-")
        assert (row["seconds_per_epoch_with_statistics"] is not None) == ours
        assert row["ratio_to_keras_fit"] == row["ratios"].get("keras-fit", 1)
    assert measured["ceiling"]["square"] > 1e9
    assert measured["device"] and measured["versions"]["numpy"] == np.__version__


def test_rows_tell_whether_all_did_the_same_work(measured):
    losses = [row["losses"] for row in measured["rows"]]
    assert all(row["same_work"] for row in measured["rows"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    assert losses[0][0] != losses[0][1]  # the replicas are different networks
    other = {"a": [1.0, 2.0], "b": [1.0001, 2.0001], "c": [1.0, 2.02]}
    assert [benchmark.agrees(each, other) for each in other.values()] == [True, True, False]


def test_every_row_is_drawn_and_listed(measured):
    rows = measured["rows"]
    wider = [row | {"width": 16, "replicas": 8} for row in rows]
    figure = benchmark_figure.benchmark_figure([*rows, *wider])
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata())]
    assert len(figure.axes) == 4 and len(lines) == len(rows)
    assert len(benchmark_figure.benchmark_table(rows)) == len(rows)
    assert all(row["engine"] in benchmark_figure.report(measured) for row in rows)


@pytest.fixture(scope="module")
def trained() -> list[float]:
    """The loss of each replica after as many steps of the trainer's own program."""
    pytest.importorskip("keras")
    from repro.training import program
    from repro.training.backend import ops

    data = [ops.convert_to_tensor(part) for part in (WORK.data.x_train, WORK.data.y_train)]
    parameters = tuple(ops.convert_to_tensor(part) for part in WORK.initial_parameters())
    orders = [network.sample_order(WORK.experiment, replica, 1, 1437) for replica in (0, 1)]
    order = ops.convert_to_tensor(np.stack(orders)[:, : 4 * 128])
    parameters, _ = program.train(WORK.experiment, parameters, *data, order)
    test = (ops.convert_to_tensor(part) for part in (WORK.data.x_test, WORK.data.y_test))
    tally = program.evaluate(WORK.experiment, parameters, *test)
    return (np.asarray(tally.loss) / len(WORK.data.y_test)).tolist()


@pytest.mark.parametrize(
    "module", ["repro.bench.engine_repro", "keras_fit", "keras_default", "jax_vmap", "torch_vmap"]
)
def test_every_engine_trains_as_the_trainer_does(module, trained, monkeypatch):
    monkeypatch.syspath_prepend(benchmark.PEERS)
    engine = pytest.importorskip(module, exc_type=ImportError).Engine(WORK)
    assert engine.run(WORK.order(0)) > 0
    assert WORK.losses(engine.parameters()) == pytest.approx(trained, rel=1e-5)


def test_operations_are_counted_as_documented():
    pairs = 784 * 100 + 100 * 100 + 100 * 10
    counted = 3 * (6 * pairs - 2 * 784 * 100) * 128
    assert Workload("mnist", 100, 3, 1).operations_per_step == counted


def test_without_a_checkout_the_peers_are_named_as_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "PEERS", tmp_path / "benchmarks")
    monkeypatch.setattr(benchmark, "LIBRARIES", {})
    with pytest.raises(ReproError, match=r"No engine .*jax-vmap: .*benchmarks"):
        benchmark.compare((8,), (1,), ("jax-vmap",), steps=1, repeats=1, dataset="digits")


def test_the_published_measurements_can_be_shown():
    for file in benchmark_figure.published_path().glob("benchmark-*.json"):
        rows = benchmark_figure.published_benchmark(file.stem.removeprefix("benchmark-"))["rows"]
        sizes = {(row["width"], row["replicas"]) for row in rows}
        assert len(benchmark_figure.seconds_table(rows)) == len(sizes)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--engines keras", "engines must be one of repro-tensorflow"),
        ("--engines jax-vmap,jax-vmap", "none twice"),
        ("--widths 0", "width must be a whole number from 1"),
        ("--steps 0", "steps must be a whole number from 1"),
        ("--batch-size 100000", "batch_size must be at most the samples of mnist"),
        ("--output nowhere/bench.json", "not nowhere/bench.json"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(words, told, monkeypatch, capsys):
    monkeypatch.setattr(benchmark.worker, "started", None)
    assert main(["bench", *words.split()]) == 2
    said = capsys.readouterr()
    assert told in said.err and said.err.startswith("repro: ") and said.err.count("\n") == 1
