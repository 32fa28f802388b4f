"""Fixtures of the server's tests, which need the core and this distribution. What needs a framework is skipped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules, which are no package

from running import Running, serving

API = "/model-registry"

# Real servers run beside these tests, so that an example may take longer than it should alone.
settings.register_profile("beside servers", settings.default, deadline=None)
settings.load_profile("beside servers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a registry that a module's tests share."""
    return tmp_path_factory.mktemp("server") / "models"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    """A server that only this machine can reach, without tokens."""
    with serving(folder) as running:
        yield running


@pytest.fixture(scope="module")
def http(server: Running) -> Iterator[httpx.Client]:
    """A client of its API, that gives up late."""
    with httpx.Client(base_url=f"{server.url}{API}", timeout=60) as client:
        yield client
