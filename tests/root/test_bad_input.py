"""Every way into the program refuses bad input in one clear sentence, and nothing else happens."""

import pytest
from bad_input import ENTRY_POINTS, EntryPoint, Failure, outcome, tried
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro import Experiment, ReproError
from repro.errors import LONGEST, shown
from repro.model import network
from repro.store.store import Store
from repro.training import schedule


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: entry.name)
def test_bad_input_is_refused_in_one_clear_sentence(entry):
    examples = 20  # a thousand where the harness runs as a program

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(entry.inputs)
    def attempt(value):
        outcome(entry, value)

    attempt()


@pytest.mark.parametrize("error", [KeyError("x"), ReproError(""), ValueError("x")])
def test_the_counts_would_show_a_failure(error, capsys):
    def fail(_):
        raise error

    entry = EntryPoint("made up", "one that fails", st.booleans(), fail)
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


def test_a_network_beyond_memory_is_refused_before_any_memory_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(network, "_memory", lambda: 2**30)
    monkeypatch.setattr(network, "initial_weights", None)
    with pytest.raises(ReproError, match=r"needs more than \d+ GiB of memory"):
        schedule.train_missing([(Experiment("digits", 50_000, 1, mark="a"), [0])], Store(tmp_path))
    network.check(Experiment("hasyv2", 1000, 1000))  # the paper's widest
    assert list(tmp_path.iterdir()) == []
