"""One's own dataset from an .npz file: what it is known by, what is trained on, what is refused."""

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro import Experiment, ReproError, by_width
from repro.command_line import main
from repro.data import datasets, own_dataset
from repro.data.own_dataset import ARRAYS
from repro.model import network
from repro.store.store import Store


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("REPRO_PUBLISHED", str(tmp_path / "published"))
    own_dataset.shape.cache_clear()
    return tmp_path / "cache"


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


def digits(path: Path) -> Path:
    """The built-in digits as a file of one's own."""
    data = datasets.load("digits")
    side = {"x_train": data.x_train.reshape(-1, 8, 8), "x_test": data.x_test.reshape(-1, 8, 8)}
    return saved(path, y_train=data.y_train, y_test=data.y_test, **side)


# What it is known by


def test_the_name_says_the_file_and_names_the_arrays(tmp_path):
    path = saved(tmp_path / "my data (2).npz")
    experiment = Experiment(str(path), 8, 1)
    assert re.fullmatch("my-data-2-[0-9a-f]{12}", experiment.dataset)
    assert experiment.split is None
    assert Experiment(path, 8, 1) == experiment
    assert Experiment(experiment.dataset, 8, 1) == experiment
    assert Experiment.from_json(experiment.to_json()) == experiment


def test_the_same_arrays_under_another_path_are_the_same_dataset(tmp_path):
    first = own_dataset.register(saved(tmp_path / "mine.npz"))
    (tmp_path / "mine.npz").unlink()
    assert own_dataset.register(saved(tmp_path / "elsewhere" / "mine.npz")) == first
    assert own_dataset.register(saved(tmp_path / "renamed.npz")) == first
    flat = {name: small()[name].reshape(-1, 4) for name in ("x_train", "x_test")}
    labels = {"y_train": small()["y_train"].astype(np.uint8)[:, None]}
    np.savez_compressed(tmp_path / "packed.npz", **small(**flat, **labels))
    assert own_dataset.register(tmp_path / "packed.npz") == first
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 1


def test_the_copy_carried_to_another_machine_keeps_its_name(tmp_path, monkeypatch):
    copy = own_dataset.copy_path(own_dataset.register(saved(tmp_path / f"{50 * 'm'}.npz")))
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "other cache"))
    assert own_dataset.register(copy) == copy.stem


@pytest.mark.parametrize("name", ARRAYS)
def test_changed_arrays_are_another_dataset(tmp_path, name):
    first = own_dataset.register(saved(tmp_path / "mine.npz"))
    changed = small()
    changed[name] = changed[name].copy()
    changed[name].flat[-1] -= 1
    second = own_dataset.register(saved(tmp_path / "mine.npz", **changed))
    assert second != first
    assert Experiment(first, 8, 1).digest != Experiment(second, 8, 1).digest
    np.testing.assert_array_equal(own_dataset.load(first).x_train, small()["x_train"].reshape(6, 4))


def test_a_run_stays_readable_when_file_and_copy_have_gone(tmp_path, own_cache):
    pytest.importorskip("keras")
    path, place = saved(tmp_path / "mine.npz"), tmp_path / "store"
    trained = by_width(str(path), [8], epochs=2, store=place)[8]
    path.unlink()
    shutil.rmtree(own_cache)
    (run,) = Store(place).runs()
    assert run.experiment.dataset == trained.attrs["dataset"]
    assert Store(place).load(run).identical(Store(place).load(run))
    # What there is is not trained again; what is missing cannot be.
    assert by_width(run.experiment.dataset, [8], epochs=2, store=place)[8].equals(trained)
    own_dataset.shape.cache_clear()
    with pytest.raises(ReproError, match=r"data of mine-.* is not kept in .*name its \.npz file"):
        by_width(run.experiment.dataset, [9], epochs=2, store=place)


# What is trained on


def test_digits_as_a_file_train_as_the_built_in_digits_bit_for_bit(tmp_path):
    pytest.importorskip("keras")
    path, place = digits(tmp_path / "mine.npz"), tmp_path / "store"
    ours = by_width(str(path), [12], epochs=3, store=place)[12]
    built_in = by_width("digits", [12], epochs=3, store=place)[12]
    assert ours.drop_attrs().identical(built_in.drop_attrs())


def test_numbers_other_than_uint8_are_taken_as_they_are(tmp_path):
    """Digits divided by 255 beforehand: the same network, with the same arithmetic."""
    pytest.importorskip("keras")
    data, place = datasets.load("digits"), tmp_path / "store"
    scaled = {
        f"x_{part}": getattr(data, f"x_{part}").astype(np.float32) / np.float32(255)
        for part in ("train", "test")
    }
    labels = {"y_train": data.y_train, "y_test": data.y_test}
    path = saved(tmp_path / "scaled.npz", **scaled, **labels)
    ours = by_width(str(path), [12], epochs=2, store=place)[12]
    built_in = by_width("digits", [12], epochs=2, store=place)[12]
    np.testing.assert_allclose(ours.train_loss, built_in.train_loss, rtol=1e-6)
    loaded = datasets.load(str(path))
    assert loaded.x_train.dtype == np.float32 and loaded.classes == 10
    np.testing.assert_array_equal(loaded.x_test, scaled["x_test"])


def test_whole_numbers_and_flags_become_float32(tmp_path):
    wide = small(x_train=small()["x_train"] * np.int64(1000), x_test=small()["x_test"] > 5)
    loaded = datasets.load(saved(tmp_path / "wide.npz", **wide))
    assert loaded.x_train.dtype == loaded.x_test.dtype == np.float32
    assert loaded.x_train.max() == 23_000 and set(loaded.x_test.ravel()) == {0, 1}


def test_a_class_may_be_without_samples(tmp_path):
    name = own_dataset.register(saved(tmp_path / "gap.npz", **small(y_test=np.array([0, 7, 2]))))
    assert datasets.load(name).classes == 8
    assert network.layer_shapes(Experiment(name, 5, 1))["hidden_output"] == (5, 8)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 4),
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.sampled_from(["uint8", "int16", "float16", "float64", ">f4"]),
)  # fmt: skip
def test_what_is_kept_is_what_was_given(tmp_path_factory, train, test, shape, kind):
    generator = np.random.default_rng(train)
    arrays = {
        "x_train": generator.integers(0, 200, (train, *shape)).astype(kind),
        "y_train": generator.integers(0, 9, train),
        "x_test": generator.integers(0, 200, (test, *shape)).astype(kind),
        "y_test": generator.integers(0, 9, test),
    }
    path = saved(tmp_path_factory.mktemp("any") / "any.npz", **arrays)
    loaded = datasets.load(path)
    for name in ARRAYS:
        given_rows = arrays[name].reshape(len(arrays[name]), -1)
        kept = getattr(loaded, name).reshape(len(arrays[name]), -1)
        np.testing.assert_array_equal(kept, given_rows)
    assert own_dataset.register(own_dataset.copy_path(loaded.name)) == loaded.name


# From the command line


def test_the_commands_take_a_file(tmp_path, capsys, monkeypatch):
    pytest.importorskip("keras")
    place = str(tmp_path / "store")
    saved(tmp_path / "mine.npz")
    monkeypatch.chdir(tmp_path)
    assert main(["data", "mine.npz"]) == 0
    said = capsys.readouterr().out
    name = said.partition(":")[0]
    assert said == f"{name}: ready (4 pixels, 3 classes)\n" and name.startswith("mine-")
    words = ["--widths", "8,9", "--epochs", "1", "--quiet", "--store", place]
    assert main(["train", "--dataset", "mine.npz", *words]) == 0
    assert main(["sweep", "--datasets", "mine.npz", "digits", *words]) == 0
    assert "4 of 4 runs are there" in capsys.readouterr().out
    (tmp_path / "mine.npz").unlink()
    assert main(["train", "--dataset", name, *words]) == 0
    assert "2 of 2 runs are there" in capsys.readouterr().out
    assert main(["results", "--json", "--store", place]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    assert [run["parameters"]["dataset"] for run in listed].count(name) == 2
    assert main(["claims", "--store", place]) == 0
    assert "mine" not in capsys.readouterr().out, "like digits: the paper says nothing of it"


def test_a_file_that_cannot_be_used_is_told_in_one_line_with_exit_code_2(tmp_path, capsys):
    path = saved(tmp_path / "mine.npz", **small(y_train=np.arange(6) - 1))
    words = ["--widths", "8", "--epochs", "1", "--store", str(tmp_path / "store")]
    for command in (["train", "--dataset"], ["sweep", "--datasets"]):
        assert main([*command, str(path), *words]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"repro: {path} must have labels from 0") and said.count("\n") == 1
    assert main(["bench", "--dataset", str(path)]) == 2
    assert "dataset must be one of hasyv2" in capsys.readouterr().err
    assert {child.name for child in tmp_path.iterdir()} == {"mine.npz"}, "nothing is kept"


# What is refused


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"x_train": np.zeros(6)}, r"samples \(samples, ...\) in x_train"),
        ({"x_train": np.float32(1)}, r"samples \(samples, ...\) in x_train"),
        ({"x_train": np.zeros((0, 4))}, "x_train, which is empty"),
        ({"x_test": np.zeros((3, 0))}, "x_test, which is empty"),
        ({"y_test": np.zeros(0, int)}, "y_test, which is empty"),
        ({"x_train": np.full((6, 2, 2), "a")}, "numbers in x_train, not <U1"),
        ({"x_train": np.zeros((6, 2, 2), complex)}, "numbers in x_train, not complex128"),
        ({"x_train": np.zeros((6, 2), "datetime64[s]")}, "numbers in x_train, not datetime64"),
        ({"x_train": np.zeros((6, 2), [("a", "f4")])}, "numbers in x_train, not"),
        ({"x_test": np.full((3, 2, 2), np.nan)}, "finite numbers in x_test"),
        ({"x_test": np.full((3, 2, 2), np.inf)}, "finite numbers in x_test"),
        ({"x_test": np.full((3, 2, 2), 1e300)}, "finite numbers in x_test"),
        ({"x_train": np.zeros((6, 2, 2))}, "x_train and x_test of one type, both uint8"),
        ({"x_train": np.zeros((6, 4), np.uint8)}, r"one shape, not \(4,\) in x_train and \(2, 2\)"),
        ({"y_train": np.zeros(5, int)}, "not 6 samples in x_train and 5 labels in y_train"),
        ({"y_test": np.zeros(4, int)}, "not 3 samples in x_test and 4 labels in y_test"),
        ({"y_train": np.eye(6, dtype=int)}, r"of one-hot rows take y_train.argmax\(axis=1\)"),
        ({"y_train": np.zeros((6, 1, 1), int)}, r"one label per sample in y_train"),
        ({"y_train": np.int64(3)}, "one label per sample in y_train"),
        ({"y_train": np.arange(6) - 1}, "labels from 0 to at most 99999 in y_train, not -1"),
        ({"y_test": np.array([0, 1, 100_000])}, "labels from 0 to at most 99999 in y_test, not 1"),
        ({"y_test": np.full(3, 2**63, "uint64")}, "labels from 0 to at most 99999 in y_test"),
        ({"y_train": np.arange(6) / 2}, "whole numbers in y_train, of a type such as int64"),
        ({"y_train": np.full(6, "cat")}, "whole numbers in y_train"),
        ({"y_train": np.array([None] * 6)}, "not Python objects as in y_train"),
        ({"extra": np.zeros(3)}, "no others, not extra, x_test"),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_trained_on_are_refused(tmp_path, changes, told):
    refused(saved(tmp_path / "mine.npz", **small(**changes)), told)


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_must_be_there(tmp_path, name):
    arrays = small()
    del arrays[name]
    refused(saved(tmp_path / "mine.npz", **arrays), "must hold the arrays x_train, y_train")


def refused(path: Path, told: str) -> None:
    with pytest.raises(ReproError, match=told) as caught:
        Experiment(str(path), 8, 1)
    said = str(caught.value)
    assert str(path) in said and "\n" not in said and said.endswith(".")
    assert not own_dataset.copy_path("any").parent.exists(), "nothing is kept"


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    refused(path, "is not there")
    path.mkdir()
    refused(path, "is no file")
    path.rmdir()
    for content in (b"", b"x_train,y_train\n", np_bytes(np.zeros(3))):
        path.write_bytes(content)
        refused(path, r"damaged or no \.npz file")


def test_a_damaged_file_is_refused(tmp_path):
    path = saved(tmp_path / "mine.npz")
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:200] + b"\xff" * 40 + whole[240:]):
        path.write_bytes(damaged)
        refused(path, "damaged")


def np_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ARRAYS:
            archive.writestr(f"{name}.npy", members.get(name, np_bytes(small()[name])))
    return path


def test_a_shape_that_the_file_does_not_hold_is_refused_unread(tmp_path):
    honest = np_bytes(np.zeros((6, 2, 2), np.uint8))
    for shape in ("(9, 2, 2)", "(6, 2, 2000000000)", "(-6, -2, 2)", "(6, 2, 1)"):
        lying = honest.replace(b"(6, 2, 2), }", f"{shape}, }}".encode())
        length = len(honest) - 24 - 10  # the header's own, after magic and length
        header = lying[10 : len(lying) - 24].rstrip() + b" "
        header = header[: length - 1].ljust(length - 1) + b"\n"
        path = zipped(tmp_path / "mine.npz", x_train=honest[:10] + header + honest[-24:])
        refused(path, "x_train does not hold the numbers that it says")


def test_a_file_that_would_fill_the_memory_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(own_dataset, "LARGEST_FILE", 10_000_000)
    large = np.zeros((6, 2_000_000), np.uint8)
    path = zipped(tmp_path / "mine.npz", x_train=np_bytes(large))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("it was read"))
    refused(path, "GiB of arrays, more than the")


def test_a_header_that_is_a_program_is_not_run(tmp_path):
    harmful = b"\x93NUMPY\x01\x00\x4c\x00" + b"__import__('os').abort()".ljust(75) + b"\n"
    refused(zipped(tmp_path / "mine.npz", y_test=harmful), "damaged or no")


def test_two_arrays_of_one_name_are_refused(tmp_path):
    path = saved(tmp_path / "mine.npz")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("x_train.npy", np_bytes(np.ones((6, 2, 2))))
    refused(path, "no others")


@pytest.mark.parametrize(
    ("change", "told"),
    [({"pixels": "inverted"}, "pixels must be archived"), ({"split": 0.8}, "split must be left")],
)
def test_settings_for_the_papers_images_are_refused(tmp_path, change, told):
    with pytest.raises(ReproError, match=told):
        Experiment(str(saved(tmp_path / "mine.npz")), 8, 1, **change)


# The copy that is kept


def test_a_damaged_copy_is_told_and_made_again_from_the_file(tmp_path):
    path = saved(tmp_path / "mine.npz")
    name = own_dataset.register(path)
    copy = own_dataset.copy_path(name)
    sound = copy.read_bytes()
    other = saved(tmp_path / "other.npz", **small(y_test=np.array([0, 0, 0]))).read_bytes()
    for damaged in (sound[:100], b"", other):
        copy.write_bytes(damaged)
        with pytest.raises(ReproError, match=r"is damaged: name the \.npz file once again"):
            datasets.load(name)
        assert own_dataset.register(path) == name
        assert own_dataset.load(name).digest == name[-12:]


def test_a_cache_that_cannot_be_written_is_told(tmp_path, own_cache):
    own_cache.write_text("occupied")
    with pytest.raises(ReproError, match=r"cannot be written .*set REPRO_CACHE_DIR"):
        own_dataset.register(saved(tmp_path / "mine.npz"))
