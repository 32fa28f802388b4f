"""What one caller can hold of a server, so that enough is left for all others."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
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
    """Of two readers."""
    return {name: {"Authorization": f"Bearer {token(folder, name, 'reader')}"} for name in ("a", "b")}


@pytest.fixture(scope="module")
def server(folder: Path, headers: dict[str, dict[str, str]]) -> Iterator[Running]:
    with serving(folder) as running:
        yield running


def _not_taken(running: Running, headers: dict[str, str]) -> socket.socket:
    """A download of which only the beginning is taken."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", running.port))
    said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.sendall(f"GET {API}/models/m/download HTTP/1.1\r\nHost: localhost\r\n{said}\r\n".encode())
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
        connections = [held.enter_context(_not_taken(server, headers["a"])) for _ in range(64)]
        refused = httpx.get(url, headers=headers["a"], timeout=30)
        assert refused.status_code == 429
        assert refused.json()["detail"] == "you have 64 downloads under way"
        assert 0 < int(refused.headers["retry-after"]) < 10
        assert httpx.head(url, headers=headers["b"], timeout=30).status_code == 200
        assert _descriptors(server) - descriptors <= 2 * 64 + 10
        assert _megabytes(server) - megabytes < 1.5 * 64
        connections[0].close()
        deadline = time.monotonic() + 20
        while httpx.head(url, headers=headers["a"], timeout=30).status_code == 429:
            assert time.monotonic() < deadline
