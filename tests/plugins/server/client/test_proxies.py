"""What stands between a client and its server: answers that are not the server's, or none, and what is asked again."""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count, repeat
from pathlib import Path

import httpx
import pytest
from proxy import Answer, Asked, Proxy

from model_registry import IntegrityError, ModelRegistry, StorageError
from model_registry_server.client import Client
from model_registry_server.client.errors import UnreachableError
from model_registry_server.client.http import Http
from model_registry_server.client.patience import Patience
from model_registry_server.errors import TooManyRequestsError
from model_registry_server.transfer.errors import ConflictError, OffsetError

LARGE = random.Random(3).randbytes(3 << 20)


def problem(error: str, **facts: object) -> bytes:
    return json.dumps({"detail": "not now", "hint": "", "error": error, "facts": facts}).encode()


TOO_MANY = problem("TooManyRequestsError", retry_after=0)


@pytest.fixture
def proxy(server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def behind(proxy: Proxy, connect) -> Client:
    """A client that reaches the server by the proxy."""
    return connect(url=proxy.url)


def first(method: str, end: str, answer: Answer, *, count: int = 1):
    """Answer so to the first requests of a kind, and pass on all others."""
    left = [answer] * count

    def instead(asked: Asked) -> Answer | None:
        if asked.command == method and end in asked.path and left:
            return left.pop()
        return None

    return instead


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_server_that_is_away_behind_its_proxy_is_waited_for(behind: Client, proxy: Proxy, status: int) -> None:
    proxy.instead = first("POST", "/receive", (status, {}, b"<html>"), count=2)
    entry = behind.register_model("away", b"%d" % status)
    assert proxy.answers("POST", "/receive") == [status, status, 201]
    proxy.instead = first("GET", "/models/away", (status, {}, b"<html>"), count=2)
    assert behind.resolve("away", entry.version) == entry


def test_a_proxy_whose_server_stays_away_is_told_as_that(behind: Client, proxy: Proxy) -> None:
    proxy.instead = first("GET", "/models", (502, {}, b"<html>"), count=9)
    with pytest.raises(UnreachableError, match="cannot be reached: it answered 502 Bad Gateway — a proxy says so"):
        behind.list_models()


def test_a_version_that_is_still_being_registered_is_waited_for(behind: Client, proxy: Proxy, folder: Path) -> None:
    """The answer was given up, the work was not: whoever asks again is told that it goes on."""
    behind.register_model("slow", b"another")
    with closing(sqlite3.connect(folder / "catalog.sqlite", check_same_thread=False, isolation_level=None)) as catalog:

        def give_up(asked: Asked) -> Answer | None:
            if not asked.path.endswith("/receive") or proxy.answers("POST", "/receive"):
                return None
            catalog.execute("BEGIN IMMEDIATE")  # nobody else writes
            asked.ask()
            return 504, {}, b"<html>"

        def let_it_end(asked: Asked, status: int) -> None:
            if status == 409:
                catalog.rollback()

        proxy.seen.clear()
        proxy.instead, proxy.after = give_up, let_it_end
        entry = behind.register_model("slow", b"x" * 1000)
    assert proxy.answers("POST", "/receive")[:2] == [504, 409]
    assert entry.version == "1.0.1"
    assert [each.digest for each in behind.list_models(name="slow")][1:] == [entry.digest]


def test_a_version_that_was_registered_though_nobody_heard_of_it_is_no_other(
    behind: Client, proxy: Proxy, tmp_path: Path
) -> None:
    """Nothing has to be sent, so that there is no upload either by whose end it could be known."""
    other = ModelRegistry(tmp_path / "other")
    entry = other.register_model("unheard", b"x")
    other.copy_versions(behind).raise_for_failures()
    behind.remove_model("unheard")
    proxy.seen.clear()

    def come_late(asked: Asked) -> Answer | None:
        if not asked.path.endswith("/receive"):
            return None
        if not proxy.answers("POST", "/receive"):
            return 504, {}, b"<html>"
        assert asked.ask().getresponse().status == 201  # the first word arrives, before the second
        return None

    proxy.instead = come_late
    report = other.copy_versions(behind)
    report.raise_for_failures()
    [copied] = report.done
    assert copied.digest == entry.digest
    assert proxy.answers("POST", "/receive") == [504, 409]


def test_a_connection_that_breaks_after_the_server_was_busy_for_long_is_still_waited_for(
    behind: Client, proxy: Proxy, monkeypatch
) -> None:
    away, busy = (504, {}, b"<html>"), (409, {}, problem("ConflictError", path="x"))
    answers = [away, busy, busy, busy, away, away]
    proxy.instead = lambda asked: answers.pop(0) if answers and asked.path.endswith("/receive") else None
    patience = 0.5  # which the time that the server is busy uses up
    monkeypatch.setattr("model_registry_server.client.push.Patience", lambda seconds=patience: Patience(seconds))
    assert behind.register_model("busy", b"x").verify_integrity()
    assert proxy.answers("POST", "/receive") == [504, 409, 409, 409, 504, 504, 201]


def test_a_server_that_stays_busy_is_not_waited_for_for_ever(behind: Client, proxy: Proxy, monkeypatch) -> None:
    busy = (409, {}, problem("ConflictError", path="x"))
    proxy.instead = lambda asked: busy if asked.path.endswith("/receive") else None
    monkeypatch.setattr("model_registry_server.client.push._LONGEST_RECEIPT", 0.5)
    with pytest.raises(ConflictError, match="not now"):
        behind.register_model("busy/still", b"x")


def test_an_offset_that_changes_each_time_is_not_followed_for_ever(behind: Client, proxy: Proxy, monkeypatch) -> None:
    offsets = (problem("OffsetError", offset=number) for number in count(1))
    proxy.instead = lambda asked: (409, {}, next(offsets)) if asked.command == "PATCH" else None
    monkeypatch.setattr("model_registry_server.client.uploads.Patience", lambda **_: Patience(0.5))
    with pytest.raises(OffsetError, match="not now"):
        behind.register_model("offset", LARGE)
    assert len(proxy.answers("PATCH", "/files/")) < 10


def test_whoever_sends_too_often_waits(behind: Client, proxy: Proxy) -> None:
    proxy.instead = first("PATCH", "/files/", (429, {"Retry-After": "0"}, TOO_MANY), count=3)
    entry = behind.register_model("hasty", LARGE)
    assert proxy.answers("PATCH", "/files/").count(429) == 3
    assert entry.verify_integrity()


def test_whoever_sent_too_slowly_goes_on(behind: Client, proxy: Proxy) -> None:
    proxy.instead = first("PATCH", "/files/", (408, {}, problem("TooSlowError")), count=2)
    assert behind.register_model("hasty/slow", LARGE).verify_integrity()
    assert proxy.answers("PATCH", "/files/").count(408) == 2


def test_an_upload_of_which_all_was_sent_is_begun_anew(behind: Client, proxy: Proxy, monkeypatch) -> None:
    """Its documents tell of the moment, and another push has others."""
    proxy.instead = first("POST", "/receive", (504, {}, b"<html>"))
    with monkeypatch.context() as patch:
        patch.setattr("model_registry_server.client.push.Patience", lambda *_: Patience(0))
        with pytest.raises(UnreachableError, match="it answered 504"):
            behind.register_model("hasty/again", LARGE[: 1 << 20])
    assert behind.register_model("hasty/again", LARGE[: 1 << 20]).verify_integrity()
    assert proxy.answers("POST", "/uploads") == [201, 201]


def test_whoever_fetches_too_often_waits(behind: Client, proxy: Proxy, connect) -> None:
    connect("sender").register_model("hasty/fetched", LARGE)
    proxy.instead = first("GET", "/blobs/", (429, {"Retry-After": "0"}, TOO_MANY), count=3)
    assert behind.load_model("hasty/fetched").model == LARGE
    assert proxy.answers("GET", "/blobs/").count(429) == 3


def refused(asked: Asked) -> Answer | None:
    wanted = problem("TooManyRequestsError", retry_after=0.2)
    return (429, {"Retry-After": "1"}, wanted) if "/blobs/" in asked.path else None


def test_whoever_may_not_fetch_yet_waits_for_longer_than_for_a_server_that_is_away(
    behind: Client, proxy: Proxy, connect, monkeypatch
) -> None:
    connect("sender").register_model("hasty/late", LARGE)
    begun = time.monotonic()
    proxy.instead = lambda asked: refused(asked) if time.monotonic() - begun < 1.5 else None
    monkeypatch.setattr("model_registry_server.client.downloads.Patience", lambda sleep: Patience(0.5, sleep))
    assert behind.load_model("hasty/late").model == LARGE
    assert proxy.answers("GET", "/blobs/").count(429) > 2


def test_whoever_may_never_fetch_does_not_wait_for_ever(behind: Client, proxy: Proxy, connect, monkeypatch) -> None:
    connect("sender").register_model("hasty/never", LARGE)
    proxy.instead = refused
    monkeypatch.setattr("model_registry_server.client.patience.LONGEST_REFUSAL", 1.0)
    with pytest.raises(TooManyRequestsError, match="not now"):
        behind.load_model("hasty/never")


def test_a_proxy_that_takes_only_small_bodies_is_told(behind: Client, proxy: Proxy) -> None:
    proxy.instead = first("PATCH", "/files/", (413, {}, b"<html>"))
    with pytest.raises(StorageError, match="a proxy says so: let it pass bodies of at least 64 MiB"):
        behind.register_model("small", b"x")


def test_what_was_not_even_sent_is_sent_again() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as waiting:
        waiting.connect(full.getsockname())  # nobody accepts it, so that there is no room for another
        http = Http(f"http://127.0.0.1:{full.getsockname()[1]}", None)
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match="timed out"):
            http.send("POST", "/models/m/receive", {}, timeout=httpx.Timeout(0.2))
        assert time.monotonic() - begun > 4 * 0.2


def test_no_more_is_taken_than_a_version_has(behind: Client, proxy: Proxy, connect) -> None:
    sent = []

    def endless() -> Iterator[bytes]:
        for piece in repeat(bytes(1 << 16)):
            sent.append(len(piece))
            yield piece

    connect("sender").register_model("endless", LARGE)
    proxy.instead = first("GET", "/blobs/", (200, {}, endless()))
    with pytest.raises(IntegrityError, match="sent other bytes"):
        behind.load_model("endless")
    assert sum(sent) < len(LARGE) + (20 << 20)  # some of it was on its way
    assert behind.load_model("endless").model == LARGE


def test_a_connection_that_breaks_after_the_last_byte_has_brought_all(behind: Client, proxy: Proxy, connect) -> None:
    entry = connect("sender").register_model("whole", LARGE)
    path = f"/blobs/{entry.files[0].sha256}"
    proxy.instead = first("GET", path, (200, {"ETag": '"x"'}, [LARGE]))
    assert behind.load_model("whole").model == LARGE
    assert proxy.answers("GET", path) == [200]
