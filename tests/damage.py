"""Files damaged at random, over all formats that this project reads; each must be noticed.

``python tests/damage.py --times 1000 --seed 0`` flips a bit so many times, cuts off, empties, swaps
and replaces files besides, and prints the counts as JSON. What is read afterwards must be an error
in words, or the file made again with a warning: *caught*. Where all that is read is what the sound
file gives, the damage was *harmless* (the padding of an archive, say). Anything else is a failure.
"""

import argparse
import bz2
import contextlib
import gzip
import json
import os
import shutil
import struct
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from made_up import made_up_run

sys.path.insert(0, str(Path(__file__).parent / "data"))
from test_datasets import SmallArchive

from repro import Experiment, sealed_json
from repro.data import datasets, downloads, hasyv2, own_dataset
from repro.errors import Mended, ReproError
from repro.store import packing
from repro.store.store import Store

CAUGHT, HARMLESS, FAILURE = "caught", "harmless", "failures"


@dataclass(frozen=True)
class Format:
    """A kind of file: a sound one, a sound one of other content, and how the project reads it.

    ``read`` gives all that is read, to be compared; ``share`` is the format's of the flips.
    ``other`` is None where any sound file may be in this place, and ``inside`` says that the file
    is only found within another.
    """

    name: str
    path: Path
    sound: bytes
    other: bytes | None
    read: Callable[[], Any]
    share: int
    inside: bool = False

    def restore(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.path.is_dir() and not self.path.is_symlink():
                shutil.rmtree(self.path)
            else:
                self.path.unlink()
        self.path.write_bytes(self.sound)


def _runs(folder: Path, state: bool, share: int) -> Format:
    store, experiment = Store(folder), Experiment("digits", 12, 5)
    runs = [made_up_run(5, experiment, replica) for replica in (0, 1)]
    paths = [store.save(run[0], run[1] if state else None) for run in runs]

    def read() -> Any:
        run = store.find(experiment, 0)
        assert run is not None, "a file that is there is taken for one that is not"
        numbers = {str(n): v.values.tobytes() for n, v in store.load(run).variables.items()}
        kept = store.load_state(run) if state else {}
        return numbers | {name: values.tobytes() for name, values in kept.items()}

    name = "run with its state" if state else "published run"
    return Format(name, paths[0], *(path.read_bytes() for path in paths), read, share)


def _pack(folder: Path, share: int) -> Format:
    store, path = Store(folder / "packed"), folder / "runs.tar"
    for replica in range(2):
        store.save(*made_up_run(3, Experiment("digits", 9, 3), replica))
    packing.pack(store, path)

    def read() -> Any:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            packing.unpack(path, Store(place))
            return {p.relative_to(place): p.read_bytes() for p in Path(place).rglob("*.nc")}

    return Format("packed store", path, path.read_bytes(), None, read, share)


def _prepared(folder: Path, small: SmallArchive, share: int) -> Format:
    data = folder / "hasyv2" / "HASYv2.tar.bz2"
    assert data.is_file()

    def read() -> Any:
        return hasyv2.load_content(False, small.edition).to_bytes()

    sound = read()
    path = hasyv2.prepared_path()
    other = sound[: len(sound) // 2][::-1] + sound[len(sound) // 2 :]
    return Format("prepared HASYv2", path, sound, other, read, share)


def _archives(path: Path, small: SmallArchive, share: int) -> Iterator[Format]:
    def read() -> Any:
        return hasyv2.decode(path, False, small.edition).to_bytes()

    sound = path.read_bytes()
    other = bz2.compress(bz2.decompress(sound).replace(b"png,31,", b"png,107,", 1))
    yield Format("HASYv2 archive", path, sound, other, read, share)
    inside = path.with_name("inside.tar")
    inside.write_bytes(bz2.decompress(sound))

    def read_inside() -> Any:
        compressed = inside.with_name("again.tar.bz2")
        compressed.write_bytes(bz2.compress(inside.read_bytes(), 1))
        return hasyv2.decode(compressed, False, small.edition).to_bytes()

    yield Format(
        "HASYv2 archive before compression", inside, inside.read_bytes(), bz2.decompress(other),
        read_inside, share, inside=True,
    )  # fmt: skip


SMALL_IDX = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")


def _idx(folder: Path, share: int) -> Format:
    generator = np.random.default_rng(0)
    header = struct.pack(">4i", 2051, 20, 28, 28)
    contents = [header + generator.bytes(20 * 784) for _ in SMALL_IDX]
    files = {
        name: (20, sha256(content).hexdigest())
        for name, content in zip(SMALL_IDX, contents, strict=True)
    }
    (folder / "mnist").mkdir()
    paths = [folder / "mnist" / name for name in SMALL_IDX]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(gzip.compress(content))

    def read() -> Any:
        with mock.patch.dict(datasets.IDX_FILES, mnist=files):
            return datasets._idx_array("mnist", SMALL_IDX[0], False).tobytes()

    return Format("idx file", paths[0], *(path.read_bytes() for path in paths), read, share)


def _download(folder: Path, share: int) -> Format:
    """A download in the cache; upstream, where it would be fetched again, is out of reach."""
    contents = {name: name.encode() * 99 for name in SMALL_IDX}
    source = downloads.Source(
        mirrors=("http://127.0.0.1:9/",),
        files={name: sha256(content).hexdigest() for name, content in contents.items()},
    )
    path = downloads.cache_folder() / "mnist" / SMALL_IDX[0]
    path.parent.mkdir(parents=True)

    def read() -> Any:
        with (
            mock.patch.dict(downloads.SOURCES, mnist=source),
            mock.patch.dict(os.environ),
            mock.patch.object(downloads, "RETRIES", 0),
        ):
            del os.environ["REPRO_DATA_DIR"]
            return downloads.locate("mnist", SMALL_IDX[0], False).read_bytes()

    return Format("download", path, *contents.values(), read, share)


def _own_dataset(folder: Path, share: int) -> Format:
    generator, names, contents = np.random.default_rng(1), [], []
    for number in range(2):
        pixels = generator.integers(0, 256, (30, 9), np.uint8)
        labels = np.arange(30) % 3
        file = folder / f"mine-{number}.npz"
        np.savez(file, x_train=pixels, y_train=labels, x_test=pixels[:5], y_test=labels[:5])
        names.append(own_dataset.register(file))
        contents.append(own_dataset.copy_path(names[-1]).read_bytes())

    def read() -> Any:
        arrays = own_dataset.load(names[0])
        return [(str(a.dtype), a.shape, a.tobytes()) for a in astuple(arrays)]

    return Format("one's own dataset", own_dataset.copy_path(names[0]), *contents, read, share)


def _json(folder: Path, share: int) -> Format:
    paths = [folder / "facts.json", folder / "others.json"]
    for number, path in enumerate(paths):
        sealed_json.write(path, {"widths": [8, 16 + number], "seconds": 0.125, "name": "π"})

    def read() -> Any:
        return sealed_json.read(paths[0])

    return Format("published numbers", paths[0], *(p.read_bytes() for p in paths), read, share)


@contextlib.contextmanager
def formats(folder: Path) -> Iterator[list[Format]]:
    """All of them, in a folder that the environment names."""
    data = folder / "data"
    places = {"REPRO_DATA_DIR": str(data), "REPRO_CACHE_DIR": str(folder / "cache")}
    with mock.patch.dict(os.environ, places):
        small = SmallArchive()
        archive = small.write(data)
        copy = folder / "HASYv2.tar.bz2"
        shutil.copy(archive, copy)
        (folder / "json").mkdir()
        (folder / "pack").mkdir()
        yield [
            _runs(folder / "own", True, 25),
            _runs(folder / "published", False, 12),
            _pack(folder / "pack", 12),
            _prepared(data, small, 10),
            *_archives(copy, small, 6),
            _idx(data, 9),
            _own_dataset(folder, 8),
            _download(folder, 4),
            _json(folder / "json", 8),
        ]


def outcome(kind: Format, expected: Any) -> tuple[str, str]:
    """What becomes of the file as it is now: caught, harmless or a failure, and what was said."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found = kind.read()
        except ReproError as error:
            said = str(error)
            return (CAUGHT if said and "\n" not in said else FAILURE), said
        except Exception:
            return FAILURE, traceback.format_exc()
    if found != expected:
        return FAILURE, "other content was read"
    mended = [str(each.message) for each in warned if issubclass(each.category, Mended)]
    return (CAUGHT, mended[0]) if mended else (HARMLESS, "")


def flipped(kind: Format, generator: np.random.Generator) -> None:
    """One random bit."""
    content = bytearray(kind.sound)
    content[generator.integers(len(content))] ^= 1 << int(generator.integers(8))
    kind.path.write_bytes(content)


def truncated(kind: Format, generator: np.random.Generator) -> None:
    """Cut off at a random place."""
    kind.path.write_bytes(kind.sound[: generator.integers(len(kind.sound) - 1)])


def truncated_at_the_end(kind: Format, generator: np.random.Generator) -> None:
    """Short of a few bytes."""
    kind.path.write_bytes(kind.sound[: -int(generator.integers(2, 20))])


def truncated_at_a_block(kind: Format, generator: np.random.Generator) -> None:
    """Cut off at a multiple of 512 bytes, where an archive has its seams."""
    kind.path.write_bytes(kind.sound[: 512 * int(generator.integers(len(kind.sound) // 512 + 1))])


def emptied(kind: Format, _: np.random.Generator) -> None:
    """No byte left."""
    kind.path.write_bytes(b"")


def zeroed(kind: Format, generator: np.random.Generator) -> None:
    """A stretch of zeros, as some file systems leave it after a power cut."""
    start = int(generator.integers(len(kind.sound)))
    middle = bytes(len(kind.sound[start : start + 4096]))
    kind.path.write_bytes(kind.sound[:start] + middle + kind.sound[start + len(middle) :])


def foreign(kind: Format, generator: np.random.Generator) -> None:
    """Something else altogether."""
    others = (b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08", b"BZh9", b"{}", b"<html>", b"")
    start = others[generator.integers(len(others))]
    kind.path.write_bytes(start + generator.bytes(int(generator.integers(1, 5000))))


def swapped(kind: Format, _: np.random.Generator) -> None:
    """A sound file of the same format that belongs elsewhere."""
    assert kind.other is not None
    kind.path.write_bytes(kind.other)


def directory(kind: Format, _: np.random.Generator) -> None:
    """A folder in its place."""
    kind.path.unlink()
    kind.path.mkdir()
    (kind.path / "something").touch()


def dangling(kind: Format, _: np.random.Generator) -> None:
    """A link to nothing."""
    kind.path.unlink()
    kind.path.symlink_to("nowhere")


BESIDES: dict[str, tuple[Callable[[Format, np.random.Generator], None], int]] = {
    "cut off": (truncated, 10),
    "short of a few bytes": (truncated_at_the_end, 5),
    "cut off at a block": (truncated_at_a_block, 5),
    "emptied": (emptied, 1),
    "zeros in it": (zeroed, 5),
    "a foreign file": (foreign, 10),
    "swapped": (swapped, 1),
    "a folder in its place": (directory, 1),
    "a link to nothing": (dangling, 1),
}


def damage(times: int, seed: int, folder: Path) -> dict[str, Any]:
    """Flip so many bits, do each of `BESIDES` to each format, and count what becomes of it."""
    generator = np.random.default_rng(seed)
    counts: dict[str, dict[str, dict[str, int]]] = {}
    failed: list[dict[str, str]] = []
    with formats(folder) as kinds:
        shares = sum(kind.share for kind in kinds)
        for place, kind in enumerate(kinds):
            kind.restore()
            expected = kind.read()
            before = sum(each.share for each in kinds[:place])
            flips = times * (before + kind.share) // shares - times * before // shares
            ways = {"flipped bits": (flipped, flips)} | BESIDES
            for name, (way, number) in ways.items():
                if (way is swapped and kind.other is None) or (
                    way in (directory, dangling) and kind.inside
                ):
                    continue
                row = counts.setdefault(kind.name, {})[name] = dict.fromkeys(
                    (CAUGHT, HARMLESS, FAILURE), 0
                )
                for _ in range(number):
                    kind.restore()
                    way(kind, generator)
                    found, said = outcome(kind, expected)
                    row[found] += 1
                    if found == FAILURE:
                        failed.append({"format": kind.name, "damage": name, "said": said})
            kind.restore()
            assert outcome(kind, expected)[0] == HARMLESS, f"{kind.name} is read when sound"
    from repro.provenance import code_version

    return {
        "code_version": code_version(), "seed": seed, "flips": times, "failures": len(failed),
        "formats": counts, "failed": failed,
    }  # fmt: skip


def main() -> int:
    """The command line; the exit code is 1 where something was not noticed."""
    parser = argparse.ArgumentParser(description="Damage files and see whether it is noticed.")
    parser.add_argument("--times", type=int, default=1000, help="flips (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", metavar="FILE", help="write the counts there, too, as JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        counts = damage(chosen.times, chosen.seed, Path(folder))
    print(json.dumps(counts, indent=1))
    if chosen.output:
        sealed_json.write(Path(chosen.output), counts)
    return 1 if counts["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
