"""Files damaged at random, over all formats that this project reads; each must be noticed.

``python tests/damage.py --times 1000 --seed 0`` flips a bit so many times, cuts off, empties, swaps
and replaces files besides, and prints the counts as JSON. What is read afterwards must be an error
in words, or the file made again with a warning: *caught*. Where all that is read is what the sound
file gives, the damage was *harmless* (the padding of an archive, say). Anything else is a failure.
"""

import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from faults import asked, told_of
from made_up import made_up_run

from repro import Experiment, sealed_json
from repro.data import datasets, own
from repro.errors import Mended, ReproError
from repro.provenance import code_version
from repro.store.store import Store

CAUGHT, HARMLESS, FAILURE = "caught", "harmless", "failures"


@dataclass(frozen=True)
class Format:
    """A kind of file: a sound one, a sound one of other content, and how the project reads it.

    ``read`` gives all that is read, to be compared; ``share`` is the format's of the flips.
    """

    name: str
    path: Path
    sound: bytes
    other: bytes
    read: Callable[[], Any]
    share: int


def _runs(folder: Path, state: bool, share: int) -> Format:
    store, experiment = Store(folder), Experiment("digits", 12, 5)
    runs = [made_up_run(5, experiment, replica) for replica in (0, 1)]
    paths = [store.save(run[0], run[1] if state else None) for run in runs]

    def read() -> Any:
        run = store.find(experiment, 0)
        assert run is not None, "a file that is there is taken for one that is not"
        results, kept = store.load_checkpoint(run)
        numbers = {str(n): v.values.tobytes() for n, v in results.variables.items()}
        return numbers | {name: values.tobytes() for name, values in kept.items()}

    name = "run with its state" if state else "published run"
    return Format(name, paths[0], *(path.read_bytes() for path in paths), read, share)


def _own_dataset(folder: Path, share: int) -> Format:
    """The checked copy that is kept of one's own arrays."""
    generator, names = np.random.default_rng(1), []
    for number in range(2):
        pixels, labels = generator.integers(0, 256, (30, 9), np.uint8), np.arange(30) % 3
        file = folder / f"mine-{number}.npz"
        np.savez(file, x_train=pixels, y_train=labels, x_test=pixels[:5], y_test=labels[:5])
        names.append(datasets.load(str(file)).name)
    paths = [own.copy_path(name) for name in names]

    def read() -> Any:
        return [each.tobytes() for each in own.load(names[0])]

    return Format("one's own dataset", paths[0], *(p.read_bytes() for p in paths), read, share)


def _json(folder: Path, share: int) -> Format:
    paths = [folder / "facts.json", folder / "others.json"]
    for number, path in enumerate(paths):
        sealed_json.write(path, {"widths": [8, 16 + number], "seconds": 0.125, "name": "π"})
    contents = (path.read_bytes() for path in paths)
    return Format(
        "published numbers", paths[0], *contents, lambda: sealed_json.read(paths[0]), share
    )


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


def _flipped(kind: Format, generator: np.random.Generator) -> bytes:
    content = bytearray(kind.sound)
    content[generator.integers(len(content))] ^= 1 << int(generator.integers(8))
    return bytes(content)


def _zeroed(kind: Format, generator: np.random.Generator) -> bytes:
    """A stretch of zeros, as some file systems leave it after a power cut."""
    start = int(generator.integers(len(kind.sound)))
    middle = bytes(len(kind.sound[start : start + 4096]))
    return kind.sound[:start] + middle + kind.sound[start + len(middle) :]


def _foreign(kind: Format, generator: np.random.Generator) -> bytes:
    starts = (b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"{}", b"<html>", b"")
    return starts[generator.integers(len(starts))] + generator.bytes(500)


BESIDES: dict[str, tuple[Callable[[Format, np.random.Generator], bytes], int]] = {
    "cut off": (lambda kind, g: kind.sound[: g.integers(len(kind.sound) - 1)], 10),
    "emptied": (lambda kind, g: b"", 1),
    "zeros in it": (_zeroed, 5),
    "a foreign file": (_foreign, 10),
    "swapped": (lambda kind, g: kind.other, 1),
}


def damage(times: int, seed: int, folder: Path) -> dict[str, Any]:
    """Flip so many bits, do each of `BESIDES` to each format, and count what becomes of it."""
    generator = np.random.default_rng(seed)
    counts: dict[str, dict[str, dict[str, int]]] = {}
    failed: list[dict[str, str]] = []
    with mock.patch.dict(os.environ, {"REPRO_CACHE_DIR": str(folder / "cache")}):
        kinds = [
            _runs(folder / "own", True, 40),
            _runs(folder / "published", False, 30),
            _own_dataset(folder, 15),
            _json(folder, 15),
        ]
        for kind in kinds:
            expected = kind.read()
            flips = times * kind.share // sum(each.share for each in kinds)
            for name, (way, number) in ({"flipped bits": (_flipped, flips)} | BESIDES).items():
                row = dict.fromkeys((CAUGHT, HARMLESS, FAILURE), 0)
                counts.setdefault(kind.name, {})[name] = row
                for _ in range(number):
                    kind.path.write_bytes(way(kind, generator))
                    found, said = outcome(kind, expected)
                    row[found] += 1
                    if found == FAILURE:
                        failed.append({"format": kind.name, "damage": name, "said": said})
            kind.path.write_bytes(kind.sound)
            assert outcome(kind, expected)[0] == HARMLESS, f"{kind.name} is read when sound"
    attempts = []
    for what, there in (("flipped bits", True), ("damaged otherwise", False)):
        rows = [row for ways in counts.values() for way, row in ways.items()
                if (way == "flipped bits") is there]  # fmt: skip
        attempts.append({"what": f"file: {what}", "times": sum(sum(row.values()) for row in rows),
                         "failures": sum(row[FAILURE] for row in rows)})  # fmt: skip
    return {
        "code_version": code_version(), "seed": seed, "flips": times, "failures": len(failed),
        "formats": counts, "failed": failed, "attempts": attempts,
    }  # fmt: skip


def main() -> int:
    """The command line; the exit code is 1 where something was not noticed."""
    chosen = asked("Damage files and see whether it is noticed.", 1000, "flips")
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        counts = damage(chosen.times, chosen.seed, Path(folder))
    return told_of(counts, chosen.output)


if __name__ == "__main__":
    sys.exit(main())
