"""What one caller can hold of a server, so that enough is left for all others."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from running import Running, serving, token

from model_registry import ModelRegistry

API = "/model-registry"
#: More than the buffers of two sockets ever take, so that who does not read it holds it.
_LARGE = 40_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a model of twenty files."""
    files = tmp_path_factory.mktemp("files")
    for number in range(20):
        (files / f"w{number}").write_bytes(os.urandom(_LARGE // 20))
    folder = tmp_path_factory.mktemp("holding") / "models"
    ModelRegistry(folder).register_model("m", files, "opaque")
    return folder


@pytest.fixture(scope="module")
def headers(folder: Path) -> dict[str, dict[str, str]]:
    """Of two readers and two writers."""
    roles = {"a": "reader", "b": "reader", "writer": "writer", "other": "writer"}
    return {name: {"Authorization": f"Bearer {token(folder, name, role)}"} for name, role in roles.items()}


@pytest.fixture(scope="module")
def server(folder: Path, headers: dict[str, dict[str, str]]) -> Iterator[Running]:
    with serving(folder) as running:
        yield running


def _asked(running: Running, headers: dict[str, str], path: str, *, times: int = 1) -> socket.socket:
    """A connection by which something is asked for, of which only the beginning is taken."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", running.port))
    said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.sendall(f"GET {API}{path} HTTP/1.1\r\nHost: localhost\r\n{said}\r\n".encode() * times)
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def _descriptors(running: Running) -> int:
    return len(os.listdir(f"/proc/{running.process.pid}/fd"))


def _megabytes(running: Running) -> float:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def test_who_takes_downloads_slowly_has_few_of_them_and_each_takes_little(
    server: Running, headers: dict[str, dict[str, str]]
) -> None:
    url = f"{server.url}{API}/models/m/download"
    httpx.get(url, headers=headers["a"], timeout=30).raise_for_status()  # so that all is verified, and imported
    descriptors, megabytes = _descriptors(server), _megabytes(server)
    with ExitStack() as held:
        connections = [held.enter_context(_asked(server, headers["a"], "/models/m/download")) for _ in range(64)]
        refused = httpx.get(url, headers=headers["a"], timeout=30)
        assert refused.status_code == 429
        assert refused.json()["detail"] == "you have 64 downloads under way"
        assert 0 < int(refused.headers["retry-after"]) < 10
        assert httpx.head(url, headers=headers["b"], timeout=30).status_code == 200
        assert _descriptors(server) - descriptors <= 2 * 64 + 10
        assert _megabytes(server) - megabytes < 2.5 * 64
        connections[0].close()
        deadline = time.monotonic() + 20
        while httpx.head(url, headers=headers["a"], timeout=30).status_code == 429:
            assert time.monotonic() < deadline


def test_of_answers_that_a_caller_does_not_read_those_that_lay_longest_are_given_up(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    registry = ModelRegistry(folder)
    (tmp_path / "f").write_bytes(b"x")
    for _ in range(6):
        registry.register_model("m", tmp_path / "f", "opaque", notes="x" * 1_000_000)
    readers = [{"Authorization": f"Bearer {token(folder, name, 'reader')}"} for name in ("a", "b")]
    with serving(folder) as running, ExitStack() as held:
        url = f"{running.url}{API}/models?limit=1000"
        page = httpx.get(url, headers=readers[0], timeout=60).content
        assert len(page) > 4_000_000
        megabytes = _megabytes(running)
        others = held.enter_context(_asked(running, readers[1], "/models?limit=1000"))
        unread = [held.enter_context(_asked(running, readers[0], "/models?limit=1000", times=3)) for _ in range(70)]
        assert _megabytes(running) - megabytes < 200
        assert _came(others, page)
        assert _came(unread[-1], page * 3)
        assert not _came(unread[0], page)
        assert httpx.get(url, headers=readers[0], timeout=60).content == page
    assert all("more than 134,217,728 bytes of answers unread" in line for line in running.log), running.log


TINY = b"GET / HTTP/1.1\r\n\r\n"
QUEUES = {
    "tiny requests": TINY,
    "behind an answer that nobody takes": b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30 + TINY,
    "a few in front of a body": TINY * 9 + b"POST / HTTP/1.1\r\nContent-Length: 10000000000\r\n\r\n",
    "many in front of a body": TINY * 5000 + b"POST / HTTP/1.1\r\nContent-Length: 10000000000\r\n\r\n",
    "many headers": TINY * 9 + b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 50_000,
}


@pytest.mark.parametrize("takes", [False, True], ids=["none is taken", "all are taken"])
@pytest.mark.parametrize("first", QUEUES.values(), ids=QUEUES)
def test_requests_whose_answers_nobody_waits_for_fill_no_memory(server: Running, first: bytes, takes: bool) -> None:
    """Ten connections send what they can, while the server answers others at once."""
    megabytes = _megabytes(server)
    with ExitStack() as held, httpx.Client(base_url=server.url, timeout=30) as others:
        connections = [held.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(10)]
        sent = [first + TINY * (400_000 // len(TINY)) for _ in connections]
        waited = []
        begun = time.monotonic()
        while time.monotonic() - begun < 1.5:
            for number, connection in enumerate(connections):
                connection.setblocking(False)
                with suppress(BlockingIOError, ConnectionError):
                    count = connection.send(sent[number])
                    sent[number] = sent[number][count:] or TINY * 20_000
                with suppress(BlockingIOError, ConnectionError):
                    while takes and connection.recv(1 << 20):
                        pass
            asked = time.monotonic()
            others.get("/healthz").raise_for_status()
            waited.append(time.monotonic() - asked)
        assert max(waited) < 1
        assert _megabytes(server) - megabytes < 30


def _came(connection: socket.socket, bodies: bytes) -> bool:
    """Whether as much comes as these, with what is before them, and not the end of the connection."""
    count = 0
    while count <= len(bodies):
        data = connection.recv(1 << 20)
        if not data:
            return False
        count += len(data)
    return True


def _safetensors(count: int) -> bytes:
    """A file of so many tensors without elements: small, and much to read."""
    tensor = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"part.{number}": tensor for number in range(count)}).encode()
    return struct.pack("<Q", len(header)) + header


def test_of_many_tensors_some_are_told_at_a_time(server: Running, headers: dict[str, dict[str, str]]) -> None:
    pytest.importorskip("model_registry_pytorch", reason="needs a plugin that reads safetensors")
    with httpx.Client(base_url=f"{server.url}{API}", headers=headers["writer"], timeout=60) as client:
        query = {"name": "many", "filename": "m.safetensors"}
        client.post("/models/upload", params=query, content=_safetensors(10_001)).raise_for_status()
        first = client.get("/models/many/inside").json()
        rest = client.get("/models/many/inside", params={"start": 10_000}).json()
    assert (len(first["tensors"]), first["tensor_count"], first["nbytes"]) == (10_000, 10_001, 0)
    assert len(rest["tensors"]) == 1
    names = {tensor["name"] for tensor in first["tensors"] + rest["tensors"]}
    assert names == {f"part.{number}" for number in range(10_001)}
    through = ModelRegistry(server.url, token=headers["writer"]["Authorization"].removeprefix("Bearer "))
    assert {tensor.name for tensor in through.resolve("many").tensors} == names


def test_of_a_long_comparison_some_is_told_at_a_time(
    server: Running, folder: Path, headers: dict[str, dict[str, str]]
) -> None:
    pytest.importorskip("model_registry_pytorch", reason="needs a plugin that reads safetensors")
    sides = {"a": "fewer", "b": "more"}
    with httpx.Client(base_url=f"{server.url}{API}", headers=headers["writer"], timeout=60) as client:
        for name, count in (("fewer", 10_001), ("more", 10_003)):
            query = {"name": name, "filename": "m.safetensors"}
            client.post("/models/upload", params=query, content=_safetensors(count)).raise_for_status()
        first = client.get("/compare", params=sides).json()
        rest = client.get("/compare", params={**sides, "start": 10_000}).json()
    assert first["tensor_statuses"] == rest["tensor_statuses"] == {"identical": 10_001, "added": 2}
    assert (len(first["tensors"]), len(rest["tensors"]), rest["tensor_count"]) == (10_000, 3, 10_003)
    assert [tensor["status"] for tensor in rest["tensors"]] == ["identical", "added", "added"]
    assert (len(first["files"]), rest["files"]) == (first["file_count"], [])
    through = ModelRegistry(server.url, token=headers["writer"]["Authorization"].removeprefix("Bearer "))
    assert through.compare("fewer", "more").tensors == ModelRegistry(folder).compare("fewer", "more").tensors


def test_whoever_uploads_what_takes_long_to_read_holds_up_nobody_else(
    server: Running, headers: dict[str, dict[str, str]]
) -> None:
    pytest.importorskip("model_registry_pytorch", reason="needs a plugin that reads safetensors")
    slow, ended = _safetensors(10_000), threading.Semaphore(0)

    def upload(name: str, content: bytes, **query: str) -> None:
        who = headers["writer" if name.startswith("slow") else "other"]
        url, query = f"{server.url}{API}/models/upload", {"name": name, **query}
        httpx.post(url, params=query, content=content, headers=who, timeout=300).raise_for_status()

    def upload_slow(number: int) -> None:
        upload(f"slow{number}", slow, filename="m.safetensors")
        ended.release()

    with ThreadPoolExecutor(4) as pool:
        uploads = [pool.submit(upload_slow, number) for number in range(4)]
        assert ended.acquire(timeout=120)  # all others have come meanwhile
        upload("quick", b"x", format="opaque")
        assert sum(each.done() for each in uploads) <= 2
    assert all(each.result() is None for each in uploads)


def test_a_part_costs_the_same_of_however_many_files_its_upload_is(
    server: Running, headers: dict[str, dict[str, str]]
) -> None:
    def seconds(count: int) -> float:
        """What the quickest of some parts takes."""
        files = [{"path": str(number), "size": 1} for number in range(count)]
        upload = client.post("/uploads", json={"files": files}).json()["id"]
        taken = []
        for number in range(10):
            begun = time.monotonic()
            url = f"/uploads/{upload}/files/{number}"
            client.patch(url, content=b"x", headers={"Upload-Offset": "0"}).raise_for_status()
            taken.append(time.monotonic() - begun)
        client.delete(f"/uploads/{upload}").raise_for_status()
        return min(taken)

    with httpx.Client(base_url=f"{server.url}{API}", headers=headers["writer"], timeout=60) as client:
        few, many = seconds(10), seconds(10_000)
    assert many < 10 * few
