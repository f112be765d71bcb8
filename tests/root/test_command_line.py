"""The command line as a user types it: what it does, and what it says when it cannot."""

import json
import os
import re
import subprocess
import sys

import pytest

from repro import Experiment
from repro.command_line import main
from repro.store.store import Store

TINY = ["train", "--dataset", "digits", "--widths", "8,9", "--epochs", "2", "--quiet"]


@pytest.fixture(autouse=True)
def nothing_published(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("REPRO_STORE", str(tmp_path / "default-store"))


def test_train_then_results(tmp_path, capsys):
    pytest.importorskip("keras")
    place = str(tmp_path / "store")
    assert main([*TINY, "--replicas", "2", "--store", place]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5 and "4 of 4 runs" in said[-1]
    assert all(re.search(r"replica [01]: 2 epochs, train loss \d", line) for line in said[:-1])
    assert main(["results", "--store", place]) == 0
    listing = capsys.readouterr().out.splitlines()
    assert len(listing) == 5  # a head, a line an experiment, and where they are
    assert all("digits-N" in line and "  0, 1  " in line for line in listing[1:3])
    assert listing[-1] == f"own: 4 runs in {place}"
    assert main(["results", "--json", "--store", place]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    assert [(run["parameters"]["width"], run["replica"]) for run in listed] == [
        (8, 0), (8, 1), (9, 0), (9, 1)
    ]  # fmt: skip
    assert all(run["where"] == "own" and run["epochs"] == 2 and run["device"] for run in listed)
    assert main(["publish", "--minimum-epochs", "2", "--store", place]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert len(list(Store(tmp_path / "published").runs())) == 4


def test_a_time_limit_has_its_own_exit_code_and_the_same_command_goes_on(tmp_path, capsys):
    pytest.importorskip("keras")
    command = [*TINY, "--store", str(tmp_path), "--widths", "8", "--time-limit"]
    assert main([*command, "0.001"]) == 3
    assert main([*command, "600"]) == 0
    assert Store(tmp_path).find(Experiment("digits", 8, 2), 0).epochs == 2


def test_a_sweep_trains_the_grid(tmp_path, capsys):
    pytest.importorskip("keras")
    words = "sweep --datasets digits --widths 8,9 --losses clipped logits --epochs 1 --quiet"
    assert main([*words.split(), "--store", str(tmp_path)]) == 0
    found = {(run.experiment.width, run.experiment.loss) for run in Store(tmp_path).runs()}
    assert found == {(8, "clipped"), (8, "logits"), (9, "clipped"), (9, "logits")}
    assert "4 of 4 runs are there" in capsys.readouterr().out


def test_a_sweep_from_a_plan_and_its_results_in_one_file(tmp_path, capsys):
    pytest.importorskip("keras")
    plan = tmp_path / "plan.yml"
    plan.write_text("- {datasets: digits, widths: 8, epochs: 1, marks: [null, a]}\n")
    here, there, packed = tmp_path / "here", tmp_path / "there", tmp_path / "runs.tar"
    assert main(["sweep", "--plan", str(plan), "--quiet", "--store", str(here)]) == 0
    assert main(["pack", str(packed), "--store", str(here)]) == 0
    assert main(["unpack", str(packed), "--store", str(there)]) == 0
    assert [run.experiment.mark for run in Store(there).runs()] == [None, "a"]
    # Nothing is left to train there.
    assert main(["sweep", "--plan", str(plan), "--quiet", "--store", str(there)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 of 2 runs are there."


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train --dataset hasyv2 --widths 64 --epochs 0", "epochs must be a whole number from 1"),
        ("train --dataset hasyv2 --widths ten", "must be whole numbers with commas between them"),
        ("train --dataset cifar --widths 64", "dataset must be one of hasyv2, mnist"),
        ("train --dataset digits --widths 64 --replicas 0", "replicas must be a whole number"),
        ("train --dataset digits --widths 64 --mark ab", "mark must be one printable character"),
        ("train --dataset digits --widths 4 --mark a", "at least 8"),
        ("train --dataset digits --widths 64 --loss mse", "loss must be one of"),
        ("train --dataset digits", "--widths"),
        ("sweep --datasets digits cifar --widths 8", "dataset must be one of"),
        ("sweep --datasets digits", "widths is missing"),
        ("sweep --plan nowhere.yml", "nowhere.yml cannot be read (No such file"),
        ("sweep --plan nowhere.yml --widths 8", "leave out widths"),
        ("train --dataset digits --widths 8 --lanes 0", "must be a whole number from 1"),
        ("pack out.tar", "There is no run in"),
        ("unpack nowhere.tar", "nowhere.tar cannot be read (No such file"),
        ("data cifar", "cifar"),
        ("paint", "paint"),
        ("", "COMMAND"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_leaves_nothing_behind(words, told, tmp_path, capsys):
    try:
        code = main(words.split())
    except SystemExit as stop:  # argparse's way
        code = stop.code
    said = capsys.readouterr()
    assert code == 2
    assert told in said.err and said.err.startswith("repro: ") and said.err.count("\n") == 1
    assert said.out == "" and list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_written_is_told_before_the_training(tmp_path, capsys):
    (tmp_path / "occupied").write_text("a file")
    assert main([*TINY, "--store", str(tmp_path / "occupied")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_folder_without_the_data_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REPRO_DATA_DIR", str(tmp_path / "nowhere"))
    words = ["train", "--dataset", "mnist", "--widths", "8", "--epochs", "1"]
    assert main([*words, "--store", str(tmp_path / "store")]) == 2
    said = capsys.readouterr().err
    assert "REPRO_DATA_DIR" in said or "nowhere" in said
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "command",
    ["", "data", "train", "sweep", "results", "pack", "unpack", "claims", "bench", "publish"],
)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0 and "usage: repro" in capsys.readouterr().out


def test_an_interrupted_training_is_saved_and_goes_on(tmp_path):
    pytest.importorskip("keras")
    command = [sys.executable, "-m", "repro.command_line", "train", "--dataset", "digits"]
    command += ["--widths", "8", "--epochs", "100000", "--store", str(tmp_path)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    # The progress bar says when it trains.
    shown = b""
    while b"train " not in shown:
        piece = process.stderr.read1(200)
        assert piece, shown.decode()
        shown += piece
    process.terminate()
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 130, (shown + rest).decode()
    run = Store(tmp_path).find(Experiment("digits", 8, 1), 0)
    assert run.epochs >= 1 and run.continuable
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".nc"]
