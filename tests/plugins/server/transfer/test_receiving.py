"""What a server takes in: hashed, durable, within its limits, and never more told than is there."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import skipping
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from model_registry import ModelRegistryError, StorageError
from model_registry_server.transfer.errors import ConflictError, OffsetError, TooLargeError, TooSlowError
from model_registry_server.transfer.hashing import RunningHash
from model_registry_server.transfer.pace import Pace
from model_registry_server.transfer.receiving import Received, receive

Serve = Callable[[Any], str]

_DATA = random.Random(2).randbytes(5_000_001)


async def _stream(pieces: Iterable[bytes], error: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if error is not None:
        raise error


def _receive(pieces: Iterable[bytes], target: Path, error: Exception | None = None, **options: Any) -> Received:
    return asyncio.run(receive(_stream(pieces, error), target, **options))


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [64 << 10, 1 << 20, 3_000_000, 999])
def test_a_body_is_in_the_file_and_hashed(tmp_path: Path, size: int) -> None:
    received = _receive(_cut(_DATA, size), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == _DATA
    assert (received.size, received.count, received.sha256) == (len(_DATA), len(_DATA), _sha256(_DATA))
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.binary(max_size=20), max_size=6), min_size=1, max_size=5))
def test_parts_one_after_the_other_make_the_whole(tmp_path: Path, parts: list[list[bytes]]) -> None:
    target = tmp_path / "file"
    target.unlink(missing_ok=True)
    whole = b""
    hasher = RunningHash()
    for number, part in enumerate(parts):
        kept = {} if number % 2 else {"hasher": hasher}  # without it, the file is read again
        received = _receive(part, target, offset=len(whole), **kept)
        whole += b"".join(part)
        assert target.read_bytes() == whole
        assert (received.size, received.sha256) == (len(whole), _sha256(whole))
        hasher = received.running


def test_bytes_that_come_one_by_one_do_not_cost_a_thread_each(tmp_path: Path) -> None:
    begun = time.process_time()
    received = _receive(_cut(_DATA[:200_000], 1), tmp_path / "file")
    assert received.sha256 == _sha256(_DATA[:200_000])
    assert time.process_time() - begun < 5  # a hop to a thread for each would take more than ten


@pytest.mark.parametrize("offset", [0, 2, 4])
def test_a_part_that_does_not_begin_at_the_end_is_refused(tmp_path: Path, offset: int) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    with pytest.raises(OffsetError, match=rf"byte {offset}, the file ends at 3 — go on at byte 3") as caught:
        _receive([b"d"], tmp_path / "file", offset=offset)
    assert (caught.value.offset, caught.value.status) == (3, 409)
    assert (tmp_path / "file").read_bytes() == b"abc"


def test_a_part_of_a_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OffsetError, match="the file ends at 0"):
        _receive([b"d"], tmp_path / "file", offset=5)
    assert not (tmp_path / "file").exists()


def test_a_body_may_have_its_limit_and_no_more(tmp_path: Path) -> None:
    assert _receive([b"abc", b"d"], tmp_path / "file", limit=4).size == 4
    hasher = RunningHash()
    with pytest.raises(TooLargeError, match="more than 4 bytes") as caught:
        _receive([b"abc", b"de", b"f"], tmp_path / "other", limit=4, hasher=hasher)
    assert (caught.value.limit, caught.value.status) == (4, 413)
    assert (tmp_path / "other").read_bytes() == b"abc"
    assert hasher.hexdigest() == _sha256(b"abc")


async def _every(seconds: float, pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(seconds)
        yield piece


async def _given_up(stream: AsyncIterator[bytes], target: Path, pace: Pace) -> TooSlowError:
    with pytest.raises(TooSlowError) as caught:
        await receive(stream, target, pace=pace)
    return caught.value


def test_a_body_of_which_nothing_comes_any_more_is_given_up(tmp_path: Path) -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.sleep(60)
        yield b"def"

    error, seconds = skipping.run(_given_up(silent(), tmp_path / "file", Pace(30)))
    assert str(error).startswith("nothing of the body came within 30 seconds")
    assert (error.status, seconds) == (408, pytest.approx(30))
    assert (tmp_path / "file").read_bytes() == b"abc"


def test_a_body_that_comes_slowly_but_steadily_is_taken(tmp_path: Path) -> None:
    received, seconds = skipping.run(receive(_every(20, [b"x"] * 8), tmp_path / "file", pace=Pace(30)))
    assert received.size == 8
    assert seconds >= 160


def test_a_body_that_trickles_is_given_up_though_something_comes_all_the_time(tmp_path: Path) -> None:
    error, seconds = skipping.run(_given_up(_every(2, [b"x"] * 100), tmp_path / "file", Pace(11, 10)))
    assert str(error).startswith("only 5 of at least 110 bytes of the body came within 11 seconds")
    assert seconds == pytest.approx(11)
    assert (tmp_path / "file").stat().st_size == 5


def test_a_body_that_came_fast_at_first_may_not_trickle_then(tmp_path: Path) -> None:
    pieces = [_DATA, *[b"x"] * 100]
    _, seconds = skipping.run(_given_up(_every(2, pieces), tmp_path / "file", Pace(11, 10)))
    assert seconds == pytest.approx(2 + 11)


def test_a_body_that_is_slow_but_faster_than_it_must_be_is_taken(tmp_path: Path) -> None:
    slow = _every(2, [b"x" * 25] * 100)
    received, seconds = skipping.run(receive(slow, tmp_path / "file", pace=Pace(30, 10)))
    assert received.size == 2500
    assert seconds >= 200


def test_what_the_server_does_with_a_body_is_not_the_clients_time(tmp_path: Path) -> None:
    async def busy(_: int) -> None:
        await asyncio.sleep(20)

    received, seconds = skipping.run(receive(_stream([b"x"] * 5), tmp_path / "file", take=busy, pace=Pace(30, 10)))
    assert received.size == 5
    assert seconds >= 100


def test_being_cancelled_is_not_taken_for_slowness(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.sleep(60)

    async def cancelled() -> None:
        task = asyncio.ensure_future(receive(endless(), tmp_path / "file", pace=Pace(30)))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert (tmp_path / "file").read_bytes() == b"abc"


@pytest.mark.parametrize("count", [10, 1_500_000, 4_000_000])
def test_when_the_client_leaves_what_arrived_is_kept_and_hashed(tmp_path: Path, count: int) -> None:
    target = tmp_path / "file"
    hasher = RunningHash()
    with pytest.raises(ClientDisconnect):
        _receive(_cut(_DATA[:count], 70_000), target, ClientDisconnect(), hasher=hasher)
    assert target.read_bytes() == _DATA[:count]
    assert hasher.size == count
    received = _receive(_cut(_DATA[count:], 70_000), target, offset=count, hasher=hasher)
    assert received.sha256 == _sha256(_DATA)


def test_a_file_has_one_writer_at_a_time(tmp_path: Path) -> None:
    async def both() -> None:
        go_on = asyncio.Event()

        async def waiting() -> AsyncIterator[bytes]:
            yield b"abc"
            await go_on.wait()

        first = asyncio.ensure_future(receive(waiting(), tmp_path / "file"))
        await asyncio.sleep(0.1)
        with pytest.raises(ConflictError, match="somebody else is sending this file"):
            await receive(_stream([b"x"]), tmp_path / "file")
        go_on.set()
        assert (await first).size == 3

    asyncio.run(both())
    assert (tmp_path / "file").read_bytes() == b"abc"


def test_after_bytes_that_the_disk_refused_no_others_take_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.writev
    calls = 0

    def full_for_a_moment(descriptor: int, buffers: Sequence[bytes]) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            real(descriptor, [b"half of it"])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, buffers)

    monkeypatch.setattr(os, "writev", full_for_a_moment)
    hasher = RunningHash()
    with pytest.raises(StorageError, match="No space left on device — make room"):
        _receive(_cut(_DATA, 1 << 20), tmp_path / "file", hasher=hasher)
    assert (tmp_path / "file").read_bytes() == _DATA[: 1 << 20]
    assert hasher.size == 1 << 20


def test_a_limit_of_the_system_on_the_size_of_files_is_told(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
    try:
        hasher = RunningHash()
        with pytest.raises(StorageError, match="File too large"):
            _receive(_cut(_DATA, 1 << 20), tmp_path / "file", hasher=hasher)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert (tmp_path / "file").read_bytes() == _DATA[: hasher.size]
    assert hasher.size == 1 << 20


def test_after_a_sync_that_failed_nothing_is_believed_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fail(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="Input/output error"):
        _receive([b"abc"], tmp_path / "file")
    assert len(calls) == 1
    assert (tmp_path / "file").stat().st_size == 0


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    (tmp_path / "file").symlink_to(tmp_path / "other")
    with pytest.raises(StorageError):
        _receive([b"abc"], tmp_path / "file")
    assert (tmp_path / "other").read_bytes() == b""


def test_whatever_happens_no_descriptor_is_left_open(tmp_path: Path) -> None:
    _receive([b"abc"], tmp_path / "file")  # threads have begun
    before = len(os.listdir("/proc/self/fd"))
    for error, limit in [(ClientDisconnect(), None), (None, 2), (None, None)]:
        (tmp_path / "file").unlink()
        with suppress(ClientDisconnect, TooLargeError):
            _receive([b"abc"], tmp_path / "file", error, limit=limit)
    with pytest.raises(OffsetError):
        _receive([b"abc"], tmp_path / "file")
    assert len(os.listdir("/proc/self/fd")) == before


def _app(target: Path) -> FastAPI:
    app = FastAPI()

    @app.put("/")
    async def put(request: Request, offset: int = 0) -> dict[str, Any]:
        received = await receive(request.stream(), target, offset=offset, limit=10_000_000, pace=Pace(5))
        return {"size": received.size, "sha256": received.sha256}

    @app.exception_handler(ModelRegistryError)
    async def refuse(request: Request, error: Any) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, getattr(error, "status", 500))

    return app


def test_a_server_takes_a_body(tmp_path: Path, serve: Serve) -> None:
    url = serve(_app(tmp_path / "file"))
    response = httpx.put(url, content=_DATA)
    assert response.json() == {"size": len(_DATA), "sha256": _sha256(_DATA)}
    assert (tmp_path / "file").read_bytes() == _DATA
    assert httpx.put(url, content=b"x").status_code == 409
    assert httpx.put(f"{url}?offset=5000001", content=bytes(10_000_001)).status_code == 413


def test_what_came_before_a_connection_broke_is_kept(tmp_path: Path, serve: Serve) -> None:
    url = httpx.URL(serve(_app(tmp_path / "file")))
    with socket.create_connection((url.host, url.port or 0)) as connection:
        connection.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000001\r\n\r\n" + _DATA[:3_000_000])
    end = time.monotonic() + 10
    while not _size(tmp_path / "file"):
        assert time.monotonic() < end
        time.sleep(0.01)
    while (response := httpx.put(url, params={"offset": _size(tmp_path / "file")}, content=b"")).status_code == 409:
        assert time.monotonic() < end
    size = response.json()["size"]
    assert 0 < size <= 3_000_000
    response = httpx.put(url, params={"offset": size}, content=_DATA[size:])
    assert response.json() == {"size": len(_DATA), "sha256": _sha256(_DATA)}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


_CHILD = """
import asyncio, sys
from pathlib import Path
from model_registry_server.transfer.pace import Pace
from model_registry_server.transfer.receiving import receive

async def stream():
    data = Path(sys.argv[2]).read_bytes()
    for start in range(0, len(data), 50_000):
        yield data[start:start + 50_000]
        await asyncio.sleep(0.001)
    await asyncio.sleep(60)

asyncio.run(receive(stream(), Path(sys.argv[1]), pace=Pace(None)))
"""


def test_a_server_that_was_killed_goes_on_with_what_is_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(_DATA)
    target = tmp_path / "file"
    with subprocess.Popen([sys.executable, "-c", _CHILD, target, tmp_path / "data"]) as child:
        try:
            end = time.monotonic() + 30
            while _size(target) < 2_000_000:
                assert time.monotonic() < end
                time.sleep(0.005)
        finally:
            child.kill()
    size = _size(target)
    assert target.read_bytes() == _DATA[:size]
    received = _receive(_cut(_DATA[size:], 100_000), target, offset=size)
    assert received.sha256 == _sha256(_DATA)
    assert target.read_bytes() == _DATA
