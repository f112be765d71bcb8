"""Sweeps on a cluster of two workers in this process; of processes that die, see `clusters`."""

import pytest
from faults import contents

from repro import Experiment, ReproError, provenance
from repro.command_line import main
from repro.store.store import Store
from repro.training import cluster, schedule

distributed = pytest.importorskip("distributed")
pytest.importorskip("keras")
SWEEP = [(Experiment("digits", width, 6), (0, 1)) for width in (8, 9)]


@pytest.fixture(scope="module")
def workers():
    """The addresses of a scheduler and of its workers; the second offers a GPU."""
    how = {"processes": False, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(n_workers=1, **how) as here:
        spec = here.new_worker_spec()
        here.worker_spec |= {
            1: spec[1] | {"options": spec[1]["options"] | {"resources": {"GPU": 1}}}
        }
        here.sync(here._correct_state)
        yield here.scheduler_address, [here.workers[n].address for n in (0, 1)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The runs of this process."""
    store = Store(tmp_path_factory.mktemp("alone"))
    assert not schedule.train_missing(SWEEP, store, progress=False, lanes=1)
    return contents(store.path)


def trained(workers, store: Store, shared: bool = False, **more) -> cluster.Cluster:
    there = cluster.Cluster(workers[0], shared)
    more = {"progress": False, "cluster": there.executor} | more
    assert not schedule.train_missing(SWEEP, store, **more)
    return there


@pytest.mark.parametrize("shared", [False, True])
def test_it_trains_the_runs_of_one_machine_bit_for_bit(
    workers, alone, tmp_path, monkeypatch, shared
):
    monkeypatch.setattr(cluster, "SLICE_SECONDS", 0)  # an epoch each
    store = Store(tmp_path)
    (first, replicas), _ = SWEEP
    schedule.train_missing([(first.with_epochs(2), replicas)], store, progress=False)
    there = trained(workers, store, shared)
    assert contents(store.path) == alone
    assert sum(there.epochs.values()) == 2 * 4 + 2 * 6  # none twice
    assert not list(tmp_path.rglob("*.part"))


def test_wide_networks_go_to_a_gpu_together(workers, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "WIDE", 9)
    groups = []
    there = trained(workers, Store(tmp_path), finished=groups.append)
    assert sorted(len(replicas) for _, replicas in groups) == [1, 1, 2]
    assert there.epochs[workers[1][1]] >= 2 * 6


@pytest.mark.parametrize("problem", ["code", "disk"])
def test_a_worker_that_cannot_train_is_left_out(
    workers, alone, tmp_path, monkeypatch, capsys, problem
):
    _, (other, gpu) = workers

    def here() -> str | None:
        try:
            return distributed.get_worker().address
        except ValueError:
            return None

    put = Store.put

    def full(self, *what):
        if here() in unable:
            raise ReproError("no space left")
        return put(self, *what)

    if problem == "disk":
        monkeypatch.setattr(Store, "put", full)
    else:
        version = {True: "1+gold", False: "1+gnew"}
        monkeypatch.setattr(provenance, "code_version", lambda: version[here() in unable])
    unable, told = {other}, {"code": "1+gold, the sweep's 1+gnew", "disk": "no space left"}[problem]
    there = trained(workers, Store(tmp_path / "one"))
    assert set(there.epochs) == {gpu} and told in capsys.readouterr().err
    unable.add(gpu)
    with pytest.raises(ReproError, match="No worker can train"):
        trained(workers, Store(tmp_path / "none"))


def test_what_would_be_trained_is_listed_and_not_trained(tmp_path, capsys):
    what = [
        "sweep",
        "--datasets",
        "hasyv2",
        "--widths",
        "20",
        "--replicas",
        "3",
        "--epochs",
        "2000",
    ]
    assert main([*what, f"--store={tmp_path}", "--dry-run"]) == 0
    *_, row = capsys.readouterr().out.splitlines()
    name, width, runs, epochs, hours = row.split()
    assert (name, width, runs, epochs) == ("hasyv2", "20", "3", "6000") and 0.1 < float(hours) < 10
    assert not list(tmp_path.iterdir())


def test_where_no_scheduler_answers_it_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cluster, "_FIRST_SECONDS", 0.1)
    what = ["sweep", "--datasets", "digits", "--widths", "8", f"--store={tmp_path}", "--quiet"]
    assert main([*what, "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "127.0.0.1:9" in capsys.readouterr().err
