"""HASYv2 (M. Thoma, arXiv:1701.08380): 168,233 images of handwritten symbols, with ten folds.

Decoded straight from its archive, once; then a compact prepared copy is kept in the cache folder.
Images are 32 x 32 pixels, black and white and nothing between. Every image is a test image of
exactly one fold, so that a label and a fold for each image say all that the csv files say.
"""

import bz2
import csv
import hashlib
import io
import re
import tarfile
import warnings
from importlib import resources
from pathlib import Path

import numpy as np

from repro.data.dataset import Dataset, Parts
from repro.errors import Mended, ReproError
from repro.places import cache_folder, write_whole, writing

ARCHIVE = "HASYv2.tar.bz2"
IMAGES = 168_233
FOLDS = 10
# SHA-256 of the prepared copy: whatever decoding came by, it is HASYv2 if it has this.
CONTENT = "522521e0957d2f1c2ebd1dfda06e82be231c36030a3209a3552efa746662dbd1"
# Keeps the draw of a share apart from any other draw from the same seed.
SHARE_STREAM = 0x5EED5417

_PACKED = 32 * 32 // 8
_IMAGE = re.compile(r"hasy-data/v2-([0-9]+)\.png")
_TABLE = re.compile(r"symbols\.csv|hasy-data-labels\.csv|classification-task/fold-[0-9]+/test\.csv")


def read(dataset: Dataset, split: str | float, seed: int, progress: bool) -> Parts:
    """The images divided by a fold, or by a share for training that is drawn from the seed."""
    packed, labels, folds = load_content(dataset, progress)
    if isinstance(split, str):
        test = folds == int(split.removeprefix("fold-"))
    else:
        test = drawn_for_test(len(folds), split, seed)
    x_train, x_test = (np.unpackbits(packed[part], axis=1) * 255 for part in (~test, test))
    y_train, y_test = (labels[part].astype(np.int32) for part in (~test, test))
    return x_train, y_train, x_test, y_test


def drawn_for_test(images: int, share: float, seed: int) -> np.ndarray:
    """Whether an image is for testing, bool (images,): the share for training is drawn."""
    for_training = round(share * images)
    if not 0 < for_training < images:
        raise ReproError(
            f"The split {share} leaves no image on one side: use a share nearer to 0.5."
        )
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, SHARE_STREAM))))
    test = np.ones(images, bool)
    test[generator.permutation(images)[:for_training]] = False
    return test


def load_content(dataset: Dataset, progress: bool = True) -> tuple[np.ndarray, ...]:
    """All of HASYv2: the verified prepared copy, or decoded from the archive and then prepared.

    By rising image number: pixels, uint8 (images, 128), a bit each, rows first, highest bit first,
    1 is paper and 0 is ink; labels, int16 (images,), the rank of the symbol id; and the fold, int8
    (images,), 1 to 10, that has the image in its test set. Behind them the copy has the symbols'
    LaTeX. Raises ReproError where the archive cannot be had or is not what it should be, and where
    the copy cannot be written; warns where that is damaged, and makes it again.
    """
    path = cache_folder() / "hasyv2" / f"prepared-{dataset.files[ARCHIVE][:16]}.bin"
    content = path.read_bytes() if path.is_file() else b""
    if not _is_sound(content):
        if path.is_file():
            said = f"The prepared copy {path} is damaged and is made again."
            warnings.warn(said, Mended, stacklevel=2)
        content = decode(dataset.locate(ARCHIVE, progress), progress)
        with writing(path, "REPRO_CACHE_DIR"):
            write_whole(path, content)
    return (
        np.frombuffer(content, np.uint8, IMAGES * _PACKED).reshape(IMAGES, _PACKED),
        np.frombuffer(content, "<i2", IMAGES, offset=IMAGES * _PACKED),
        np.frombuffer(content, np.int8, IMAGES, offset=IMAGES * (_PACKED + 2)),
    )


def decode(archive: Path, progress: bool = True) -> bytes:
    """HASYv2.tar.bz2 as the prepared copy, in half a minute. Raises ReproError if it is none."""
    try:
        content = _decoded(archive, progress)
        if not _is_sound(content):
            raise ValueError("its images, labels or folds are not the published ones")
    except Exception as error:  # of bz2, tarfile, pillow and csv, down to the errors of a tokenizer
        reason = str(error).rstrip(".") or type(error).__name__
        raise ReproError(
            f"{archive} is not the complete HASYv2 archive ({reason}): remove it and fetch it "
            "again."
        ) from error
    return content


def _is_sound(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == CONTENT


def _decoded(archive: Path, progress: bool) -> bytes:
    from tqdm import tqdm

    packed, tables = np.zeros((IMAGES, _PACKED), np.uint8), {}
    archived = archive.read_bytes()
    progress_bar = {"desc": "Unpacking HASYv2", "disable": not progress, "total": len(archived)}
    watched = tqdm.wrapattr(io.BytesIO(archived), "read", **progress_bar)
    with watched as file, bz2.open(file) as stream:
        content = stream.read()
    # From memory, and without pillow's search for the parts of a file: half of the time.
    bar = tqdm(total=IMAGES, desc="Decoding HASYv2", unit=" images", disable=not progress)
    with bar, tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            whole = content[member.offset_data : member.offset_data + member.size]
            if found := _IMAGE.fullmatch(name):
                packed[int(found[1])] = _bits(whole)
                bar.update()
            elif _TABLE.fullmatch(name):
                tables[name] = list(csv.DictReader(io.StringIO(whole.decode(), newline="")))
    latex = {int(row["symbol_id"]): row["latex"] for row in tables["symbols.csv"]}
    rank = {symbol: label for label, symbol in enumerate(sorted(latex))}
    labels, folds = np.zeros(IMAGES, "<i2"), np.zeros(IMAGES, np.int8)
    for row in tables["hasy-data-labels.csv"]:
        labels[_number(row)] = rank[int(row["symbol_id"])]
    for fold in range(1, FOLDS + 1):
        for row in tables[f"classification-task/fold-{fold}/test.csv"]:
            folds[_number(row)] = fold
    names = "\n".join(latex[symbol] for symbol in rank).encode()
    return packed.tobytes() + labels.tobytes() + folds.tobytes() + names


def _number(row: dict[str, str]) -> int:
    return int(_IMAGE.search(row["path"])[1])


def _bits(png: bytes) -> np.ndarray:
    """A picture packed, uint8 (128,): pillow's one-bit mode has that very layout."""
    from PIL import Image

    pixels = png[png.index(b"IDAT") + 4 :]  # of an RGB picture in one piece, as they all are
    image = Image.frombytes("RGB", (32, 32), pixels, "zip", "RGB", 0)
    return np.frombuffer(image.convert("1", dither=Image.Dither.NONE).tobytes(), np.uint8)


# By label, rising: numbers with gaps, of the archive's symbols.csv, which the copy does not keep.
_RANGES = resources.files("repro.data").joinpath("hasyv2_symbol_ids.txt").read_text().split()
SYMBOL_IDS: tuple[int, ...] = tuple(
    number
    for first, _, last in (word.partition("-") for word in _RANGES)
    for number in range(int(first), int(last or first) + 1)
)

DATASET = Dataset(
    name="hasyv2",
    samples=151_241,
    pixels=8 * _PACKED,
    classes=len(SYMBOL_IDS),
    read=read,
    folds=FOLDS,
    files={ARCHIVE: "7c3ffe709e8c2b83f6ab7d8afc79f7b5f46421657981b1752d22a0ed0052aa2d"},
    mirrors=("https://zenodo.org/records/259444/files/",),
)
