"""Bodies that are read whole take a bounded part of the memory, however many connections bring them."""

from __future__ import annotations

import select
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from running import serving, token

from model_registry import ModelRegistry
from model_registry_server.errors import TooManyRequestsError
from model_registry_server.limits.held import Held

API = "/model-registry"
_PIECE = 8_000_000


def test_a_caller_has_so_many_bytes_at_once_and_others_have_theirs() -> None:
    held = Held(10 << 20)
    with held.body("a") as first, held.body("a") as second, held.body("b") as third:
        first(6 << 20)
        with pytest.raises(TooManyRequestsError, match="you send more than 10 MiB"):
            second(5 << 20)
        second(4 << 20)
        third(10 << 20)
    with held.body("a") as again:
        again(10 << 20)


def test_bodies_that_do_not_end_leave_room_for_others(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    ModelRegistry(folder)
    greedy, other = (token(folder, name, role) for name, role in (("greedy", "writer"), ("other", "admin")))
    with serving(folder) as running, ExitStack() as connections:
        sending = []
        for _ in range(10):
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=30))
            head = f"POST {API}/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {greedy}\r\n"
            length = f"Content-Type: application/json\r\nContent-Length: {_PIECE + 1}\r\n\r\n"
            with suppress(OSError):  # refused while it is sent
                connection.sendall((head + length).encode() + b" " * _PIECE)
            sending.append(connection)
        deadline = time.monotonic() + 20
        while len(answered := select.select(sending, [], [], 1)[0]) < 2:
            assert time.monotonic() < deadline
        assert len(answered) == 2  # eight of them are 64 MB
        for connection in answered:
            with suppress(ConnectionError):  # the answer may be lost to who still sent
                assert connection.recv(12) == b"HTTP/1.1 429"
        headers = {"Authorization": f"Bearer {other}"}
        order = {"files": [{"path": "w", "size": 1}]}
        assert httpx.post(f"{running.url}{API}/uploads", headers=headers, json=order, timeout=30).status_code == 201
        resident = Path(f"/proc/{running.process.pid}/status").read_text().partition("VmRSS:")[2].split()[0]
        assert int(resident) < 250_000


def test_a_form_of_anybody_is_small(tmp_path: Path) -> None:
    with serving(tmp_path / "models") as running, httpx.Client(base_url=running.url, timeout=30) as client:
        assert client.post("/ui/language", data={"to": "zh", "next": "x" * 20_000}).status_code == 413
        assert client.post("/ui/language", data={"to": "zh", "next": "/ui/models"}).status_code == 303
