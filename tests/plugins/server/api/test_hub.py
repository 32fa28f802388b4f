"""Models of a hub: fetched by a worker that may call no other hosts than the configuration names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import serving

pytest.importorskip("model_registry_huggingface")
API = "/model-registry"


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A hub that has nothing: its address, and what it was asked for."""
    paths: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{hub.server_port}", paths
        hub.shutdown()
        thread.join()


def fetch(folder: Path, options: str, endpoint: str) -> dict[str, Any]:
    environ = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(folder.parent / "home")}
    with serving(folder, options=options, environ=environ) as running:
        job: dict[str, Any] = httpx.post(
            f"{running.url}{API}/models/sentences/register-from-hub",
            json={"repo_id": "team/model"},
            headers={"Prefer": "wait=60"},
            timeout=90,
        ).json()
    return job


def test_a_hub_that_the_configuration_does_not_name_is_not_called(tmp_path: Path, asked: tuple[str, list[str]]) -> None:
    job = fetch(tmp_path / "models", "", asked[0])
    assert (job["state"], job["error"]["type"]) == ("failed", "StorageError")
    assert "hub_hosts" in f"{job['error']['message']} {job['error']['hint']}"
    assert asked[1] == []


def test_a_private_address_is_not_called_even_if_it_is_named(tmp_path: Path, asked: tuple[str, list[str]]) -> None:
    job = fetch(tmp_path / "models", 'hub_hosts = ["127.0.0.1"]', asked[0])
    assert job["error"]["type"] == "StorageError"
    assert asked[1] == []


def test_a_hub_that_the_configuration_names_is_asked(tmp_path: Path, asked: tuple[str, list[str]]) -> None:
    job = fetch(tmp_path / "models", 'hub_hosts = ["127.0.0.1"]\nhub_private = true', asked[0])
    assert job["error"]["type"] == "SourceNotFoundError"
    assert any("team/model" in path for path in asked[1])
