"""Connections, one at a time: what is read, what waits, and what becomes of answers that nobody takes."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from model_registry_server.listening.protocol import MOST_HEADERS, MOST_WAITING, PatientProtocol, patient
from model_registry_server.transfer.pace import Pace

#: By which a client may take nothing for two seconds.
PACE = Pace(0.1, 1_000_000)
#: Whether answers that come in pieces stop now.
STOPS = threading.Event()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers what its path says: a number of bytes, or nothing for a while, or pieces, then nothing more."""
    if scope["type"] == "lifespan":
        return
    what = scope["path"][1:]
    while what == "deaf" and not STOPS.is_set():
        await asyncio.sleep(0.01)
    await receive()
    if what == "asks":
        while True:  # as who wants to know whether somebody still waits
            with suppress(TimeoutError):
                if (await asyncio.wait_for(receive(), 0.01))["type"] == "http.disconnect":
                    return
    pieces = what in ("fails", "hangs")
    length = 1 << 30 if pieces else int(what)
    headers = [(b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while pieces:
        await send({"type": "http.response.body", "body": bytes(5000), "more_body": True})
        await asyncio.sleep(0.001)
        if STOPS.is_set() and what == "fails":
            raise RuntimeError("in the middle")
        if STOPS.is_set():
            await receive()
            return
    await send({"type": "http.response.body", "body": bytes(length)})


class Served:
    """A server in this process, of which it is seen what it keeps."""

    def __init__(self, listening: socket.socket) -> None:
        config = uvicorn.Config(
            application, http=patient(PACE), lifespan="off", log_config=None, timeout_graceful_shutdown=1
        )
        self.address = listening.getsockname()
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([listening],))

    def connected(self) -> tuple[socket.socket, PatientProtocol]:
        """Both ends of a connection of which the client takes nothing by itself."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(self.address)
        name = connection.getsockname()
        wait_for(lambda: any(each.client == name for each in self.ends()))
        return connection, next(each for each in self.ends() if each.client == name)

    def ends(self) -> list[PatientProtocol]:
        return [each for each in list(self.server.server_state.connections) if isinstance(each, PatientProtocol)]


@contextmanager
def running() -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)  # of its connections
        served = Served(listening)
        served.thread.start()
        try:
            yield served
        finally:
            served.server.should_exit = True
            served.thread.join()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with running() as served:
        yield served


def wait_for(done: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def get(path: str, headers: str = "") -> bytes:
    return f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()


def unsent(end: PatientProtocol) -> int:
    return end.transport.get_write_buffer_size()


def leave_some_unsent(connection: socket.socket, end: PatientProtocol, size: int = 20_000) -> None:
    """Ask until an answer is not sent wholly; the system keeps those before."""
    while not unsent(end):
        count = end.server_state.total_requests
        connection.sendall(get(f"{size}"))
        wait_for(lambda count=count: end.server_state.total_requests > count)
    assert unsent(end) <= size


@pytest.mark.parametrize("size", [20_000, 200_000], ids=["small", "large"])
@pytest.mark.parametrize("rest", [b"", b"GET / HT", b"\0junk\r\n\r\n"], ids=["nothing", "half a head", "junk"])
def test_nobody_holds_a_connection_by_a_little_that_is_unsent(served: Served, rest: bytes, size: int) -> None:
    connection, end = served.connected()
    with connection:
        leave_some_unsent(connection, end, size)
        begun = time.monotonic()
        connection.sendall(rest)
        wait_for(lambda: end not in served.ends(), seconds=10)
        assert time.monotonic() - begun > 1


@pytest.mark.parametrize(
    ("asked", "rest"), [("fails", b""), ("hangs", b"\0junk\r\n\r\n")], ids=["fails", "hangs, junk"]
)
def test_nor_by_an_answer_that_ends_in_the_middle(served: Served, asked: str, rest: bytes) -> None:
    STOPS.clear()
    connection, end = served.connected()
    with connection:
        connection.sendall(get(asked))
        wait_for(lambda: unsent(end))
        begun = time.monotonic()
        STOPS.set()
        connection.sendall(rest)
        wait_for(lambda: end not in served.ends(), seconds=10)
        assert time.monotonic() - begun > 1


def test_what_was_left_for_a_while_is_sent_to_who_takes_it_at_last(served: Served) -> None:
    connection, end = served.connected()
    with connection:
        leave_some_unsent(connection, end)
        connection.sendall(get("7", "Connection: close\r\n"))
        time.sleep(0.5)
        came = bytearray()
        while data := connection.recv(1 << 16):
            came += data
        assert came.count(b"HTTP/1.1 200 OK") == len(came) // 20_000 + 1
        assert came.endswith(b"\r\n\r\n" + bytes(7))


def test_who_takes_all_may_be_idle_in_between(served: Served) -> None:
    """Time counts as long as something is unsent, and no longer: here it would be too much after the third time."""
    connection, end = served.connected()
    with connection:
        for _ in range(3):
            leave_some_unsent(connection, end)
            connection.settimeout(0.2)
            with suppress(TimeoutError):
                while connection.recv(1 << 16):
                    pass
            connection.settimeout(20)
            time.sleep(1)
        assert end in served.ends()


def test_some_requests_may_wait(served: Served) -> None:
    connection, _ = served.connected()
    with connection:
        connection.sendall(get("100") * MOST_WAITING + get("7", "Connection: close\r\n"))
        came = bytearray()
        while data := connection.recv(1 << 16):
            came += data
        assert came.count(b"HTTP/1.1 200 OK") == MOST_WAITING + 1
        assert came.endswith(b"\r\n\r\n" + bytes(7))


def test_more_requests_at_once_end_the_connection(served: Served) -> None:
    connection, end = served.connected()
    with connection:
        connection.sendall(get("asks") + get("100") * (MOST_WAITING + 1))
        wait_for(lambda: end not in served.ends())
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_while_a_request_waits_nothing_more_is_read(served: Served) -> None:
    """Neither further requests, though there would be room for them, nor a body, however often somebody looks."""
    connection, end = served.connected()
    with connection:
        connection.sendall(get("asks") + b"POST /7 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
        wait_for(lambda: len(end.pipeline) == 1)
        connection.settimeout(1)
        with pytest.raises(TimeoutError):
            connection.sendall(bytes(100_000_000))
        assert len(end.cycle.body) <= 256 << 10


def test_who_leaves_is_noticed_when_no_request_waits_any_more(served: Served) -> None:
    STOPS.clear()
    connection, end = served.connected()
    with connection:
        connection.sendall(get("100") + get("deaf"))
        wait_for(lambda: end.cycle is not None and end.cycle.scope["path"] == "/deaf" and not end.pipeline)
    wait_for(lambda: end not in served.ends())
    STOPS.set()


@pytest.mark.parametrize(("count", "status"), [(MOST_HEADERS, b"200 OK"), (MOST_HEADERS + 1, b"400 Bad Request")])
def test_a_request_has_so_many_headers(served: Served, count: int, status: bytes) -> None:
    connection, _ = served.connected()
    with connection:
        connection.sendall(get("7", "a:\r\n" * (count - 1)))
        assert connection.recv(1 << 10).startswith(b"HTTP/1.1 " + status)
