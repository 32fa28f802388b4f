"""Addresses, tokens, and what a caller may not do."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

import pytest
from running import Running, serving, token

from model_registry import ConfigurationError, ModelRegistry, StorageError
from model_registry_server.client.address import checked_address
from model_registry_server.client.connection import Connection


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://models:8000/", "http://models:8000"),
        ("HTTPS://Models.example.com", "https://models.example.com"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("https://example.com/team/model-registry/", "https://example.com/team"),
    ],
)
def test_an_address_is_written_in_one_way(given: str, address: str) -> None:
    assert checked_address(given) == address


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("http://", "it names no host"),
        ("http://host:port", "Port could not be cast"),
        ("http://ada:secret@host", "a token does not belong into it: set MODEL_REGISTRY_TOKEN"),
        ("http://host/?x=1", "nothing may follow"),
    ],
)
def test_what_is_no_address_is_refused(given: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        ModelRegistry(given)
    assert "secret" not in str(caught.value)


def test_mistakes_in_other_settings_are_told() -> None:
    with pytest.raises(ConfigurationError, match="colour"):
        ModelRegistry("http://127.0.0.1:9", colour="red")


def test_a_catalog_is_rebuilt_where_it_is() -> None:
    with pytest.raises(StorageError, match="run «model-registry --registry FOLDER rebuild» on its machine"):
        ModelRegistry.rebuild("http://127.0.0.1:9")


def test_a_token_for_another_machine_is_not_sent_in_the_open_without_a_word() -> None:
    with pytest.warns(RuntimeWarning, match="can be read by everybody on the way: use https"):
        ModelRegistry("http://models.example.com", token="mr_x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ModelRegistry("http://models.example.com", token="mr_x")  # once is enough
        ModelRegistry("https://models.example.com", token="mr_x")
        ModelRegistry("http://localhost:9", token="mr_x")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[tuple[Running, Path]]:
    """A server that demands tokens."""
    folder = tmp_path_factory.mktemp("closed") / "models"
    with serving(folder, options='auth = "required"', environ=environ) as running:
        yield running, folder


def test_a_token_says_what_one_may(closed, connect, monkeypatch: pytest.MonkeyPatch) -> None:
    running, folder = closed
    with pytest.raises(PermissionError, match="a token is needed — set MODEL_REGISTRY_TOKEN"):
        connect("nobody", url=running.url).list_models()
    writer = connect("writer", url=running.url, token=token(folder, "writer", "writer", "team/*"))
    entry = writer.register_model("team/m", b"x" * 5000, parts=2)
    assert writer.load_model("team/m").model == b"x" * 5000
    with pytest.raises(PermissionError, match="may not use the model 'mine/m'"):
        writer.register_model("mine/m", b"x")
    with pytest.raises(PermissionError, match="writer is a writer; this takes an admin"):
        writer.collect_garbage()
    monkeypatch.setenv("MODEL_REGISTRY_TOKEN", token(folder, "reader", "reader"))
    reader = connect("reader", url=running.url)
    assert reader.list_models() == [entry]
    assert reader.load_model("team/m").entry == entry
    with pytest.raises(PermissionError, match="is a reader; this takes a writer"):
        reader.remove_model("team/m")
    with pytest.raises(PermissionError, match="the token is not valid — it was revoked"):
        connect("liar", url=running.url, token="mr_00000000_nothing").list_models()


def test_a_token_for_a_server_that_needs_none_is_told_from_one_that_is_wrong(server, connect) -> None:
    said = r"^this server needs no token, and knows none — unset MODEL_REGISTRY_TOKEN, and leave token=… out$"
    with pytest.raises(PermissionError, match=said):
        connect("needless", url=server.url, token="mr_00000000_nothing").list_models()


def test_a_token_is_taken_as_a_file_holds_it_and_never_shown(closed, connect) -> None:
    running, folder = closed
    text = token(folder, "kept", "reader")
    assert connect("kept", url=running.url, token=f" {text}\n").list_models() is not None
    for wrong in (f"{text}\n{text}", f"“{text}”"):
        with pytest.raises(ConfigurationError, match="holds a character that no token has") as caught:
            connect("wrong", url=running.url, token=wrong)
        assert text[12:] not in str(caught.value)


def test_what_is_hidden_has_no_name(closed, connect) -> None:
    running, folder = closed
    everything = connect("all", url=running.url, token=token(folder, "all", "writer"))
    everything.register_model("secret/base", b"base")
    everything.register_model("shown/m", b"child", parent="secret/base")
    some = connect("some", url=running.url, token=token(folder, "some", "reader", "shown/*"))
    [parent] = some.lineage("shown/m").parents
    assert (parent.state, parent.reference, parent.entry) == ("hidden", "", None)
    assert [entry.name for entry in some.search(limit=5)] == ["shown/m"]


def test_a_model_of_others_cannot_be_had_by_its_digest(closed, connect) -> None:
    running, folder = closed
    owner = connect("owner", url=running.url, token=token(folder, "owner", "writer", "owned/*"))
    thief = connect("thief", url=running.url, token=token(folder, "thief", "writer", "stolen/*"))
    entry = owner.register_model("owned/m", b"precious" * 1000)
    assert thief.stored_blobs(entry.blobs) == set()
    assert thief.register_model(
        "stolen/m", b"precious" * 1000
    ).verify_integrity()  # whoever has the bytes may send them


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Something that is no registry, and what it was asked."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_an_address_below_which_no_registry_answers_is_told(server: Running, connect) -> None:
    said = f"^{server.url}/foo is not where a registry answers: GET /foo/model-registry/models got 404 Not Found"
    with pytest.raises(StorageError, match=f"{said} — perhaps it is {server.url}$"):
        connect(url=f"{server.url}/foo").list_models()


def test_a_server_without_tls_is_told(server: Running, connect) -> None:
    client = connect(url=server.url.replace("http:", "https:"))
    with pytest.raises(StorageError, match=f"no TLS is spoken there — write {server.url}$"):
        client.list_models()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "answered with something that is no JSON"),
        (200, b'{"metadata": {"name": "m"}}', "the server's answer is no ModelMetadata"),
        (200, b'{"metadata": {"name": "m", "version": 1, "format": "x"}}', "1 is no str"),
        (502, b"bad gateway", "answered 502"),
        (500, b'{"detail": "the server failed", "error": "InternalError", "hint": ""}', "the server failed"),
    ],
)
def test_what_is_no_registry_is_told(connect, status: int, body: bytes, said: str) -> None:
    with answering(status, body) as (url, _):
        client = connect(url=url)
        with pytest.raises(StorageError, match=said):
            client.resolve("m")
        client.close()


def test_a_token_follows_no_redirect(connect) -> None:
    with answering(302, b"", Location="http://elsewhere.example.com/") as (url, asked):
        client = connect(url=url, token="mr_secret")
        with pytest.raises(StorageError, match="sends its callers to 'http://elsewhere"):
            client.list_models()
        client.close()
    assert len(asked) == 1


def test_whoever_asks_too_often_waits(connect) -> None:
    body = b'{"detail": "too many", "error": "TooManyRequestsError", "facts": {"retry_after": 0}}'
    with answering(429, body, **{"Retry-After": "0"}) as (url, asked):
        client = connect(url=url)
        with pytest.raises(RuntimeError, match="too many"):
            client.list_models()
        client.close()
    assert len(asked) == 4


def test_the_server_is_told_on_whose_behalf(connect) -> None:
    with answering(200, b'{"versions": [], "cursor": null}') as (url, asked):
        client = connect(url=url)
        with client.acting_as("ada ✓"):
            client.list_models()
        client.list_models()
        client.close()
    assert unquote(asked[0]["X-Model-Registry-Actor"]) == "ada ✓"
    assert "X-Model-Registry-Actor" not in asked[1]


def test_opening_a_server_imports_no_web_framework(server: Running) -> None:
    code = (
        "import sys; from model_registry import ModelRegistry;"
        f"registry = ModelRegistry({server.url!r}); registry.list_models(); registry.close();"
        "print(sorted({'fastapi', 'starlette', 'pydantic', 'uvicorn', 'torch', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_connection_keeps_its_token_to_itself() -> None:
    connection = Connection("http://127.0.0.1:9", "mr_secret", {})
    assert "mr_secret" not in repr(connection) + repr(connection.http) + repr(ModelRegistry("http://127.0.0.1:9"))
