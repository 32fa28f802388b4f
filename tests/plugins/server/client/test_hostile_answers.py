"""Answers that no server of ours gives: each is told in one line, and none takes more than it is worth."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from proxy import Answer, Asked, Proxy

from model_registry import IntegrityError, ModelRegistryError, StorageError
from model_registry_server.client import Client
from model_registry_server.client.patience import Patience, wanted_pause
from model_registry_server.errors import TooManyRequestsError

MEBIBYTE = b" " * (1 << 20)


@pytest.fixture
def proxy(server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


def answered(end: str, *answer: object) -> Callable[[Asked], Answer | None]:
    """Answers requests whose path has this in it."""
    return lambda asked: answer if end in asked.path else None  # type: ignore[return-value]


def test_what_is_packed_is_not_unpacked(connect, proxy: Proxy) -> None:
    packed = gzip.compress(b'{"versions": [], "cursor": null}')
    proxy.instead = answered("/models", 200, {"Content-Encoding": "gzip"}, packed)
    with pytest.raises(StorageError, match="answers in the encoding 'gzip', which was not asked for"):
        connect(url=proxy.url).list_models()


def test_an_error_that_is_packed_is_not_unpacked(connect, proxy: Proxy) -> None:
    packed = gzip.compress(b'{"detail": "unpacked", "error": "StorageError", "hint": "", "facts": {}}')
    proxy.instead = answered("/models", 404, {"Content-Encoding": "gzip"}, packed)
    with pytest.raises(StorageError, match="answered 404 Not Found"):
        connect(url=proxy.url).list_models()


@pytest.mark.parametrize(
    ("status", "said", "most"), [(200, "answers with more than 64 MiB", 90), (404, "answered 404 Not Found", 20)]
)
def test_an_answer_without_an_end_is_given_up(connect, proxy: Proxy, status: int, said: str, most: int) -> None:
    sent: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(300):
            sent.append(number)
            yield MEBIBYTE

    proxy.instead = answered("/models", status, {}, pieces())
    with pytest.raises(StorageError, match=said):
        connect(url=proxy.url).list_models()
    assert len(sent) < most  # what the system keeps of it was not taken


@pytest.mark.parametrize("status", [200, 404])
def test_what_is_nested_without_an_end_is_no_document(connect, proxy: Proxy, status: int) -> None:
    proxy.instead = answered("/models", status, {}, b"[" * 200_000)
    with pytest.raises(StorageError, match=r"something that is no JSON|answered 404 Not Found"):
        connect(url=proxy.url).list_models()


def test_an_error_with_facts_that_none_has_is_misunderstood(connect, proxy: Proxy) -> None:
    document = {"detail": "away", "error": "ModelNotFoundError", "hint": "", "facts": {"self": 1}}
    proxy.instead = answered("/models", 404, {}, json.dumps(document).encode())
    with pytest.raises(StorageError, match="answers something that is no registry's: 'away'"):
        connect(url=proxy.url).list_models()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"status": "ok"}, "answered without 'versions', which a registry tells"),
        ([], "answered with something that is no registry's"),
        ({"versions": 5, "cursor": None}, "answered 'versions' as no registry does"),
        ({"versions": [5], "cursor": None}, "answered 'versions' as no registry does"),
        ({"versions": [{}], "cursor": None}, "the server's answer is no ModelMetadata"),
        ({"versions": []}, "answered without 'cursor'"),
    ],
)
def test_another_service_at_the_address_is_told_as_such(connect, proxy: Proxy, document: object, said: str) -> None:
    proxy.instead = answered("/models", 200, {}, json.dumps(document).encode())
    with pytest.raises(StorageError, match=said):
        connect(url=proxy.url).list_models()


@pytest.mark.parametrize(
    ("wanted", "pause"),
    [(10**400, 60.0), (float("nan"), 0.0), (-1, 0.0), ("1", 0.0), (2, 2.0)],
    ids=lambda value: f"{value!r:.9}",
)
def test_a_server_has_nobody_wait_for_ever(wanted: object, pause: float) -> None:
    assert wanted_pause(TooManyRequestsError("too many", retry_after=wanted)) == pause


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/models", lambda client: client.list_models()),
        ("/search", lambda client: client.search("name = x", limit=5)),
        ("/history", lambda client: client.history(limit=3)),
    ],
)
def test_a_list_that_goes_on_where_it_was_is_given_up(connect, proxy: Proxy, path: str, call) -> None:
    document = {"versions": [], "events": [], "cursor": 7 if path == "/history" else "x"}
    proxy.instead = answered(path, 200, {}, json.dumps(document).encode())
    with pytest.raises(StorageError, match="answered 'cursor' as no registry does"):
        call(connect(url=proxy.url))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"tensors": None, "tensor_count": 1}, "'tensors'"),
        ({"tensors": [], "tensor_count": 5}, "'tensor_count'"),
        ({"tensors": 5, "tensor_count": 0}, "'tensors'"),
    ],
)
def test_tensors_are_all_that_were_said(connect, client: Client, proxy: Proxy, document: object, said: str) -> None:
    client.register_model("told", b"x", exist_ok=True)
    proxy.instead = answered("/inside", 200, {}, json.dumps(document).encode())
    with pytest.raises(StorageError, match=f"answered {said} as no registry does"):
        _ = connect(url=proxy.url).resolve("told").tensors


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"files": 7, "tensors": [], "modules": []}, "'files'"),
        ({"files": [], "tensors": [], "modules": [], "tensor_count": 3}, "'tensors'"),
    ],
)
def test_a_comparison_is_all_that_was_said(connect, client: Client, proxy: Proxy, document, said: str) -> None:
    client.register_model("both", b"x", exist_ok=True)
    counts = {"file_count": 0, "tensor_count": 0, "module_count": 0}
    proxy.instead = answered("/compare", 200, {}, json.dumps({**counts, **document}).encode())
    with pytest.raises(StorageError, match=f"answered {said} as no registry does"):
        connect(url=proxy.url).compare("both", "both")


def test_tensors_without_an_end_are_not_asked_for(connect, client: Client, proxy: Proxy) -> None:
    client.register_model("endless", b"x", exist_ok=True)
    asked: list[int] = []
    tensor = {"name": "t", "dtype": "uint8", "shape": [1], "file": "w", "offset": 0, "nbytes": 1}

    def more(request: Asked) -> Answer | None:
        if "/inside" not in request.path:
            return None
        asked.append(len(asked))
        return 200, {}, json.dumps({"tensors": [tensor], "tensor_count": 10**9}).encode()

    proxy.instead = more
    with pytest.raises(StorageError, match="answered 'tensor_count' as no registry does"):
        _ = connect(url=proxy.url).resolve("endless").tensors
    assert asked == [0]


@pytest.mark.parametrize("blobs", [{"../../evil": 1}, {"a" * 64: -1}, {"A" * 64: 1}, {"a" * 64: "1"}, []])
def test_a_blob_has_the_name_of_one(connect, client: Client, proxy: Proxy, blobs: object) -> None:
    entry = client.register_model("named", b"x", exist_ok=True)
    proxy.instead = answered("/blobs", 200, {}, json.dumps({"digest": entry.digest, "blobs": blobs}).encode())
    with pytest.raises(StorageError, match=r"something that is no registry's|the server's answer is no"):
        connect("fresh", url=proxy.url).load_model("named")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Repr-Digest": f"sha-256=:{base64.b64encode(sha256(b'right').digest()).decode()}:"}, b"wrong"),
        ({"Content-Length": "3"}, [MEBIBYTE * 2]),
    ],
)
def test_an_export_is_what_was_said_of_it(
    connect, client: Client, proxy: Proxy, tmp_path: Path, headers: dict[str, str], body: bytes
) -> None:
    client.register_model("said", b"x", exist_ok=True)
    proxy.instead = answered("/export", 200, {"ETag": '"x"', **headers}, body)
    with pytest.raises(IntegrityError, match="sent other bytes than it said"):
        connect(url=proxy.url).export_model("said", "latest", tmp_path / "out", "echo")
    assert list(tmp_path.glob("*out*")) == []


def test_a_digest_that_cannot_be_checked_is_told(connect, client: Client, proxy: Proxy, tmp_path: Path) -> None:
    client.register_model("unchecked", b"x")
    proxy.instead = answered("/export", 200, {"ETag": '"x"', "Repr-Digest": "sha-256=nothing"}, b"x")
    with pytest.raises(StorageError, match="sends a digest that cannot be checked"):
        connect(url=proxy.url).export_model("unchecked", "latest", tmp_path / "out", "echo")


@pytest.mark.parametrize("offset", [0, 1 << 40])
def test_a_part_that_was_taken_and_is_not_there_is_not_sent_for_ever(connect, proxy: Proxy, offset: int) -> None:
    def forget(asked: Asked) -> Answer | None:
        if asked.command != "PATCH":
            return None
        asked.rfile.read(int(asked.headers["content-length"]))
        return 200, {}, json.dumps({"number": 0, "offset": offset, "done": False}).encode()

    proxy.instead = forget
    with pytest.raises(StorageError, match=f"a file that was sent cannot end at byte {offset}"):
        connect(url=proxy.url).register_model("forgotten", b"x" * 5000)


def test_a_server_that_is_ever_elsewhere_is_given_up(connect, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for = iter(range(1, 1_000_000))

    def elsewhere(asked: Asked) -> Answer | None:
        if asked.command != "PATCH":
            return None
        asked.rfile.read(int(asked.headers["content-length"]))
        document = {"detail": "elsewhere", "error": "OffsetError", "hint": "", "facts": {"offset": next(asked_for)}}
        return 409, {}, json.dumps(document).encode()

    proxy.instead = elsewhere
    made = Patience
    monkeypatch.setattr("model_registry_server.client.uploads.Patience", lambda sleep=time.sleep: made(1, sleep))
    with pytest.raises(ModelRegistryError, match="elsewhere"):
        connect(url=proxy.url).register_model("elsewhere", b"x" * 5000)
