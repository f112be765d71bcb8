"""HASYv2, decoded straight from its archive and then kept as a compact prepared copy.

The archive (M. Thoma, arXiv:1701.08380) holds 168,233 images of 32 x 32 pixels, black and white and
nothing between, their symbols, and ten folds. Every image is a test image of exactly one fold, and
every csv file lists its images by rising number. Decoding checks both, so that a label and a fold
number per image say all that the csv files say.
"""

import bz2
import contextlib
import csv
import hashlib
import io
import re
import tarfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image
from tqdm import tqdm

from repro.data import downloads, prepared
from repro.errors import ReproError

ARCHIVE = "HASYv2.tar.bz2"
SIDE = 32
PACKED = SIDE * SIDE // 8
FOLDS = range(1, 11)

IMAGES_FOLDER = "hasy-data/"
IMAGE_NAME = re.compile(r"hasy-data/v2-([0-9]{5,6})\.png")
SYMBOLS = "symbols.csv"
LABELS = "hasy-data-labels.csv"
FOLD_TABLES = {
    (fold, part): f"classification-task/fold-{fold}/{part}.csv"
    for fold in FOLDS
    for part in ("train", "test")
}
TABLES = frozenset((SYMBOLS, LABELS, *FOLD_TABLES.values()))

# Unpacked it takes about 0.2 GB: an archive beyond this is not HASYv2, whatever it is.
LARGEST_ARCHIVE = 2**30
LARGEST_MEMBER = 2**28
READS_IN_VAIN = 1000  # behind the end of the archive


@dataclass(frozen=True)
class Edition:
    """What a complete archive holds; `content_sha256` is that of `Content.to_bytes`."""

    images: int
    classes: int
    content_sha256: str


HASYV2 = Edition(
    images=168_233,
    classes=369,
    content_sha256="522521e0957d2f1c2ebd1dfda06e82be231c36030a3209a3552efa746662dbd1",
)


@dataclass(frozen=True)
class Content:
    """All images of the archive, by rising image number.

    packed
        uint8 (images, 128), a bit per pixel, rows first, highest bit first; 1 is paper, 0 is ink.
    labels
        int16 (images,), the rank of the image's symbol id among all symbol ids.
    folds
        int8 (images,), the fold, 1 to 10, that has the image in its test set.
    class_names
        The symbols' LaTeX, by label.
    """

    packed: np.ndarray
    labels: np.ndarray
    folds: np.ndarray
    class_names: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """The canonical form: packed pixels, labels (little-endian), folds, names (by line)."""
        return b"".join(
            (
                self.packed.tobytes(),
                self.labels.astype("<i2").tobytes(),
                self.folds.tobytes(),
                "\n".join(self.class_names).encode(),
            )
        )

    @classmethod
    def from_bytes(cls, content: bytes, edition: Edition = HASYV2) -> "Content":
        """The inverse of `to_bytes`, for bytes with a verified hash; shares their memory."""
        images = edition.images
        after_packed, after_labels = images * PACKED, images * (PACKED + 2)
        after_folds = after_labels + images
        return cls(
            packed=np.frombuffer(content, np.uint8, images * PACKED).reshape(images, PACKED),
            labels=np.frombuffer(content, "<i2", images, offset=after_packed),
            folds=np.frombuffer(content, np.int8, images, offset=after_labels),
            class_names=tuple(content[after_folds:].decode().split("\n")),
        )


def unpack(packed: np.ndarray) -> np.ndarray:
    """Pixels, uint8 (images, 1024), 255 for paper and 0 for ink, of packed images (images, 128)."""
    pixels = np.unpackbits(packed, axis=1)
    np.multiply(pixels, 255, out=pixels)
    return pixels


def prepared_path() -> Path:
    """Where the prepared copy of the archive in use is kept; a local archive must be there.

    The name carries the archive's hash, so that another archive, an altered one perhaps, is never
    taken for the one that was prepared.
    """
    if downloads.data_folder() is None:
        sha256 = downloads.SOURCES["hasyv2"].files[ARCHIVE]
    else:
        with downloads.locate("hasyv2", ARCHIVE).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return downloads.cache_folder() / "hasyv2" / f"prepared-{sha256[:16]}.bin"


def load_content(progress: bool = True, edition: Edition = HASYV2) -> Content:
    """All of HASYv2: the verified prepared copy, or decoded from the archive and then prepared.

    Warns where the prepared copy is damaged, and makes it again, and where it cannot be written.
    Raises ReproError where the archive cannot be had or is not what it should be.
    """
    path = prepared_path()
    content = prepared.read(path, edition.content_sha256)
    if content is not None:
        return Content.from_bytes(content, edition)
    decoded = decode(downloads.locate("hasyv2", ARCHIVE, progress), progress, edition)
    try:
        prepared.write(path, decoded.to_bytes())
    except OSError as error:
        warnings.warn(
            f"The decoded HASYv2 cannot be kept as {path} ({error.strerror}) and will be decoded "
            "again next time: set REPRO_CACHE_DIR to a folder that can be written.",
            stacklevel=2,
        )
    return decoded


def decode(archive: Path, progress: bool = True, edition: Edition = HASYV2) -> Content:
    """Decode HASYv2.tar.bz2 without unpacking it to disk, and verify all that it holds.

    Raises ReproError where the archive is truncated, altered or something else altogether.
    """
    return _Decoder(archive, edition).decode(progress)


class _TooMuch(Exception):
    pass


class _Bounded:
    """A stream that is read no further than a limit, whoever reads it: headers of tar, too."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self._left, self._vain = stream, limit, 0

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise _TooMuch
        # A member may claim to go on for terabytes, and tarfile skips it block by empty block.
        self._vain += not content
        if self._vain > READS_IN_VAIN:
            raise EOFError
        return content


class _Decoder:
    def __init__(self, archive: Path, edition: Edition) -> None:
        self.archive = archive
        self.edition = edition
        self.tables: dict[str, bytes] = {}
        self.packed = np.zeros((edition.images, PACKED), np.uint8)
        self.seen = np.zeros(edition.images, bool)

    def error(self, problem: str) -> ReproError:
        return ReproError(
            f"{self.archive} is not the complete HASYv2 archive ({problem}): "
            "remove it and fetch it again."
        )

    def decode(self, progress: bool) -> Content:
        with tqdm(
            total=self.edition.images,
            desc="Decoding HASYv2",
            unit=" images",
            mininterval=0.5,
            leave=False,
            disable=not progress,
        ) as bar:
            for name, member in self.members():
                if name not in TABLES:
                    self.add_image(name, member)
                    bar.update()
                elif name in self.tables:
                    raise self.error(f"{name} is there twice")
                else:
                    self.tables[name] = member
        if missing := sorted(TABLES - self.tables.keys()):
            raise self.error(f"{missing[0]} is missing")
        if not self.seen.all():
            raise self.error(
                f"hasy-data/v2-{self.seen.argmin():05d}.png is missing, "
                f"with {self.seen.sum():,} of {self.edition.images:,} images there"
            )
        symbols = self.symbols()
        labels = self.labels(symbols)
        class_names = tuple(symbols[key] for key in sorted(symbols))
        content = Content(self.packed, labels, self.folds(), class_names)
        if hashlib.sha256(content.to_bytes()).hexdigest() != self.edition.content_sha256:
            raise self.error("its images, labels or folds are not the published ones")
        return content

    def members(self) -> Iterator[tuple[str, bytes]]:
        """Names and bytes of the csv files and images; upstream's other files are passed over."""
        try:
            # bz2 rather than tarfile's "r|bz2", which takes a truncated archive for a shorter one.
            with contextlib.ExitStack() as stack:
                whole = stack.enter_context(bz2.open(self.archive))
                stream = _Bounded(whole, LARGEST_ARCHIVE)
                tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r|"))
                for member in tar:
                    # As a sparse file a member may be far larger than what the archive has of it.
                    if member.size > LARGEST_MEMBER:
                        raise self.error(f"{member.name} is far larger than expected")
                    name = member.name.removeprefix("./")
                    if name not in TABLES and not name.startswith(IMAGES_FOLDER):
                        continue
                    if not member.isfile():
                        raise self.error(f"{name} is no plain file")
                    yield name, tar.extractfile(member).read()
                # Behind the last member, too, the compressed data must be whole.
                while stream.read(2**20):
                    pass
        except ReproError:
            raise
        except _TooMuch:
            raise self.error("it holds far more than expected") from None
        except EOFError:
            raise self.error("it is truncated") from None
        # RecursionError: of long names of long names.
        except (OSError, ValueError, OverflowError, RecursionError, tarfile.TarError) as error:
            raise self.error(f"reading it failed with '{error}'") from error

    def image_number(self, name: str, where: str) -> int:
        match = IMAGE_NAME.fullmatch(name)
        number = int(match[1]) if match else self.edition.images
        if number >= self.edition.images or name != f"hasy-data/v2-{number:05d}.png":
            raise self.error(f"unexpected name {name!r} in {where}")
        return number

    def add_image(self, name: str, png: bytes) -> None:
        number = self.image_number(name, "the archive")
        if self.seen[number]:
            raise self.error(f"{name} is there twice")
        try:
            with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
                size = image.size
                picture = image.convert("RGB") if size == (SIDE, SIDE) else None
        except Exception as error:  # pillow raises many types, even SyntaxError
            raise self.error(f"{name} is no readable PNG") from error
        if picture is None:
            raise self.error(f"{name} is {size[0]} x {size[1]} pixels, not {SIDE} x {SIDE}")
        colours = picture.getcolors(2)
        if colours is None or not {colour for _, colour in colours} <= {(0,) * 3, (255,) * 3}:
            raise self.error(f"{name} has other colours than black and white")
        # Pillow's one-bit mode has the very layout of the packed form.
        bits = picture.getchannel(0).convert("1", dither=Image.Dither.NONE).tobytes()
        self.packed[number] = np.frombuffer(bits, np.uint8)
        self.seen[number] = True

    def rows(self, table: str, *columns: str) -> list[tuple[str, ...]]:
        """The given columns of a csv file."""
        try:
            text = io.StringIO(self.tables[table].decode(), newline="")
            rows = [tuple(row[key] for key in columns) for row in csv.DictReader(text, strict=True)]
        except (csv.Error, KeyError, UnicodeDecodeError) as error:
            raise self.error(f"{table} is no csv file with {' and '.join(columns)}") from error
        if any(None in row for row in rows):
            raise self.error(f"{table} has a row with too few columns")
        return rows

    def symbols(self) -> dict[int, str]:
        """LaTeX by symbol id."""
        rows = self.rows(SYMBOLS, "symbol_id", "latex")
        try:
            symbols = {int(key): name for key, name in rows}
        except ValueError as error:
            raise self.error(f"{SYMBOLS} has a symbol id that is no number") from error
        if not len(symbols) == len(rows) == self.edition.classes:
            raise self.error(f"{SYMBOLS} does not list {self.edition.classes} symbols, each once")
        return symbols

    def labels(self, symbols: dict[int, str]) -> np.ndarray:
        rank = {str(key): label for label, key in enumerate(sorted(symbols))}
        rows = self.rows(LABELS, "path", "symbol_id")
        numbers = [self.image_number(path, LABELS) for path, _ in rows]
        if numbers != list(range(self.edition.images)):
            raise self.error(f"{LABELS} does not list every image once, by number")
        if unknown := {key for _, key in rows} - rank.keys():
            raise self.error(f"{LABELS} has the unknown symbol id {min(unknown)!r}")
        return np.array([rank[key] for _, key in rows], np.int16)

    def folds(self) -> np.ndarray:
        listed = {
            key: np.array(
                [
                    self.image_number(path.removeprefix("../../"), table)
                    for (path,) in self.rows(table, "path")
                ],
                np.int64,
            )
            for key, table in FOLD_TABLES.items()
        }
        folds = np.zeros(self.edition.images, np.int8)
        for fold in FOLDS:
            folds[listed[fold, "test"]] = fold
        # With equal lists every image is in one test set: one in two would be lost to the earlier.
        for (fold, part), table in FOLD_TABLES.items():
            expected = folds == fold if part == "test" else folds != fold
            if not np.array_equal(listed[fold, part], np.flatnonzero(expected)):
                raise self.error(f"{table} does not list its images once, by number")
        if not folds.all():
            raise self.error(f"hasy-data/v2-{folds.argmin():05d}.png is in no test set")
        return folds
