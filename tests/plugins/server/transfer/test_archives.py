"""Archives that are made while they are sent: other programs read them, and their size is known before."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry_server.transfer import zips
from model_registry_server.transfer.content import Content, FilePart, Member, Piece, file_content, length_of
from model_registry_server.transfer.tar import tar_content
from model_registry_server.transfer.zips import zip_content

_FILES = {
    "weights.bin": bytes(range(256)) * 700,
    "empty": b"",
    "block": bytes(512),
    "a/deep/configuration.json": b"{}",
    "名字/模型.bin": b"\xff" * 1000,
    "long/" + "x" * 300: b"long",
}


def _members(folder: Path, files: dict[str, bytes]) -> list[Member]:
    members = []
    for number, (path, data) in enumerate(files.items()):
        (folder / str(number)).write_bytes(data)
        members.append(Member(path, folder / str(number), len(data), "0" * 64))
    return members


def _bytes(pieces: object) -> bytes:
    """What is sent: a file's bytes are shown before the next piece is asked for."""
    result = bytearray()
    for piece in pieces:  # type: ignore[attr-defined]
        if isinstance(piece, FilePart):
            data = piece.path.read_bytes()[piece.offset : piece.offset + piece.length]
            if piece.seen is not None:
                for start in range(0, len(data), 1000):
                    piece.seen(data[start : start + 1000])
        else:
            data = piece
        result += data
    return bytes(result)


def test_a_tar_holds_every_file_in_order_and_nothing_of_who_made_it(tmp_path: Path) -> None:
    content = tar_content(_members(tmp_path, _FILES), "m.tar", "d")
    data = _bytes(content.pieces)
    assert len(data) == content.size
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == sorted(_FILES)
        for info in archive:
            file = archive.extractfile(info)
            assert file is not None
            assert file.read() == _FILES[info.name]
            assert (info.mode, info.mtime, info.uid, info.gid, info.uname) == (0o644, 0, 0, 0, "")


def test_a_zip_holds_every_file_in_order_with_its_checksum(tmp_path: Path) -> None:
    content = zip_content(_members(tmp_path, _FILES), "m.zip", "d")
    data = _bytes(content.pieces)
    assert len(data) == content.size
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == sorted(_FILES)
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == _FILES
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("make", [tar_content, zip_content])
def test_the_same_files_in_another_order_make_the_same_bytes(tmp_path: Path, make: object) -> None:
    members = _members(tmp_path, _FILES)
    first, second = (make(files, "m", "d") for files in (members, members[::-1]))  # type: ignore[operator]
    assert first.etag == second.etag
    assert _bytes(first.pieces) == _bytes(first.pieces) == _bytes(second.pieces)


@pytest.mark.parametrize("files", [{}, {"a": b"1"}, _FILES])
def test_other_programs_find_no_fault(tmp_path: Path, files: dict[str, bytes]) -> None:
    members = _members(tmp_path, files)
    (tmp_path / "m.tar").write_bytes(_bytes(tar_content(members, "m", "d").pieces))
    assert subprocess.run(["tar", "-tf", tmp_path / "m.tar"], capture_output=True, check=True).stderr == b""
    if files and shutil.which("unzip"):
        (tmp_path / "m.zip").write_bytes(_bytes(zip_content(members, "m", "d").pieces))
        subprocess.run(["unzip", "-tq", tmp_path / "m.zip"], capture_output=True, check=True)


@pytest.mark.parametrize("wide", [600, 5000])
def test_a_zip_of_large_files_uses_the_wide_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide: int) -> None:
    real = zips.struct.pack

    def pack(layout: str, *values: int | bytes) -> bytes:
        # Values from the lowered threshold on are marked as the real ones would be.
        return real(layout, *(0xFFFFFFFF if value == wide else value for value in values))

    monkeypatch.setattr(zips, "_WIDE", wide)
    monkeypatch.setattr(zips.struct, "pack", pack)
    content = zip_content(_members(tmp_path, _FILES), "m.zip", "d")
    data = _bytes(content.pieces)
    monkeypatch.undo()
    assert len(data) == content.size
    assert b"PK\6\6" in data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == _FILES


def test_a_zip_of_more_than_65535_files_lists_them_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    content = zip_content([Member(f"{n:05}", tmp_path / "file", 0, "") for n in range(65536)], "m.zip", "d")
    with zipfile.ZipFile(io.BytesIO(_bytes(content.pieces))) as archive:
        assert len(archive.namelist()) == 65536


@pytest.mark.parametrize("size", [0xFFFFFFFE, 0xFFFFFFFF, 5 << 30])
def test_the_size_of_a_huge_zip_is_what_its_records_say(tmp_path: Path, size: int) -> None:
    files = [Member("a", tmp_path / "a", size, ""), Member("b", tmp_path / "b", 3, "")]
    content = zip_content(files, "m.zip", "d")
    assert content.size is not None
    with zipfile.ZipFile(_Sparse(list(content.pieces), content.size)) as archive:
        assert [info.file_size for info in archive.infolist()] == [size, 3]
        with archive.open("b") as file:
            assert file._orig_file_size == 3  # type: ignore[attr-defined]


class _Sparse(io.RawIOBase):
    """An archive whose files' bytes are all zero and nowhere."""

    def __init__(self, pieces: list[Piece], size: int) -> None:
        self._pieces, self._size, self._place = pieces, size, 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def read(self, count: int = -1) -> bytes:  # type: ignore[override]
        stop = self._size if count < 0 else min(self._place + count, self._size)
        content = Content("", "", None, None, self._pieces)
        data = b"".join(bytes(length_of(p)) if isinstance(p, FilePart) else p for p in content.cut(self._place, stop))
        self._place = stop
        return data


@given(st.lists(st.binary(max_size=8), max_size=5), st.integers(0, 40), st.integers(0, 40))
def test_what_is_cut_is_the_slice_of_the_whole(parts: list[bytes], start: int, stop: int) -> None:
    content = Content("", "", None, None, parts)
    assert b"".join(map(bytes, content.cut(start, stop))) == b"".join(parts)[start:stop]  # type: ignore[arg-type]


def test_a_part_of_a_tar_begins_and_ends_within_files(tmp_path: Path) -> None:
    content = tar_content(_members(tmp_path, _FILES), "m.tar", "d")
    data = _bytes(content.pieces)
    for start, stop in [(0, 10), (500, 1500), (3000, 100_000), (len(data) - 700, len(data)), (0, len(data))]:
        assert _bytes(content.cut(start, stop)) == data[start:stop]


def test_a_file_is_named_by_its_digest(tmp_path: Path) -> None:
    content = file_content(tmp_path, "a.bin", "ab" * 32, 5)
    assert content.etag == "sha256:" + "ab" * 32
    assert content.size == 5
