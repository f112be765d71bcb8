"""The command line as a user types it: what it does, and what it says when it cannot."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from made_up import made_up_run

from repro import Experiment, command_options
from repro.command_line import main
from repro.provenance import VERSION
from repro.store.store import Store
from repro.training import grid
from repro.training.schedule import Bar

TINY = ["train", "--dataset", "digits", "--widths", "8,9", "--epochs", "2", "--quiet"]


@pytest.fixture(autouse=True)
def nothing_published(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("REPRO_STORE", str(tmp_path / "default-store"))


def test_train_then_results(tmp_path, capsys):
    pytest.importorskip("keras")
    place = str(tmp_path / "store")
    assert main([*TINY, "--replicas", "2", "--store", place]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 5 and "4 of 4 runs" in lines[-1] and said.err == ""
    assert all(re.search(r"replica [01]: 2 epochs, train loss \d", line) for line in lines[:-1])
    assert main(["results", "--store", place]) == 0
    listing = capsys.readouterr().out.splitlines()
    # A head, a line an experiment, and where they are.
    assert [line.split()[:4] for line in listing[1:3]] == [
        ["own", "digits", "8", "0,"], ["own", "digits", "9", "0,"]
    ]  # fmt: skip
    assert listing[3:] == [f"own: 4 runs in {place}"]
    assert main(["results", "--json", "--store", place]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    assert [(run["parameters"]["width"], run["replica"]) for run in listed] == [
        (8, 0), (8, 1), (9, 0), (9, 1)
    ]  # fmt: skip
    assert all(run["where"] == "own" and run["epochs"] == 2 and run["device"] for run in listed)
    assert main(["publish", "--minimum-epochs", "2", "--store", place]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert len(list(Store(tmp_path / "published").runs())) == 4


def test_a_listing_fits_a_hundred_columns(tmp_path, capsys):
    experiment = Experiment("hasyv2", 512, 3, "logits", "inverted", split=0.85, learning_rate=0.03)
    for replica in range(3):
        run, state = made_up_run(3, experiment, replica)
        run.attrs["device"] = f"CPU AMD EPYC 9R14 96-Core Processor, {replica + 1} cores"
        Store().save(run, state)
    assert main(["results"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 100 for line in said[:-1]) and "\x1b" not in "".join(said)
    joined = " ".join(" ".join(said).split())
    assert "0 to 2" in joined and "loss=logits" in joined and "96-Core" in joined


def test_the_reasons_of_claims_come_on_demand(tmp_path, capsys):
    Store(tmp_path / "store").save(*made_up_run(2, Experiment("mnist", 8, 2)))
    assert main(["claims", "--store", str(tmp_path / "store")]) == 0
    table = capsys.readouterr().out
    assert "repro train --dataset mnist" in table
    assert main(["claims", "--why", "--store", str(tmp_path / "store")]) == 0
    assert "only 1 shorter" in capsys.readouterr().out and "only 1 shorter" not in table


def test_a_time_limit_has_its_own_exit_code_and_the_same_command_goes_on(tmp_path, capsys):
    pytest.importorskip("keras")
    command = [*TINY, "--store", str(tmp_path), "--widths", "8", "--time-limit"]
    assert main([*command, "0.001"]) == 3
    assert main([*command, "600"]) == 0
    assert Store(tmp_path).find(Experiment("digits", 8, 2), 0).epochs == 2


def test_a_sweep_trains_a_grid_or_a_plan(tmp_path, monkeypatch, capsys):
    pytest.importorskip("keras")
    monkeypatch.setenv("HOME", str(tmp_path))
    words = "sweep --datasets digits --widths 8 --epochs 1 --marks none a --quiet --store ~/runs"
    assert main(words.split()) == 0
    (tmp_path / "plan.yml").write_text(
        "- {datasets: digits, widths: [8, 9], epochs: 1e0, marks: [null, a]}"
    )
    command = ["sweep", "--plan", "~/plan.yml", "--quiet", "--store", "~/runs"]
    for _ in range(2):  # the second time nothing is left to train
        assert main(command) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "4 of 4 runs are there."
    found = {(run.experiment.width, run.experiment.mark) for run in Store(tmp_path / "runs").runs()}
    assert found == {(8, None), (8, "a"), (9, None), (9, "a")}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train --dataset hasyv2 --widths 64 --epochs 0", "epochs must be a whole number from 1"),
        ("train --dataset digits", "--widths"),
        ("sweep --plan nowhere.yml", "nowhere.yml cannot be read (No such file"),
        ("sweep --plan nowhere.yml --widths 8", "leave out widths"),
        ("train --dataset digits --widths 8 --lanes 0", "must be a whole number from 1"),
        ("train --dataset digits --widths 8 --time-limit soon", "must be a number of seconds"),
        ("claims --store nowhere", "There is no folder nowhere"),
        ("results --store ~no-such-user", "is no path here"),
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


@pytest.mark.parametrize(
    "command",
    ["", "data", "train", "sweep", "results", "claims", "bench", "publish"],
)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0 and "usage: repro" in capsys.readouterr().out


def test_every_field_of_an_experiment_is_an_option_explained_by_its_docstring(capsys):
    told = command_options.parameter_help()
    assert set(told) == set(Experiment.__dataclass_fields__) and all(told.values())
    for command, names in (("train", told), ("sweep", map(grid.plural, told))):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        shown = capsys.readouterr().out
        for name in names:
            assert grid.option("widths" if name == "width" else name) in shown
        assert " ".join(told["seed"].split()[:4]) in shown


def test_the_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"repro {VERSION}\n"


def test_a_closed_error_stream_does_not_stop_a_training(tmp_path):
    pytest.importorskip("keras")
    words = "train --dataset digits --widths 8 --epochs 1 --store"
    command = f"'{sys.executable}' -m repro.command_line {words} '{tmp_path}' 2>&-"
    ended = subprocess.run(command, shell=True, stdout=subprocess.PIPE, timeout=200)
    assert ended.returncode == 0 and b"1 of 1 runs" in ended.stdout


def test_an_interrupted_training_is_saved_and_goes_on(tmp_path, monkeypatch, capsys):
    loop = pytest.importorskip("repro.training.loop")
    advance = loop._Group.advance

    def interrupted(group):
        advance(group)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop._Group, "advance", interrupted)
    words = ["train", "--dataset", "digits", "--widths", "8", "--epochs", "1000"]
    assert main([*words, "--quiet", "--store", str(tmp_path)]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    run = Store(tmp_path).find(Experiment("digits", 8, 1), 0)
    assert 1 <= run.epochs < 1000 and run.continuable
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".nc", ".lock"}


def test_the_first_epoch_with_its_compiling_is_no_part_of_the_estimate(monkeypatch):
    now = 0.0
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    with Bar(Experiment("digits", 8, 103), [0], 3, True) as bar:
        for seconds in (100, 1, 1, 1):
            now += seconds
            bar.update()
        assert "<01:36" in str(bar)
