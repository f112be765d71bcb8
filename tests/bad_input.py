"""Bad input for every way into the program, and what each makes of it.

`tests/test_bad_input.py` tries a few examples of each in every run of the tests. As a program,
``python tests/bad_input.py --examples 2000``, it tries many, once, and writes the counts that the
page on robustness shows.
"""

import argparse
import bz2
import collections
import contextlib
import datetime
import decimal
import fractions
import gzip
import io
import json
import os
import shlex
import signal
import struct
import sys
import tarfile
import tempfile
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import numpy as np
from hypothesis import strategies as st
from made_up import made_up_run

from repro import command_line, provenance, runs, sealed_json
from repro.book.parameters import whole_number, whole_numbers
from repro.data import datasets, hasyv2
from repro.errors import ReproError
from repro.experiment import Experiment
from repro.store import packing
from repro.store.record import CURVES
from repro.store.run_file import _trailer
from repro.store.store import Store
from repro.training import grid

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60  # of work: what is not done by then hangs
PATIENCE = 1200  # seconds of waiting for others' work, or for ever
LONGEST = 8000  # characters of a message that someone is to read


class Failure(AssertionError):
    """Neither accepted nor refused in one clear sentence."""


@dataclass(frozen=True)
class EntryPoint:
    """A way into the program.

    Parameters
    ----------
    name, what:
        Of the entry point, and of what is tried there, in words.
    inputs:
        What to try.
    attempt:
        Called with an input, in a folder of its own; raises a ReproError to refuse it.
    """

    name: str
    what: str
    inputs: st.SearchStrategy
    attempt: Callable[[Any], None]


def outcome(entry: EntryPoint, value: Any) -> str:
    """``accepted`` or ``refused``, in an empty folder that is the working directory.

    Raises
    ------
    Failure
        For any other error, for a message that is no clear line, and for what takes too long.
    """
    with tempfile.TemporaryDirectory() as folder, _surroundings(Path(folder)), _in_time():
        try:
            entry.attempt(value)
        except ReproError as error:
            _check_message(str(error))
            return "refused"
        except Failure:
            raise
        except Exception as error:
            raise Failure(f"{type(error).__name__}: {error}") from error
    return "accepted"


def _check_message(message: str) -> None:
    if not message.strip() or len(message) > LONGEST or not message.isprintable():
        raise Failure(f"no clear sentence: {message[:200]!r}")


@contextlib.contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    places = {"REPRO_STORE": "store", "REPRO_PUBLISHED": "published", "REPRO_DATA_DIR": "data"}
    named = {name: str(folder / place) for name, place in places.items()}
    (folder / "data").mkdir()
    (folder / "work").mkdir()
    named["REPRO_CACHE_DIR"] = str(folder / "cache")
    with mock.patch.dict(os.environ, named), contextlib.chdir(folder / "work"):
        yield


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    def late(*_: object) -> None:
        raise Failure(f"not done after {SECONDS} seconds of work, or {PATIENCE} in all")

    before = signal.signal(signal.SIGPROF, late), signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        signal.signal(signal.SIGPROF, before[0])
        signal.signal(signal.SIGALRM, before[1])


# Values of any type, as Python or a file may bring them.

_TEXTS = st.text(max_size=20) | st.sampled_from(
    ["", " ", "a", "fold-1", "digits", "nan", "-1", "1e999", "\x1b[2J", "\ud800", "\n", "x" * 5000]
)
# Powers are taken late: Python, and so hypothesis, does not write out so many digits.
_HUGE = st.sampled_from([19, 20, 400, 5000]).map(lambda digits: 10**digits)
_PLAIN = st.none() | st.booleans() | st.integers() | _HUGE | st.floats() | _TEXTS
_STRANGE = st.sampled_from(
    [
        b"64", b"\xff", 1j, decimal.Decimal("NaN"), decimal.Decimal("0.5"),
        fractions.Fraction(1, 3), datetime.date(2020, 1, 1), object(), int, ..., range(3),
        np.float32("nan"), np.float64(0.1), np.int8(3), np.bool_(True), np.str_("digits"),
        np.array([1, 2]), np.array(8), np.array(["digits", "mnist"]), np.zeros((40, 40)),
        np.array(None), np.datetime64("NaT"), frozenset({8}), {8, 9}, bytearray(b"8"),
    ]
)  # fmt: skip
_ANY = st.recursive(
    _PLAIN | _STRANGE,
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(_TEXTS, inner, max_size=2)
    ),
    max_leaves=5,
)

_VALID = {
    "dataset": st.sampled_from(datasets.NAMES),
    "width": st.integers(1, 1000),
    "epochs": st.integers(1, 1000),
    "loss": st.sampled_from(["clipped", "logits"]),
    "pixels": st.sampled_from(["archived", "inverted"]),
    "split": st.sampled_from(["fold-1", "fold-10", 0.85]),
    "mark": st.none() | st.sampled_from("aZ€"),
    "learning_rate": st.floats(1e-6, 1e6),
    "batch_size": st.integers(1, 1000),
    "epsilon": st.floats(1e-12, 0.4),
    "seed": st.integers(0, 2**63 - 1),
    "labels": st.sampled_from(["classes", "classes", "symbol-ids"]),
}


def _mixed(likely: dict[str, st.SearchStrategy], other: st.SearchStrategy) -> st.SearchStrategy:
    """Mappings of which at most two values are others than the likely ones."""
    return st.builds(
        lambda base, changes: base | changes,
        st.fixed_dictionaries(likely),
        st.dictionaries(st.sampled_from(sorted(likely)), other, max_size=2),
    )


def _make_experiment(parameters: dict[str, Any]) -> None:
    experiment = Experiment(**parameters)
    if not (experiment.digest and Experiment.from_json(experiment.to_json()) == experiment):
        raise Failure("an experiment that is not read back")


_JSON = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3)
)
_WRITTEN = st.builds(lambda value: _json(value), _mixed(_VALID, _JSON) | _JSON)
_JSON_TEXTS = (
    _WRITTEN
    | st.builds(lambda text, at: text[: at % (len(text) + 1)], _WRITTEN, st.integers(0, 500))
    | _ANY
    | st.sampled_from(["[" * 100_000, '{"a":' * 100_000, "1" * 5000, "NaN", "\x00", '"\\ud800"'])
)


def _json(value: Any) -> str:
    try:
        return json.dumps(value)
    except (
        TypeError,
        ValueError,
    ):  # Python does not write out whole numbers of thousands of digits
        return "1" * 5000


# The command line.

_ARGUMENTS = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=15)
_COMMANDS = ("data", "train", "sweep", "results", "pack", "unpack", "claims", "bench", "publish")
_OPTIONS = {
    "--dataset": ("digits", "mnist", "hasyv2", "cifar", "mine.npz", ""),
    "--datasets": ("digits", "mnist hasyv2", "cifar"),
    "--widths": ("8", "8,9", "0", "-1", "8,,9", "99999", "1" * 5000, "8.5", "٣", "1_000"),
    "--loss": ("clipped", "logits", "mse"),
    "--losses": ("clipped logits", "mse"),
    "--pixels": ("archived", "inverted", "grey"),
    "--mark": ("a", "ab", " ", "\n", "€", "\udcff", "中", "\u0301"),
    "--marks": ("none a", "none", "ab"),
    "--split": ("fold-1", "fold-11", "0.85", "1e-9", "nan", "inf"),
    "--splits": ("fold-1 0.5", "x"),
    "--learning-rate": ("0.1", "nan", "inf", "-1", "1e6", "1e-400"),
    "--learning-rates": ("0.1 0.2", "nan"),
    "--replicas": ("1", "2", "0", "-3", "99999999999", "1,8", "1" * 4000),
    "--epochs": ("1", "0", "10000000", "99999999999"),
    "--batch-size": ("128", "0", "-1", "99999999"),
    "--epsilon": ("1e-7", "0", "1", "nan"),
    "--labels": ("classes", "symbol-ids", "names"),
    "--seed": ("0", "-1", str(2**64)),
    "--time-limit": ("60", "0", "-1", "nan", "inf", "1e400"),
    "--lanes": ("1", "0", "1000000"),
    "--together": ("1", "0", "1000000"),
    "--store": ("own", "/dev/null", "/dev/null/x", "/proc/nowhere", "x" * 300, "\udcff", "a\nb"),
    "--plan": ("plan.yml", "nowhere.yml", ".", "/dev/zero", "x" * 300, "\udcff.yml"),
    "--engines": ("repro-tensorflow", "repro-jax,keras-fit", "fastest", ","),
    "--steps": ("1", "0", "1" * 400),
    "--repeats": ("1", "0", "99999999999"),
    "--output": ("out.json", ".", "no/where.json", "x" * 300),
    "--minimum-epochs": ("1", "-1", "x"),
    "--profile": ("first",),
    **dict.fromkeys(("--quiet", "--json", "--growth", "--synthetic", "--unfinished")),
    **dict.fromkeys(("--help", "--")),
}  # fmt: skip
_NAMED = ("digits", "mnist", "cifar", "runs.tar", "nowhere.tar", "/dev/zero", ".", "x" * 300)


@st.composite
def _arguments(draw: Callable) -> list[str]:
    words = [draw(st.sampled_from(_COMMANDS))] if draw(st.integers(0, 9)) else []
    if words == ["train"] and draw(st.booleans()):  # which needs these two
        words += ["--dataset", "digits", "--widths", "8"]
    for option in draw(st.lists(st.sampled_from(sorted(_OPTIONS)), max_size=5)):
        words.append(option if draw(st.integers(0, 9)) else draw(_cut(option)))
        values = _OPTIONS[option]
        if values is not None:
            words += draw(st.sampled_from(values) | _ARGUMENTS).split(" ")
    words += draw(st.lists(st.sampled_from(_NAMED) | _ARGUMENTS, max_size=2))
    return words


def _cut(word: str) -> st.SearchStrategy:
    """The word with a letter missing, cut off, or with something behind it."""
    places = st.integers(0, len(word) - 1)
    return (
        places.map(lambda at: word[:at] + word[at + 1 :])
        | places.map(lambda at: word[:at])
        | _ARGUMENTS.map(lambda more: f"{word}={more}")
    )


def _run_command(arguments: list[str]) -> None:
    """Run the command line, with nothing trained, and with one line for each mistake."""
    Path("plan.yml").write_text("{datasets: digits, widths: 8, epochs: 1}")
    Path("runs.tar").write_bytes(_packed())
    said, told = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    trains = mock.patch("repro.training.schedule._Lanes.work_off")
    measures = mock.patch("repro.bench.benchmark._Report.started", return_value=None)
    streams = contextlib.redirect_stdout(said), contextlib.redirect_stderr(told)
    with trains, measures, mock.patch("repro.training.samples.of"), streams[0], streams[1]:
        try:
            code = command_line.main(arguments)
        except SystemExit as stop:
            code = stop.code
        said.flush()
        told.flush()
    lines = told.buffer.getvalue().decode().splitlines()
    if code == 2:
        if len(lines) != 1 or not lines[0].startswith("repro: "):
            raise Failure(f"not one line: {lines}")
        raise ReproError(lines[0])
    if code not in (0, command_line.STOPPED_BY_TIME_LIMIT) or any("Error" in x for x in lines):
        raise Failure(f"exit code {code}, {lines}")


# Plans of sweeps.

_SCALARS = _TEXTS.map(repr) | st.sampled_from(
    [
        "8", "[8, 9]", "digits", "~", "0x" + "f" * 5000, "1" * 5000, "2001-99-99", "1:60:99",
        ".nan", ".inf", "-1", "1e999", "!!int abc", "!!float x", "!!timestamp x", "!!bool x",
        "!!binary '*'", "!!python/object/apply:os.system ['true']", "!!python/name:os.system",
        "!!set {8}", "!!omap [8]", "&a [*a]", "*nothing", "{8: 9}", "{? [8] : 9}", "<<", "%",
        "[" * 2000 + "]" * 2000, "[" + "8, " * 20_000 + "]", "{datasets: digits}", "\x00", "yes",
    ]
)  # fmt: skip
_KEYS = st.sampled_from([*grid.KEYS, *grid.KEYS, "<<", "8", "~", "? [8]", "width", "!!int x"])


def _laughs(how: str) -> str:
    """A few hundred characters that stand for ten to the power of twelve."""
    lines = ["a0: &a0 {datasets: digits, widths: 8}"]
    for level in range(1, 13):
        refers = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} " + how.format(refers))
    return "\n".join(lines)


def _plan(entries: list[tuple[str, str]]) -> bytes:
    text = "\n".join(f"{key}: {value}" for key, value in entries)
    return text.encode("utf-8", "surrogatepass")


_SOUND = {
    "datasets": "[digits, mnist]", "widths": "[8, 9]", "losses": "logits", "pixels": "inverted",
    "marks": "[~, a]", "splits": "fold-1", "learning_rates": "[0.1, 1]", "epochs": "3",
    "batch_size": "64", "epsilon": "1.0e-6", "seed": "1", "replicas": "2",
}  # fmt: skip
_GRIDS = st.builds(
    lambda keys, more: [*((key, _SOUND[key]) for key in keys), *more],
    st.sets(st.sampled_from(sorted(_SOUND))).map(
        lambda keys: sorted(keys | {"datasets", "widths"})
    ),
    st.lists(st.tuples(_KEYS, _SCALARS), max_size=2),
)
_PLANS = (
    _GRIDS.map(_plan)
    | st.lists(st.tuples(_KEYS, _SCALARS), max_size=5).map(_plan)
    | st.binary(max_size=60)
    | st.text(max_size=40).map(lambda text: text.encode("utf-16"))
    | st.sampled_from(
        [
            _laughs("[{}]").encode(), _laughs("{{<<: [{}]}}").encode(), b"\xff\xfe", b"- " * 5000,
            b"#" * (grid.LARGEST_PLAN + 1), b"[" * 100_000, b"{" * 100_000,
            b"datasets: digits\nwidths: 8\nwidths: 9", b"--- 1\n--- 2", b"replicas: 99999999999",
            f"datasets: [digits]\nwidths: {list(range(1, 5000))}\nlearning_rates: "
            f"{[number / 100 for number in range(1, 5000)]}".encode(),
            b"{datasets: digits, widths: [8, 9], replicas: 99999}",
        ]
    )
)  # fmt: skip


def _read_plan(content: bytes) -> None:
    Path("plan.yml").write_bytes(content)
    wanted = grid.read_plan("plan.yml")
    if not all(isinstance(each, Experiment) and numbers for each, numbers in wanted):
        raise Failure("no experiments")


# Parameters of notebooks.


def _notebook(value: Any) -> None:
    refused = 0
    for function in (whole_number, whole_numbers):
        try:
            numbers = function("widths", value)
        except ReproError as error:
            refused += 1
            _check_message(str(error))
        else:
            given = numbers if isinstance(numbers, list) else [numbers]
            if value is not None and not all(type(n) is int and n >= 1 for n in given):
                raise Failure(f"{numbers!r} are no whole numbers from 1")
    if refused == 2:
        whole_numbers("widths", value)


def _ask_for_runs(parameters: dict[str, Any]) -> None:
    runs.by_width(
        parameters["dataset"], whole_numbers("widths", None), parameters["epochs"],
        **{name: parameters[name] for name in ("loss", "pixels", "split", "mark")},
    )  # fmt: skip


def _ask_for_replicas(replicas: Any) -> None:
    numbers = runs.replica_numbers(replicas)
    if not numbers or not all(type(number) is int for number in numbers):
        raise Failure(f"{numbers!r} are no replicas")


# Packed stores.

_RUNS: list[bytes] = []


def _sound_runs() -> list[bytes]:
    """Files of three small runs."""
    if not _RUNS:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(folder)
            for width, replica in ((8, 0), (8, 1), (9, 0)):
                made = made_up_run(2, Experiment("digits", width, 2), replica)
                _RUNS.append(store.save(*made).read_bytes())
    return _RUNS


def _packed() -> bytes:
    return _archive([("run.nc", tarfile.REGTYPE, _sound_runs()[0], None)])


def _archive(members: list[tuple[str, bytes, bytes, int | None]]) -> bytes:
    """A tar archive of (name, type, content, the size that the header claims)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind, content, claimed in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "../../target"
            member.size = len(content) if claimed is None else claimed
            header = member.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape")
            file.write(header + content + bytes(-len(content) % tarfile.BLOCKSIZE))
            archive.offset = file.tell()
    return file.getvalue()


def _hdf5(contents: dict[str, Any], attributes: dict[str, Any]) -> bytes:
    """A file with the right checksum, whatever is in it."""
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened.attrs.update(attributes)
        for name, values in contents.items():
            if isinstance(values, tuple):  # claimed, and not there
                opened.create_dataset(
                    name, values, "f4", chunks=(1024,) * len(values), compression="gzip"
                )
            else:
                opened[name] = values
    return _sealed(file.getvalue())


def _altered(contents: dict[str, Any], attributes: dict[str, Any]) -> bytes:
    """A sound run with numbers or attributes of one's own, and the right checksum."""
    import h5py

    file = io.BytesIO(_sound_runs()[0][: -len(_trailer(b""))])
    with h5py.File(file, "r+") as opened:
        opened.attrs.update(attributes)
        for name, values in contents.items():
            opened[name][...] = values
    return _sealed(file.getvalue())


def _sealed(content: bytes) -> bytes:
    return content + _trailer(content)


def _few_parameters(**changes: Any) -> dict[str, str]:
    parameters = Experiment("digits", 8, 2).parameters | changes
    return {"experiment": json.dumps({n: v for n, v in parameters.items() if n != "epochs"})}


@st.composite
def _run_files(draw: Callable) -> bytes:
    """The file of a run, sound or not."""
    kind = draw(st.integers(0, 8))
    if kind <= 1:
        return draw(st.sampled_from(_sound_runs()))
    if kind == 2:
        sound = bytearray(draw(st.sampled_from(_sound_runs())))
        sound[draw(st.integers(0, len(sound) - 1))] ^= 1 << draw(st.integers(0, 7))
        return bytes(sound)
    if kind == 3:  # as if it had been written so: the checksum is right
        sound = bytearray(_sound_runs()[0][: -len(_trailer(b""))])
        for _ in range(draw(st.integers(1, 4))):
            sound[draw(st.integers(0, len(sound) - 1))] ^= 1 << draw(st.integers(0, 7))
        return _sealed(bytes(sound[: draw(st.sampled_from([None, 100, 5000]))]))
    if kind == 4:
        return draw(st.binary(max_size=50).map(_sealed) | st.binary(max_size=50))
    attributes = draw(
        st.sampled_from(
            [
                _few_parameters(), _few_parameters(width="8"), _few_parameters(dataset="../x"),
                {"experiment": "[" * 100_000}, {"experiment": "3"}, {"experiment": 3}, {},
                {"experiment": "{}"}, {"experiment": b"\xff"},
            ]
        )
    )  # fmt: skip
    if kind <= 6:
        return _altered(
            draw(st.dictionaries(st.sampled_from(["replica", "epoch"]), st.integers(-5, 10**12))),
            attributes,
        )
    axes = {"epoch": np.arange(3), "replica": np.array([0])}
    values = draw(
        st.sampled_from(
            [
                axes, {}, {"epoch": np.arange(3)}, axes | {"replica": np.array([-5])},
                axes | {"replica": np.array([10**12])}, axes | {"epoch": np.array([1e300])},
                axes | {"epoch": np.array(3)}, axes | {"epoch": np.array([b"x"])},
                axes | {"epoch": np.arange(0)}, axes | {"more": (2**34,)},
                axes | {"train_loss": (2**20, 2**20)}, axes | {"epoch": (2**33,)},
            ]
        )
    )  # fmt: skip
    curves = dict.fromkeys(CURVES, np.ones((1, 3), np.float32))
    values = draw(st.sampled_from([curves | values, values]))
    return _hdf5(values, attributes)


_NAMES = st.sampled_from(
    ["run.nc", "../../outside.nc", "/absolute.nc", "a\nb.nc", "\udcff", "x" * 99, "..", "a/" * 90]
)  # fmt: skip
_KINDS = st.sampled_from(
    [tarfile.REGTYPE] * 12
    + [tarfile.AREGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
    + [tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"?"]
    + [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
)
_SIZES = st.none() | st.none() | st.sampled_from([0, 1, 10**4, 2**31, 2**40, 2**62, -1])
_MEMBERS = st.lists(st.tuples(_NAMES, _KINDS, _run_files(), _SIZES), max_size=3)


def _changed(content: bytes, changes: list[tuple[int, int]], length: int) -> bytes:
    changed = bytearray(content)
    for at, value in changes:
        changed[at % len(changed)] = value
    return bytes(changed[: length % (len(changed) + 1)]) if length >= 0 else bytes(changed)


_CHANGES = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=4)
_LENGTHS = st.just(-1) | st.just(-1) | st.integers(0, 2**20)
_ARCHIVES = (
    _MEMBERS.map(_archive)
    | st.builds(
        _changed,
        _MEMBERS.filter(len).map(_archive),
        st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), max_size=3),
        _LENGTHS,
    )
    | st.binary(max_size=2000)
    | st.sampled_from([gzip.compress(bytes(10**6)), bz2.compress(bytes(10**6)), bytes(10**6)])
    | st.just(_archive([("x" * 200, tarfile.GNUTYPE_LONGNAME, b"x" * 512, None)] * 1500))
)


def _unpack(content: bytes) -> None:
    """Bring an archive into a store: what is refused leaves nothing, what is kept can be read."""
    Path("runs.tar").write_bytes(content)
    store = Store("store")
    try:
        packing.unpack("runs.tar", store)
    finally:
        if sorted(os.listdir()) not in (["runs.tar"], ["runs.tar", "store"]):
            raise Failure(f"something outside the store: {os.listdir()}")
        if [name for name in os.listdir("..") if name not in ("data", "work", "cache")]:
            raise Failure(f"something outside the folder: {os.listdir('..')}")
    for run in store.runs():
        store.load(run)


# The datasets' archives.


def _small_hasyv2() -> bytes:
    """The beginning of an archive such as HASYv2's."""
    png = io.BytesIO()
    from PIL import Image

    Image.new("RGB", (32, 32)).save(png, "PNG")
    members = [(f"hasy-data/v2-{n:05d}.png", tarfile.REGTYPE, png.getvalue(), None) for n in (0, 1)]
    tables = [(n, tarfile.REGTYPE, b"path,symbol_id,latex\n", None) for n in sorted(hasyv2.TABLES)]
    return _archive(members + tables)


_PICTURES = st.tuples(
    st.sampled_from(["hasy-data/v2-00000.png", "symbols.csv", "../../x", "/x", "hasy-data/x", "y"]),
    _KINDS, st.binary(max_size=300), _SIZES,
)  # fmt: skip
_HASYV2 = (
    st.lists(_PICTURES, max_size=4).map(_archive).map(bz2.compress)
    | st.builds(_changed, st.just(_small_hasyv2()), _CHANGES, _LENGTHS).map(bz2.compress)
    | st.builds(_changed, st.just(bz2.compress(_small_hasyv2())), _CHANGES, _LENGTHS)
    | st.binary(max_size=300)
)


def _read_hasyv2(content: bytes) -> None:
    Path("HASYv2.tar.bz2").write_bytes(content)
    hasyv2.decode(Path("HASYv2.tar.bz2"), progress=False)
    raise Failure("taken for HASYv2")


def _idx(magic: int, sizes: tuple[int, int, int], content: bytes) -> bytes:
    return struct.pack(">4I", magic, *(size % 2**32 for size in sizes)) + content


_IDX = st.builds(
    _idx,
    st.sampled_from([2051, 2049, 0, 2**32 - 1]),
    st.tuples(*[st.sampled_from([0, 28, 60_000, 2**31, 2**32 - 1])] * 3),
    st.binary(max_size=100) | st.just(bytes(20_000)),
)
_GZIPPED = (
    _IDX.map(lambda content: gzip.compress(content, 1))
    | st.builds(_changed, _IDX.map(lambda one: gzip.compress(one, 1)), _CHANGES, _LENGTHS)
    | _IDX
    | st.binary(max_size=100)
)


def _read_idx(content: bytes) -> None:
    folder = Path(os.environ["REPRO_DATA_DIR"]) / "mnist"
    folder.mkdir()
    for name in datasets.IDX_FILES["mnist"]:
        (folder / name).write_bytes(content)
    datasets.load("mnist", progress=False)
    raise Failure("taken for MNIST")


# One's own dataset.

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_X = st.sampled_from(
    [
        np.zeros((6, 4)), np.ones((6, 4), np.float32), np.full((6, 4), 7, np.uint8),
        np.full((6, 4), np.nan), np.full((6, 4), np.inf), np.full((6, 4), 1e300),
        np.zeros((6, 2, 2)), np.zeros(6), np.zeros((0, 4)), np.zeros((6, 0)), np.array(3),
        np.zeros((5, 4)), np.zeros((6, 4), complex), np.zeros((6, 4), "M8[s]"),
        np.array([["x"] * 4] * 6), np.array([[None] * 4] * 6), np.zeros((6, 4), "f2"),
        np.zeros((6, 4), ">f8"), np.zeros((6, 4), [("a", "f4")]), np.asfortranarray(np.eye(6, 4)),
        np.zeros((6, 4), bool), np.zeros((6, 4), "V3"), np.full((6, 4), 2**63, np.uint64),
    ]
)  # fmt: skip
_Y = st.sampled_from(
    [
        np.arange(6), np.arange(6)[:, None], np.arange(6, dtype=np.uint8), np.zeros(6, int),
        np.arange(6.0), np.full(6, -1), np.full(6, 2**40), np.full(6, 2**64 - 1, np.uint64),
        np.zeros((6, 3), int), np.zeros(0, int), np.array(["a"] * 6), np.array([None] * 6),
        np.full(6, np.nan), np.array(0), np.arange(5), np.zeros(6, bool), np.full(6, 99_999),
    ]
)  # fmt: skip
_GOOD = {
    "x_train": st.just(np.linspace(0, 1, 24).reshape(6, 4)), "y_train": st.just(np.arange(6)),
    "x_test": st.just(np.linspace(0, 1, 24).reshape(6, 4)), "y_test": st.just(np.arange(6)),
}  # fmt: skip


def _npz(arrays: dict[str, np.ndarray], how: int) -> bytes:
    """The arrays as a file, written in one of several ways."""
    file = io.BytesIO()
    if how < 4:
        (np.savez_compressed if how % 2 else np.savez)(file, **arrays)
        return file.getvalue()
    with zipfile.ZipFile(
        file, "w", zipfile.ZIP_DEFLATED if how % 2 else zipfile.ZIP_STORED
    ) as made:
        for name, array in arrays.items():
            written = io.BytesIO()
            np.save(written, array, allow_pickle=True)
            content = written.getvalue()
            if how in (4, 5) and name == "x_train":  # a header that claims more than there is
                content = content.replace(b"(6, 4)", b"(9**9,4)"[:6]).replace(b"6, 4", b"9, 4")
            elif how in (6, 7):
                content = content.replace(b"'fortran_order'", b"'fortran_ordez'")
            elif how == 8:
                content = content[: len(content) // 2]
            elif how == 9:
                content = b"\x93NUMPY\x03\x00" + b"\xff\xff\xff\x7f" + content[10:]
            elif how == 10:
                content = content.replace(b"{'descr'", b"[" * 9)
            made.writestr(f"../{name}.npy" if how == 11 else f"{name}.npy", content)
            if how == 12:  # twice
                with warnings.catch_warnings(action="ignore"):
                    made.writestr(f"{name}.npy", content)
    return file.getvalue()


def _arrays(good: dict, wrong: dict, left_out: set[str], more: bool) -> dict[str, np.ndarray]:
    arrays = {name: array for name, array in (good | wrong).items() if name not in left_out}
    return arrays | ({"z": np.zeros(3)} if more else {})


_NPZ = st.builds(
    _npz,
    st.builds(
        _arrays,
        st.fixed_dictionaries(_GOOD),
        st.fixed_dictionaries(
            {}, optional={name: _X if name[0] == "x" else _Y for name in _ARRAYS}
        ),
        st.sets(st.sampled_from(_ARRAYS), max_size=1) | st.just(set()) | st.just(set()),
        st.sampled_from([False] * 9 + [True]),
    ),
    st.just(0) | st.integers(0, 12),
)
_OWN_FILES = _NPZ | _NPZ | st.builds(_changed, _NPZ, _CHANGES, _LENGTHS) | st.binary(max_size=100)


def _read_own(content: bytes) -> None:
    Path("mine.npz").write_bytes(content)
    experiment = Experiment("mine.npz", 8, 1)
    data = datasets.load(experiment.dataset)
    sound = len(data.x_train) == len(data.y_train) > 0 < len(data.x_test) == len(data.y_test)
    if not sound or not np.isfinite(data.x_train).all() or data.y_train.min() < 0:
        raise Failure("taken though it is not sound")
    if data.x_train.shape[1:] != data.x_test.shape[1:] or data.y_test.max() >= data.classes:
        raise Failure("taken though its parts do not fit")


ENTRY_POINTS = (
    EntryPoint("experiment", "Experiment", _mixed(_VALID, _ANY), _make_experiment),
    EntryPoint("json", "an experiment as JSON", _JSON_TEXTS, Experiment.from_json),
    EntryPoint("command line", "repro ...", _arguments(), _run_command),
    EntryPoint("plan", "YAML for repro sweep", _PLANS, _read_plan),
    EntryPoint("notebook", "widths and epochs of a notebook", _ANY, _notebook),
    EntryPoint("runs", "dataset, loss, ... of a notebook", _mixed(_VALID, _ANY), _ask_for_runs),
    EntryPoint("replicas", "replicas of repro.run", _ANY, _ask_for_replicas),
    EntryPoint("packed store", "a file for repro unpack", _ARCHIVES, _unpack),
    EntryPoint("HASYv2", "the dataset's archive", _HASYV2, _read_hasyv2),
    EntryPoint("MNIST", "the dataset's files", _GZIPPED, _read_idx),
    EntryPoint("own dataset", "arrays in an .npz file", _OWN_FILES, _read_own),
)  # fmt: skip


def tried(entry: EntryPoint, examples: int, seed: int) -> dict[str, Any]:
    """Counts of what came of so many examples; the first failures in words."""
    counts: collections.Counter[str] = collections.Counter()
    failures: list[str] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples, database=None, deadline=None, derandomize=False,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(entry.inputs)
    def attempts(value: Any) -> None:
        counts["tried"] += 1
        try:
            counts[outcome(entry, value)] += 1
        except Failure as failure:
            counts["failed"] += 1
            failures.append(f"{str(failure)[:300]} <- {repr_of(value)[:300]}")
            if len(failures) <= 3:
                traceback.print_exc()

    attempts()
    return {
        "entry": entry.name, "what": entry.what,
        **{name: counts[name] for name in ("tried", "refused", "accepted", "failed")},
        "failures": failures[:20],
    }  # fmt: skip


def repr_of(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:
        return f"<{type(value).__name__}>"


def main() -> int:
    """Try many examples of every entry point and write the counts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of entry points")
    parser.add_argument("--output", help="a file for the counts, such as results/bad-input.json")
    chosen = parser.parse_args()
    version, rows = provenance.code_version(), []
    for entry in ENTRY_POINTS:
        if chosen.only and entry.name not in chosen.only:
            continue
        row = tried(entry, chosen.examples, chosen.seed)
        rows.append(row)
        print({name: value for name, value in row.items() if name != "what"}, flush=True)
    found = {
        "code_version": version, "finished": provenance.now(),
        "seed": chosen.seed, "examples": chosen.examples, "rows": rows,
        "hypothesis": hypothesis.__version__,
        "command": shlex.join(["python", "tests/bad_input.py", "--examples", str(chosen.examples)]),
    }  # fmt: skip
    if chosen.output:
        sealed_json.write(Path(chosen.output), found)
    return int(any(row["failed"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
