"""The datasets: what they hold, where they come from, and what happens when something is wrong."""

import bz2
import gzip
import hashlib
import http.server
import io
import re
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repro.data import datasets, downloads, hasyv2
from repro.data.duplicates import DuplicateReport, duplicate_report
from repro.errors import ReproError

# Numbers of train and test images, as published with the datasets.
SIZES = {
    "hasyv2": (151_241, 16_992),
    "mnist": (60_000, 10_000),
    "fashion-mnist": (60_000, 10_000),
    "digits": (1_437, 360),
}


def assert_one_sentence(error: BaseException) -> None:
    message = str(error)
    assert message.endswith(".")
    assert "\n" not in message
    assert not re.search(r"\. [A-Z]", message)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for one test, not made yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("REPRO_CACHE_DIR", str(folder))
    return folder


# --- what the datasets hold


@pytest.fixture(params=datasets.NAMES)
def dataset(request: pytest.FixtureRequest) -> datasets.DataSplit:
    name = request.param
    if name != "digits":
        request.getfixturevalue("real_data_dir")
    return datasets.load(name, progress=False)


def test_every_dataset_is_what_it_is_announced_to_be(dataset: datasets.DataSplit) -> None:
    pixels, classes = datasets.SHAPES[dataset.name]
    train, test = SIZES[dataset.name]
    assert dataset.x_train.shape == (train, pixels)
    assert dataset.x_test.shape == (test, pixels)
    assert np.prod(dataset.image_shape) == pixels
    assert dataset.classes == classes == len(set(dataset.class_names))
    for images, labels in (
        (dataset.x_train, dataset.y_train),
        (dataset.x_test, dataset.y_test),
    ):
        assert images.dtype == np.uint8
        assert images.flags.c_contiguous
        assert labels.dtype == np.int32
        assert labels.shape == images.shape[:1]
        assert images.min() == 0
        assert images.max() == 255
    assert np.array_equal(np.unique(dataset.y_train), np.arange(classes))
    assert (dataset.split is None) == (dataset.name in datasets.FIXED_TEST_SET)


def test_arrays_cannot_be_changed_by_mistake() -> None:
    digits = datasets.load("digits")
    with pytest.raises(ValueError, match="read-only"):
        digits.x_train[0, 0] = 1


def test_mnist_is_the_original_distribution(real_data_dir: Path) -> None:
    mnist = datasets.load("mnist", progress=False)
    parts = {
        "6bbc9ace898e44ae57da46a324031adb": (mnist.x_train, (2051, 60_000, 28, 28)),
        "a25bea736e30d166cdddb491f175f624": (mnist.y_train, (2049, 60_000)),
        "2646ac647ad5339dbf082846283269ea": (mnist.x_test, (2051, 10_000, 28, 28)),
        "27ae3e4e09519cfbb04c329615203637": (mnist.y_test, (2049, 10_000)),
    }
    for md5, (array, header) in parts.items():
        idx = struct.pack(f">{len(header)}i", *header) + array.astype(np.uint8).tobytes()
        assert hashlib.md5(idx).hexdigest() == md5


def test_digits_test_set_is_every_fifth_image() -> None:
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    digits = datasets.load("digits")
    assert np.array_equal(digits.x_test, np.round(values[::5] * 255 / 16))
    assert np.array_equal(digits.y_test, labels[::5])
    assert np.array_equal(digits.x_train[:4], np.round(values[1:5] * 255 / 16))
    assert np.array_equal(digits.y_train[:5], labels[[1, 2, 3, 4, 6]])


def test_hasyv2_follows_the_archive(real_data_dir: Path, prepared_cache: Path) -> None:
    """The first images, decoded here by other means, at the rows that the csv files give them."""
    tables, pictures = {}, {}
    with tarfile.open(real_data_dir / "hasyv2" / "HASYv2.tar.bz2", "r|bz2") as tar:
        for member in tar:
            if member.name.endswith(".png"):
                picture = Image.open(tar.extractfile(member))
                pictures[Path(member.name).name] = np.asarray(picture)[:, :, 1].ravel()
            elif "fold-1/" in member.name or member.name == "symbols.csv":
                tables[member.name] = tar.extractfile(member).read().decode().splitlines()
            if len(pictures) == 200:
                break
    symbols = sorted(int(row.split(",")[0]) for row in tables["symbols.csv"][1:])
    loaded = datasets.load("hasyv2", progress=False)
    compared = 0
    for part, images, labels in (
        ("train", loaded.x_train, loaded.y_train),
        ("test", loaded.x_test, loaded.y_test),
    ):
        rows = tables[f"classification-task/fold-1/{part}.csv"][1:]
        assert len(rows) == len(images)
        for row, image, label in zip(rows, images, labels, strict=True):
            path, symbol, latex, *_ = row.split(",")
            assert symbols[label] == int(symbol)
            if (name := Path(path).name) in pictures:
                assert np.array_equal(image, pictures[name])
                assert loaded.class_names[label] == latex
                compared += 1
    assert compared == 200
    assert set(np.unique(loaded.x_train)) == {0, 255}


def test_hasyv2_has_the_known_duplicates(real_data_dir: Path, prepared_cache: Path) -> None:
    report = duplicate_report(datasets.load("hasyv2", progress=False))
    assert report == DuplicateReport(test_images_in_train=228, ambiguous_images=1181)


def test_duplicates_of_a_small_example() -> None:
    a, b, c, d = np.arange(16, dtype=np.uint8).reshape(4, 4)
    split = datasets.DataSplit(
        name="example",
        split=None,
        x_train=np.stack([a, a, b, c]),
        y_train=np.array([0, 1, 1, 2], np.int32),
        x_test=np.stack([a, a, c, d]),
        y_test=np.array([0, 0, 2, 2], np.int32),
        classes=3,
        image_shape=(2, 2),
        class_names=["0", "1", "2"],
    )
    # a is there four times under two labels, c in train and test under one.
    assert duplicate_report(split) == DuplicateReport(test_images_in_train=3, ambiguous_images=4)


# --- dividing HASYv2


def test_the_folds_test_every_image_once(real_data_dir: Path, prepared_cache: Path) -> None:
    second = datasets.load("hasyv2", "fold-2", progress=False)
    assert (len(second.x_train), len(second.x_test)) == (151_288, 16_945)
    assert second.split == "fold-2"
    folds = hasyv2.load_content(progress=False).folds
    assert np.bincount(folds)[[1, 2, 10]].tolist() == [16_992, 16_945, 16_661]
    assert np.bincount(folds).sum() == 168_233


def test_a_share_is_drawn_from_the_seed(real_data_dir: Path, prepared_cache: Path) -> None:
    content = hasyv2.load_content(progress=False)
    drawn = datasets.load("hasyv2", 0.85, seed=7, progress=False)
    again = datasets.load("hasyv2", 0.85, seed=7, progress=False)
    other = datasets.load("hasyv2", 0.85, seed=8, progress=False)
    assert drawn.split == 0.85
    assert len(drawn.x_train) == round(0.85 * 168_233)
    assert np.array_equal(drawn.y_test, again.y_test)
    assert np.array_equal(drawn.x_test, again.x_test)
    assert not np.array_equal(drawn.y_test, other.y_test)
    together = np.bincount(np.concatenate([drawn.y_train, drawn.y_test]))
    assert np.array_equal(together, np.bincount(content.labels))
    # The archive goes from symbol to symbol: a draw has all of them, a cut would not.
    assert len(np.unique(drawn.y_train)) == 369


def test_a_share_divides_without_loss_and_stays_the_same() -> None:
    test = datasets._drawn_for_test(20, 0.7, seed=0)
    assert test.sum() == 6
    # Published runs depend on this very draw.
    assert np.flatnonzero(test).tolist() == [4, 5, 9, 11, 14, 19]
    assert not np.array_equal(test, datasets._drawn_for_test(20, 0.7, seed=1))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("hasyv2", "fold-0"),
        ("hasyv2", "fold-11"),
        ("hasyv2", "fold-1 "),
        ("hasyv2", 0),
        ("hasyv2", 1),
        ("hasyv2", True),
        ("hasyv2", float("nan")),
        ("hasyv2", ["fold-1"]),
        ("mnist", "fold-1"),
        ("digits", 0.5),
    ],
)
def test_an_impossible_split_is_refused(name: str, split: object) -> None:
    with pytest.raises(ReproError, match=r"split|fixed test set") as raised:
        datasets.load(name, split)
    assert_one_sentence(raised.value)


@pytest.mark.parametrize(("share", "seed"), [(1e-6, 0), (0.999_99, 0), (0.5, -1), (0.5, 1.5)])
def test_an_impossible_draw_is_refused(share: float, seed: object) -> None:
    with pytest.raises(ReproError) as raised:
        datasets._drawn_for_test(100, share, seed)
    assert_one_sentence(raised.value)


@pytest.mark.parametrize("name", ["cifar", "MNIST", "", None, ["mnist"]])
@pytest.mark.parametrize("function", [datasets.load, datasets.prepare])
def test_an_unknown_dataset_is_refused(function: Callable, name: object) -> None:
    with pytest.raises(ReproError, match="hasyv2, mnist, fashion-mnist, digits") as raised:
        function(name)
    assert_one_sentence(raised.value)


# --- a small archive in the layout of HASYv2, to be damaged


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def picture(grey: np.ndarray) -> bytes:
    return png(np.repeat(grey[:, :, None], 3, axis=2))


def csv_file(header: str, rows: list[str]) -> bytes:
    return ("\r\n".join([header, *rows]) + "\r\n").encode()


@dataclass
class SmallArchive:
    """40 images of three symbols; `members` may be changed before it is written."""

    members: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        generator = np.random.default_rng(0)
        self.pixels = generator.choice(np.array([0, 255], np.uint8), (40, 32, 32))
        self.labels = np.sort(generator.integers(0, 3, 40))
        self.folds = np.arange(40) % 10 + 1
        ids, names = (31, 107, 1400), ("A", r"\pi", r"\ddots")
        # Listed out of order: labels are ranks, not places.
        order = (2, 0, 1)
        self.members["symbols.csv"] = csv_file(
            "symbol_id,latex,training_samples,test_samples",
            [f"{ids[i]},{names[i]},9,1" for i in order],
        )
        rows = [f"hasy-data/v2-{n:05d}.png,{ids[k]},A,50" for n, k in enumerate(self.labels)]
        header = "path,symbol_id,latex,user_id"
        self.members["hasy-data-labels.csv"] = csv_file(header, rows)
        for fold in range(1, 11):
            for part, chosen in (("test", self.folds == fold), ("train", self.folds != fold)):
                self.members[f"classification-task/fold-{fold}/{part}.csv"] = csv_file(
                    header, [f"../../{rows[n]}" for n in np.flatnonzero(chosen)]
                )
        for number, grey in enumerate(self.pixels):
            self.members[f"hasy-data/v2-{number:05d}.png"] = picture(grey)
        content = hasyv2.Content(
            packed=np.packbits(self.pixels.reshape(40, 1024) == 255, axis=1),
            labels=self.labels.astype(np.int16),
            folds=self.folds.astype(np.int8),
            class_names=names,
        )
        self.edition = hasyv2.Edition(40, 3, hashlib.sha256(content.to_bytes()).hexdigest())

    def add(self, tar: tarfile.TarFile, name: str, content: bytes | tarfile.TarInfo) -> None:
        if isinstance(content, tarfile.TarInfo):
            tar.addfile(content)
            return
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))

    def write(self, folder: Path) -> Path:
        """Write it as it lies in a data folder."""
        path = folder / "hasyv2" / "HASYv2.tar.bz2"
        path.parent.mkdir(parents=True)
        with tarfile.open(path, "w:bz2") as tar:
            for name, content in self.members.items():
                self.add(tar, name.removesuffix("#again"), content)
        return path


@pytest.fixture
def small() -> SmallArchive:
    return SmallArchive()


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("REPRO_DATA_DIR", str(folder))
    return folder


def assert_is(content: hasyv2.Content, small: SmallArchive) -> None:
    assert np.array_equal(hasyv2.unpack(content.packed), small.pixels.reshape(40, 1024))
    assert np.array_equal(content.labels, small.labels)
    assert np.array_equal(content.folds, small.folds)
    assert content.class_names == ("A", r"\pi", r"\ddots")


def test_an_archive_is_decoded_once(
    small: SmallArchive, data_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.write(data_folder)
    assert_is(hasyv2.load_content(False, small.edition), small)
    monkeypatch.setattr(hasyv2, "decode", None)
    assert_is(hasyv2.load_content(False, small.edition), small)
    assert len(files_below(cache)) == 1
    assert len(files_below(data_folder)) == 1


def test_what_upstream_has_besides_is_passed_over(
    small: SmallArchive, data_folder: Path, cache: Path
) -> None:
    folder = tarfile.TarInfo("hasy-data")
    folder.type = tarfile.DIRTYPE
    slashed = tarfile.TarInfo("hasy-data/")
    slashed.type = tarfile.DIRTYPE
    small.members = {
        "hasy-data": folder,
        "hasy-data/": slashed,
        "README.txt": b"about",
        "verification-task/train.csv": b"a,b",
        **{f"./{name}": content for name, content in small.members.items()},
    }
    small.write(data_folder)
    assert_is(hasyv2.load_content(False, small.edition), small)


def test_an_archive_of_several_compressed_streams_is_read(
    small: SmallArchive, data_folder: Path, cache: Path
) -> None:
    path = small.write(data_folder)
    tar = bz2.decompress(path.read_bytes())
    path.write_bytes(bz2.compress(tar[:20_000]) + bz2.compress(tar[20_000:]))
    assert_is(hasyv2.load_content(False, small.edition), small)


def test_decoding_shows_its_progress_where_asked(
    small: SmallArchive, data_folder: Path, cache: Path, capfd: pytest.CaptureFixture
) -> None:
    path = small.write(data_folder)
    hasyv2.decode(path, False, small.edition)
    assert capfd.readouterr().err == ""
    hasyv2.decode(path, True, small.edition)
    assert "Decoding HASYv2" in capfd.readouterr().err


FIRST = "hasy-data/v2-00000.png"
FOLD_TEST = "classification-task/fold-3/test.csv"


def symbolic_link(small: SmallArchive) -> None:
    link = tarfile.TarInfo(FIRST)
    link.type = tarfile.SYMTYPE
    link.linkname = "/etc/hostname"
    small.members[FIRST] = link


def other_pixel(small: SmallArchive) -> None:
    grey = small.pixels[0].copy()
    grey[3, 5] = 255 - grey[3, 5]
    small.members[FIRST] = picture(grey)


def replaced(name: str, old: bytes, new: bytes) -> Callable[[SmallArchive], None]:
    def change(small: SmallArchive) -> None:
        assert old in small.members[name]
        small.members[name] = small.members[name].replace(old, new, 1)

    return change


def member(name: str, content: bytes) -> Callable[[SmallArchive], None]:
    return lambda small: small.members.update({name: content})


def without(name: str) -> Callable[[SmallArchive], None]:
    return lambda small: small.members.pop(name)


LABELS = "hasy-data-labels.csv"
WHITE = np.full((32, 32), 255, np.uint8)
CHANGES = {
    "an image is missing": (without("hasy-data/v2-00017.png"), "v2-00017.png is missing"),
    "symbols are missing": (without("symbols.csv"), "symbols.csv is missing"),
    "a fold is missing": (without(FOLD_TEST), "fold-3/test.csv is missing"),
    "an image too many": (member("hasy-data/v2-00040.png", picture(WHITE)), "unexpected name"),
    "an image under a long number": (member("hasy-data/v2-000001.png", b""), "unexpected name"),
    "a stranger among the images": (member("hasy-data/../x.png", b""), "unexpected name"),
    "an image twice": (member(f"{FIRST}#again", picture(WHITE)), "v2-00000.png is there twice"),
    "a table twice": (member("symbols.csv#again", b""), "symbols.csv is there twice"),
    "a link": (symbolic_link, "is no plain file"),
    "a small image": (member(FIRST, picture(WHITE[:16])), "is 32 x 16 pixels"),
    "a grey pixel": (member(FIRST, picture(WHITE - 5)), "other colours"),
    "a red image": (member(FIRST, png(np.full((32, 32, 3), (255, 0, 0), np.uint8))), "colours"),
    "no PNG": (member(FIRST, b"GIF89a"), "v2-00000.png is no readable PNG"),
    "half a PNG": (
        lambda small: small.members.update({FIRST: small.members[FIRST][:60]}),
        "v2-00000.png is no readable PNG",
    ),
    "another pixel": (other_pixel, "are not the published ones"),
    "another label": (replaced(LABELS, b"png,31,", b"png,107,"), "are not the published ones"),
    "an unknown label": (replaced(LABELS, b"png,31,", b"png,32,"), "unknown symbol id '32'"),
    "labels out of order": (replaced(LABELS, b"v2-00001", b"v2-00000"), "every image once"),
    "labels of no image": (replaced(LABELS, b"v2-00001", b"v2-99999"), "unexpected name"),
    "a short row": (member(LABELS, b"path,symbol_id\r\nhasy-data/v2-00000.png\r\n"), "too few"),
    "other columns": (replaced(LABELS, b"symbol_id", b"symbol"), "no csv file with path"),
    "no text": (member(LABELS, b"\xff\xfe\x00"), "no csv file with path"),
    "a symbol too many": (
        replaced("symbols.csv", b"31,", b"30,B,1,1\r\n31,"),
        "does not list 3 symbols",
    ),
    "a symbol without number": (replaced("symbols.csv", b"31,", b"A,"), "is no number"),
    "two folds with one image": (
        replaced(FOLD_TEST, b"v2-00002", b"v2-00003"),
        "does not list its images",
    ),
    "a fold with an image more than once": (
        replaced(FOLD_TEST, b"v2-00012", b"v2-00002"),
        "does not list its images",
    ),
}


def assert_refused(small: SmallArchive, data_folder: Path, cache: Path, problem: str) -> None:
    with pytest.raises(ReproError, match=re.escape(problem)) as raised:
        hasyv2.load_content(False, small.edition)
    assert_one_sentence(raised.value)
    assert str(data_folder / "hasyv2" / "HASYv2.tar.bz2") in str(raised.value)
    assert files_below(cache) == []
    assert len(files_below(data_folder)) == 1


@pytest.mark.parametrize(("change", "problem"), CHANGES.values(), ids=CHANGES)
def test_an_altered_archive_is_refused(
    small: SmallArchive,
    data_folder: Path,
    cache: Path,
    change: Callable[[SmallArchive], None],
    problem: str,
) -> None:
    change(small)
    small.write(data_folder)
    assert_refused(small, data_folder, cache, problem)


@pytest.mark.parametrize("kept", [0, 3, 5_000, -1_000, -1])
def test_a_truncated_archive_is_refused(
    small: SmallArchive, data_folder: Path, cache: Path, kept: int
) -> None:
    path = small.write(data_folder)
    path.write_bytes(path.read_bytes()[:kept])
    assert_refused(small, data_folder, cache, "is not the complete HASYv2 archive")


def test_a_tar_file_cut_before_compression_is_refused(
    small: SmallArchive, data_folder: Path, cache: Path
) -> None:
    path = small.write(data_folder)
    tar = bz2.decompress(path.read_bytes())
    for end in (100, 10_000, 40_000, 40_100):
        path.write_bytes(bz2.compress(tar[:end]))
        assert_refused(small, data_folder, cache, "is not the complete HASYv2 archive")


def test_any_flipped_byte_is_noticed(small: SmallArchive, data_folder: Path, cache: Path) -> None:
    path = small.write(data_folder)
    archive = path.read_bytes()
    for position in range(0, len(archive), len(archive) // 25):
        path.write_bytes(
            archive[:position] + bytes([archive[position] ^ 0x10]) + archive[position + 1 :]
        )
        assert_refused(small, data_folder, cache, "is not the complete HASYv2 archive")


def test_a_flipped_byte_in_an_uncompressed_member_never_passes(
    small: SmallArchive, data_folder: Path, cache: Path
) -> None:
    """Damage before compression has no checksum of bzip2's to stop it; ours must."""
    path = small.write(data_folder)
    tar = bytearray(bz2.decompress(path.read_bytes()))
    expected = hasyv2.decode(path, False, small.edition).to_bytes()
    for position in range(0, len(tar), 997):
        damaged = tar.copy()
        damaged[position] ^= 0x21
        path.write_bytes(bz2.compress(damaged, 1))
        try:
            content = hasyv2.decode(path, False, small.edition)
        except ReproError as error:
            assert_one_sentence(error)
        else:  # in the padding, or in a column that is not used
            assert content.to_bytes() == expected


@pytest.mark.parametrize("content", [b"no archive", bz2.compress(b"no tar" * 300), b"BZh9"])
def test_another_file_in_its_place_is_refused(
    small: SmallArchive, data_folder: Path, cache: Path, content: bytes
) -> None:
    small.write(data_folder).write_bytes(content)
    assert_refused(small, data_folder, cache, "is not the complete HASYv2 archive")


def test_an_endless_archive_is_left_early(
    small: SmallArchive, data_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hasyv2, "LARGEST_ARCHIVE", 100_000)
    small.members = {"verification-task/zeros": bytes(200_000), **small.members}
    small.write(data_folder)
    assert_refused(small, data_folder, cache, "far more than expected")


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_the_real_archive_damaged_is_refused_though_it_was_prepared(
    real_data_dir: Path,
    prepared_cache: Path,
    data_folder: Path,
    damage: str,
) -> None:
    before = files_below(prepared_cache)
    archive = bytearray((real_data_dir / "hasyv2" / "HASYv2.tar.bz2").read_bytes())
    if damage == "truncated":
        del archive[3_000_000:]
    else:
        archive[3_000_000] ^= 0x10
    (data_folder / "hasyv2").mkdir(parents=True)
    (data_folder / "hasyv2" / "HASYv2.tar.bz2").write_bytes(archive)
    with pytest.raises(ReproError, match="is not the complete HASYv2 archive") as raised:
        datasets.load("hasyv2", progress=False)
    assert_one_sentence(raised.value)
    assert files_below(prepared_cache) == before


# --- the prepared copy


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "longer"])
def test_a_damaged_prepared_copy_is_made_again(
    small: SmallArchive, data_folder: Path, cache: Path, damage: str
) -> None:
    small.write(data_folder)
    hasyv2.load_content(False, small.edition)
    (path,) = files_below(cache)
    good = path.read_bytes()
    damaged = {
        "truncated": good[:-1],
        "empty": b"",
        "flipped": good[:99] + bytes([good[99] ^ 1]) + good[100:],
        "longer": good + b"\n",
    }
    path.write_bytes(damaged[damage])
    with pytest.warns(UserWarning, match="is damaged and is made again"):
        content = hasyv2.load_content(False, small.edition)
    assert_is(content, small)
    assert files_below(cache) == [path]
    assert path.read_bytes() == good


def test_without_a_cache_hasyv2_loads_with_a_warning(
    small: SmallArchive, data_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.write(data_folder)
    cache.write_text("a file in the way")
    with pytest.warns(UserWarning, match="set REPRO_CACHE_DIR"):
        assert_is(hasyv2.load_content(False, small.edition), small)
    monkeypatch.setattr(
        datasets, "load", lambda name, progress: hasyv2.load_content(progress, small.edition)
    )
    with (
        pytest.warns(UserWarning, match="set REPRO_CACHE_DIR"),
        pytest.raises(ReproError, match="set REPRO_CACHE_DIR") as raised,
    ):
        datasets.prepare("hasyv2", progress=False)
    assert_one_sentence(raised.value)


def test_a_write_that_fails_leaves_nothing_behind(
    small: SmallArchive, data_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    small.write(data_folder)
    monkeypatch.setattr("os.replace", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        hasyv2.load_content(False, small.edition)
    assert files_below(cache) == []


# --- a local data folder


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("hasyv2", "hasyv2/HASYv2.tar.bz2"),
        ("mnist", "mnist/train-images-idx3-ubyte.gz"),
        ("fashion-mnist", "fashion-mnist/train-images-idx3-ubyte.gz"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_the_files_is_named(
    name: str, file: str, there: bool, data_folder: Path, cache: Path
) -> None:
    if there:
        data_folder.mkdir()
    for function in (datasets.load, datasets.prepare):
        with pytest.raises(ReproError, match=re.escape(file)) as raised:
            function(name, progress=False)
        assert_one_sentence(raised.value)
        assert str(data_folder) in str(raised.value)
    assert not cache.exists()


def test_digits_need_no_data(data_folder: Path, cache: Path) -> None:
    datasets.prepare("digits", progress=False)
    assert not cache.exists()


def test_a_data_folder_is_never_written_to(
    real_data_dir: Path, prepared_cache: Path, cache: Path
) -> None:
    before = files_below(real_data_dir)
    datasets.prepare("mnist", progress=False)
    assert files_below(real_data_dir) == before
    assert not cache.exists()


IDX_DAMAGE = {
    "truncated": lambda good: good[: len(good) // 2],
    "empty": lambda good: b"",
    "no gzip file": lambda good: b"labels",
    "flipped": lambda good: good[:2000] + bytes([good[2000] ^ 8]) + good[2001:],
    "another label": lambda good: gzip.compress(gzip.decompress(good)[:-1] + b"\x00"),
    "a label too many": lambda good: gzip.compress(gzip.decompress(good) + b"\x00"),
    "endless": lambda good: gzip.compress(gzip.decompress(good) + bytes(10**8), 1),
}


@pytest.mark.parametrize("damage", IDX_DAMAGE.values(), ids=IDX_DAMAGE)
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_damaged_idx_file_is_refused(
    real_data_dir: Path, data_folder: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    shutil.copytree(real_data_dir / name, data_folder / name)
    path = data_folder / name / "t10k-labels-idx1-ubyte.gz"
    path.chmod(0o644)
    content = damage(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(ReproError, match=re.escape(str(path))) as raised:
        datasets.load(name, progress=False)
    assert_one_sentence(raised.value)
    assert path.read_bytes() == content


# --- downloads, from servers on this machine


class Mirror:
    """A server of the files in a dictionary, by the last part of their address."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[str] = []
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                mirror.asked.append(name)
                content = mirror.files.get(name)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/data/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Mirror]]:
    """Two servers, without files yet, that are MNIST's only mirrors."""
    servers = [Mirror({}), Mirror({})]
    source = downloads.Source(
        mirrors=tuple(server.url for server in servers),
        files={"letter.gz": hashlib.sha256(b"expected").hexdigest()},
    )
    monkeypatch.setitem(downloads.SOURCES, "mnist", source)
    monkeypatch.setattr(downloads, "RETRIES", 0)
    yield servers
    for server in servers:
        server.close()


@pytest.mark.parametrize("first", ["right", "missing", "wrong", "down"])
def test_a_download_falls_back_to_the_next_mirror(
    mirrors: list[Mirror], cache: Path, first: str
) -> None:
    if first in ("right", "wrong"):
        mirrors[0].files["letter.gz"] = b"expected" if first == "right" else b"altered"
    if first == "down":
        mirrors[0].close()
    mirrors[1].files["letter.gz"] = b"expected"
    path = downloads.locate("mnist", "letter.gz", progress=False)
    assert path.read_bytes() == b"expected"
    assert files_below(cache) == [path]
    assert mirrors[1].asked == ([] if first == "right" else ["letter.gz"])


def test_a_mirror_is_asked_again_before_the_next_one(
    mirrors: list[Mirror], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "RETRIES", 1)
    monkeypatch.setattr("time.sleep", lambda _: None)
    mirrors[1].files["letter.gz"] = b"expected"
    downloads.locate("mnist", "letter.gz", progress=False)
    assert mirrors[0].asked == ["letter.gz"] * 2


def test_a_file_is_downloaded_once_and_again_only_where_it_is_damaged(
    mirrors: list[Mirror], cache: Path
) -> None:
    mirrors[0].files["letter.gz"] = b"expected"
    path = downloads.locate("mnist", "letter.gz", progress=False)
    downloads.locate("mnist", "letter.gz", progress=False)
    assert mirrors[0].asked == ["letter.gz"]
    path.write_bytes(b"expecte")
    downloads.locate("mnist", "letter.gz", progress=False)
    assert path.read_bytes() == b"expected"
    assert mirrors[0].asked == ["letter.gz"] * 2


def test_a_download_shows_its_progress_where_asked(
    mirrors: list[Mirror], cache: Path, capfd: pytest.CaptureFixture
) -> None:
    mirrors[0].files["letter.gz"] = b"expected"
    downloads.locate("mnist", "letter.gz", progress=False).unlink()
    assert capfd.readouterr().err == ""
    downloads.locate("mnist", "letter.gz", progress=True)
    assert "100%" in capfd.readouterr().err


def test_a_download_that_is_killed_leaves_nothing_once_it_is_tried_again(
    mirrors: list[Mirror], cache: Path
) -> None:
    stalled = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{stalled.getsockname()[1]}/"
    program = f"""if True:
        from repro import downloads
        source = downloads.Source(({address!r},), {{"letter.gz": ""}})
        downloads.SOURCES["mnist"] = source
        downloads.locate("mnist", "letter.gz", progress=False)"""
    child = subprocess.Popen([sys.executable, "-c", program])
    connection, _ = stalled.accept()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000))
    while not any(path.stat().st_size for path in files_below(cache)):
        time.sleep(0.01)
    child.kill()
    child.wait()
    connection.close()
    stalled.close()
    assert files_below(cache)  # or the test would show nothing
    mirrors[0].files["letter.gz"] = b"expected"
    path = downloads.locate("mnist", "letter.gz", progress=False)
    assert files_below(cache) == [path]


def test_a_download_that_no_mirror_has_is_one_sentence(mirrors: list[Mirror], cache: Path) -> None:
    mirrors[0].files["letter.gz"] = b"altered"
    with pytest.raises(ReproError, match="could not be downloaded") as raised:
        downloads.locate("mnist", "letter.gz", progress=False)
    assert_one_sentence(raised.value)
    assert f"{mirrors[0].url} gave another file than expected" in str(raised.value)
    assert f"{mirrors[1].url} gave HTTP status 404" in str(raised.value)
    assert not (cache / "mnist").exists()


def test_all_mirrors_down_is_one_sentence(mirrors: list[Mirror], cache: Path) -> None:
    for mirror in mirrors:
        mirror.close()
    with pytest.raises(ReproError, match="could not be downloaded") as raised:
        downloads.locate("mnist", "letter.gz", progress=False)
    assert_one_sentence(raised.value)
    assert not (cache / "mnist").exists()


def test_no_place_for_a_download_is_one_sentence(mirrors: list[Mirror], cache: Path) -> None:
    cache.write_text("a file in the way")
    with pytest.raises(ReproError, match="set REPRO_CACHE_DIR") as raised:
        downloads.locate("mnist", "letter.gz", progress=False)
    assert_one_sentence(raised.value)


def test_hasyv2_is_downloaded_decoded_and_prepared(
    small: SmallArchive, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = small.write(tmp_path / "upstream").read_bytes()
    server = Mirror({"HASYv2.tar.bz2": archive})
    source = downloads.Source(
        mirrors=(server.url,), files={"HASYv2.tar.bz2": hashlib.sha256(archive).hexdigest()}
    )
    monkeypatch.setitem(downloads.SOURCES, "hasyv2", source)
    assert_is(hasyv2.load_content(False, small.edition), small)
    server.close()
    # From here on neither the network nor the archive is needed.
    (cache / "hasyv2" / "HASYv2.tar.bz2").unlink()
    assert_is(hasyv2.load_content(False, small.edition), small)


def test_upstream_is_secure_or_verified() -> None:
    for source in downloads.SOURCES.values():
        assert source.mirrors[0].startswith("https://")
        assert all(mirror.endswith("/") for mirror in source.mirrors)
        assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in source.files.values())
    for name, files in datasets.IDX_FILES.items():
        assert files.keys() == downloads.SOURCES[name].files.keys()


def test_a_member_that_claims_to_go_on_for_ever_is_not_waited_for(tmp_path: Path) -> None:
    """As a sparse file it may be small by its own account, and petabytes long in the archive."""
    header = bytearray(tarfile.TarInfo("y").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\x80" + (2**50).to_bytes(11, "big")  # its length in the archive
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % 10  # by its own account
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    archive = tmp_path / "HASYv2.tar.bz2"
    archive.write_bytes(bz2.compress(bytes(header) + bytes(1024)))
    with pytest.raises(ReproError, match="it is truncated"):
        hasyv2.decode(archive, progress=False)
