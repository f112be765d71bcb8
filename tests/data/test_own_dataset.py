"""One's own dataset from an .npz file: what it is known by, what is trained on, what is refused."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from repro import Experiment, ReproError, by_width
from repro.data import datasets, own
from repro.data.own import ARRAYS
from repro.model import network

pytestmark = pytest.mark.filterwarnings("ignore::repro.data.own.Doubtful")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    forget(monkeypatch)
    return tmp_path / "cache"


def forget(monkeypatch) -> None:
    """As in a new process."""
    monkeypatch.setattr(own, "_SEEN", {})


def small(**changes: object) -> dict[str, np.ndarray]:
    """Six samples of 2 x 2 pixels for training, three for testing, labels 0 to 2."""
    arrays = {
        "x_train": np.arange(24, dtype=np.uint8).reshape(6, 2, 2),
        "y_train": np.arange(6) % 3,
        "x_test": np.arange(12, dtype=np.uint8).reshape(3, 2, 2),
        "y_test": np.arange(3),
    }
    return arrays | changes


def saved(path: Path, **arrays: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **(arrays or small()))
    return path


# What it is known by


def test_the_name_follows_the_file_and_names_the_arrays(tmp_path):
    path = saved(tmp_path / "my data (2).npz")
    experiment = Experiment(str(path), 8, 1)
    assert re.fullmatch("my-data-2-[0-9a-f]{12}", experiment.dataset)
    assert experiment.split is None
    assert Experiment(path, 8, 1) == experiment
    assert Experiment(experiment.dataset, 8, 1) == experiment
    assert Experiment.from_json(experiment.to_json()) == experiment
    again = own.identified(saved(tmp_path / "elsewhere" / "Ünï cödé 数据.npz"))
    assert again == f"Ünï-cödé-数据-{experiment.dataset[-12:]}"


def test_building_an_experiment_writes_nothing_and_training_keeps_a_copy(tmp_path, own_cache):
    path = saved(tmp_path / "mine.npz")
    name = Experiment(path, 8, 1).dataset
    assert network.layer_shapes(Experiment(name, 5, 1))["hidden_output"] == (5, 3)
    assert list(tmp_path.iterdir()) == [path]
    datasets.load(name)
    assert list(own_cache.rglob("*.npz")) == [own.copy_path(name)]


def test_the_same_arrays_written_otherwise_are_the_same_dataset(tmp_path, monkeypatch):
    first = own.identified(saved(tmp_path / "mine.npz"))
    flat = {name: small()[name].reshape(-1, 4) for name in ("x_train", "x_test")}
    labels = {"y_train": small()["y_train"].astype(np.uint8)[:, None]}
    np.savez_compressed(tmp_path / "mine.npz", **small(**flat, **labels))
    assert own.identified(tmp_path / "mine.npz") == first
    datasets.load(first)
    copy = own.copy_path(first)
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "another machine"))
    forget(monkeypatch)
    assert own.identified(copy) == first, "the copy carried elsewhere keeps its name"


@pytest.mark.parametrize("name", ARRAYS)
def test_changed_arrays_are_another_dataset(tmp_path, name):
    first = own.identified(saved(tmp_path / "mine.npz"))
    datasets.load(first)
    changed = small()
    changed[name] = changed[name].copy()
    changed[name].flat[-1] -= 1
    second = own.identified(saved(tmp_path / "mine.npz", **changed))
    assert second != first
    assert Experiment(first, 8, 1).digest != Experiment(second, 8, 1).digest
    np.testing.assert_array_equal(own.load(first)[0], small()["x_train"].reshape(6, 4))


def test_what_is_hardly_meant_is_told_once(tmp_path):
    labels = {"y_train": np.arange(6) % 3 + 1, "y_test": np.arange(1, 4)}
    wide = small(x_train=np.arange(24.0).reshape(6, 4) * 10, x_test=np.ones((3, 4)), **labels)
    path = saved(tmp_path / "mine.npz", **wide)
    with pytest.warns(own.Doubtful) as told:
        own.identified(path)
    said = [str(one.message) for one in told]
    assert "from 0 to 230" in said[0] and "1 of the 4 labels" in said[1] and "(0)" in said[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own.identified(path)
        data = datasets.load("digits")
        arrays = {name: getattr(data, name) for name in ARRAYS}
        own.identified(saved(tmp_path / "digits.npz", **arrays))
    dark = small(x_train=small()["x_train"] // 2)
    assert "go up to 11 only" in own.doubts(own.read(saved(tmp_path / "dark.npz", **dark)))[0]


def test_a_damaged_copy_is_told_and_made_again_from_the_file(tmp_path, monkeypatch):
    path = saved(tmp_path / "mine.npz")
    name = own.identified(path)
    own.load(name)
    copy = own.copy_path(name)
    whole = copy.read_bytes()
    copy.write_bytes(whole[:300] + b"\xff" * 9 + whole[309:])
    own.load(name)
    assert copy.read_bytes() == whole
    forget(monkeypatch)
    copy.write_bytes(whole[:300])
    with pytest.raises(ReproError, match="is damaged"):
        own.load(name)


# What is trained on


def test_digits_as_a_file_train_as_the_built_in_digits(tmp_path, own_cache, monkeypatch):
    """As uint8 what is trained is the same; divided by 255 beforehand, so is the arithmetic."""
    pytest.importorskip("keras")
    data, place = datasets.load("digits"), tmp_path / "store"
    arrays = {name: getattr(data, name) for name in ARRAYS}
    pixels = {name: arrays[name].reshape(-1, 8, 8) for name in ("x_train", "x_test")}
    mine = datasets.load(saved(tmp_path / "mine.npz", **(arrays | pixels)))
    for name in ARRAYS:
        assert getattr(mine, name).dtype == arrays[name].dtype
        np.testing.assert_array_equal(getattr(mine, name), arrays[name])
    scaled = {name: each.astype(np.float32) / np.float32(255) for name, each in pixels.items()}
    path = saved(tmp_path / "scaled.npz", **(arrays | scaled))
    ours, built_in = (by_width(each, [12], epochs=2, store=place)[12] for each in (path, "digits"))
    np.testing.assert_allclose(ours.train_loss, built_in.train_loss, rtol=1e-6)
    # A run stays readable when file and copy have gone; what is missing cannot be trained.
    name = ours.attrs["dataset"]
    path.unlink()
    own.copy_path(name).unlink()
    forget(monkeypatch)
    assert by_width(name, [12], epochs=2, store=place)[12].equals(ours)
    with pytest.raises(ReproError, match=r"data of scaled-.* is not kept .*name its \.npz file"):
        by_width(name, [9], epochs=2, store=place)


@pytest.mark.parametrize("kind", ["uint8", "int16", "int64", "float16", "float64", ">f4", "bool"])
def test_what_is_trained_on_and_kept_is_what_was_given(tmp_path, kind):
    """Pixels from 0 to 255 as they are, all other numbers as float32."""
    arrays = small(**{name: small()[name].astype(kind) for name in ("x_train", "x_test")})
    loaded = datasets.load(saved(tmp_path / "any.npz", **arrays))
    trained_on = "uint8" if kind == "uint8" else "float32"
    assert loaded.x_train.dtype == loaded.x_test.dtype == trained_on
    for name in ARRAYS:
        flat = arrays[name].reshape(len(arrays[name]), -1).squeeze()
        np.testing.assert_array_equal(getattr(loaded, name), flat)
    assert own.identified(own.copy_path(loaded.name)) == loaded.name


# What is refused


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"x_train": np.zeros(6)}, "samples of numbers in x_train"),
        ({"x_train": np.zeros((0, 4))}, "samples of numbers in x_train"),
        ({"x_train": np.full((6, 2, 2), "a")}, "samples of numbers in x_train"),
        ({"x_test": np.full((3, 2, 2), np.nan)}, "finite numbers in x_test"),
        ({"x_test": np.full((3, 2, 2), 1e300)}, "finite numbers in x_test"),
        ({"x_train": np.zeros((6, 2, 2))}, "one shape and type, both uint8"),
        ({"x_train": np.zeros((6, 4), np.uint8)}, r"one shape and type.*\(4,\) in x_train"),
        ({"y_train": np.zeros(5, int)}, "not 6 samples in x_train and 5 labels in y_train"),
        ({"y_train": np.eye(6, dtype=int)}, r"of one-hot rows take y_train.argmax\(axis=1\)"),
        ({"y_train": np.int64(3)}, "whole number per sample in y_train"),
        ({"y_train": np.arange(6) - 1}, "labels from 0 to at most 99999 in y_train, not -1"),
        ({"y_test": np.array([0, 1, 100_000])}, "labels from 0 to at most 99999 in y_test, not 1"),
        ({"y_train": np.arange(6) / 2}, "whole number per sample in y_train"),
        ({"y_train": np.array([None] * 6)}, "cannot be read as an .npz file"),
        ({"extra": np.zeros(3)}, "no others, not extra, x_test"),
        ({"y_test": None}, "must hold the arrays x_train, y_train"),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_trained_on_are_refused(tmp_path, changes, told):
    arrays = {name: array for name, array in small(**changes).items() if array is not None}
    refused(saved(tmp_path / "mine.npz", **arrays), told)


def refused(path: Path, told: str) -> None:
    with pytest.raises(ReproError, match=told) as caught:
        Experiment(str(path), 8, 1)
    said = str(caught.value)
    assert str(path) in said and "\n" not in said and said.endswith(".")


def test_a_file_that_is_no_npz_or_damaged_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    refused(path, "is not there")
    np.save(path.with_suffix(".npy"), np.zeros(3))
    whole = saved(tmp_path / "whole.npz").read_bytes()
    single = path.with_suffix(".npy").read_bytes()
    damaged = (whole[: len(whole) // 2], whole[:200] + b"\xff" * 40 + whole[240:])
    for content in (b"", b"x_train,y_train\n", single, *damaged):
        path.write_bytes(content)
        refused(path, r"cannot be read as an \.npz file")
