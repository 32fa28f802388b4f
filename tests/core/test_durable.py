"""Durable writing: every byte, once, and never over something that exists."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from model_registry.durable import publish, sync_file, sync_folder, write_all, write_new


def test_a_new_file_holds_the_bytes_of_all_buffers(tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert write_new(file, [b"ab", bytearray(b"c"), b"", memoryview(b"_de")[1:]]) == 5
    assert file.read_bytes() == b"abcde"


def test_buffers_may_have_any_item_size(tmp_path: Path) -> None:
    assert write_new(tmp_path / "file", [memoryview(b"12345678").cast("d")]) == 8


def test_there_may_be_more_buffers_than_one_system_call_takes(tmp_path: Path) -> None:
    pieces = [bytes([number % 251]) for number in range(5000)]
    assert write_new(tmp_path / "file", pieces) == 5000
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_writes_that_the_system_cuts_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_three_bytes(descriptor: int, buffers: Sequence[memoryview]) -> int:
        return os.write(descriptor, b"".join(buffers)[:3])

    monkeypatch.setattr(os, "writev", write_three_bytes)
    with (tmp_path / "file").open("wb") as file:
        assert write_all(file.fileno(), [b"abcd", b"", b"ef", b"ghijk"]) == 11
    assert (tmp_path / "file").read_bytes() == b"abcdefghijk"


def test_a_file_that_exists_is_never_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_new(file, [b"new"])
    assert file.read_bytes() == b"old"


def test_a_failing_sync_is_told_and_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fail(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    (tmp_path / "old").touch()
    for write in (
        lambda: write_new(tmp_path / "new", [b"x"]),
        lambda: sync_file(tmp_path / "old"),
        lambda: sync_folder(tmp_path),
    ):
        calls.clear()
        with pytest.raises(OSError, match="Input/output error"):
            write()
        assert len(calls) == 1


def test_no_descriptor_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    publish(tmp_path / "file", b"x", tmp_path / "temporary")
    sync_file(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.stat("/missing"))
    with pytest.raises(FileNotFoundError):
        write_new(tmp_path / "other", [b"x"])
    assert len(os.listdir("/proc/self/fd")) == before


def test_publishing_keeps_what_is_there_and_leaves_nothing_beside(tmp_path: Path) -> None:
    file = tmp_path / "file"
    publish(file, b"first", tmp_path / "temporary")
    publish(file, b"second", tmp_path / "temporary")
    assert file.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["file"]
