"""What a push that failed leaves at the server: what the next one goes on with, or nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from proxy import Answer, Asked, Proxy
from running import Running, serving

from model_registry import ModelRegistry
from model_registry.errors import ModelRegistryError
from model_registry_server.client import Client
from model_registry_server.client.errors import UnreachableError
from model_registry_server.client.patience import Patience
from model_registry_server.transfer.errors import InvalidBodyError

#: Of which a server with ``quota_mb = 10`` has room for one.
MODEL = random.Random(7).randbytes(6_000_000)
AWAY: Answer = (504, {}, b"<html>")


def problem(error: str) -> bytes:
    return json.dumps({"detail": "not now", "hint": "", "error": error, "facts": {}}).encode()


@pytest.fixture(scope="module")
def server(folder: Path, environ: dict[str, str]) -> Iterator[Running]:
    with serving(folder, options="quota_mb = 10", environ=environ) as running:
        yield running


@pytest.fixture(autouse=True)
def _emptied(server: Running, folder: Path) -> Iterator[None]:
    """Each test has the whole quota, and leaves no upload."""
    yield
    left = uploads(folder)
    for upload in left:
        httpx.delete(f"{server.url}/model-registry/uploads/{upload}")
    registry = ModelRegistry(folder)
    for entry in registry.list_models():
        registry.remove_model(entry.name, entry.version)
    registry.collect_garbage(0)
    assert left == []


@pytest.fixture
def proxy(server: Running) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def behind(proxy: Proxy, connect, monkeypatch) -> Client:
    """A client that reaches the server by the proxy, and has no patience."""
    for module in ("push", "uploads"):
        monkeypatch.setattr(f"model_registry_server.client.{module}.Patience", lambda *_, **__: Patience(0))
    return connect(url=proxy.url)


def uploads(folder: Path) -> list[str]:
    """The uploads that the server still has."""
    return [path.name for path in (folder / "server" / "uploads").iterdir()]


def once(method: str, end: str, answer: Answer) -> Callable[[Asked], Answer | None]:
    """Answer so to the first request of a kind, and pass on all others."""
    left = [answer]

    def instead(asked: Asked) -> Answer | None:
        return left.pop() if asked.command == method and end in asked.path and left else None

    return instead


def test_an_upload_that_cannot_be_continued_makes_room_for_the_next(behind: Client, proxy: Proxy, folder: Path) -> None:
    """Its documents tell of the moment, and were sent: another push has others."""
    proxy.instead = once("POST", "/receive", AWAY)
    with pytest.raises(UnreachableError, match="it answered 504"):
        behind.register_model("again", MODEL)
    [left] = uploads(folder)
    assert behind.register_model("again", MODEL).verify_integrity()
    assert proxy.answers("DELETE", left) == [200]


def test_an_upload_of_what_is_no_longer_missing_makes_room(behind: Client, proxy: Proxy, connect, folder: Path) -> None:
    half = len(MODEL) // 2
    proxy.instead = once("POST", "/receive", AWAY)
    with pytest.raises(UnreachableError):
        behind.register_model("partly", MODEL, parts=2)
    connect("other").register_model("partly", MODEL[:half])  # the first of both files
    assert len(uploads(folder)) == 1
    assert behind.register_model("partly", MODEL, parts=2).verify_integrity()


def test_an_upload_of_which_nothing_is_missing_any_more_is_thrown_away(
    behind: Client, proxy: Proxy, connect, folder: Path, tmp_path: Path
) -> None:
    source, other = ModelRegistry(tmp_path / "source"), connect("other")
    source.register_model("copied", MODEL[:3_000_000])
    proxy.instead = once("POST", "/receive", AWAY)
    assert not source.copy_versions(behind).ok
    source.copy_versions(other).raise_for_failures()
    other.remove_model("copied")  # its bytes stay for a while
    assert len(uploads(folder)) == 1
    source.copy_versions(behind).raise_for_failures()


def test_an_upload_that_the_server_has_no_more_hinders_nobody(behind: Client, proxy: Proxy, folder: Path) -> None:
    proxy.instead = once("POST", "/receive", AWAY)
    with pytest.raises(UnreachableError):
        behind.register_model("gone", MODEL)
    [left] = uploads(folder)
    behind._server.http.request("DELETE", f"/uploads/{left}")
    assert behind.register_model("gone", MODEL).verify_integrity()


@pytest.mark.parametrize("error", ["StorageError", "RegistryNotFoundError"])
def test_a_push_goes_on_when_the_disk_of_the_server_has_room_again(
    behind: Client, proxy: Proxy, folder: Path, error: str
) -> None:
    def refuse_documents(asked: Asked) -> Answer | None:
        is_document = asked.command == "PATCH" and asked.headers.get("upload-complete")
        return (503, {}, problem(error)) if is_document else None

    proxy.instead = refuse_documents
    with pytest.raises(ModelRegistryError, match="not now") as refused:
        behind.register_model("full", MODEL)
    assert type(refused.value).__name__ == error
    [left] = uploads(folder)
    proxy.instead = lambda asked: None
    proxy.seen.clear()
    assert behind.register_model("full", MODEL).verify_integrity()
    assert proxy.answers("POST", "/uploads") == []  # the same goes on
    assert proxy.answers("GET", left) == [200]
    assert proxy.answers("PATCH", "/files/0") == []  # which had come


def test_what_is_refused_for_good_is_thrown_away(behind: Client, proxy: Proxy, folder: Path) -> None:
    proxy.instead = once("PATCH", "/files/", (400, {}, problem("InvalidBodyError")))
    with pytest.raises(InvalidBodyError):
        behind.register_model("refused", MODEL)
    assert uploads(folder) == []


def test_what_the_server_did_not_hear_of_is_thrown_away_by_the_next(behind: Client, proxy: Proxy, folder: Path) -> None:
    def refuse(asked: Asked) -> Answer | None:
        if asked.path.endswith("/receive"):
            return 400, {}, problem("InvalidBodyError")
        return AWAY if asked.command == "DELETE" else None

    proxy.instead = refuse
    with pytest.raises(InvalidBodyError):
        behind.register_model("unheard", MODEL)
    assert len(uploads(folder)) == 1
    proxy.instead = lambda asked: None
    assert behind.register_model("unheard", MODEL).verify_integrity()


SENDER = """
import random, signal, sys
from model_registry import ModelRegistry
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
ModelRegistry(sys.argv[1]).register_model("interrupted", random.Random(7).randbytes(6_000_000))
"""


@pytest.fixture
def interrupted(proxy: Proxy, environ: dict[str, str], tmp_path: Path) -> Callable[..., float]:
    """Interrupts a process that pushes, as soon as it asks for something; the seconds that it takes to end."""

    def run(method: str, end: str, answer: Callable[[], Answer]) -> float:
        is_asked = threading.Event()

        def instead(asked: Asked) -> Answer | None:
            if is_asked.is_set() or (asked.command == method and end in asked.path):
                is_asked.set()
                return answer()
            return None

        proxy.instead = instead
        variables = {**os.environ, **environ, "XDG_CACHE_HOME": str(tmp_path / "sender")}
        command = [sys.executable, "-c", SENDER, proxy.url]
        with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as process:
            assert is_asked.wait(60)
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            try:
                _, said = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == -signal.SIGINT, said
        proxy.instead = lambda asked: None
        return time.monotonic() - begun

    return run


def test_ctrl_c_ends_a_push_that_was_told_to_wait(interrupted, proxy: Proxy, connect, folder: Path) -> None:
    assert interrupted("PATCH", "/files/", lambda: (429, {"Retry-After": "60"}, b"<html>")) < 20
    assert len(uploads(folder)) == 1  # the server did not take that word either
    assert connect("sender", url=proxy.url).register_model("interrupted", MODEL).verify_integrity()


def test_ctrl_c_ends_a_push_whose_server_answers_nothing_any_more(
    interrupted, proxy: Proxy, connect, folder: Path
) -> None:
    over = threading.Event()

    def never() -> Answer:
        over.wait()
        return AWAY

    try:
        assert interrupted("POST", "/receive", never) < 20
    finally:
        over.set()
    assert len(uploads(folder)) == 1
    assert connect("sender", url=proxy.url).register_model("interrupted", MODEL).verify_integrity()
