"""What is there and what is missing, and the commands that pages and messages give."""

import shlex

from hypothesis import given
from hypothesis import strategies as st
from made_up import made_up_run

from repro import Experiment, command_line
from repro.book.listing import rows, table
from repro.book.status import coverage, made_table
from repro.commands import train_command
from repro.store.store import Store
from repro.training import grid

EXPERIMENTS = st.builds(
    Experiment,
    dataset=st.sampled_from(["hasyv2", "mnist"]),
    width=st.integers(1, 999),
    epochs=st.integers(1, 5000),
    loss=st.sampled_from(["clipped", "logits"]),
    pixels=st.sampled_from(["archived", "inverted"]),
    mark=st.sampled_from([None, "a", "'", "$", "é"]),
    learning_rate=st.floats(1e-6, 10),
    batch_size=st.integers(1, 512),
    epsilon=st.floats(1e-20, 0.4),
    seed=st.integers(0, 2**40),
)


@given(EXPERIMENTS, st.integers(1, 20))
def test_the_command_trains_just_that_experiment(experiment, replicas):
    _, *words = shlex.split(train_command(experiment, replicas))
    chosen = command_line._parser().parse_args(words)
    assert grid.experiments(command_line._grid(chosen)) == [(experiment, list(range(replicas)))]


def test_a_share_and_a_fold_are_in_the_command():
    for split in (0.85, "fold-3"):
        words = train_command(Experiment("hasyv2", 8, 5, split=split)).split()
        assert words[-2:] == ["--split", str(split)]
    assert "--split" not in train_command(Experiment("hasyv2", 8, 5))


def _store(tmp_path) -> Store:
    store = Store(tmp_path)
    plain, marked = Experiment("digits", 8, 6), Experiment("digits", 9, 6, mark="a")
    for experiment, replica, epochs in ((plain, 0, 6), (plain, 2, 4), (marked, 0, 3)):
        store.save(*made_up_run(epochs, experiment, replica))
    return store


def test_coverage_counts_full_lengths_and_names_the_rest(tmp_path):
    store = _store(tmp_path)
    wanted = [
        (Experiment("digits", 8, 6), [0, 1, 2]),
        (Experiment("digits", 9, 6, mark="a"), [0]),
        (Experiment("digits", 10, 6), [0]),
    ]
    found = coverage(wanted, list(store.runs()))
    assert found.complete.tolist() == [1, 0, 0] and found.replicas.tolist() == [3, 1, 1]
    assert found.begun.tolist() == ["4", "3", ""]
    assert found.otherwise.tolist() == ["", "marked “a”", ""]
    assert "--replicas 3" in found.command[0] and "--mark a" in found.command[1]
    assert coverage([(Experiment("digits", 8, 6), [0])], list(store.runs())).command[0] == ""
    store.save(*made_up_run(4, Experiment("digits", 8, 4), 1))
    assert coverage(wanted, list(store.runs())).begun.tolist() == ["4 (2 runs)", "3", ""]


def test_every_run_is_listed_with_what_made_it(tmp_path):
    store = _store(tmp_path)
    made = made_table(store)
    assert made.epochs.tolist() == [6, 4, 3] and made.otherwise.tolist() == ["", "", "marked “a”"]
    assert set(made.backend) == {"none"} and set(made["commit"]) == {"test"}
    for replica in (3, 4, 6, 7):
        store.save(*made_up_run(4, Experiment("digits", 8, 4), replica))
    shared = made_table(store)
    # The machine is one and the day; the one of 6 epochs was another program.
    assert shared.replica.tolist() == ["0", "2 to 4, 6, 7", "0"]
    assert made_table(Store(tmp_path / "none")).empty
    listed = rows({"own": _store(tmp_path / "other")})
    assert [(row["epochs"], row["continuable"]) for row in listed] == [
        (6, True), (4, True), (3, True)
    ]  # fmt: skip
    lines = table(listed).splitlines()
    assert len(lines) == 6 and "mark=a" in lines[3] and "none on none" in lines[3]
    assert lines[-1] == f"own: 3 runs in {tmp_path / 'other'}"


def test_replicas_that_differ_in_nothing_else_are_listed_in_one_line(tmp_path):
    store, experiment = Store(tmp_path), Experiment("digits", 8, 6)
    for replica, epochs in ((0, 6), (1, 6), (2, 6), (3, 4), (5, 6)):
        store.save(*made_up_run(epochs, experiment, replica))
    _, first, short, last, *_ = table(rows({"own": store})).splitlines()
    assert "  0 to 2  " in first and "  3  " in short and "  5  " in last
