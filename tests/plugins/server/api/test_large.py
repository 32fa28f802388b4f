"""One caller who sends much, or asks for much: others are answered meanwhile, and the server's memory stays small."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi import Request
from running import Running, serving, token
from starlette.types import Message

from model_registry import ModelRegistry
from model_registry_server.api.bodies import MOST_BYTES, bounded
from model_registry_server.transfer.pace import USUAL

API = "/model-registry"
#: Seconds in which others must be answered, on a machine that has much else to do.
PATIENCE = 2.0
#: Megabytes that the server may take more.
MORE = 250


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large") / "models"
    (folder.parent / "f").write_bytes(b"x")
    ModelRegistry(folder).register_model("m", folder.parent / "f", "opaque")
    return folder


@pytest.fixture(scope="module")
def tokens(folder: Path) -> dict[str, str]:
    return {role: token(folder, role, role) for role in ("reader", "writer", "admin")}


@pytest.fixture(scope="module")
def server(folder: Path, tokens: dict[str, str]) -> Iterator[Running]:
    with serving(folder, options="rate_limit = 0") as running:
        yield running


@pytest.fixture
def client(server: Running, tokens: dict[str, str]) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {tokens['writer']}", "Content-Type": "application/json"}
    with httpx.Client(base_url=f"{server.url}{API}", headers=headers, timeout=60) as client:
        yield client


@contextmanager
def little_is_taken(server: Running) -> Iterator[None]:
    """Fails if others had to wait while the block ran, or the server took much memory."""
    longest, over = 0.0, threading.Event()

    def ask() -> None:
        nonlocal longest
        with httpx.Client(base_url=server.url, timeout=60) as other:
            while not over.is_set():
                begun = time.monotonic()
                assert other.get("/healthz").status_code == 200
                longest = max(longest, time.monotonic() - begun)

    process = Path(f"/proc/{server.process.pid}")
    (process / "clear_refs").write_text("5")  # the peak begins anew
    before = _megabytes(process, "VmRSS")
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()
    assert longest < PATIENCE
    assert _megabytes(process, "VmHWM") < before + MORE


def _megabytes(process: Path, name: str) -> float:
    return int((process / "status").read_text().partition(f"{name}:")[2].split()[0]) / 1000


def _numbered(count: int) -> str:
    return "{" + ",".join(f'"{number}":1' for number in range(count)) + "}"


def test_many_unknown_fields(server: Running, client: httpx.Client) -> None:
    with little_is_taken(server):
        assert client.post("/parity", content=_numbered(600_000)).status_code == 413
        few = client.post("/parity", content=_numbered(20_000))
    assert few.status_code == 422
    assert few.json()["detail"] == "body: has 20002 fields or items that are not as they must be"
    assert few.json()["hint"].startswith("send application/json, such as")


@pytest.mark.parametrize("sign", ["[]", "{}", "1"])
def test_many_values(server: Running, client: httpx.Client, sign: str) -> None:
    body = '{"blobs": {}, "x": [' + ",".join([sign] * 2_000_000) + "]}"
    for path in ("/models/m/missing", "/models/upload"):
        with little_is_taken(server):
            response = client.post(path, content=body)
        assert (response.status_code, response.json()["detail"]) == (413, "the body has more than 250,000 values")


@pytest.mark.parametrize(
    "values",
    [["1.2345678901234567890123456789"] * 249_000, ["9" * 4300] * 1_900, ['"' + r"\n" * 4_190_000 + '"']],
    ids=["many", "long numbers", "long text"],
)
def test_as_much_as_may_come(server: Running, client: httpx.Client, values: list[str]) -> None:
    body = '{"upload": "' + "0" * 32 + '", "name": "said", "metadata": {"x": [' + ",".join(values) + "]}}"
    with little_is_taken(server):
        answers = [client.post("/models/upload", content=body) for _ in range(3)]
    assert [answer.json()["error"] for answer in answers] == ["UploadNotFoundError"] * 3


def test_what_may_come_is_parsed_while_all_threads_wait_for_the_disk() -> None:
    body = {"x": "x" * (MOST_BYTES - 100)}

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps(body).encode()}

    async def parsed() -> Any:
        threads = current_default_thread_limiter()
        for number in range(int(threads.total_tokens)):
            threads.acquire_on_behalf_of_nowait(number)
        request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
        return await asyncio.wait_for(bounded(request, USUAL, lambda count: None).json(), 20)

    assert asyncio.run(parsed()) == body


def test_many_bad_digests(server: Running, client: httpx.Client) -> None:
    with little_is_taken(server):
        refused = client.post("/models/m/missing", content='{"blobs": ' + _numbered(100_000) + "}")
    assert refused.status_code == 422
    assert "100000 fields or items" in refused.json()["detail"]


def test_many_digests_are_looked_for(server: Running, client: httpx.Client) -> None:
    blobs = {f"{number:064x}": number for number in range(100_000)}
    with little_is_taken(server):
        found = client.post("/models/m/missing", json={"blobs": blobs})
    assert found.json()["missing"] == sorted(blobs)


def test_some_mistakes_are_told_one_by_one(client: httpx.Client) -> None:
    body = {"blobs": {"x" * 1000: 1, "0" * 64: -1}}
    told = client.post("/models/m/missing", json=body).json()
    assert told["facts"]["fields"] == [f"body.blobs.{'x' * 1000}"[:200], f"body.blobs.{'0' * 64}"]


def test_much_metadata(server: Running, client: httpx.Client) -> None:
    with little_is_taken(server):
        body = {"upload": _uploaded(client), "name": "said", **dict.fromkeys(map(str, range(100_000)), 1)}
        fields = client.post("/models/upload", json=body)
        query = "&".join(f"formatt{number}=1" for number in range(3000))
        parameters = client.post(f"/models/upload?name=said&{query}", content=b"x", headers={"Content-Type": "x/y"})
    for refused in (fields, parameters):
        assert refused.status_code == 422, refused.text
        assert refused.json()["detail"] == "the fields: there are more than 1,000"
    metadata = dict.fromkeys(map(str, range(100_000)), 1)
    body = {"upload": _uploaded(client), "name": "said", "format": "opaque", "metadata": {"x": metadata}}
    with little_is_taken(server):
        made = client.post("/models/upload", json=body)
    assert made.status_code == 201, made.text
    client.delete("/models/said").raise_for_status()


def _uploaded(client: httpx.Client) -> str:
    upload: dict[str, Any] = client.post("/uploads", json={"files": [{"path": "w", "size": 1}]}).json()
    client.patch(f"/uploads/{upload['id']}/files/0", content=b"x", headers={"Upload-Offset": "0"}).raise_for_status()
    return str(upload["id"])


def test_a_history_of_long_descriptions(server: Running, client: httpx.Client) -> None:
    for number in range(60):
        body = {"description": f"{number:06}" + "中" * 99_994}
        client.put("/models/m/description", json=body).raise_for_status()
    for path in ("/history", "/models/m/history"):
        told, before = [], {}
        with little_is_taken(server):
            while before is not None:
                answer = client.get(path, params={"limit": 1000, **before})
                assert len(answer.content) < 5 << 20
                page = answer.json()
                told += [event["after"][:6] for event in page["events"] if event["action"].startswith("describe")]
                assert page["more"] == (page["cursor"] is not None)
                before = {"before": page["cursor"]} if page["more"] else None
        assert told == [f"{number:06}" for number in reversed(range(60))]


def test_pages_of_a_history_that_nobody_reads(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    (tmp_path / "f").write_bytes(b"x")
    registry.register_model("m", tmp_path / "f", "opaque")
    for number in range(100):
        registry.describe("m", f"{number:06}" + "中" * 99_994)
    request = f"GET {API}/history?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with serving(tmp_path / "models") as running, little_is_taken(running), ExitStack() as opened:
        connections = [
            opened.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=60)) for _ in range(20)
        ]
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            assert connection.recv(12) == b"HTTP/1.1 200"  # it has been made, and is held


def test_a_history_has_pages_of_as_many_events_as_are_asked_for(client: httpx.Client) -> None:
    for number in range(8):
        client.put("/models/m/tags/k", json={"value": str(number)}).raise_for_status()
    ids = [event["id"] for event in client.get("/models/m/history", params={"limit": 8}).json()["events"]]
    assert len(ids) == 8
    first = client.get("/models/m/history", params={"limit": 5}).json()
    assert ([event["id"] for event in first["events"]], first["cursor"]) == (ids[:5], ids[4])
    rest = client.get("/models/m/history", params={"limit": 3, "before": first["cursor"]}).json()
    assert [event["id"] for event in rest["events"]] == ids[5:]


def test_a_job_is_given_little(client: httpx.Client) -> None:
    response = client.post("/models/m/convert", json={"to": "onnx", "options": {"x": "x" * 100_000}})
    assert response.status_code == 422
    assert response.json()["detail"] == "a job may be given 65,536 characters"


def test_jobs_with_large_arguments_errors_and_results(folder: Path, server: Running, client: httpx.Client) -> None:
    job = client.post("/models/m/convert", json={"to": "nothing"}, headers={"Prefer": "wait=30"}).json()
    assert client.get("/jobs").json()["jobs"][0]["arguments"]["to"] == "nothing"
    large = json.dumps({"type": "StorageError", "message": "x" * 4_000_000, "hint": "", "facts": {}})
    columns = "kind, models, actor, owner, state, created_at, finished_at"
    with closing(sqlite3.connect(folder / "server/state.sqlite", isolation_level=None)) as db:
        for number in range(40):
            db.execute(
                f"INSERT INTO jobs (id, arguments, error, result, {columns})"
                f" SELECT ?, ?, ?, ?, {columns} FROM jobs WHERE id = ?",
                (f"{number:016}", large, large, large, job["id"]),
            )
    with little_is_taken(server):
        listed = client.get("/jobs", params={"limit": 500})
        page = httpx.get(f"{server.url}/ui/jobs", headers=dict(client.headers), timeout=60)
        whole = client.get(f"/jobs/{7:016}").json()
    assert len(listed.json()["jobs"]) == 41
    assert len(listed.content) < 100_000
    assert page.text.count("<tr data-id=") == 41
    assert len(whole["arguments"]["message"]) == len(whole["result"]["message"]) == 4_000_000


def test_versions_with_long_descriptions(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    (tmp_path / "f").write_bytes(b"x")
    for number in range(60):
        entry = registry.register_model("m", tmp_path / "f", "opaque", version=f"1.0.{number}")
        registry.describe("m", "中" * 100_000, entry.version)
    with serving(tmp_path / "models") as running, httpx.Client(base_url=f"{running.url}{API}", timeout=60) as client:
        for path in ("/models", "/models/m/versions", "/search"):
            seen, after = [], {}
            while after is not None:
                answer = client.get(path, params={"limit": 1000, **after})
                assert len(answer.content) < 5 << 20
                page = answer.json()
                seen += [version["version"] for version in page["versions"]]
                after = {"after": page["cursor"]} if page["cursor"] else None
            assert sorted(seen) == sorted(f"1.0.{number}" for number in range(60))


@pytest.fixture(scope="module")
def much_said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of versions of which much is said, behind some of which little is."""
    folder = tmp_path_factory.mktemp("said") / "models"
    registry = ModelRegistry(folder)
    (folder.parent / "f").write_bytes(b"x")
    more = {"model": folder.parent / "f", "model_format": "opaque"}
    registry.register_many([{"name": f"a/{n:03}", **more} for n in range(120)], progress=False).raise_for_failures()
    for _ in range(300):
        registry.register_model("m", more["model"], "opaque", notes="x" * 1_000_000)
    return folder


@pytest.mark.parametrize(
    "patterns",
    [("*",), ("m*",), ("[m-z]*",), tuple(f"{'*' * count}m" for count in range(10)), ("z",)],
    ids=["all", "one", "among all", "many of the same", "nothing"],
)
def test_versions_of_which_much_is_said(much_said: Path, patterns: tuple[str, ...]) -> None:
    headers = {"Authorization": f"Bearer {token(much_said, str(patterns)[:50], 'reader', *patterns)}"}
    with (
        serving(much_said) as running,
        httpx.Client(base_url=f"{running.url}{API}", headers=headers, timeout=60) as client,
    ):
        for path, query in (("/models", {"name": "m*"}), ("/models", {}), ("/search", {"query": "size > 0"})):
            with little_is_taken(running):
                answer = client.get(path, params={"limit": 1000, **query})
            large = [version for version in answer.json()["versions"] if version["name"] == "m"]
            assert len(large) == (0 if patterns == ("z",) else 5)


def test_who_may_not_see_all_gets_full_pages_of_what_little_is_said(much_said: Path) -> None:
    headers = {"Authorization": f"Bearer {token(much_said, 'few', 'reader', 'a/*', 'b*')}"}
    with (
        serving(much_said) as running,
        httpx.Client(base_url=f"{running.url}{API}", headers=headers, timeout=60) as client,
    ):
        for path in ("/models", "/search"):
            page = client.get(path, params={"limit": 110}).json()
            assert [version["name"] for version in page["versions"]] == [f"a/{n:03}" for n in range(110)]
            rest = client.get(path, params={"limit": 110, "after": page["cursor"]}).json()
            assert [version["name"] for version in rest["versions"]] == [f"a/{n:03}" for n in range(110, 120)]
            assert rest["cursor"] is None
