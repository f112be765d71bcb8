"""The datasets: what they hold, where they come from, and what happens when something is wrong."""

import bz2
import functools
import gzip
import hashlib
import http.server
import io
import re
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repro.data import datasets, hasyv2, mnist
from repro.data.dataset import Dataset
from repro.errors import ReproError

# Numbers of train and test images, as published with the datasets.
SIZES = {
    "hasyv2": (151_241, 16_992),
    "mnist": (60_000, 10_000),
    "fashion-mnist": (60_000, 10_000),
    "digits": (1_437, 360),
}


def assert_refused(function: Callable, said: str) -> None:
    """A `ReproError` of one sentence."""
    with pytest.raises(ReproError, match=said) as raised:
        function()
    message = str(raised.value)
    assert message.endswith(".") and "\n" not in message and not re.search(r"\. [A-Z]", message)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for one test, not made yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("REPRO_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("REPRO_DATA_DIR", str(folder))
    return folder


# What the datasets hold


def test_every_dataset_is_what_it_is_announced_to_be(dataset):
    data = datasets.load(dataset, progress=False)
    pixels, classes = datasets.shape(dataset)
    train, test = SIZES[dataset]
    assert train == datasets.DATASETS[dataset].samples
    assert (data.x_train.shape, data.x_test.shape) == ((train, pixels), (test, pixels))
    assert data.classes == classes
    for images, labels in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert images.dtype == np.uint8 and images.flags.c_contiguous
        assert labels.dtype == np.int32 and labels.shape == images.shape[:1]
        assert (images.min(), images.max()) == (0, 255)
        with pytest.raises(ValueError, match="read-only"):
            images[0, 0] = 1
    assert np.array_equal(np.unique(data.y_train), np.arange(classes))
    assert data.split == ("fold-1" if dataset == "hasyv2" else None)


def test_digits_are_the_published_ones_and_every_fifth_is_for_testing(cache, monkeypatch):
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    digits = datasets.load("digits")
    assert np.array_equal(digits.x_test, np.round(values[::5] * 255 / 16))
    assert np.array_equal(digits.y_test, labels[::5])
    assert np.array_equal(digits.x_train[:4], np.round(values[1:5] * 255 / 16))
    assert not cache.exists(), "they need no file"
    values[7, 30] += 1
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda **_: (values, labels))
    assert_refused(lambda: datasets.load("digits"), "scikit-learn's digits are not")


def test_hasyv2_follows_the_archive(real_data_dir, prepared_cache):
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
    assert tuple(symbols) == hasyv2.SYMBOL_IDS
    loaded = datasets.load("hasyv2", progress=False)
    compared = 0
    for part, images, labels in (
        ("train", loaded.x_train, loaded.y_train),
        ("test", loaded.x_test, loaded.y_test),
    ):
        rows = tables[f"classification-task/fold-1/{part}.csv"][1:]
        for row, image, label in zip(rows, images, labels, strict=True):
            path, symbol, *_ = row.split(",")
            assert symbols[label] == int(symbol)
            if (name := Path(path).name) in pictures:
                assert np.array_equal(image, pictures[name])
                compared += 1
    assert compared == 200


# Dividing HASYv2


def test_folds_and_shares_divide_hasyv2(real_data_dir, prepared_cache):
    second = datasets.load("hasyv2", "fold-2", progress=False)
    assert (len(second.x_train), len(second.x_test)) == (151_288, 16_945)
    drawn = datasets.load("hasyv2", 0.85, seed=7, progress=False)
    assert drawn.split == 0.85 and len(drawn.x_train) == round(0.85 * 168_233)
    together = [np.bincount(np.concatenate([one.y_train, one.y_test])) for one in (drawn, second)]
    assert np.array_equal(*together)
    # The archive goes from symbol to symbol: a draw has all of them, a cut would not.
    assert len(np.unique(drawn.y_train)) == 369


def test_a_share_is_drawn_from_the_seed_and_stays_the_same():
    test = hasyv2.drawn_for_test(20, 0.7, seed=0)
    # Published runs depend on this very draw.
    assert np.flatnonzero(test).tolist() == [4, 5, 9, 11, 14, 19]
    assert not np.array_equal(test, hasyv2.drawn_for_test(20, 0.7, seed=1))
    assert_refused(lambda: hasyv2.drawn_for_test(100, 1e-6, 0), "leaves no image on one side")


@pytest.mark.parametrize(
    ("name", "split"),
    [("hasyv2", "fold-0"), ("hasyv2", "fold-11"), ("hasyv2", 0), ("hasyv2", 1), ("hasyv2", True),
     ("hasyv2", float("nan")), ("hasyv2", ["fold-1"]), ("mnist", "fold-1"), ("digits", 0.5)],
)  # fmt: skip
def test_an_impossible_split_is_refused(name, split):
    assert_refused(lambda: datasets.load(name, split), "split must be")


@pytest.mark.parametrize("name", ["cifar", "MNIST", "", None, ["mnist"]])
def test_an_unknown_dataset_is_refused(name):
    assert_refused(lambda: datasets.load(name), "hasyv2, mnist, fashion-mnist, digits")


# A small archive in the layout of HASYv2, to be damaged

FIRST = "hasy-data/v2-00000.png"


def csv_file(header: str, rows: list[str]) -> bytes:
    return ("\r\n".join([header, *rows]) + "\r\n").encode()


class SmallArchive:
    """40 images of three symbols; `members` may be changed before it is written."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        pixels = generator.choice(np.array([0, 255], np.uint8), (40, 32, 32))
        labels, folds = np.sort(generator.integers(0, 3, 40)), np.arange(40) % 10 + 1
        ids, names = (31, 107, 1400), ("A", r"\pi", r"\ddots")
        # Listed out of order: labels are ranks, not places.
        rows = [f"{ids[i]},{names[i]},9,1" for i in (2, 0, 1)]
        self.members = {
            "symbols.csv": csv_file("symbol_id,latex,training_samples,test_samples", rows)
        }
        rows = [f"hasy-data/v2-{n:05d}.png,{ids[k]},A,50" for n, k in enumerate(labels)]
        header = "path,symbol_id,latex,user_id"
        self.members["hasy-data-labels.csv"] = csv_file(header, rows)
        for fold in range(1, 11):
            in_test = [f"../../{rows[n]}" for n in np.flatnonzero(folds == fold)]
            self.members[f"classification-task/fold-{fold}/test.csv"] = csv_file(header, in_test)
        for number, grey in enumerate(pixels):
            file = io.BytesIO()
            Image.fromarray(np.repeat(grey[:, :, None], 3, axis=2)).save(file, format="PNG")
            self.members[f"hasy-data/v2-{number:05d}.png"] = file.getvalue()
        self.pixels = pixels.reshape(40, 1024)
        # What is kept of it.
        self.content = np.packbits(self.pixels == 255, axis=1).tobytes()
        self.content += labels.astype("<i2").tobytes() + folds.astype(np.int8).tobytes()
        self.content += "\n".join(names).encode()

    def write(self, folder: Path) -> Path:
        """Write it as it lies in a data folder."""
        path = folder / "hasyv2" / "HASYv2.tar.bz2"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:bz2") as tar:
            for name, content in self.members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> SmallArchive:
    archive = SmallArchive()
    monkeypatch.setattr(hasyv2, "IMAGES", 40)
    monkeypatch.setattr(hasyv2, "CONTENT", hashlib.sha256(archive.content).hexdigest())
    return archive


def load_small() -> tuple[np.ndarray, ...]:
    return hasyv2.load_content(hasyv2.DATASET, progress=False)


def test_an_archive_is_decoded_once_and_again_where_the_copy_is_damaged(small, data_folder, cache):
    small.members = {"README.txt": b"about"} | {f"./{n}": c for n, c in small.members.items()}
    archive = small.write(data_folder)
    packed, labels, _ = load_small()
    assert np.array_equal(np.unpackbits(packed, axis=1) * 255, small.pixels)
    (copy,) = files_below(cache)
    assert copy.read_bytes() == small.content
    for damaged in (small.content[:-1], b"\0" + small.content[1:]):
        copy.write_bytes(damaged)
        with pytest.warns(UserWarning, match="is damaged and is made again"):
            load_small()
    archive.unlink()
    assert np.array_equal(load_small()[1], labels)
    assert files_below(cache) == [copy]


def _without(name: str) -> Callable[[SmallArchive], None]:
    return lambda small: small.members.pop(name)


def _with(name: str, content: bytes) -> Callable[[SmallArchive], None]:
    return lambda small: small.members.update({name: content})


@pytest.mark.parametrize(
    "change",
    [
        _without(FIRST), _without("symbols.csv"), _without("classification-task/fold-3/test.csv"),
        _with(FIRST, b"no png"), _with("hasy-data/v2-00001.png", SmallArchive().members[FIRST]),
        _with("hasy-data/v2-00040.png", SmallArchive().members[FIRST]),
        _with("hasy-data-labels.csv", b"path,symbol_id\r\nhasy-data/v2-00000.png,7\r\n"),
        _with("symbols.csv", b"\xff"),
    ],
)  # fmt: skip
def test_an_archive_that_is_not_complete_is_refused(small, data_folder, cache, change):
    change(small)
    small.write(data_folder)
    assert_refused(load_small, "is not the complete HASYv2 archive")
    assert not cache.exists()


def test_of_a_damaged_archive_nothing_wrong_is_taken(small, data_folder):
    """Before compression damage has no checksum of bzip2's to stop it; ours must."""
    path = small.write(data_folder)
    archive = path.read_bytes()
    tar = bytearray(bz2.decompress(archive))
    picture = tar.index(small.members[FIRST])
    tar[picture : picture + len(small.members[FIRST])] = small.members["hasy-data/v2-00001.png"]
    damaged = (b"", archive[: len(archive) // 2], b"no archive", bz2.compress(b"no tar" * 300))
    for content in (*damaged, bz2.compress(tar)):
        path.write_bytes(content)
        assert_refused(lambda: hasyv2.decode(path, False), "is not the complete HASYv2 archive")


# A local data folder


@pytest.mark.parametrize(
    ("name", "file"),
    [("hasyv2", "hasyv2/HASYv2.tar.bz2"), ("mnist", "mnist/train-images-idx3-ubyte.gz")],
)
def test_a_folder_without_the_files_is_named(name, file, data_folder, cache):
    assert_refused(lambda: datasets.load(name, progress=False), re.escape(file))
    assert not cache.exists() and not data_folder.exists()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda good: good[: len(good) // 2], mnist.FILES[3]),
        (lambda good: b"labels", mnist.FILES[3]),
        (lambda good: good[:2000] + bytes([good[2000] ^ 8]) + good[2001:], mnist.FILES[3]),
        (lambda good: gzip.compress(gzip.decompress(good)[:-1] + b"\x00", 1), "mnist"),
    ],
)
def test_a_damaged_idx_file_is_refused(real_data_dir, data_folder, damage, named):
    shutil.copytree(real_data_dir / "mnist", data_folder / "mnist")
    path = data_folder / "mnist" / mnist.FILES[3]
    good = path.read_bytes()
    path.unlink()
    path.write_bytes(damage(good))
    assert_refused(lambda: datasets.load("mnist", progress=False), f"{named} (is dam|are not)")


# Downloads, from servers on this machine


class Mirror(http.server.ThreadingHTTPServer):
    """A server of a folder that remembers what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, asked = folder, []
        folder.mkdir()

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_request(self, *_: object) -> None:
                asked.append(self.path.removeprefix("/"))

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
        self.asked, self.url = asked, f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


@pytest.fixture
def mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Mirror]]:
    monkeypatch.setattr("time.sleep", lambda _: None)  # pooch waits before it tries again
    servers = [Mirror(tmp_path / "first"), Mirror(tmp_path / "second")]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def letter(mirrors: list[Mirror]) -> Dataset:
    """MNIST, as if it were one small file on the two servers."""
    files = {"letter.gz": hashlib.sha256(b"expected").hexdigest()}
    urls = tuple(mirror.url for mirror in mirrors)
    return replace(datasets.DATASETS["mnist"], files=files, mirrors=urls)


@pytest.mark.parametrize("first", ["right", "missing", "wrong", "down"])
def test_a_download_falls_back_to_the_next_mirror(mirrors, letter, cache, first):
    if first in ("right", "wrong"):
        content = b"expected" if first == "right" else b"altered"
        (mirrors[0].folder / "letter.gz").write_bytes(content)
    if first == "down":
        mirrors[0].close()
    (mirrors[1].folder / "letter.gz").write_bytes(b"expected")
    path = letter.locate("letter.gz", progress=False)
    assert path.read_bytes() == b"expected" and files_below(cache) == [path]
    assert mirrors[1].asked == ([] if first == "right" else ["letter.gz"])
    if first in ("missing", "wrong"):
        assert mirrors[0].asked == ["letter.gz"] * 2, "a mirror is asked twice"


def test_a_file_is_downloaded_once_and_again_where_it_is_damaged(mirrors, letter, cache, capfd):
    (mirrors[0].folder / "letter.gz").write_bytes(b"expected")
    path = letter.locate("letter.gz", progress=False)
    letter.locate("letter.gz", progress=False)
    assert mirrors[0].asked == ["letter.gz"]
    assert capfd.readouterr().err == ""
    path.write_bytes(b"expecte")
    letter.locate("letter.gz", progress=True)
    assert path.read_bytes() == b"expected" and mirrors[0].asked == ["letter.gz"] * 2
    assert "100%" in capfd.readouterr().err


def test_a_download_that_cannot_be_had_or_kept_is_told(mirrors, letter, cache):
    (mirrors[0].folder / "letter.gz").write_bytes(b"altered")
    said = f"{mirrors[0].url} gave another file .*; {mirrors[1].url} gave HTTP status 404"
    assert_refused(lambda: letter.locate("letter.gz", False), said)
    assert not files_below(cache)
    (mirrors[0].folder / "letter.gz").write_bytes(b"expected")
    shutil.rmtree(cache)
    cache.write_text("a file in the way")
    assert_refused(lambda: letter.locate("letter.gz", False), "set REPRO_CACHE_DIR")


def test_upstream_is_secure_or_verified():
    for dataset in datasets.DATASETS.values():
        assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in dataset.files.values())
        assert all(mirror.endswith("/") for mirror in dataset.mirrors)
        assert not dataset.files or dataset.mirrors[0].startswith("https://")
