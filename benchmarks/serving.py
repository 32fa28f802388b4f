"""The server beside bare ones that do nothing else, over loopback, each in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import catalog
import httpx
from measuring import Scale, paired
from table import Row, milliseconds, share

from model_registry import ModelRegistry

TITLE = "The server"
_HERE = Path(__file__).parent
_CLIENTS = 50


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    """The rows."""
    data = folder / "download"
    with data.open("wb") as file:
        for _ in range(scale.mebibytes):
            file.write(os.urandom(1 << 20))
    registry = ModelRegistry(folder / "models", backup_enabled=False)
    registry.register_model("large", data, "opaque")
    yield from _starting(folder, scale)
    with ours(folder / "models") as (url, process), bare(folder) as floor:
        yield Row("idle: memory", f"{_megabytes(process):.0f} MB", "≤ 80 MB", _megabytes(process) <= 80)
        yield from _downloading(url, floor, scale)
        yield from _uploading(url, floor, data, scale)
        peak = _megabytes(process, peak=True)
        yield Row("… memory of the server meanwhile, at most", f"{peak:.0f} MB", "≤ 150 MB", peak <= 150)
    yield from _listing(folder, scale)


def _starting(folder: Path, scale: Scale) -> Iterator[Row]:
    def once() -> float:
        begun = time.perf_counter()
        with ours(folder / "models") as (url, _):
            httpx.get(f"{url}/readyz").raise_for_status()
            return time.perf_counter() - begun

    yield milliseconds(
        "start until ready, with every plugin installed", median(once() for _ in range(scale.pairs)), 1500
    )


def _downloading(url: str, floor: str, scale: Scale) -> Iterator[Row]:
    target = f"{url}/model-registry/models/large/download"
    _receive(target)  # once: every byte is verified
    pairs = paired(lambda: _receive(target), lambda: _receive(f"{floor}/download"), scale.pairs)
    speed = scale.mebibytes * 1.048576 / pairs.ours
    yield share(
        f"download of {scale.mebibytes} MiB ({speed:,.0f} MB/s): speed ÷ bare ASGI, 1 MiB chunks", 1 / pairs.ratio, 0.5
    )


def _uploading(url: str, floor: str, data: Path, scale: Scale) -> Iterator[Row]:
    query = "format=opaque&filename=w.bin&name="
    number = iter(range(1 << 30))

    def ours() -> None:
        with data.open("r+b") as file:  # other bytes each time: what is stored already would not be written
            file.write(os.urandom(1 << 20))
        _send(f"{url}/model-registry/models/upload?{query}sent{next(number)}", data)

    def theirs() -> None:
        with data.open("r+b") as file:
            file.write(os.urandom(1 << 20))
        _send(f"{floor}/upload", data)

    _send(f"{url}/model-registry/models/upload?{query}warm", data)
    pairs = paired(ours, theirs, scale.pairs)
    speed = scale.mebibytes * 1.048576 / pairs.ours
    what = f"upload of {scale.mebibytes} MiB, registered and durable ({speed:,.0f} MB/s): speed ÷ hash and write alone"
    yield share(what, 1 / pairs.ratio, 0.8)


def _listing(folder: Path, scale: Scale) -> Iterator[Row]:
    count = next((size for size in scale.versions if size >= 10_000), scale.versions[-1])
    registry = ModelRegistry(folder / "many", backup_enabled=False)
    catalog.grow(registry, catalog.Rows(catalog.document(folder)), 0, count)
    seconds = 3.0 if scale.pairs > 1 else 0.3
    with ours(folder / "many") as (url, _):
        target = f"{url}/model-registry/models?limit=50"
        (folder / "list").write_bytes(httpx.get(target).content)
        with bare(folder) as floor:
            rates = [(_load(target, seconds), _load(f"{floor}/list", seconds)) for _ in range(scale.pairs)]
    rate = median(mine["rate"] for mine, _ in rates)
    what = f"{count:,} versions, the first page ({rate:,.0f} a second): ÷ a bare route that gives the same bytes"
    yield share(what, median(mine["rate"] / theirs["rate"] for mine, theirs in rates), 0.5)
    yield milliseconds(f"… answered within, 99 % of {_CLIENTS} clients", median(m["p99"] for m, _ in rates) / 1e3, 40)


@contextmanager
def ours(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Our server of a registry: its address, and its process."""
    command = [sys.executable, "-m", "model_registry", "--registry", str(folder), "serve", "--port", "0"]
    # Every request comes from one address, which nobody bounds here.
    config = folder.with_suffix(".toml")
    config.write_text("[plugins.server]\nrate_limit = 0\n", encoding="utf-8")
    environ = {**os.environ, "MODEL_REGISTRY_CONFIG": str(config)}
    with _served(command, environ) as served:
        yield served


@contextmanager
def bare(folder: Path) -> Iterator[str]:
    """The address of the bare server."""
    with _served([sys.executable, str(_HERE / "bare_server.py"), str(folder)], dict(os.environ)) as (url, _):
        yield url


@contextmanager
def _served(command: list[str], environ: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split(" at ")[1].strip(), process
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _receive(url: str) -> None:
    """Read an answer to its end, into memory that is used again."""
    with _asked(url, "GET") as connection:
        buffer, seen, wanted = bytearray(1 << 20), 0, None
        head = b""
        while wanted is None or seen < wanted:
            count = connection.recv_into(buffer)
            assert count
            seen += count
            if wanted is None:
                head += bytes(buffer[:count])
                begin, found, _ = head.partition(b"\r\n\r\n")
                if found:
                    assert begin.startswith(b"HTTP/1.1 200"), begin
                    wanted = len(begin) + 4 + int(begin.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])


def _send(url: str, path: Path) -> None:
    """Send a file by the system itself, so that the client is not what is measured."""
    size = path.stat().st_size
    with _asked(url, "POST", f"Content-Length: {size}\r\nContent-Type: application/octet-stream\r\n") as connection:
        with path.open("rb") as file:
            connection.sendfile(file)
        answer = connection.recv(1 << 16)
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")), answer


@contextmanager
def _asked(url: str, method: str, headers: str = "") -> Iterator[socket.socket]:
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    with socket.create_connection((str(parts.hostname), int(parts.port or 80))) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}\r\n".encode())
        yield connection


def _load(url: str, seconds: float) -> dict[str, float]:
    command = [sys.executable, str(_HERE / "http_load.py"), url, str(_CLIENTS), str(seconds)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def _megabytes(process: subprocess.Popen[str], *, peak: bool = False) -> float:
    """Resident memory of the server itself, without its workers."""
    key = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(key))
