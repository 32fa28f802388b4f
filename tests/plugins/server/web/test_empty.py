"""A new server, of an empty registry: every page says what to do first."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from running import serving


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("empty") / "models"
    with serving(folder, environ=environ) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def test_the_list_of_models_says_how_to_register_the_first(web: httpx.Client) -> None:
    page = unescape(web.get("/ui/models").text)
    assert "No models yet" in page
    assert 'href="/ui/upload"' in page.partition("<main")[2]
    server = str(web.base_url).rstrip("/")
    assert f'ModelRegistry("{server}")' in page
    assert f"model-registry --registry {server} register --name my-model model.safetensors" in page


def test_a_search_in_nothing_finds_nothing(web: httpx.Client) -> None:
    page = web.get("/ui/models", params={"q": "x"}).text
    assert "Nothing found" in page
    assert "No models yet" not in page


def test_the_page_of_webhooks_says_what_to_configure(web: httpx.Client) -> None:
    page = unescape(web.get("/ui/webhooks").text)
    assert 'webhook_hosts = ["ci.example.com"]' in page
    assert 'action="/ui/webhooks"' not in page


@pytest.mark.parametrize("path", ["jobs", "storage", "validate", "compare", "removed", "tokens", "audit", "upload"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_of_nothing_is_there(web: httpx.Client, path: str, language: str) -> None:
    assert web.get(f"/ui/{path}", headers={"Accept-Language": language}).status_code == 200
