"""A client in a process of its own: ``python http_load.py URL CLIENTS SECONDS`` asks again and again, at full speed.

It prints the requests a second, and the milliseconds within which half of them and 99 % were answered. It reads no more
of an answer than its length, so that it is never what is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

import uvloop


class Asking(asyncio.Protocol):
    """One client: asks anew as soon as it was answered."""

    def __init__(self, request: bytes, times: list[float]) -> None:
        self._request = request
        self._times = times
        self._buffer = b""
        self._wanted = 0
        self._seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        if not self._wanted:
            self._buffer += data
            head, found, _ = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._wanted = len(head) + 4 + int(length)
            self._seen = len(self._buffer)
        else:
            self._seen += len(data)
        if self._seen >= self._wanted:
            self._times.append(time.perf_counter() - self._begun)
            self._ask()

    def _ask(self) -> None:
        self._buffer, self._wanted = b"", 0
        self._begun = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]


async def load(url: str, clients: int, seconds: float) -> dict[str, float]:
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    loop, times = asyncio.get_running_loop(), []
    transports = []
    for _ in range(clients):
        transport, _ = await loop.create_connection(lambda: Asking(request, times), parts.hostname, parts.port)
        transports.append(transport)
    await asyncio.sleep(seconds / 5)
    times.clear()
    begun = time.perf_counter()
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - begun
    for transport in transports:
        transport.abort()
    ordered = sorted(times)
    return {
        "rate": len(times) / passed,
        "p50": ordered[len(ordered) // 2] * 1e3,
        "p99": ordered[int(len(ordered) * 0.99)] * 1e3,
    }


print(json.dumps(uvloop.run(load(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))))
