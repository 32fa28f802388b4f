"""Packs that were changed, or that nobody but an attacker writes: told in one line, and never believed."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.core import faults
from tests.core.faults import open_registry, packs, parts
from tests.core.test_archive import filled, is_plain

from model_registry import Encoded, IntegrityError, Span, canonical_json
from model_registry.archive.folder import MOST_STEPS, Packs
from model_registry.archive.pack import PackWriter
from model_registry.archive.restoring import Reader


def test_a_pack_that_was_changed_is_told_and_never_believed(tmp_path: Path) -> None:
    registry = filled(tmp_path, 2)
    registry.archive("m", keep=1)
    (name,) = packs(tmp_path)
    pack = tmp_path / "archive" / name
    whole = pack.read_bytes()
    pack.chmod(0o600)
    for at in range(0, len(whole), 97):
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        fresh = open_registry(tmp_path, cache_size=0)
        report = fresh.validate_registry(deep=True)
        assert any("damage" in error for error in report["errors"]), at
        try:
            assert fresh.load_model("m", "1.0").model == parts("v1")
        except IntegrityError:
            continue
    pack.write_bytes(whole)
    assert faults.assert_sound(tmp_path) == {"m:1.0", "m:2.0"}


def test_a_damaged_pack_stops_collection_until_it_is_set_aside(tmp_path: Path) -> None:
    registry = filled(tmp_path, 3)
    registry.archive("m", keep=1)
    bases = registry._context.blobs.pinned() - registry._context.blobs.archived().keys()
    for name in packs(tmp_path):
        pack = tmp_path / "archive" / name
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:-3])
    registry = open_registry(tmp_path)
    registry.remove_model("m", "3.0")
    registry.collect_garbage(0)
    assert bases
    assert all(is_plain(tmp_path, sha256) for sha256 in bases)
    codes = {finding.code for finding in registry.validate_registry()["findings"]}
    assert "pack-damaged" in codes
    registry.repair()
    assert packs(tmp_path) == set()
    assert len(list((tmp_path / "quarantine").iterdir())) == 2


@pytest.mark.parametrize("what", ["link", "folder", "pipe"])
def test_what_is_no_plain_file_is_no_pack(tmp_path: Path, what: str) -> None:
    registry = filled(tmp_path, 2)
    registry.archive("m", keep=1)
    (name,) = packs(tmp_path)
    pack = tmp_path / "archive" / name
    outside = tmp_path / "outside"
    pack.rename(outside)
    {"link": lambda: pack.symlink_to(outside), "folder": pack.mkdir, "pipe": lambda: os.mkfifo(pack)}[what]()
    registry = open_registry(tmp_path, cache_size=0)
    with pytest.raises(IntegrityError):
        registry.load_model("m", "1.0")


def test_a_circle_of_packs_ends(tmp_path: Path) -> None:
    """Two packs whose blobs are told by each other, as nobody but an attacker makes them."""
    folder = tmp_path / "archive"
    folder.mkdir()
    a, b = "a" * 64, "b" * 64
    for mine, other in ((a, b), (b, a)):
        staged = tmp_path / "staged"
        with staged.open("wb") as file:
            writer = PackWriter(file.fileno(), "0" * 64)
            writer.add(mine, 10, [Encoded(10, "same", b"", Span(other, 0, 10))])
            name = writer.finish()
        staged.rename(folder / name)
    found = Packs(folder)
    assert found.listing().depth(a) > MOST_STEPS
    with (
        Reader(found, lambda sha256: tmp_path / sha256, None) as reader,
        pytest.raises(IntegrityError, match="told by more than"),
    ):
        reader.restore(a, lambda data: None)


def table_of(tmp_path: Path, **table: Any) -> IntegrityError:
    """What is said of a pack with this table."""
    folder = tmp_path / "archive"
    folder.mkdir()
    data = zlib.compress(json.dumps({"begin": 0, "methods": ["raw"], "bases": ["b" * 64], **table}).encode())
    blob = {"sha256": "a" * 64, "size": 10, "table": [0, len(data)], "bases": [], "savings": {}}
    body = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    head = canonical_json.dump({"schema": 1, "version": "0" * 64, "body": body, "blobs": [blob]})
    name = hashlib.sha256(head).hexdigest()
    (folder / name).write_bytes(data + head + len(head).to_bytes(8, "little") + b"MRPACK1\n")
    packs = Packs(folder)
    with Reader(packs, lambda sha256: tmp_path / sha256, None) as reader, pytest.raises(IntegrityError) as caught:
        reader.restore("a" * 64, lambda data: None)
    return caught.value


NOBODYS: dict[str, Any] = {
    "more bytes stored than there is memory": [[10, 0, 1 << 50]],
    "more bytes than there is memory": [[1 << 50, 0, 10]],
    "a base of more bytes": [[10, 0, 10, 0, 0, 1 << 50]],
    "pieces of nothing": [[0, 0, 0]] * 100_000,
    "less than nothing": [[-5, 0, 0], [15, 0, 0]],
    "no such method": [[10, 7, 10]],
    "no such base": [[10, 0, 10, 7, 0, 10]],
    "too few bytes": [[5, 0, 5]],
    "no numbers": [["10", None, 3]],
    "an empty row": [[]],
    "no row": [10],
}


@pytest.mark.parametrize("what", NOBODYS)
def test_tables_that_nobody_writes_are_refused(tmp_path: Path, what: str) -> None:
    assert "damaged" in str(table_of(tmp_path, pieces=NOBODYS[what]))


def test_a_table_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    error = table_of(tmp_path, pieces=[[1, 0, 1]] * 2_000_000)
    assert "damaged" in str(error)


def test_what_would_take_for_ever_is_refused(tmp_path: Path) -> None:
    """Each piece of a blob is told by all of the next one: the work grows with every step."""
    folder = tmp_path / "archive"
    folder.mkdir()
    digests = [f"{n}" * 64 for n in range(8)]
    size, count = 1 << 20, 64
    for mine, other in itertools.pairwise(digests):
        staged = tmp_path / "staged"
        with staged.open("wb") as file:
            writer = PackWriter(file.fileno(), "0" * 64)
            step = size // count
            writer.add(mine, size, [Encoded(step, "test", b"", Span(other, 0, size)) for _ in range(count)])
            name = writer.finish()
        staged.rename(folder / name)
    (tmp_path / digests[-1]).write_bytes(bytes(size))

    def decode(method: str, data: memoryview, size: int, base: memoryview | None) -> bytes:
        return bytes(size)

    with (
        Reader(Packs(folder), lambda sha256: tmp_path / sha256, decode) as reader,
        pytest.raises(IntegrityError, match="for ever"),
    ):
        reader.restore(digests[0], lambda data: None)


def test_a_pack_of_very_many_small_pieces_takes_no_long_time(tmp_path: Path) -> None:
    """A piece costs something however small it is: here, ten millions of a byte each would be asked for."""
    folder = tmp_path / "archive"
    folder.mkdir()
    count, times = 100_000, 100
    base, wanted = "1" * 64, "2" * 64
    staged = tmp_path / "staged"
    with staged.open("wb") as file:
        writer = PackWriter(file.fileno(), "0" * 64)
        writer.add(base, count, [Encoded(1, "raw", b"x", None) for _ in range(count)])
        writer.add(wanted, times * count, [Encoded(count, "same", b"", Span(base, 0, count)) for _ in range(times)])
        name = writer.finish()
    staged.rename(folder / name)
    with (
        Reader(Packs(folder), lambda sha256: tmp_path / sha256, None) as reader,
        pytest.raises(IntegrityError, match="for ever"),
    ):
        reader.restore(wanted, lambda data: None)
