"""A store in one file: what comes out is what went in, or nothing."""

import io
import tarfile

import pytest
from made_up import made_up_run

from repro import Experiment, ReproError
from repro.store import packing
from repro.store.store import Store
from repro.whole_file import replacing


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "here")
    for width, replica, epochs in ((12, 0, 5), (12, 1, 3), (14, 0, 4)):
        store.save(*made_up_run(epochs, Experiment("digits", width, epochs), replica))
    return store


def test_packed_and_unpacked_is_the_same_store(store, tmp_path):
    assert len(packing.pack(store, tmp_path / "runs.tar")) == 3
    other = Store(tmp_path / "there")
    assert len(packing.unpack(tmp_path / "runs.tar", other)) == 3
    ours, theirs = ({p.relative_to(s.path): p.read_bytes() for p in s.path.rglob("*.nc")}
                    for s in (store, other))  # fmt: skip
    assert ours == theirs
    assert packing.unpack(tmp_path / "runs.tar", other) == []
    assert {path.name for path in tmp_path.iterdir()} == {"here", "runs.tar", "there"}


def test_longer_runs_stay_and_shorter_ones_are_replaced(store, tmp_path):
    packing.pack(store, tmp_path / "runs.tar")
    other = Store(tmp_path / "there")
    other.save(*made_up_run(9, Experiment("digits", 12, 9), 0))
    other.save(*made_up_run(2, Experiment("digits", 12, 2), 1))
    packing.unpack(tmp_path / "runs.tar", other)
    assert [other.find(Experiment("digits", 12, 1), n).epochs for n in (0, 1)] == [9, 3]


def _archive(path, members: dict[str, bytes], kind=tarfile.REGTYPE) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(content), kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO(content))


def test_an_archive_cannot_choose_where_its_runs_go(store, tmp_path):
    content = next(store.path.rglob("*.nc")).read_bytes()
    _archive(tmp_path / "runs.tar", {"../../outside.nc": content, "/tmp/absolute.nc": content})
    other = Store(tmp_path / "there")
    paths = packing.unpack(tmp_path / "runs.tar", other)
    assert len(paths) == 1 and paths[0].is_relative_to(other.path)
    assert {path.name for path in tmp_path.iterdir()} == {"here", "runs.tar", "there"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_links_are_refused(store, tmp_path, kind):
    _archive(tmp_path / "runs.tar", {"run.nc": b""}, kind)
    with pytest.raises(ReproError, match=r"'run.nc', which is no run"):
        packing.unpack(tmp_path / "runs.tar", Store(tmp_path / "there"))


def test_one_damaged_run_and_nothing_is_kept(store, tmp_path):
    good, *_ = (path.read_bytes() for path in sorted(store.path.rglob("*.nc")))
    damaged = bytearray(good)
    damaged[len(damaged) // 2] ^= 1
    _archive(tmp_path / "runs.tar", {"good.nc": good, "bad.nc": bytes(damaged)})
    with pytest.raises(ReproError, match=r"bad.nc in .*runs.tar is damaged"):
        packing.unpack(tmp_path / "runs.tar", Store(tmp_path / "there"))
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + bytes(100)])
def test_what_is_no_archive_is_told(tmp_path, content):
    (tmp_path / "runs.tar").write_bytes(content)
    with pytest.raises(ReproError, match="is no packed store"):
        packing.unpack(tmp_path / "runs.tar", Store(tmp_path / "there"))


def test_a_truncated_archive_is_told(store, tmp_path):
    packing.pack(store, tmp_path / "runs.tar")
    whole = (tmp_path / "runs.tar").read_bytes()
    (tmp_path / "runs.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReproError, match=r"no packed store|is damaged"):
        packing.unpack(tmp_path / "runs.tar", Store(tmp_path / "there"))


def test_an_archive_that_has_lost_its_last_runs_is_told(store, tmp_path):
    """`tarfile` takes a damaged header, and a cut between two members, for the end."""
    packing.pack(store, tmp_path / "runs.tar")
    whole = (tmp_path / "runs.tar").read_bytes()
    with tarfile.open(tmp_path / "runs.tar") as archive:
        offsets = [member.offset for member in archive][1:]
    for offset in offsets:
        spoiled = bytearray(whole)
        spoiled[offset + 140] ^= 4
        for content in (spoiled, whole[:offset], whole[:offset] + bytes(512)):
            (tmp_path / "runs.tar").write_bytes(content)
            with pytest.raises(ReproError, match="damaged or cut off"):
                packing.unpack(tmp_path / "runs.tar", Store(tmp_path / "there"))
    assert not (tmp_path / "there").exists()


def test_what_a_killed_packing_left_is_removed_and_what_another_writes_stays(store, tmp_path):
    (tmp_path / ".runs.tar.0123456789ab.part").write_bytes(b"half")
    with replacing(tmp_path / "runs.tar") as other:
        packing.pack(store, tmp_path / "runs.tar")
        assert {path.name for path in tmp_path.iterdir()} == {"here", "runs.tar", other.name}


def test_a_damaged_store_is_not_packed(store, tmp_path):
    path = next(store.path.rglob("*.nc"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReproError, match="damaged"):
        packing.pack(store, tmp_path / "runs.tar")
    assert not (tmp_path / "runs.tar").exists()


def test_a_file_that_cannot_be_written_is_told(store, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReproError, match="cannot be written"):
        packing.pack(store, tmp_path / "file" / "runs.tar")
