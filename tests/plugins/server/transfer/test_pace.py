"""Clients that are too slow, of bodies and of answers; and those that are slow, but fast enough."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from running import Running, serving

API = "/model-registry"
SIZE = 20_000_000
SECONDS = 1.0
RATE = 5_000
#: What a slow client sends or takes at once: many times as much as it must, because the machine may be busy.
PIECE = 4_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options = f"body_timeout = {SECONDS}\nbody_rate = {RATE}\nrate_limit = 0"
    with serving(tmp_path_factory.mktemp("pace") / "models", options=options) as running:
        query = {"name": "large", "format": "opaque"}
        httpx.post(f"{running.url}{API}/models/upload", params=query, content=os.urandom(SIZE)).raise_for_status()
        yield running


def connected(server: Running, *, window: int | None = None) -> socket.socket:
    connection = socket.socket()
    if window is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", server.port))
    return connection


def is_held(server: Running, connection: socket.socket) -> bool:
    """Whether the server has its end of a connection open still; what the system does with it is another matter."""
    ends = f":{server.port:04X}", f":{connection.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *rest = line.split()
        if (local[8:], remote[8:]) == ends:
            return rest[6] != "0"  # the inode
    return False


BODIES = {
    "a file": f"POST {API}/models/upload?name=m&format=opaque HTTP/1.1\r\nHost: localhost\r\n",
    "a form": f"POST {API}/models/upload HTTP/1.1\r\nHost: localhost\r\n"
    "Content-Type: multipart/form-data; boundary=-\r\n",
    "a document": f"POST {API}/parity HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
    "an upload's name": f"POST {API}/models/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
    "fields": "POST /ui/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n",
}


@pytest.mark.parametrize("head", BODIES.values(), ids=BODIES)
def test_a_body_that_trickles_is_ended(server: Running, head: str) -> None:
    with connected(server) as connection:
        begun = time.monotonic()
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode())
        connection.settimeout(0.05)
        answer = b""
        while not answer:
            assert time.monotonic() - begun < 20
            connection.sendall(b"-")
            with suppress(TimeoutError):
                answer = connection.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert time.monotonic() - begun >= SECONDS


def test_a_body_that_is_slow_but_steady_is_taken(server: Running) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield os.urandom(PIECE)
            time.sleep(0.1)

    query = {"name": "steady", "format": "opaque"}
    begun = time.monotonic()
    response = httpx.post(f"{server.url}{API}/models/upload", params=query, content=pieces(), timeout=60)
    assert response.status_code == 201, response.text
    assert time.monotonic() - begun > 2 * SECONDS


DOWNLOAD = f"GET {API}/models/large/download HTTP/1.1\r\nHost: localhost\r\n"
ANSWERS = {
    "a file": f"{DOWNLOAD}\r\n",
    "a file, the last answer": f"{DOWNLOAD}Connection: close\r\n\r\n",
    "many documents": "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200,
}


@pytest.mark.parametrize("requests", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_of_which_almost_nothing_is_taken_is_ended(server: Running, requests: str) -> None:
    with connected(server, window=4096) as connection:
        begun = time.monotonic()
        connection.sendall(requests.encode())
        connection.recv(1)
        while is_held(server, connection):
            assert time.monotonic() - begun < 20
            connection.recv(1)
            time.sleep(0.1)
        assert time.monotonic() - begun >= SECONDS


def test_an_answer_that_is_taken_slowly_but_steadily_is_sent(server: Running) -> None:
    """As much as the system keeps for a connection takes many times the time-out to be taken at this rate."""
    with connected(server, window=8192) as connection:
        connection.sendall(f"{DOWNLOAD}\r\n".encode())
        begun, came = time.monotonic(), 0
        while time.monotonic() - begun < 8 * SECONDS:
            data = connection.recv(PIECE)
            assert data, f"ended after {came:,} bytes"
            came += len(data)
            time.sleep(0.05)
        assert came < SIZE // 4
        connection.settimeout(5)
        while data := connection.recv(1 << 20):
            came += len(data)
            if came > SIZE:
                break
        assert came > SIZE
