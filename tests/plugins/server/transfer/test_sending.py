"""What a client gets: the whole, a part, or word that it has it already; over real connections."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import random
import socket
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st

from model_registry import StorageError
from model_registry_server.transfer import reading
from model_registry_server.transfer.content import Content, Member, file_content
from model_registry_server.transfer.sending import Sending, content_disposition
from model_registry_server.transfer.tar import tar_content
from model_registry_server.transfer.zips import zip_content

Serve = Callable[[Any], str]

_DATA = random.Random(1).randbytes(5_000_001)
_SHA256 = hashlib.sha256(_DATA).hexdigest()
_ETAG = f'"sha256:{_SHA256}"'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(_DATA)
    return path


def _app(content: Callable[[], Content]) -> FastAPI:
    app = FastAPI()

    @app.api_route("/", methods=["GET", "HEAD"])
    async def get() -> Any:
        return Sending(content())

    @app.exception_handler(StorageError)
    async def refuse(request: Request, error: StorageError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 500)

    return app


@pytest.fixture
def client(file: Path, serve: Serve) -> Iterator[httpx.Client]:
    app = _app(lambda: file_content(file, "weights é.bin", _SHA256, len(_DATA)))
    with httpx.Client(base_url=serve(app)) as client:
        yield client


def test_a_file_comes_whole_with_what_is_known_of_it(client: httpx.Client) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.content == _DATA
    digest = base64.b64encode(hashlib.sha256(_DATA).digest()).decode()
    assert {
        "content-length": "5000001",
        "content-type": "application/octet-stream",
        "content-disposition": "attachment; filename=\"weights _.bin\"; filename*=UTF-8''weights%20%C3%A9.bin",
        "etag": _ETAG,
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "repr-digest": f"sha-256=:{digest}:",
    }.items() <= dict(response.headers).items()


def test_head_tells_the_same_without_the_bytes(client: httpx.Client) -> None:
    whole, head = client.get("/"), client.head("/", headers={"Range": "bytes=0-1"})
    assert head.status_code == 200
    assert head.content == b""
    for response in (whole, head):
        del response.headers["date"]
    assert head.headers == whole.headers


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 70_000), (1_048_575, 1_048_576), (4_999_999, 9_999_999)])
def test_a_part_is_sent_alone(client: httpx.Client, first: int, last: int) -> None:
    response = client.get("/", headers={"Range": f"bytes={first}-{last}", "If-Range": _ETAG})
    assert response.status_code == 206
    assert response.content == _DATA[first : last + 1]
    assert response.headers["content-range"] == f"bytes {first}-{min(last, 5_000_000)}/5000001"


def test_what_is_not_there_is_refused_and_the_connection_goes_on(client: httpx.Client) -> None:
    response = client.get("/", headers={"Range": "bytes=5000001-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == "bytes */5000001"
    assert response.json()["status"] == 416
    assert "content-disposition" not in response.headers
    assert client.get("/", headers={"Range": "bytes=-2"}).content == _DATA[-2:]


def test_what_the_client_has_is_not_sent_again(client: httpx.Client) -> None:
    response = client.get("/", headers=[("If-None-Match", '"other"'), ("If-None-Match", f"W/{_ETAG}")])
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == _ETAG
    assert "content-length" not in response.headers
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200


def test_what_is_not_what_the_client_expects_is_not_sent(client: httpx.Client) -> None:
    response = client.get("/", headers={"If-Match": '"other"'})
    assert response.status_code == 412
    assert response.headers["content-type"] == "application/problem+json"
    assert client.get("/", headers={"If-Match": _ETAG}).content == _DATA


def test_a_download_that_broke_off_goes_on_where_it_ended(client: httpx.Client, tmp_path: Path) -> None:
    target = tmp_path / "partial"
    with target.open("wb") as writing, client.stream("GET", "/") as response:
        for chunk in response.iter_raw(100_000):
            writing.write(chunk)
            if writing.tell() >= 1_200_000:
                break
    size = target.stat().st_size
    assert size < len(_DATA)
    response = client.get("/", headers={"Range": f"bytes={size}-", "If-Range": response.headers["etag"]})
    assert response.status_code == 206
    with target.open("ab") as writing:
        writing.write(response.content)
    assert target.read_bytes() == _DATA


@pytest.mark.parametrize("nowait", [True, False])
def test_bytes_are_right_whether_or_not_the_disk_must_be_waited_for(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, nowait: bool
) -> None:
    if not nowait:
        monkeypatch.setattr(reading, "_NOWAIT", None)
    assert hashlib.sha256(client.get("/").content).hexdigest() == _SHA256


def test_a_client_that_reads_slowly_gets_the_right_bytes(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = bytearray()
        while data := connection.recv(100_000):
            received += data
            time.sleep(0.002)  # so that the server must hold what could not be sent at once
    assert bytes(received).partition(b"\r\n\r\n")[2] == _DATA


def _descriptors(path: Path) -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found += os.readlink(f"/proc/self/fd/{name}") == str(path)
    return found


def _eventually(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    return is_so()


def _begin(url: str) -> socket.socket:
    """A client that asks for something and takes only its beginning."""
    address = httpx.URL(url)
    connection = socket.create_connection((address.host, address.port or 0))
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(100)
    return connection


#: More than the buffers of two sockets ever take.
_LARGE = 300_000_000


def test_when_a_client_leaves_the_file_is_closed(file: Path, serve: Serve) -> None:
    os.truncate(file, _LARGE)
    with _begin(serve(_app(lambda: file_content(file, "a", _SHA256, _LARGE)))):
        assert _descriptors(file) == 1
    assert _eventually(lambda: _descriptors(file) == 0)


def test_a_file_that_is_gone_or_changed_is_an_error_and_no_broken_body(client: httpx.Client, file: Path) -> None:
    with file.open("ab") as growing:
        growing.write(b"x")
    response = client.get("/")
    assert response.status_code == 500
    assert "has 5,000,002 bytes instead of 5,000,001" in response.json()["detail"]
    file.unlink()
    response = client.get("/")
    assert response.status_code == 500
    assert "No such file" in response.json()["detail"]


def test_a_file_that_shrinks_while_it_is_sent_breaks_the_connection(file: Path, serve: Serve) -> None:
    os.truncate(file, _LARGE)
    url = serve(_app(lambda: file_content(file, "a", _SHA256, _LARGE)))
    received = 0
    with (  # noqa: PT012
        pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"),
        httpx.stream("GET", url) as response,
    ):
        for chunk in response.iter_raw(10_000):
            if not received:
                os.truncate(file, 1000)
            received += len(chunk)
    assert received < _LARGE


def _members(folder: Path, count: int) -> list[Member]:
    members = []
    for number in range(count):
        data = bytes([number % 251]) * (number * 37)
        (folder / f"m{number}").write_bytes(data)
        members.append(Member(f"folder/{number:04}", folder / f"m{number}", len(data), "0" * 64))
    return [*members, Member("weights", folder / "weights", len(_DATA), _SHA256)]


def test_a_tar_of_many_files_is_sent_whole_and_in_parts(file: Path, serve: Serve) -> None:
    content = tar_content(_members(file.parent, 300), "m.tar", "d")
    url = serve(_app(lambda: content))
    whole = httpx.get(url)
    assert len(whole.content) == content.size
    with tarfile.open(fileobj=io.BytesIO(whole.content)) as archive:
        assert len(archive.getnames()) == 301
        weights = archive.extractfile("weights")
        assert weights is not None
        assert weights.read() == _DATA
    for first, last in [(1000, 2_000_000), (100_000, 5_400_000)]:
        part = httpx.get(url, headers={"Range": f"bytes={first}-{last}", "If-Range": '"sha256:d-tar"'})
        assert part.status_code == 206
        assert part.content == whole.content[first : last + 1]
    assert "repr-digest" not in whole.headers


def test_a_zip_is_sent_whole_even_if_a_part_is_asked_for(file: Path, serve: Serve) -> None:
    content = zip_content(_members(file.parent, 50), "m.zip", "d")
    url = serve(_app(lambda: content))
    response = httpx.get(url, headers={"Range": "bytes=5-9"})
    assert response.status_code == 200
    assert response.headers["accept-ranges"] == "none"
    assert len(response.content) == content.size
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert archive.read("weights") == _DATA
    assert httpx.get(url, headers={"If-None-Match": '"sha256:d-zip"'}).status_code == 304


def test_an_archive_of_which_a_file_is_missing_is_refused_before_it_begins(file: Path, serve: Serve) -> None:
    members = _members(file.parent, 40)
    members[35].file.unlink()
    url = serve(_app(lambda: tar_content(members, "m.tar", "d")))
    assert httpx.get(url).status_code == 500
    assert _descriptors(members[1].file) == 0


def test_an_empty_file_is_sent(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "empty").touch()
    url = serve(_app(lambda: file_content(tmp_path / "empty", "e", hashlib.sha256().hexdigest(), 0)))
    response = httpx.get(url, headers={"Range": "bytes=0-"})
    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "0")


@given(st.text(max_size=30))
def test_any_name_makes_a_header_that_is_safe_and_tells_it(name: str) -> None:
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    message = Message()
    message["Content-Disposition"] = header
    assert message.get_content_disposition() == "attachment"
    told = unquote(header.partition("filename*=UTF-8''")[2])
    assert told
    assert not set(told) & set("/\\\r\n\0")
    if name.isprintable() and name and not set(name) & set("/\\"):
        assert told == name
