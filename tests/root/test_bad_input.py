"""Every way into the program refuses bad input in one clear sentence, and nothing else happens.

`bad_input` has what is tried; here a few examples of each, and what must not be left to chance.
"""

import bz2
import json
import tarfile
import tracemalloc

import numpy as np
import pytest
from bad_input import (
    ENTRY_POINTS,
    EntryPoint,
    Failure,
    _archive,
    _hdf5,
    _sound_runs,
    outcome,
    tried,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro import Experiment, ReproError
from repro.book import input_tables
from repro.data import hasyv2
from repro.errors import LONGEST, shown
from repro.model import deviation, network
from repro.store import packing
from repro.store.record import CURVES
from repro.store.store import Store
from repro.training import grid, schedule

EXAMPLES = {"command line": 30, "packed store": 30, "MNIST": 10, "HASYv2": 20}


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: entry.name)
def test_bad_input_is_refused_in_one_clear_sentence(entry):
    if entry.name == "command line":
        pytest.importorskip("keras")

    @settings(
        max_examples=EXAMPLES.get(entry.name, 40), deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(entry.inputs)
    def attempt(value):
        outcome(entry, value)

    attempt()


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("error", [KeyError("x"), ReproError(""), MemoryError(), ValueError("x")])
def test_the_counts_would_show_a_failure(error, capsys):
    entry = EntryPoint("made up", "one that fails", st.booleans(), lambda value: _raise(error))
    with pytest.raises(Failure):
        outcome(entry, True)
    counts = tried(entry, 5, seed=0)
    assert counts["failed"] == counts["tried"] >= 1 and counts["failures"]


def test_a_message_is_one_line_of_bounded_length_whatever_it_quotes():
    assert str(ReproError("a\nb\x1b[2J\udcff")) == r"a\nb\x1b[2J\udcff"
    assert len(str(ReproError("long " * 10_000))) < LONGEST + 10
    assert shown("text") == "'text'" and shown([8, None]) == "[8, None]"
    assert len(shown(list(range(10**6)))) < 200
    assert "int" in shown(10**5000)  # which Python itself does not write out
    nested = []
    nested.append(nested)
    assert len(shown([nested] * 5)) < 200


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"width": 10**5000}, "width must be a whole number"),
        ({"learning_rate": 10**400}, "learning_rate must be a number"),
        ({"learning_rate": b"0.1"}, "learning_rate must be a number"),
        ({"learning_rate": np.bool_(True)}, "learning_rate must be a number"),
        ({"dataset": np.array(["digits", "mnist"])}, "dataset must be"),
        ({"dataset": ["digits"]}, "dataset must be"),
        ({"split": np.array([1, 2])}, "split must be left out"),
    ],
)
def test_values_that_once_ended_in_a_traceback(change, told):
    with pytest.raises(ReproError, match=told):
        Experiment(**({"dataset": "digits", "width": 8, "epochs": 1} | change))


def test_a_plan_has_no_aliases_no_key_twice_and_an_end(tmp_path):
    plan = tmp_path / "plan.yml"
    for text, told in (
        ("a: &a [8]\nwidths: *a", "cannot use aliases"),
        ("datasets: digits\nwidths: 8\nwidths: 9", "a key is there twice"),
        ("[" * 100_000, "must be YAML"),
        ("#" * (grid.LARGEST_PLAN + 1), "at most"),
        ("datasets: digits\nwidths: 2001-99-99", "must be YAML"),
        ("datasets: digits\nwidths: [8, 9]\nreplicas: 99999", "can have 100000 runs, not 199998"),
        ("- {datasets: digits, widths: 8, replicas: 60000}\n" * 2, "can have 100000 runs"),
    ):
        plan.write_text(text)
        with pytest.raises(ReproError, match=told):
            grid.read_plan(plan)


def test_a_network_beyond_memory_is_refused_before_any_memory_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(network, "_memory", lambda: 2**30)
    monkeypatch.setattr(network, "initial_weights", None)
    with pytest.raises(ReproError, match=r"needs more than \d+ GiB of memory"):
        schedule.train_missing([(Experiment("digits", 50_000, 1, mark="a"), [0])], Store(tmp_path))
    network.check(Experiment("hasyv2", 1000, 1000))  # the paper's widest
    assert list(tmp_path.iterdir()) == []


def _peak(action, refusal) -> int:
    """Bytes of memory that it takes to be refused."""
    tracemalloc.start()
    try:
        with pytest.raises(ReproError, match=refusal):
            action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


MIB = 2**20


def test_a_run_that_would_fill_memory_is_refused_by_what_it_says(tmp_path):
    """32 GiB of numbers that were never written, in a file of a few thousand bytes."""
    curves = dict.fromkeys(CURVES, np.ones((1, 3), np.float32))
    axes = {"epoch": np.arange(3), "replica": np.array([0]), "joint_histogram": (2**33,)}
    parameters = Experiment("digits", 8, 2).parameters
    written = json.dumps({name: parameters[name] for name in parameters if name != "epochs"})
    bomb = _hdf5(curves | axes, {"experiment": written})
    assert len(bomb) < MIB
    (tmp_path / "runs.tar").write_bytes(_archive([("run.nc", tarfile.REGTYPE, bomb, None)]))
    store = Store(tmp_path / "store")
    refusal = "says that it holds 32.0 GiB"
    assert _peak(lambda: packing.unpack(tmp_path / "runs.tar", store), refusal) < 64 * MIB
    assert not store.path.exists()


def test_a_file_with_the_curves_of_a_run_alone_is_not_taken(tmp_path):
    """The checksum is right and every curve is there, but netCDF's dimensions are not."""
    curves = dict.fromkeys(CURVES, np.ones((1, 3), np.float32))
    parameters = Experiment("digits", 8, 2).parameters
    written = json.dumps({name: parameters[name] for name in parameters if name != "epochs"})
    axes = {"epoch": np.arange(3), "replica": np.array([0])}
    file = _hdf5(curves | axes, {"experiment": written})
    (tmp_path / "runs.tar").write_bytes(_archive([("run.nc", tarfile.REGTYPE, file, None)]))
    store = Store(tmp_path / "store")
    with pytest.raises(ReproError, match=r"run.nc in .* is no run .*train_loss has the dimensions"):
        packing.unpack(tmp_path / "runs.tar", store)
    assert not store.path.exists()


@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_SPARSE, tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE]
)
def test_an_archive_that_claims_gigabytes_is_refused(tmp_path, kind):
    (tmp_path / "runs.tar").write_bytes(_archive([("run.nc", kind, bytes(512), 2**30)]))
    store = Store(tmp_path / "store")
    refusal = r"is no run|no packed store|damaged|cut off"
    assert _peak(lambda: packing.unpack(tmp_path / "runs.tar", store), refusal) < 3 * 2**30
    assert not store.path.exists()


@pytest.mark.parametrize("where", ["an image", "a long name", "another file", "behind the end"])
def test_a_compressed_bomb_is_left_at_the_limit(tmp_path, monkeypatch, where):
    monkeypatch.setattr(hasyv2, "LARGEST_ARCHIVE", 8 * MIB)
    monkeypatch.setattr(hasyv2, "LARGEST_MEMBER", 4 * MIB)
    zeros = bytes(64 * MIB)
    plain = ("x", tarfile.REGTYPE, b"", None)
    tar = {
        "an image": lambda: _archive([("hasy-data/v2-00000.png", tarfile.REGTYPE, zeros, None)]),
        "a long name": lambda: _archive([("x", tarfile.GNUTYPE_LONGNAME, zeros, None), plain]),
        "another file": lambda: _archive([("about", tarfile.REGTYPE, zeros, None)]),
        "behind the end": lambda: _archive([plain]) + zeros,
    }[where]()
    bomb = tmp_path / "HASYv2.tar.bz2"
    bomb.write_bytes(bz2.compress(tar, 1))
    del tar
    assert bomb.stat().st_size < MIB
    refusal = "far larger than expected|far more than expected"
    tiny = hasyv2.Edition(10, 3, "")
    assert _peak(lambda: hasyv2._Decoder(bomb, tiny).decode(False), refusal) < 40 * MIB


def test_the_same_name_twice_in_an_archive_hides_nothing(tmp_path):
    bad = ("run.nc", tarfile.REGTYPE, b"no run", None)
    good = ("run.nc", tarfile.REGTYPE, _sound_runs()[0], None)
    (tmp_path / "runs.tar").write_bytes(_archive([bad, good]))
    with pytest.raises(ReproError, match="checksum is wrong"):
        packing.unpack(tmp_path / "runs.tar", Store(tmp_path / "store"))


def test_the_page_shows_every_entry_point():
    rows = [
        {"entry": entry.name, "what": entry.what, "tried": 3, "refused": 2, "accepted": 1,
         "failed": 0}
        for entry in ENTRY_POINTS
    ]  # fmt: skip
    table = input_tables.bad_input_table({"rows": rows})
    assert len(table) == len(ENTRY_POINTS) + 1
    assert table.iloc[-1].tolist() == ["all", 3 * len(rows), 2 * len(rows), len(rows), 0]
    assert len(input_tables.tolerance_table()) == len(deviation.STATISTICS)
