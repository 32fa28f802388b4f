"""Downloads by pages: what they are refused for is a page as well."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from running import Running, serving

from model_registry import ModelRegistry

#: More than the buffers of two sockets take, so that who does not read it holds it.
_LARGE = 10_000_000
_DOWNLOAD = "/ui/models/large/download"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Running]:
    """A server of a large file, of which the caller takes as many downloads as it may."""
    folder = tmp_path_factory.mktemp("downloads")
    (folder / "large").write_bytes(os.urandom(_LARGE))
    ModelRegistry(folder / "models").register_model("large", folder / "large", "opaque")
    with serving(folder / "models", environ=environ) as running, ExitStack() as held:
        for _ in range(64):
            _begin(held.enter_context(socket.socket()), running.port)
        yield running


def _begin(connection: socket.socket, port: int) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    connection.sendall(f"GET {_DOWNLOAD} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(("language", "said"), [("en", "Too many requests"), ("zh", "请求过于频繁")])
def test_one_download_too_many_is_a_page(web: httpx.Client, language: str, said: str) -> None:
    response = web.get(_DOWNLOAD, headers={"Accept": "text/html", "Accept-Language": language})
    assert response.status_code == 429
    assert response.headers["content-type"].startswith("text/html")
    assert "content-disposition" not in response.headers
    assert int(response.headers["retry-after"]) > 0
    assert said in response.text
    assert "you have 64 downloads under way" in response.text


def test_a_script_is_told_by_a_document(web: httpx.Client) -> None:
    told = web.get(_DOWNLOAD, headers={"Accept": "application/json", "Accept-Language": "zh"})
    assert (told.status_code, told.json()["title"]) == (429, "请求过于频繁")
    assert told.headers["content-type"] == "application/problem+json"
