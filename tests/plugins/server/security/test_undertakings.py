"""No change is missing in the audit log, however the server ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from running import serving, start

from model_registry_server.security.audit import Audit
from model_registry_server.security.undertakings import Outcome, Undertakings
from model_registry_server.state import State


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(State(tmp_path))


@pytest.fixture
def undertakings(tmp_path: Path, audit: Audit) -> Undertakings:
    return Undertakings(State(tmp_path), audit)


def told(audit: Audit) -> list[tuple[str, str, str, str]]:
    return [(entry.actor, entry.action, entry.subject, entry.address) for entry in audit.search()]


def test_what_has_ended_is_told_once(audit: Audit, undertakings: Undertakings) -> None:
    number = undertakings.begin("ada", "remove", "digits", "10.0.0.1")
    assert told(audit) == []
    undertakings.end(number, Outcome("remove", "digits:1.0.0", {"files": 1}))
    undertakings.interrupt_all()
    assert told(audit) == [("ada", "remove", "digits:1.0.0", "10.0.0.1")]
    assert audit.search()[0].details == {"files": 1}


def test_what_changed_nothing_is_not_told(audit: Audit, undertakings: Undertakings) -> None:
    undertakings.end(undertakings.begin("ada", "remove", "digits", ""), None)
    undertakings.interrupt_all()
    assert told(audit) == []


def test_what_was_broken_off_is_told_as_that(audit: Audit, undertakings: Undertakings) -> None:
    numbers = [undertakings.begin("ada", "upload", name, "") for name in ("a", "b", "c")]
    undertakings.interrupt(numbers[1])
    undertakings.interrupt_all()
    undertakings.interrupt_all()
    assert [subject for _, _, subject, _ in reversed(told(audit))] == ["b", "a", "c"]
    assert {action for _, action, _, _ in told(audit)} == {"upload.interrupted"}
    assert audit.verify() is None
    assert "begun" in audit.search()[0].details


def test_what_has_ended_within_a_transaction_is_not_told_again(
    tmp_path: Path, audit: Audit, undertakings: Undertakings
) -> None:
    number = undertakings.begin("ada", "create", "t", "")
    with State(tmp_path).writing() as db:
        undertakings.end_within(db, number, Outcome("create", "t", {}))
    undertakings.end(number, Outcome("create", "t", {}))
    undertakings.interrupt(number)
    assert [action for _, action, _, _ in told(audit)] == ["create"]


def test_what_nobody_waited_for_has_not_begun(tmp_path: Path, audit: Audit, undertakings: Undertakings) -> None:
    async def give_up() -> None:
        with State(tmp_path).writing():  # while others wait
            beginning = asyncio.create_task(undertakings.begun("ada", "remove", "digits", ""))
            await asyncio.sleep(0.1)
            beginning.cancel()
            await asyncio.sleep(0.1)
            assert not beginning.done()
        with pytest.raises(asyncio.CancelledError):
            await beginning

    asyncio.run(give_up())
    undertakings.interrupt_all()
    assert told(audit) == []


def test_a_change_that_a_server_died_of_is_in_the_log(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    running = start(folder)
    head = "POST /model-registry/models/upload?name=digits&format=opaque HTTP/1.1\r\nHost: localhost\r\n"
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\nx".encode())
        wait_for(lambda: list(folder.glob("server/incoming/*/0")))
        running.stop(signal.SIGKILL)
    with serving(folder) as again:
        api = f"{again.url}/model-registry"
        assert httpx.get(f"{api}/models/digits").status_code == 404
        assert httpx.delete(f"{api}/models/digits").status_code == 404
        assert httpx.post(f"{api}/models/upload?name=Digits&format=opaque", content=b"x").status_code == 201
        entries = httpx.get(f"{api}/audit").json()["entries"]
        told = [(entry["action"], entry["subject"]) for entry in entries]
        assert told == [("upload_model", "Digits:1.0.0"), ("upload_model.interrupted", "digits")]
        assert httpx.get(f"{api}/audit/verify").json()["intact"]


def test_an_upload_that_is_dropped_half_way_is_no_change(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    head = "POST /model-registry/models/upload?name=digits&format=opaque HTTP/1.1\r\nHost: localhost\r\n"
    with serving(folder) as running:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", running.port)) as connection:
                connection.sendall(f"{head}Content-Length: 1000\r\n\r\nx".encode())
                wait_for(lambda: list(folder.glob("server/incoming/*/0")))
            wait_for(lambda: not list(folder.glob("server/incoming/*")))
    with serving(folder) as again:
        assert httpx.get(f"{again.url}/model-registry/audit").json()["entries"] == []


def wait_for(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)
