"""One table of all runs, from files that are read once."""

import subprocess
import sys
from pathlib import Path

import pytest
from made_up import made_up_run

from repro import Experiment, ReproError, runs, summary
from repro.store import run_file
from repro.store.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    place = Store(tmp_path / "runs")
    for width, replica, epochs, options in (
        (9, 1, 6, {}), (9, 0, 4, {}), (8, 0, 5, {"loss": "logits", "seed": 3}),
    ):  # fmt: skip
        place.save(*made_up_run(epochs, Experiment("digits", width, epochs, **options), replica))
    return place


def test_a_row_for_every_run_with_its_settings_and_what_became_of_it(store):
    table = summary(store.path)
    assert table[["width", "replica", "epochs", "loss", "seed"]].values.tolist() == [
        [8, 0, 5, "logits", 3], [9, 0, 4, "clipped", 0], [9, 1, 6, "clipped", 0]
    ]  # fmt: skip
    assert set(Experiment.__dataclass_fields__) <= set(table.columns)
    # The made-up losses fall as 1 / (1 + epoch), and the last epoch is the lowest.
    assert table.minimum_train_loss.tolist() == pytest.approx([1 / 6, 1 / 5, 1 / 7])
    assert table.epoch_of_minimum_test_loss.tolist() == [5, 4, 6]
    assert table.train_loss.equals(table.minimum_train_loss)
    assert table.divergence_epoch.isna().all() and (table.regime == "undecided").all()
    assert table.wall_seconds.tolist() == [1.5] * 3 and set(table.device) == {"none"}
    assert all(Path(file).is_file() for file in table.file)
    last = store.load(store.find(Experiment("digits", 9, 6), 1)).isel(epoch=-1, replica=0)
    of_layer = last.sel(layer="hidden_hidden")
    assert table.relative_deviation.iloc[2] == float(of_layer.relative_deviation)
    assert table.weight_correlation.iloc[2] == float(of_layer.weight_correlation)


def test_no_run_is_a_table_without_rows_and_no_folder_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "nothing"))
    assert summary().empty and "regime" in summary().columns
    with pytest.raises(ReproError, match="There is no folder"):
        summary(tmp_path / "nowhere")


def test_a_file_is_read_once_until_it_is_another(store, monkeypatch):
    read = []
    real = run_file.read
    monkeypatch.setattr(run_file, "read", lambda path: read.append(path) or real(path))
    first = [results for _, results in runs.stored(store)]
    again = [results for _, results in runs.stored(store)]
    assert len(read) == 3 and all(a.identical(b) for a, b in zip(first, again, strict=True))
    first[0].attrs["seen"] = 1  # one's own dataset, around numbers that are shared
    assert "seen" not in next(runs.stored(store))[1].attrs
    with pytest.raises(ValueError, match="read-only"):
        first[0]["train_loss"].values[:] = 0
    longer = Experiment("digits", 9, 7)
    store.save(*made_up_run(7, longer, 1))
    assert summary(store.path).epochs.tolist() == [5, 4, 7] and len(read) == 4


def test_importing_changes_no_setting_of_a_library():
    """In a process of its own, for here everything is imported."""
    code = (
        "import matplotlib, pandas\n"
        "before = dict(matplotlib.rcParams), pandas.get_option('display.max_rows')\n"
        "import repro, repro.command_line, repro.analysis.evidence, repro.book.listing\n"
        "assert before == (dict(matplotlib.rcParams), pandas.get_option('display.max_rows'))\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
