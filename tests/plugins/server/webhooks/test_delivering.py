"""Real servers tell real receivers of what other processes change."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running, serving, start
from webhook_receiver import Answer, Receiver, eventually

from model_registry import ModelRegistry
from model_registry_server.webhooks.signing import InvalidSignatureError, verify

API = "/model-registry"
OPTIONS = 'webhook_hosts = ["localhost"]\nwebhook_private = true'


@contextmanager
def asking(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{running.url}{API}", timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The server of the module's registry."""
    with serving(tmp_path_factory.mktemp("webhooks") / "models", options=OPTIONS) as running:
        yield running


@pytest.fixture
def http(running: Running) -> Iterator[httpx.Client]:
    """A client of its API. Webhooks of earlier tests are gone."""
    with asking(running) as client:
        for webhook in client.get("/webhooks").json()["webhooks"]:
            client.delete(f"/webhooks/{webhook['id']}").raise_for_status()
        yield client


@pytest.fixture
def folder(http: httpx.Client, running: Running) -> Path:
    arguments = running.process.args
    assert isinstance(arguments, list)
    return Path(arguments[arguments.index("--registry") + 1])


def make(http: httpx.Client, url: str, **more: Any) -> dict[str, Any]:
    response = http.post("/webhooks", json={"url": url, **more})
    assert response.status_code == 201, response.text
    return response.json()  # type: ignore[no-any-return]


def register(folder: Path, name: str) -> None:
    """Register a model in a process of its own."""
    file = folder.parent / "weights.bin"
    file.write_bytes(b"weights")
    words = ["--registry", str(folder), "register", "--name", name, str(file), "--format", "opaque"]
    subprocess.run([sys.executable, "-m", "model_registry", *words], check=True, capture_output=True)


def deliveries(http: httpx.Client, webhook: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    response = http.get(f"/webhooks/{webhook['id']}/deliveries", params=query)
    response.raise_for_status()
    return response.json()["deliveries"]  # type: ignore[no-any-return]


def test_what_another_process_registers_arrives_signed(http: httpx.Client, folder: Path, receiver: Receiver) -> None:
    webhook = make(http, receiver.url(), events=["registered"], models=["team-a/*"])
    register(folder, "team-b/other")
    register(folder, "team-a/digits")
    (got,) = receiver.wait(1)
    verify(webhook["secret"], got.headers, got.body)
    with pytest.raises(InvalidSignatureError):
        verify(webhook["secret"], got.headers, got.body.replace(b"team-a", b"team-c"))

    (event,) = ModelRegistry(folder).history("team-a/digits")
    assert got.json["event"] == http.get("/models/team-a%2Fdigits/history").json()["events"][0]
    assert got.json["event"]["id"] == event.id
    assert got.json["version"]["digest"] == ModelRegistry(folder).resolve("team-a/digits").digest
    assert got.json["version"]["reference"] == "team-a/digits:1.0.0"
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["User-Agent"].startswith("model-registry-server/")
    assert got.headers["X-Model-Registry-Event"] == "registered"
    assert got.headers["X-Model-Registry-Delivery"] == got.headers["webhook-id"] == got.json["id"]

    (delivery,) = eventually(lambda: deliveries(http, webhook, state="delivered"))
    assert (delivery["id"], delivery["event"], delivery["action"]) == (got.json["id"], event.id, "registered")
    assert (delivery["attempts"], delivery["status"], delivery["error"]) == (1, 204, None)
    assert delivery["payload"] == got.json
    assert delivery["next_try_at"] is None


def test_a_receiver_that_fails_gets_it_again_within_seconds(http: httpx.Client, receiver: Receiver) -> None:
    receiver.answers.append(Answer(503))
    webhook = make(http, receiver.url())
    sent = http.post(f"/webhooks/{webhook['id']}/test")
    assert (sent.status_code, sent.json()["action"]) == (202, "ping")
    first, second = receiver.wait(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == sent.json()["id"]
    assert first.headers["X-Model-Registry-Event"] == "ping"
    assert first.json["event"] == second.json["event"]
    assert (first.json["event"]["action"], first.json["event"]["actor"]) == ("ping", "local")
    verify(webhook["secret"], second.headers, second.body)


def test_a_killed_server_delivers_after_its_restart_exactly_what_was_missing(
    tmp_path: Path, receiver: Receiver
) -> None:
    folder = tmp_path / "models"
    running = start(folder, options=OPTIONS)
    try:
        with asking(running) as client:
            webhook = make(client, receiver.url())
            register(folder, "a")
            eventually(lambda: deliveries(client, webhook, state="delivered"))
            receiver.answers.append(Answer(503, {"Retry-After": "2"}))
            register(folder, "b")
            eventually(lambda: [each for each in deliveries(client, webhook) if each["attempts"] and each["error"]])
    finally:
        running.stop(signal.SIGKILL)
    register(folder, "c")
    register(folder, "d")
    with serving(folder, options=OPTIONS) as again, asking(again) as client:
        eventually(lambda: len(deliveries(client, webhook, state="delivered")) == 4)
        models = [(got.json["event"]["model"], got.headers["webhook-id"]) for got in receiver.wait(5)]
    assert sorted(name for name, _ in models) == ["a", "b", "b", "c", "d"]
    assert len(set(models)) == 4  # the same id for both tries of «b»


def test_a_webhook_is_changed_and_deleted(http: httpx.Client, folder: Path, receiver: Receiver) -> None:
    path = f"/webhooks/{make(http, receiver.url('/old'), description='of the CI')['id']}"
    changed = http.patch(path, json={"active": False, "url": receiver.url("/new"), "events": ["tag-set"]}).json()
    assert (changed["active"], changed["events"], changed["description"]) == (False, ["tag-set"], "of the CI")
    refused = http.post(f"{path}/test")
    assert (refused.status_code, refused.json()["error"]) == (422, "InvalidOptionError")
    http.patch(path, json={"active": True, "description": None}).raise_for_status()
    register(folder, "changing")
    http.put("/models/changing/tags/stage", json={"value": "prod"}).raise_for_status()
    (got,) = receiver.wait(1)
    assert (got.path, got.json["event"]["action"], got.json["version"]) == ("/new", "tag-set", None)
    assert http.get(path).json()["description"] is None

    assert http.delete(path).status_code == 200
    for method, rest in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")):
        assert http.request(method, f"{path}{rest}", json={} if method == "PATCH" else None).status_code == 404


def test_a_failed_delivery_is_sent_again_when_somebody_asks(http: httpx.Client, receiver: Receiver) -> None:
    receiver.answers.append(Answer(410))
    webhook = make(http, receiver.url())
    http.post(f"/webhooks/{webhook['id']}/test").raise_for_status()
    (failed,) = eventually(lambda: deliveries(http, webhook, state="failed"))
    ended = http.get(f"/webhooks/{webhook['id']}").json()
    assert (ended["active"], failed["status"]) == (False, 410)
    assert "410 Gone" in ended["ended_because"]
    again = f"/webhooks/{webhook['id']}/deliveries/{failed['id']}/retry"
    assert http.post(again).status_code == 422
    http.patch(f"/webhooks/{webhook['id']}", json={"active": True}).raise_for_status()
    assert http.post(again).json()["state"] == "pending"
    assert len({got.headers["webhook-id"] for got in receiver.wait(2)}) == 1
    assert http.post(f"{again[:-6]}0/retry").status_code == 404


def test_a_private_address_is_refused_without_the_option(tmp_path: Path, receiver: Receiver) -> None:
    with serving(tmp_path / "models", options='webhook_hosts = ["localhost"]') as running, asking(running) as client:
        webhook = make(client, receiver.url())
        client.post(f"/webhooks/{webhook['id']}/test").raise_for_status()
        (delivery,) = eventually(lambda: [each for each in deliveries(client, webhook) if each["error"]])
    assert "only public addresses are called" in delivery["error"]
    assert receiver.got == []


def test_secrets_are_told_once(http: httpx.Client, receiver: Receiver) -> None:
    own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    webhook = make(http, receiver.url(), secret=own)
    assert webhook["secret"] == own
    listed = http.get("/webhooks").text + http.get(f"/webhooks/{webhook['id']}").text
    patched = http.patch(f"/webhooks/{webhook['id']}", json={"description": "x"}).text
    audited = http.get("/audit").text
    assert "whsec_" not in listed + patched + audited
    assert webhook["id"] in audited


def test_changes_are_audited(http: httpx.Client, receiver: Receiver) -> None:
    id = make(http, receiver.url())["id"]
    http.patch(f"/webhooks/{id}", json={"active": False})
    http.delete(f"/webhooks/{id}")
    entries = http.get("/audit", params={"subject": id}).json()["entries"]
    assert [each["action"] for each in entries] == ["delete_webhook", "change_webhook", "create_webhook"]
    assert entries[1]["details"]["active"] is False
    assert entries[2]["details"]["url"] == receiver.url()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"url": "https://evil.example/"}, "webhook_hosts of [plugins.server]"),
        ({"url": "http://me:pw@localhost/"}, "signature"),
        ({"url": "ftp://localhost/"}, "https://"),
        ({"url": "http://localhost/", "events": ["registerd"]}, "registered"),
        ({"url": "http://localhost/", "secret": "short"}, "whsec_"),
        ({"url": "http://localhost/", "models": []}, ""),
        ({"url": "http://localhost/", "unknown": 1}, ""),
        ({}, ""),
    ],
)
def test_mistakes_are_told_at_once(http: httpx.Client, body: dict[str, Any], told: str) -> None:
    response = http.post("/webhooks", json=body)
    assert response.status_code == 422
    assert told in response.json()["hint"]
    assert http.get("/webhooks").json() == {"webhooks": []}
