"""One replica trained on two devices."""

import numpy as np
import pytest
from synthetic import synthetic_run

from repro import published_runs
from repro.investigations import same_replica
from repro.store.store import Store


@pytest.fixture
def twice(tmp_path, monkeypatch):
    """A replica that diverges in one training and not in the other, and one trained once."""
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path))
    first, second = Store(tmp_path), Store(tmp_path / same_replica.FOLDER)
    made = {"device": "NVIDIA H200, then CPU Some Processor, 1 cores from epoch 950"}
    first.save(synthetic_run(16, 1000, "unstable").assign_attrs(made), None)
    first.save(synthetic_run(32, 1000, "strong").assign_attrs(made), None)
    other = {"device": "CPU Some Processor, 1 cores"}
    second.save(synthetic_run(16, 900, "strong", spikes=(300,)).assign_attrs(other), None)
    return same_replica.pairs()


def test_only_what_was_trained_twice_is_paired_and_cut_to_the_same_epochs(twice):
    (pair,) = twice
    assert pair.published.sizes["epoch"] == pair.again.sizes["epoch"] == 901
    assert pair.published.attrs["width"] == 16
    # The second training is no further replica.
    assert len(published_runs()) == 2


def test_the_table_tells_what_became_of_each(twice):
    table = same_replica.table(twice)
    assert table.device.tolist() == ["NVIDIA H200", "Some, 1 core"]
    assert 400 < table["diverged at"][0] < 450 and np.isnan(table["diverged at"][1])
    assert table.spikes.tolist() == [0, 1]


def test_how_far_the_first_epochs_are_apart(twice):
    (pair,) = twice
    same = same_replica.Pair(pair.published, pair.published)
    assert same_replica.apart(same) == 0
    tenth = pair.published.assign(train_loss=1.1 * pair.published.train_loss)
    assert same_replica.apart(same_replica.Pair(pair.published, tenth)) == pytest.approx(
        np.log(1.1)
    )


def test_sentences_and_figure_name_both_devices(twice):
    said = same_replica.words(twice)
    assert "on NVIDIA H200 it diverges at epoch 4" in said
    assert "on Some, 1 core it has not diverged by epoch 900" in said
    (axes,) = same_replica.figure(twice).axes
    assert [line.get_label() for line in axes.lines] == ["NVIDIA H200", "Some, 1 core"]
    assert same_replica.words([]) == "No replica has been trained twice."
    assert same_replica.figure([]).axes


def test_what_was_trained_twice_begins_alike():
    found = same_replica.pairs()
    assert found, "results/again has a run"
    for pair in found:
        assert (
            pair.published.attrs["device"].split(",")[0] != pair.again.attrs["device"].split(",")[0]
        )
        assert 0 < same_replica.apart(pair) < 0.01
