"""A server among bad neighbours: clients that are slow, broken or many, and a machine that stops in the middle."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import statistics
import threading
import time
from collections.abc import Awaitable
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from running import serving, start

from model_registry import ModelRegistry

API = "/model-registry"
UPLOADS = 50
CONNECTIONS = 10_000
#: Megabytes of the serving process among so many connections. It has 80 before the first one, then about 5 kB for each
#: connection, and 35 kB for each request under way: 205 to 215 were measured.
MOST_MEMORY = 300


def test_fifty_uploads_and_a_server_that_is_killed_leave_nothing_broken(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    acknowledged: dict[int, str] = {}
    bodies = [os.urandom(2 << 20) for _ in range(UPLOADS)]
    running = start(folder)

    def upload(number: int) -> None:
        with suppress(httpx.HTTPError):
            response = httpx.post(
                f"{running.url}{API}/models/upload",
                params={"name": f"m{number}", "format": "opaque"},
                content=bodies[number],
                timeout=60,
            )
            if response.status_code == 201:
                acknowledged[number] = response.json()["digest"]

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(UPLOADS)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while len(acknowledged) < UPLOADS // 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    running.stop(signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert UPLOADS // 4 <= len(acknowledged) < UPLOADS  # it was in the middle
    with serving(folder) as again, httpx.Client(base_url=f"{again.url}{API}", timeout=60) as http:
        for number, digest in acknowledged.items():
            assert http.get(f"/models/m{number}").json()["digest"] == digest
            assert http.get(f"/models/m{number}/download").content == bodies[number]
        report = http.get("/validate", params={"deep": True}, headers={"Prefer": "wait=60"}).json()
        assert report["errors"] == []
        for number in sorted(set(range(UPLOADS)) - acknowledged.keys()):
            query = {"name": f"m{number}", "format": "opaque", "exist_ok": "true", "version": "1.0.0"}
            assert http.post("/models/upload", params=query, content=bodies[number]).status_code == 201
        assert list((folder / "server" / "incoming").iterdir()) == []
    registry = ModelRegistry(folder)
    registry.collect_garbage(0)
    assert list((folder / "staging").iterdir()) == []
    assert registry.validate_registry(deep=True)["findings"] == []


BEGINNINGS = [
    b"",
    b"GET ",
    b"GET /model-registry/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST /model-registry/models/upload?name=slow&format=opaque HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Length: 1000000\r\n\r\nx",
    b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
]


async def hold(port: int, count: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connections that begin requests and never end them, each in a way of its own."""
    held = []
    for start_at in range(0, count, 200):
        opened = await asyncio.gather(
            *(
                asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
                for _ in range(start_at, min(start_at + 200, count))
            )
        )
        for number, (reader, writer) in enumerate(opened):
            writer.write(BEGINNINGS[number % len(BEGINNINGS)])
            held.append((reader, writer))
    return held


def test_slow_and_broken_connections_stop_nobody_else(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CONNECTIONS + 1000:
        pytest.skip(f"this machine lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CONNECTIONS + 1000), hard))
    options = "body_timeout = 5\nrate_limit = 0"
    try:
        with serving(tmp_path / "models", options=options) as running:
            waited = asyncio.run(_among_others(running.url, running.port))
            assert statistics.median(waited) < 5, sorted(waited)
            status = Path(f"/proc/{running.process.pid}/status").read_text()
            peak = int(status.partition("VmHWM:")[2].split()[0]) / 1000
            assert peak < MOST_MEMORY, f"{peak} MB"
            deadline = time.monotonic() + 60  # whoever left is forgotten
            while len(os.listdir(f"/proc/{running.process.pid}/fd")) > 200 and time.monotonic() < deadline:
                time.sleep(0.2)
            assert len(os.listdir(f"/proc/{running.process.pid}/fd")) <= 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _among_others(url: str, port: int) -> list[float]:
    """Seconds that each of some requests took, while the others send a byte a second."""
    held = await hold(port, CONNECTIONS)
    trickling = asyncio.ensure_future(trickle(held))
    waited: list[float] = []

    async def asked(request: Awaitable[httpx.Response]) -> httpx.Response:
        begun = time.perf_counter()
        response = await request
        waited.append(time.perf_counter() - begun)
        return response

    try:
        async with httpx.AsyncClient(base_url=f"{url}{API}", timeout=60) as http:
            for number in range(15):
                query = {"name": f"m{number}", "format": "opaque"}
                sent = await asked(http.post("/models/upload", params=query, content=b"x" * 100_000))
                assert sent.status_code == 201, sent.text
                assert (await asked(http.get(f"/models/m{number}/download"))).content == b"x" * 100_000
                listed = (await asked(http.get("/models"))).json()["versions"]
                assert len(listed) == number + 1
    finally:
        trickling.cancel()
        for _, writer in held:
            writer.transport.abort()
        await asyncio.sleep(0.1)
    return waited


async def trickle(held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    """Send a byte of each request a second."""
    while True:
        await asyncio.sleep(1)
        for number, (_, writer) in enumerate(held):
            if number % len(BEGINNINGS) and not writer.transport.is_closing():
                writer.write(b"x")
            if number % 500 == 0:
                await asyncio.sleep(0)


def connected(port: int, address: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0))


def is_refused(port: int, address: str) -> bool:
    """Whether a connection from an address, all of which are of this machine, is closed at once."""
    with connected(port, address) as connection:
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return connection.recv(1) == b""
        except ConnectionError:
            return True


def wait_until_taken(port: int, address: str) -> None:
    deadline = time.monotonic() + 10
    while is_refused(port, address):
        assert time.monotonic() < deadline, "nobody gets in any more"
        time.sleep(0.01)


def test_more_connections_than_may_be_are_closed_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "models", options="max_connections = 10") as running, ExitStack() as held:
        for address in ("127.0.0.1", "127.0.0.2"):
            for _ in range(5):
                last = held.enter_context(connected(running.port, address))
        assert is_refused(running.port, "127.0.0.3")
        last.close()
        wait_until_taken(running.port, "127.0.0.3")


def test_one_address_leaves_a_quarter_of_the_connections(tmp_path: Path) -> None:
    with serving(tmp_path / "models", options="max_connections = 10") as running, ExitStack() as held:
        for _ in range(7):
            last = held.enter_context(connected(running.port, "127.0.0.2"))
        for _ in range(3):
            assert is_refused(running.port, "127.0.0.2")
            assert not is_refused(running.port, "127.0.0.1")
        last.close()
        wait_until_taken(running.port, "127.0.0.2")
    hint = "a proxy belongs into proxies of [plugins.server]"
    assert running.log == [f"warning: 127.0.0.2 has 7 connections, and gets no more; {hint}\n"]


@pytest.mark.parametrize("proxy", ["127.0.0.2", "127.0.0.0/30"])
def test_a_proxy_has_as_many_connections_as_there_are(tmp_path: Path, proxy: str) -> None:
    options = f'max_connections = 10\nproxies = ["::1", "{proxy}"]'
    with serving(tmp_path / "models", options=options) as running, ExitStack() as held:
        for _ in range(9):
            held.enter_context(connected(running.port, "127.0.0.2"))
        assert not is_refused(running.port, "127.0.0.2")
        assert running.log == []


def test_a_body_that_stops_coming_is_given_up(tmp_path: Path) -> None:
    with serving(tmp_path / "models", options="body_timeout = 1") as running:
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
            target = f"{API}/models/upload?name=m&format=opaque"
            connection.sendall(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx".encode())
            answer = connection.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 408")
        assert list((tmp_path / "models" / "server" / "incoming").iterdir()) == []


def test_a_client_that_leaves_is_no_failure_of_the_server(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with serving(folder) as running:
        for head in (f"POST {API}/models/upload?name=m&format=opaque", f"POST {API}/parity"):
            with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
                length = "Content-Type: application/json\r\n" if "parity" in head else ""
                connection.sendall(f"{head} HTTP/1.1\r\nHost: localhost\r\n{length}Content-Length: 9\r\n\r\nx".encode())
                deadline = time.monotonic() + 20
                while "upload" in head and not list(folder.glob("server/incoming/*/0")):
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
    assert running.log == []


def test_a_second_server_of_the_same_registry_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "models"), pytest.raises(AssertionError, match="another server serves this registry"):
        start(tmp_path / "models")


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with serving(tmp_path / "a") as running, pytest.raises(AssertionError) as caught:
        start(tmp_path / "b", port=running.port)
    assert f"error: cannot listen at 127.0.0.1:{running.port}" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_server_that_is_told_to_stop_lets_requests_end(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    running = start(folder)
    body = os.urandom(1 << 20)
    done: list[httpx.Response] = []

    def slowly() -> None:
        def chunks():  # type: ignore[no-untyped-def]
            for start_at in range(0, len(body), 1 << 17):
                yield body[start_at : start_at + (1 << 17)]
                time.sleep(0.1)

        query = {"name": "m", "format": "opaque"}
        done.append(httpx.post(f"{running.url}{API}/models/upload", params=query, content=chunks(), timeout=30))

    thread = threading.Thread(target=slowly)
    thread.start()
    time.sleep(0.3)
    code = running.stop()
    thread.join()
    assert code in (0, -signal.SIGTERM)
    assert [response.status_code for response in done] == [201]
    assert ModelRegistry(folder).resolve("m").verify_integrity()
