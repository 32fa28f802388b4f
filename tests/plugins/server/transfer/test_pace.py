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

from model_registry import ModelRegistry
from model_registry_server.listening.lag import longest_silence
from model_registry_server.transfer.pace import Pace

API = "/model-registry"
#: Of bodies.
SECONDS = 0.3
#: Of answers. The seconds are less than a client needs for what it takes before any of it shows.
PACE = Pace(0.05, 1_500_000)
#: More than what a client takes fast, what the system keeps for a connection, and what the client takes slowly then.
SIZE = 120 << 20
GIVEN_UP = "an answer to 127.0.0.1 was given up"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options = f"body_timeout = {SECONDS}\nbody_rate = 5000\nrate_limit = 0"
    with serving(tmp_path_factory.mktemp("pace") / "models", options=options) as running:
        yield running


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of a large file, to clients that take it."""
    folder = tmp_path_factory.mktemp("answers")
    (folder / "large").write_bytes(os.urandom(1 << 20) * (SIZE >> 20))
    ModelRegistry(folder / "models").register_model("large", folder / "large", "opaque")
    options = f"body_timeout = {PACE.seconds}\nbody_rate = {PACE.rate}\nrate_limit = 0"
    with serving(folder / "models", options=options) as running:
        yield running
    assert all(GIVEN_UP in line for line in running.log), "".join(running.log)


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


def test_a_body_that_is_slow_but_steady_is_taken(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(25):
            yield os.urandom(2_000)  # as much as must come within the time-out
            time.sleep(0.1)

    with serving(tmp_path / "models", options="body_timeout = 1\nbody_rate = 2000") as running:
        query = {"name": "steady", "format": "opaque"}
        begun = time.monotonic()
        response = httpx.post(f"{running.url}{API}/models/upload", params=query, content=pieces(), timeout=60)
        assert response.status_code == 201, response.text
        assert time.monotonic() - begun > 2


DOWNLOAD = f"GET {API}/models/large/download HTTP/1.1\r\nHost: localhost\r\n"
ANSWERS = {
    "a file": f"{DOWNLOAD}\r\n",
    "a file, the last answer": f"{DOWNLOAD}Connection: close\r\n\r\n",
}


@pytest.mark.parametrize("requests", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_of_which_almost_nothing_is_taken_is_ended(sender: Running, requests: str) -> None:
    lines = len(sender.log)
    with connected(sender, window=4096) as connection:
        begun = time.monotonic()
        connection.sendall(requests.encode())
        connection.recv(1)
        while is_held(sender, connection) or len(sender.log) == lines:
            assert time.monotonic() - begun < 20
            with suppress(ConnectionResetError):
                connection.recv(1)
            time.sleep(0.1)
        assert time.monotonic() - begun >= longest_silence(PACE)


def take(connection: socket.socket, bytes_a_second: int, seconds: float) -> int:
    """Take an answer evenly; the bytes that came."""
    came, begun, passed = 0, time.monotonic(), 0.0
    while passed < seconds:
        passed = time.monotonic() - begun
        while came < passed * bytes_a_second:
            data = connection.recv(16 << 10)
            assert data, f"ended after {came:,} bytes"
            came += len(data)
        time.sleep(0.01)
    return came


def test_an_answer_that_is_taken_at_less_than_the_rate_is_ended(sender: Running) -> None:
    """In no time-out does so little come that this alone would end it."""
    lines = len(sender.log)
    with connected(sender) as connection:
        connection.sendall(f"{DOWNLOAD}\r\n".encode())
        begun = time.monotonic()
        while is_held(sender, connection) or len(sender.log) == lines:
            assert time.monotonic() - begun < 20
            with suppress(ConnectionResetError):
                take(connection, 500_000, 0.1)
        assert time.monotonic() - begun >= longest_silence(PACE)


@pytest.mark.parametrize(("window", "fast"), [(None, 60_000_000), (64 << 10, 0)], ids=["as usual", "small"])
def test_an_answer_that_is_taken_slowly_but_steadily_is_sent(sender: Running, window: int | None, fast: int) -> None:
    """After a fast beginning, the client's system tells of what was taken in steps of megabytes."""
    with connected(sender, window=window) as connection:
        connection.sendall(f"{DOWNLOAD}\r\n".encode())
        came = 0
        while came < fast:
            came += len(connection.recv(1 << 20))
        came += take(connection, 2_000_000, 4)
        assert came < SIZE - (40 << 20), "the rest was with the client's system already"
        while came < SIZE:
            data = connection.recv(1 << 20)
            assert data, f"ended after {came:,} bytes"
            came += len(data)
