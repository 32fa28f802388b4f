"""What can be followed and watched: changes, jobs, health and figures."""

from __future__ import annotations

import json
import resource
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
from running import Running, serving, token

from model_registry import ModelRegistry

API = "/model-registry"


def follow(url: str, count: int, into: list[tuple[int, dict[str, Any]]], begun: threading.Event, **query: Any) -> None:
    with httpx.stream("GET", f"{url}{API}/events", params=query, timeout=30) as stream:
        id = 0
        for line in stream.iter_lines():
            begun.set()
            if line.startswith("id: "):
                id = int(line[4:])
            if line.startswith("data: "):
                into.append((id, json.loads(line[6:])))
                if len(into) == count:
                    return


def test_changes_are_told_while_they_happen_whoever_makes_them(server: Running, folder: Path, tmp_path: Path) -> None:
    told: list[tuple[int, dict[str, Any]]] = []
    begun = threading.Event()
    follower = threading.Thread(target=follow, args=(server.url, 3, told, begun))
    follower.start()
    assert begun.wait(20)
    (tmp_path / "f").write_bytes(b"x")
    registry = ModelRegistry(folder)
    registry.register_model("followed", tmp_path / "f", "opaque")
    registry.set_alias("followed", "best")
    httpx.put(f"{server.url}{API}/models/followed/tags/stage", json={"value": "prod"}).raise_for_status()
    follower.join(20)
    assert [event["action"] for _, event in told] == ["registered", "alias-set", "tag-set"]
    assert [id for id, _ in told] == [event["id"] for _, event in told]
    missed: list[tuple[int, dict[str, Any]]] = []
    follow(server.url, 2, missed, threading.Event(), after=told[0][0])  # as a client that was away does
    assert missed == told[1:]


def test_a_long_history_is_told_in_little_memory(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (tmp_path / "f").write_bytes(b"x")
    ModelRegistry(folder).register_model("m", tmp_path / "f", "opaque")
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as db, db:  # 100 MB of it
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
            " INSERT INTO events (id, at, actor, action, model_id, after)"
            """ SELECT i, at, actor, action, model_id, '"' || hex(zeroblob(10000)) || '"' FROM events, n WHERE id = 1"""
        )
    with serving(folder) as running:
        status = Path(f"/proc/{running.process.pid}/status")
        last: list[tuple[int, dict[str, Any]]] = []
        follow(running.url, 1, last, threading.Event(), after=4999)
        before = int(status.read_text().partition("VmHWM:")[2].split()[0])
        all_of_it: list[tuple[int, dict[str, Any]]] = []
        follow(running.url, 5000, all_of_it, threading.Event(), after=0)
        peak = int(status.read_text().partition("VmHWM:")[2].split()[0])
    assert [id for id, _ in last] == [5000]
    assert [id for id, _ in all_of_it] == list(range(1, 5001))
    assert peak - before < 50_000, f"{peak - before} KiB"


def test_a_stream_that_stays_open_is_one_request(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (tmp_path / "f").write_bytes(b"x")
    registry = ModelRegistry(folder)
    registry.register_model("m", tmp_path / "f", "opaque")
    told: list[tuple[int, dict[str, Any]]] = []
    with serving(folder, options="rate_limit = 1") as running:
        begun = threading.Event()
        follower = threading.Thread(target=follow, args=(running.url, 1000, told, begun))
        follower.start()
        assert begun.wait(20)
        end = time.monotonic() + 7  # longer than until the caller is looked at again
        number = 0
        while time.monotonic() < end:
            number += 1
            registry.set_tag("m", f"key{number}", "value")
            wait_for(lambda wanted=number: len(told) == wanted)  # type: ignore[misc]
    follower.join()
    assert len(told) == number


def test_nobody_opens_streams_without_end(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    headers = {name: {"Authorization": f"Bearer {token(folder, name, 'reader')}"} for name in ("a", "b")}
    with serving(folder) as running, ExitStack() as streams:

        def one_more(who: str) -> tuple[httpx.Response, ExitStack]:
            own = ExitStack()
            url = f"{running.url}{API}/events"
            response = own.enter_context(httpx.stream("GET", url, headers=headers[who], timeout=30))
            return response, streams.enter_context(own)

        opened = [one_more("a") for _ in range(100)]
        assert {response.status_code for response, _ in opened} == {200}
        refused, _ = one_more("a")
        assert refused.status_code == 429
        refused.read()
        assert refused.json()["detail"] == "you have 100 streams open"
        assert int(refused.headers["retry-after"]) > 0
        assert one_more("b")[0].status_code == 200
        opened[0][1].close()
        deadline = time.monotonic() + 20
        while one_more("a")[0].status_code == 429:
            assert time.monotonic() < deadline


def test_whom_a_caller_acts_for_is_recorded(http: httpx.Client) -> None:
    headers = {"X-Model-Registry-Actor": "%E7%8E%8B%E8%8A%B3"}
    form = {"name": "acted", "format": "opaque"}
    http.post("/models/upload", data=form, files={"file": ("f", b"x")}, headers=headers).raise_for_status()
    http.put("/models/acted/aliases/a", json={}, headers=headers).raise_for_status()
    actors = [event["actor"] for event in http.get("/models/acted/history").json()["events"]]
    assert actors == ["local (王芳)"] * 2


def test_the_server_says_that_it_is_alive_and_ready(server: Running) -> None:
    for path in ("/healthz", "/readyz"):
        assert httpx.get(f"{server.url}{path}").json() == {"status": "ok"}


def test_a_registry_that_is_gone_is_not_ready(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with serving(folder) as running:
        (folder / "catalog.sqlite").rename(folder / "away")
        for name in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
            (folder / name).unlink(missing_ok=True)
        response = httpx.get(f"{running.url}/readyz")
        assert (response.status_code, response.json()["error"]) == (503, "StorageError")
        (folder / "away").rename(folder / "catalog.sqlite")


def test_a_server_that_cannot_write_is_not_ready(tmp_path: Path) -> None:
    with serving(tmp_path / "models") as running, httpx.Client(base_url=running.url, timeout=30) as client:
        assert client.get("/readyz").status_code == 200
        _, hard = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (0, hard))  # as if the disk took no byte more
        wait_for(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/readyz").json()["error"] == "StorageError"
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_for(lambda: client.get("/readyz").status_code == 200)


def test_a_server_whose_disk_hangs_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with serving(folder) as running, httpx.Client(base_url=running.url, timeout=15) as client:
        with closing(sqlite3.connect(folder / "server" / "state.sqlite", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            refused = client.get("/readyz")
        assert (refused.status_code, refused.json()["error"]) == (503, "StorageError")
        wait_for(lambda: client.get("/readyz").status_code == 200)


def test_whoever_asks_often_whether_a_server_is_ready_writes_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with serving(folder) as running, httpx.Client(base_url=running.url) as client:
        log = folder / "server" / "state.sqlite-wal"
        client.get("/readyz")
        before, begun = log.stat().st_size, time.monotonic()
        for _ in range(100):
            assert client.get("/readyz").status_code == 200
        looks = (log.stat().st_size - before) // 4096
        assert looks <= 2 * (time.monotonic() - begun) + 2


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_there_are_figures_for_prometheus(server: Running, http: httpx.Client) -> None:
    http.get("/models")
    http.get("/models/there-is-none")
    figures = httpx.get(f"{server.url}/metrics").text
    assert 'model_registry_requests_total{method="GET",route="/models",status="200"}' in figures
    assert "there-is-none" not in figures  # what clients make up must not make figures
    assert "model_registry_versions " in figures
    assert 'model_registry_request_seconds_bucket{le="0.01"' in figures


def test_plugins_and_formats_are_told(http: httpx.Client) -> None:
    told = http.get("/plugins").json()
    assert {"server"} <= {plugin["name"] for plugin in told["plugins"] if plugin["status"] == "ready"}
    assert "opaque" in {format["id"] for format in told["formats"]}


def test_no_answer_lacks_the_headers_that_keep_browsers_safe(server: Running) -> None:
    for path in ("/healthz", f"{API}/models", f"{API}/nothing", f"{API}/models/%01"):
        headers = httpx.get(f"{server.url}{path}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")


def test_a_failure_of_the_server_tells_nothing_of_itself(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with serving(folder) as running:
        (tmp_path / "f").write_bytes(b"x")
        ModelRegistry(folder).register_model("m", tmp_path / "f", "opaque")
        blob = ModelRegistry(folder).resolve("m").blob(ModelRegistry(folder).resolve("m").digest)
        blob.chmod(0o644)
        blob.write_bytes(b"damaged")
        response = httpx.get(f"{running.url}{API}/models/m")
        assert (response.status_code, response.json()["error"]) == (500, "IntegrityError")
        assert "Traceback" not in response.text
