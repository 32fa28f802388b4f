"""A server that is told to stop ends, whatever holds up its threads, and whoever waits for it."""

from __future__ import annotations

import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running, serving, start

from model_registry import ModelRegistry

API = "/model-registry"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f").write_bytes(b"x")
    ModelRegistry(tmp_path / "models").register_model("m", tmp_path / "f", "opaque")
    return tmp_path / "models"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process has a transaction under way, and does not end it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def ask(into: list[httpx.Response], method: str, url: str, **rest: Any) -> threading.Thread:
    """Send a request from a thread, and keep the answer if there is one."""

    def work() -> None:
        with suppress(httpx.HTTPError):
            into.append(httpx.request(method, url, timeout=60, **rest))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_for(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def rows(folder: Path, query: str) -> list[Any]:
    """What the server remembers."""
    with closing(sqlite3.connect(f"file:{folder}/server/state.sqlite?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def listens(running: Running) -> bool:
    try:
        socket.create_connection(("127.0.0.1", running.port), timeout=5).close()
    except ConnectionError:
        return False
    return True


@pytest.mark.parametrize("times", [1, 2])
def test_a_thread_that_waits_for_another_process_does_not_keep_the_server(folder: Path, times: int) -> None:
    running = start(folder)
    with held(folder / "catalog.sqlite"):
        asking = ask([], "PUT", f"{running.url}{API}/models/m/tags/stage", json={"value": "prod"})
        wait_for(lambda: rows(folder, "SELECT * FROM undertakings"))
        begun = time.monotonic()
        if times == 2:
            running.process.send_signal(signal.SIGINT)
            wait_for(lambda: not listens(running))
        code = running.stop(signal.SIGINT)
        assert time.monotonic() - begun < (20 if times == 1 else 8)
        asking.join()
    assert code == 128 + signal.SIGINT
    with serving(folder) as again:
        entries = httpx.get(f"{again.url}{API}/audit").json()["entries"]
        assert [entry["action"] for entry in entries] == ["set_tag.interrupted"]
        assert httpx.get(f"{again.url}{API}/models/m/tags").json() == {"tags": {}}


def test_whoever_follows_or_waits_is_let_go_at_once(folder: Path) -> None:
    running = start(folder)
    answers: list[httpx.Response] = []
    with held(folder / "catalog.sqlite"):  # for which the job waits
        url = f"{running.url}{API}/collect-garbage"
        asking = ask(answers, "POST", url, json={}, headers={"Prefer": "wait=60"})
        wait_for(lambda: rows(folder, "SELECT * FROM jobs WHERE state = 'running'"))
        with httpx.stream("GET", f"{running.url}{API}/events", timeout=60) as stream:
            lines = filter(None, stream.iter_lines())
            assert next(lines) == ": the changes of the registry"
            begun = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            assert list(lines) == []
        asking.join()
        running.stop(signal.SIGTERM)
        assert time.monotonic() - begun < 8
    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(202, "running")]
    told = rows(folder, "SELECT action FROM audit")
    assert told == [("collect_garbage",)]
