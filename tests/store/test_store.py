"""The store: whole files or none, found by digest and replica, read only when undamaged."""

import numpy as np
import pytest
import xarray as xr
from made_up import made_up_run as _record

from repro import Experiment, ReproError, published, published_runs, run
from repro.store import publication, run_file
from repro.store.store import Store

EXPERIMENT = Experiment("digits", 12, 5)


def test_what_is_saved_is_read_back(tmp_path):
    dataset, state = _record(5, EXPERIMENT)
    store = Store(tmp_path / "store")
    store.save(dataset, state)
    found = store.find(EXPERIMENT, 0)
    assert (found.experiment, found.replica, found.epochs) == (EXPERIMENT, 0, 5)
    assert store.load(found).identical(dataset)
    for name, values in store.load_checkpoint(found)[1].items():
        np.testing.assert_array_equal(values, state[name])
    assert [one.path for one in store.runs()] == [found.path]
    assert store.find(EXPERIMENT, 1) is None


def test_readers_of_netcdf_read_the_same(tmp_path):
    path = Store(tmp_path).save(*_record(5, EXPERIMENT))
    ours = Store(tmp_path).load(Store(tmp_path).find(EXPERIMENT, 0))
    with xr.open_dataset(path, engine="h5netcdf") as theirs:
        assert ours.identical(theirs.load())
        assert {n: v.dtype for n, v in ours.variables.items()} == {
            n: v.dtype for n, v in theirs.variables.items()
        }
        assert [type(v) for v in ours.attrs.values()] == [type(v) for v in theirs.attrs.values()]


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch):
    store = Store(tmp_path)
    path = store.save(*_record(3, EXPERIMENT))
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("repro.store.store.os.fsync", full)
    with pytest.raises(ReproError, match=r"cannot be written \(No space left"):
        store.save(*_record(5, EXPERIMENT))
    assert path.read_bytes() == before
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


def test_what_a_killed_process_left_is_removed_by_who_holds_the_run(tmp_path):
    store = Store(tmp_path)
    path = store.save(*_record(3, EXPERIMENT))
    left = path.with_name(".replica-0000.nc.1234.part")
    other = path.with_name(".replica-0001.nc.1234.part")
    for file in (left, other):
        file.write_text("half")
    with store.held(EXPERIMENT, 0) as ours:
        assert ours and not left.exists() and other.exists()
    assert [run.path for run in store.runs()] == [path]


def test_published_cuts_to_the_epochs_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path))
    store = Store(tmp_path)
    for replica, epochs in ((0, 5), (1, 3), (2, 5)):
        store.save(_record(epochs, EXPERIMENT, replica)[0], None)
    together = published(EXPERIMENT)
    assert together.replica.values.tolist() == [0, 2]
    assert together.train_loss.dims == ("replica", "epoch")
    short = published(EXPERIMENT.with_epochs(2))
    assert short.replica.values.tolist() == [0, 1, 2]
    assert short.epoch.values.tolist() == [0, 1, 2]
    assert short.histogram_epoch.values.tolist() == [0, 1, 2]
    # Differing attributes are kept, along the replicas.
    assert short.finished.values.tolist() == ["5", "3", "5"] and short.attrs["device"] == "none"
    np.testing.assert_array_equal(short.sel(replica=0).train_loss, together.sel(replica=0)[
        "train_loss"
    ].sel(epoch=slice(0, 2)))  # fmt: skip


def test_what_is_not_published_is_told_with_the_command_that_trains_it(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path))
    with pytest.raises(ReproError, match=r"nothing is published.*repro train --dataset digits"):
        published(EXPERIMENT)
    Store(tmp_path).save(_record(3, EXPERIMENT)[0], None)
    with pytest.raises(ReproError, match="only 3 epochs"):
        published(EXPERIMENT)


def test_run_reads_published_results_without_training(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setattr("repro.training.schedule.groups", None)  # calling it would fail
    Store(tmp_path / "published").save(_record(5, EXPERIMENT)[0], None)
    Store(tmp_path / "own").save(_record(5, EXPERIMENT, 1)[0], None)
    assert run(EXPERIMENT, 2, tmp_path / "own").sizes["replica"] == 2


@pytest.fixture
def publish(tmp_path):
    """Publish runs of these experiments and replicas; a store's own and what is published."""
    own, target = Store(tmp_path / "own"), Store(tmp_path / "target")

    def published(*runs, epochs=6):
        wholes = [_record(epochs, experiment, replica)[0] for experiment, replica in runs]
        for experiment, replica in runs:
            own.save(*_record(epochs, experiment, replica))
        publication.publish(own, target, epochs, unfinished=False)
        return wholes, [target.load(target.find(*each)) for each in runs]

    return published


def _sums(dataset):
    """The joint counts of each layer."""
    return dataset["joint_histogram"].sum(("initial_bin", "final_bin")).isel(joint_epoch=-1)[0]


def test_complete_runs_are_published_thinned_and_unfinished_ones_with_their_state(tmp_path):
    own, target = Store(tmp_path / "own"), Store(tmp_path / "target")
    marked, short = Experiment("digits", 12, 6, mark="a"), Experiment("digits", 14, 6)
    complete, _ = _record(6, marked)
    own.save(*_record(6, marked))
    own.save(*_record(3, short))
    assert len(publication.publish(own, target, 6, unfinished=False)) == 1
    assert len(publication.publish(own, target, 6, unfinished=True)) == 1
    done, open_ = target.find(marked, 0), target.find(short, 0)
    assert (done.continuable, open_.continuable) == (False, True)
    thin = target.load(done)
    np.testing.assert_array_equal(thin.train_loss, complete.train_loss)
    np.testing.assert_allclose(thin.matrix, complete.matrix, rtol=2**-7)
    np.testing.assert_allclose(thin.deviation_std, complete.deviation_std, rtol=2**-13)
    assert thin.joint_epoch.values.tolist() == [6]
    assert publication.publish(own, target, 6, unfinished=True) == []


def test_of_further_replicas_only_what_is_shown_is_published(publish):
    marked = Experiment("digits", 12, 6, mark="a")
    (whole, _), (first, second) = publish((marked, 0), (marked, 1))
    for name in ("histogram_epoch", "matrix_epoch"):
        assert first[name].values.tolist() == whole[name].values.tolist()
        assert second[name].values.tolist() == whole[name].values[-1:].tolist()
    assert second["layer"].values.tolist() == ["input_hidden", "hidden_hidden", "hidden_output"]
    assert _sums(second).values.tolist() == [0, 144, 0] and (_sums(first) > 0).all()
    known = second["deviation_quantiles"].notnull().all(("replica", "epoch", "quantile"))
    assert known.values.tolist() == [False, True, False]
    assert first["deviation_quantiles"].notnull().all()


def test_of_what_is_not_a_baseline_only_what_is_shown_is_published(publish):
    changes = ({"seed": 1}, {"loss": "logits"}, {"optimizer": "adam", "mark": "a"})
    _, (usual, *few) = publish(*((Experiment("digits", 12, 6, **each), 0) for each in changes))
    assert usual.histogram_epoch.values.tolist()[0] == 0 and (_sums(usual) > 0).all()
    for thin in few:
        assert "deviation_histogram" not in thin and _sums(thin).values.tolist() == [0, 144, 0]
        known = thin["deviation_std"].notnull().all(("replica", "epoch"))
        assert known.values.tolist() == [False, True, False]
        assert thin.train_loss.size == 7 and ("matrix" in thin) == (thin.attrs["mark"] != "")


def test_of_a_first_replica_the_matrices_that_are_pictured_are_published(publish):
    (whole,), (found,) = publish((Experiment("digits", 12, 120, mark="a"), 0), epochs=120)
    assert whole.matrix_epoch.values.tolist() == [0, 25, 50, 75, 100, 120]
    assert found.matrix_epoch.values.tolist() == [0, 25, 75, 120]
    np.testing.assert_allclose(
        found.matrix, whole.matrix.sel(matrix_epoch=found.matrix_epoch), rtol=2**-7
    )
    assert found.histogram_epoch.values.tolist() == whole.histogram_epoch.values.tolist()


def test_rounding_keeps_what_is_not_a_number():
    values = np.array([np.nan, np.inf, -np.inf, 0, 1, -1.0001, 3e-40, 3.3e38], np.float32)
    result = publication.rounded(values, 8)
    assert np.isnan(result[0]) and result[1] == np.inf and result[2] == -np.inf
    np.testing.assert_allclose(result[3:], values[3:], rtol=2**-9, atol=1e-40)


def test_the_published_results_of_this_checkout_are_sound():
    for one in published_runs():
        _, dataset = run_file.read(one.path)
        assert np.isfinite(dataset.train_loss.values).all()
        assert dataset.attrs["code_version"] and dataset.attrs["device"]
        assert "dirty" not in dataset.attrs["code_version"]
