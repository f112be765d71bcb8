"""One replica trained on two devices."""

import numpy as np
import pytest
from synthetic import synthetic_run

from repro.investigations import same_replica
from repro.store.store import Store


def test_what_was_trained_twice_is_paired_and_told_over_the_same_epochs(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path))
    first, second = Store(tmp_path), Store(tmp_path / same_replica.FOLDER)
    one = synthetic_run(16, 1000, "unstable")
    first.save(one.assign_attrs(device="A"), None)
    first.save(synthetic_run(32, 1000, "strong"), None)
    other = one.isel(epoch=slice(0, 901)).assign(train_loss=1.1 * one.train_loss[:, :901])
    again = synthetic_run(16, 900, "unstable").assign(train_loss=other.train_loss)
    second.save(again.assign_attrs(device="B"), None)
    (pair,) = same_replica.pairs()
    assert pair.published.sizes["epoch"] == pair.again.sizes["epoch"] == 901
    table = same_replica.table([pair])
    assert table["device"].tolist() == ["A", "B"]
    assert table["apart"].tolist() == pytest.approx([np.log(1.1)] * 2)
    assert table["diverged"].between(400, 450).all()


def test_what_was_trained_twice_begins_alike():
    table = same_replica.table(same_replica.pairs())
    assert len(table) >= 2, "results/again has a run"
    assert table["apart"].between(0, 0.01, inclusive="neither").all()
    assert table.groupby("replica")["device"].nunique().min() == 2
