"""Uploads that are continued: the offset that is told is where the file ends, and the end is right."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from model_registry import StorageError
from model_registry_server.errors import TooManyRequestsError
from model_registry_server.state import State
from model_registry_server.transfer.errors import (
    ConflictError,
    DigestMismatchError,
    IncompleteError,
    InvalidBodyError,
    OffsetError,
    TooLargeError,
    TransferError,
    UploadNotFoundError,
)
from model_registry_server.transfer.upload_table import Announced
from model_registry_server.transfer.uploads import ReceivedFile, UploadFile, Uploads

Serve = Callable[[Any], str]

_DATA = random.Random(4).randbytes(300_000)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _uploads(folder: Path) -> Uploads:
    return Uploads(State(folder), folder / "server" / "uploads")


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return _uploads(tmp_path)


async def _stream(pieces: Iterable[bytes], error: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if error is not None:
        raise error


def _append(uploads: Uploads, upload_id: str, number: int, offset: int, data: bytes, **options: Any) -> UploadFile:
    error = options.pop("error", None)
    return asyncio.run(uploads.append(upload_id, number, offset, _stream([data], error), **options))


def _announced(data: bytes, path: str = "w.bin") -> Announced:
    return Announced(path, len(data), _sha256(data))


def test_files_that_came_whole_are_handed_over(uploads: Uploads, tmp_path: Path) -> None:
    upload = uploads.create("ann", [_announced(_DATA), Announced("b/c.json"), Announced("empty", 0)])
    assert [file.done for file in upload.files] == [False, False, True]
    with pytest.raises(IncompleteError, match=r"2 of 3 files are not complete: 'w\.bin', 'b/c\.json'") as caught:
        uploads.finish(upload.id)
    assert caught.value.missing == [0, 1]
    assert _append(uploads, upload.id, 0, 0, _DATA).done
    assert _append(uploads, upload.id, 1, 0, b"{}", complete=True).done
    folder = tmp_path / "server" / "uploads" / upload.id
    assert uploads.finish(upload.id) == [
        ReceivedFile("w.bin", folder / "0", len(_DATA), _sha256(_DATA)),
        ReceivedFile("b/c.json", folder / "1", 2, _sha256(b"{}")),
        ReceivedFile("empty", folder / "2", 0, _sha256(b"")),
    ]
    assert (folder / "0").read_bytes() == _DATA
    assert {(folder / name).stat().st_mode & 0o777 for name in "012"} == {0o600}
    assert uploads.discard(upload.id)
    assert not folder.exists()
    assert not uploads.discard(upload.id)


_HOW = st.sampled_from(["whole", "breaks", "restart", "wrong"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 120_000), _HOW), max_size=6))
def test_however_parts_break_off_the_file_becomes_right(tmp_path: Path, steps: list[tuple[int, str]]) -> None:
    uploads = _uploads(tmp_path)
    upload = uploads.create("ann", [_announced(_DATA)])
    for size, how in steps:
        file = uploads.get(upload.id).files[0]
        part = _DATA[file.offset : file.offset + size]
        if file.done:
            break
        if how == "restart":
            uploads = _uploads(tmp_path)
        if how == "breaks":
            with pytest.raises(ClientDisconnect):
                _append(uploads, upload.id, 0, file.offset, part, error=ClientDisconnect())
        elif how == "wrong" and part:
            with pytest.raises(DigestMismatchError, match=r"a part of 'w\.bin' has the SHA-256"):
                _append(uploads, upload.id, 0, file.offset, bytes(len(part)), digest_of_part=_sha256(part))
            part = b""
        else:
            _append(uploads, upload.id, 0, file.offset, part, length=len(part), digest_of_part=_sha256(part))
        assert uploads.get(upload.id).files[0].offset == file.offset + len(part)
    file = uploads.get(upload.id).files[0]
    if not file.done:
        assert _append(uploads, upload.id, 0, file.offset, _DATA[file.offset :]).done
    assert uploads.finish(upload.id)[0].file.read_bytes() == _DATA


def test_a_part_elsewhere_than_at_the_end_is_told_where_that_is(uploads: Uploads) -> None:
    upload = uploads.create("ann", [_announced(b"abcdef")])
    _append(uploads, upload.id, 0, 0, b"abc")
    for offset in (0, 2, 4):
        with pytest.raises(OffsetError, match="go on at byte 3") as caught:
            _append(uploads, upload.id, 0, offset, b"def")
        assert (caught.value.offset, caught.value.status) == (3, 409)
    assert _append(uploads, upload.id, 0, 3, b"def").done


def test_a_complete_file_takes_no_more_but_may_be_told_so_again(uploads: Uploads) -> None:
    upload = uploads.create("ann", [_announced(b"abc")])
    _append(uploads, upload.id, 0, 0, b"abc")
    assert _append(uploads, upload.id, 0, 3, b"", length=0).done
    with pytest.raises(OffsetError, match=r"'w\.bin' is complete"):
        _append(uploads, upload.id, 0, 0, b"abc")
    assert uploads.finish(upload.id)[0].sha256 == _sha256(b"abc")


def test_a_file_with_another_digest_is_thrown_away_and_may_come_again(uploads: Uploads) -> None:
    upload = uploads.create("ann", [_announced(b"abcdef")])
    _append(uploads, upload.id, 0, 0, b"abc")
    with pytest.raises(DigestMismatchError, match="send it again from byte 0 on") as caught:
        _append(uploads, upload.id, 0, 3, b"DEF")
    assert (caught.value.status, caught.value.offset, caught.value.expected) == (422, 0, _sha256(b"abcdef"))
    file = uploads.get(upload.id).files[0]
    assert (file.offset, file.done) == (0, False)
    assert _append(uploads, upload.id, 0, 0, b"abcdef").done


def test_an_owner_announces_no_more_files_than_it_may(uploads: Uploads) -> None:
    two = [Announced("a"), Announced("b")]
    first = uploads.create("ann", two, most_files=3)
    with pytest.raises(TooManyRequestsError, match="your uploads under way have 2 files, of at most 3"):
        uploads.create("ann", two, most_files=3)
    uploads.create("ann", two[:1], most_files=3)
    uploads.create("bob", two, most_files=3)
    uploads.discard(first.id)
    uploads.create("ann", two, most_files=3)


def test_empty_files_are_on_the_disk_when_the_upload_is_finished_and_not_before(
    uploads: Uploads, tmp_path: Path
) -> None:
    upload = uploads.create("ann", [Announced(str(number), 0) for number in range(3)])
    assert [file.done for file in upload.files] == [True] * 3
    assert list((tmp_path / "server" / "uploads" / upload.id).iterdir()) == []
    for _ in range(2):
        assert [file.file.read_bytes() for file in uploads.finish(upload.id)] == [b""] * 3


def test_an_empty_file_has_the_digest_of_nothing(uploads: Uploads) -> None:
    with pytest.raises(DigestMismatchError):
        uploads.create("ann", [Announced("e", 0, "0" * 64)])
    assert uploads.bytes_of() == 0


def test_more_than_was_announced_is_refused(uploads: Uploads) -> None:
    upload = uploads.create("ann", [_announced(b"abc"), Announced("b")])
    with pytest.raises(TooLargeError, match="may have 3 bytes more, not 4"):
        _append(uploads, upload.id, 0, 0, b"abcd", length=4)
    with pytest.raises(TooLargeError, match="more than 3 bytes"):
        _append(uploads, upload.id, 0, 0, b"abcd")
    assert uploads.bytes_of() == 0


def test_bytes_are_kept_only_if_they_may_be(uploads: Uploads) -> None:
    upload = uploads.create("ann", [Announced("a")])
    asked: list[int] = []

    async def take(count: int) -> None:
        asked.append(count)
        if sum(asked) > 5:
            raise TooLargeError("too much", limit=5)

    assert _append(uploads, upload.id, 0, 0, b"abc", take=take).offset == 3
    with pytest.raises(TooLargeError, match="too much"):
        _append(uploads, upload.id, 0, 3, b"def", take=take)
    assert (asked, uploads.get(upload.id).files[0].offset) == ([3, 3], 3)


def test_a_part_of_another_length_than_told_is_refused(uploads: Uploads) -> None:
    upload = uploads.create("ann", [_announced(b"abcdef")])
    with pytest.raises(InvalidBodyError, match="the part has 2 bytes instead of 3"):
        _append(uploads, upload.id, 0, 0, b"ab", length=3)
    with pytest.raises(InvalidBodyError, match="has 3 bytes in the end instead of 6"):
        _append(uploads, upload.id, 0, 2, b"c", complete=True)
    assert _append(uploads, upload.id, 0, 3, b"def").done


def test_a_file_has_one_writer_and_others_go_on_beside_it(uploads: Uploads) -> None:
    upload = uploads.create("ann", [_announced(b"abc"), _announced(b"x")])

    async def at_once() -> None:
        go_on = asyncio.Event()

        async def waiting() -> AsyncIterator[bytes]:
            yield b"abc"
            await go_on.wait()

        first = asyncio.ensure_future(uploads.append(upload.id, 0, 0, waiting()))
        await asyncio.sleep(0.05)
        with pytest.raises(ConflictError, match="another part of file 0"):
            await uploads.append(upload.id, 0, 0, _stream([b"abc"]))
        assert (await uploads.append(upload.id, 1, 0, _stream([b"x"]))).done
        assert uploads.expire(-1) == []  # it is being written
        go_on.set()
        assert (await first).done

    asyncio.run(at_once())
    assert len(uploads.finish(upload.id)) == 2


def test_an_upload_that_is_discarded_while_it_comes_is_gone(uploads: Uploads, tmp_path: Path) -> None:
    upload = uploads.create("ann", [_announced(b"abcdef")])

    async def discarded() -> None:
        async def stream() -> AsyncIterator[bytes]:
            yield b"abc"
            uploads.discard(upload.id)
            yield b"def"

        with pytest.raises(UploadNotFoundError):
            await uploads.append(upload.id, 0, 0, stream())

    asyncio.run(discarded())
    assert os.listdir(tmp_path / "server" / "uploads") == []


@pytest.mark.parametrize("upload_id", ["", "0" * 32, "../..", "é"])
def test_an_upload_that_is_not_there_is_not_found(uploads: Uploads, upload_id: str) -> None:
    for ask in (uploads.get, uploads.finish, lambda name: _append(uploads, name, 0, 0, b"")):
        with pytest.raises(UploadNotFoundError, match="there is no upload"):
            ask(upload_id)
    assert not uploads.discard(upload_id)


@pytest.mark.parametrize("number", [-1, 1])
def test_a_file_that_was_not_announced_is_not_found(uploads: Uploads, number: int) -> None:
    upload = uploads.create("ann", [_announced(b"abc")])
    with pytest.raises(UploadNotFoundError, match=f"has no file {number} — it has 1"):
        _append(uploads, upload.id, number, 0, b"")


def test_what_nobody_continues_expires(uploads: Uploads, tmp_path: Path) -> None:
    old, new = (uploads.create("ann", [_announced(_DATA)]) for _ in range(2))
    _append(uploads, old.id, 0, 0, b"abc")
    _append(uploads, new.id, 0, 0, b"abc")
    folder = tmp_path / "server" / "uploads"
    (folder / ("f" * 32)).mkdir()
    (folder / "notes").mkdir()
    with sqlite3.connect(tmp_path / "server" / "state.sqlite") as db:
        then = datetime.now(timezone.utc) - timedelta(hours=25)
        db.execute("UPDATE uploads SET touched_at = ? WHERE id = ?", (then.isoformat(timespec="microseconds"), old.id))
    db.close()
    assert uploads.expire(24) == [old.id]
    assert sorted(os.listdir(folder)) == sorted([new.id, "notes"])
    assert uploads.get(new.id).files[0].offset == 3
    assert uploads.expire(24) == []


def test_a_part_keeps_an_upload_alive(uploads: Uploads) -> None:
    upload = uploads.create("ann", [_announced(_DATA)])
    assert upload.created_at == upload.touched_at
    _append(uploads, upload.id, 0, 0, b"abc")
    assert uploads.get(upload.id).touched_at > upload.touched_at
    assert uploads.get(upload.id).created_at == upload.created_at


def test_an_upload_takes_what_has_come_and_not_what_was_announced(uploads: Uploads) -> None:
    first = uploads.create("ann", [_announced(b"abcdef"), Announced("b")])
    other = uploads.create("bob", [_announced(b"xy")])
    _append(uploads, first.id, 0, 0, b"abc")
    _append(uploads, first.id, 1, 0, b"12345")
    _append(uploads, other.id, 0, 0, b"x")
    assert (uploads.bytes_of(first.id), uploads.bytes_of(other.id), uploads.bytes_of("0" * 32)) == (8, 1, 0)
    assert uploads.bytes_of() == 9
    uploads.discard(first.id)
    assert uploads.bytes_of() == 1


def test_a_part_that_is_coming_in_counts_when_it_has_come(uploads: Uploads) -> None:
    upload = uploads.create("ann", [_announced(b"abcdef")])
    _append(uploads, upload.id, 0, 0, b"ab")
    counted: list[int] = []

    async def coming() -> AsyncIterator[bytes]:
        yield b"cd"
        counted.append(uploads.bytes_of())
        counted.append(uploads.bytes_of(upload.id))

    asyncio.run(uploads.append(upload.id, 0, 2, coming()))
    assert (counted, uploads.bytes_of()) == ([2, 2], 4)


def test_an_owner_has_no_more_uploads_than_may_be_however_many_begin_at_once(uploads: Uploads) -> None:
    def begin(_: int) -> bool:
        try:
            uploads.create("ann", [_announced(b"abc")], most=5)
        except TooManyRequestsError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begin, range(24))) == 5
    with pytest.raises(TooManyRequestsError, match="you have 5 uploads under way"):
        uploads.create("ann", [_announced(b"abc")], most=5)
    uploads.create("bob", [_announced(b"abc")], most=5)


def test_a_file_that_was_changed_behind_its_back_is_not_handed_over(uploads: Uploads) -> None:
    upload = uploads.create("ann", [_announced(b"abc")])
    _append(uploads, upload.id, 0, 0, b"abc")
    os.truncate(uploads.finish(upload.id)[0].file, 2)
    with pytest.raises(StorageError, match="is not what came"):
        uploads.finish(upload.id)


_CHILD = """
import sys
from pathlib import Path
import uvicorn
from fastapi import FastAPI, Request
from model_registry_server.state import State
from model_registry_server.transfer.uploads import Uploads

folder = Path(sys.argv[1])
uploads = Uploads(State(folder), folder / "server" / "uploads")
app = FastAPI()

@app.patch("/{upload_id}/{number}")
async def append(request: Request, upload_id: str, number: int, offset: int):
    return (await uploads.append(upload_id, number, offset, request.stream())).done

uvicorn.run(app, fd=int(sys.argv[2]), http="httptools", loop="uvloop", log_config=None)
"""


def test_after_its_server_was_killed_an_upload_goes_on(tmp_path: Path) -> None:
    data = _DATA * 20
    uploads = _uploads(tmp_path)
    upload = uploads.create("ann", [_announced(data)])
    file = tmp_path / "server" / "uploads" / upload.id / "0"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        arguments = [sys.executable, "-c", _CHILD, str(tmp_path), str(listener.fileno())]
        child = subprocess.Popen(arguments, pass_fds=[listener.fileno()])
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            head = f"PATCH /{upload.id}/0?offset=0 HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
            connection.sendall(head.encode() + data[:4_000_000])
            end = time.monotonic() + 30
            while not file.exists() or file.stat().st_size < 1_000_000:
                assert time.monotonic() < end
                time.sleep(0.01)
            child.kill()
            child.wait()
    finally:
        child.kill()
        child.wait()
    offset = uploads.get(upload.id).files[0].offset
    assert 1_000_000 <= offset <= 4_000_000
    assert file.read_bytes() == data[:offset]
    assert _append(uploads, upload.id, 0, offset, data[offset:]).done


def test_a_server_takes_parts_and_tells_the_right_offset(uploads: Uploads, serve: Serve) -> None:
    app = FastAPI()

    @app.patch("/{upload_id}/{number}")
    async def append(request: Request, upload_id: str, number: int, offset: int) -> Any:
        length = int(request.headers["content-length"])
        try:
            file = await uploads.append(upload_id, number, offset, request.stream(), length=length)
        except TransferError as error:
            return JSONResponse({"detail": str(error), "offset": error.facts.get("offset")}, error.status)
        return {"offset": file.offset, "done": file.done}

    upload = uploads.create("ann", [_announced(_DATA)])
    with httpx.Client(base_url=f"{serve(app)}/{upload.id}/") as client:
        assert client.patch("0?offset=0", content=_DATA[:70_000]).json() == {"offset": 70_000, "done": False}
        refused = client.patch("0?offset=0", content=_DATA[:70_000])
        assert (refused.status_code, refused.json()["offset"]) == (409, 70_000)
        assert client.patch("7?offset=0", content=b"").status_code == 404
        assert client.patch("0?offset=70000", content=_DATA[70_000:]).json() == {"offset": 300_000, "done": True}
    assert uploads.finish(upload.id)[0].file.read_bytes() == _DATA


def test_parts_may_go_to_several_servers_of_one_registry_in_turn(tmp_path: Path) -> None:
    servers = [_uploads(tmp_path), _uploads(tmp_path)]
    upload = servers[0].create("ann", [_announced(b"abcdef")])
    for offset in range(6):
        file = _append(servers[offset % 2], upload.id, 0, offset, b"abcdef"[offset : offset + 1])
    assert file.done
    assert servers[0].finish(upload.id) == servers[1].finish(upload.id)
