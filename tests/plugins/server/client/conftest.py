"""Clients and servers that both have the plugin of the format «bytes», and no framework."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from importlib_metadata import entry_points

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules, which are no package
sys.path.insert(0, str(Path(__file__).parents[3] / "core"))  # the plugin that the core's tests use

from fake_plugins import BYTES, GROUP, Installer
from running import Running, serving

from model_registry import ModelRegistry
from model_registry_server.client import Client

#: Conversions: «sloth» takes a minute, «leaves» is a folder, «echo» can be stored.
MAKER = """
import time
from model_registry import Conversion, FormatSpec, LoadedModel, hookimpl


class Plugin:
    @hookimpl
    def formats(self):
        return [
            FormatSpec("sloth", "Takes a minute", storable=False),
            FormatSpec("leaves", "A folder", storable=False),
            FormatSpec("echo", "The same again", suffixes=(".echo",)),
        ]

    @hookimpl
    def conversions(self):
        return [Conversion("bytes", target, lossless=target != "sloth") for target in ("sloth", "leaves", "echo")]

    @hookimpl
    def export(self, request, files):
        if request.target_format == "sloth":
            time.sleep(60)
        elif request.target_format == "leaves":
            (request.destination / "below").mkdir(parents=True)
            (request.destination / "below" / "a.txt").write_text("a")
            (request.destination / "b.txt").write_text("b")
            (request.destination / "c.bin").write_bytes(files.read("part-0.bin"))
            return True
        elif request.target_format == "echo":
            request.destination.write_bytes(files.read("part-0.bin"))
            return True

    @hookimpl
    def save(self, request, stage):
        if request.format == "echo":
            model = request.model
            stage.add("echo", model if model.is_file() else next(path for path in model.iterdir()))
            return True

    @hookimpl
    def load(self, request, files):
        if request.format == "echo":
            return LoadedModel(files.read("echo"))
"""

Connect = Callable[..., Client]


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What servers and other processes are told, so that they have the plugin too."""
    site = tmp_path_factory.mktemp("site")
    installer = Installer(site)
    installer("bytes", BYTES)
    installer("maker", MAKER)
    others = {point.name for point in entry_points(group=GROUP)} - {"server"}
    told = {"PYTHONPATH": str(site), "MODEL_REGISTRY_DISABLED_PLUGINS": ",".join(sorted(others))}
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    yield told
    sys.path.remove(str(site))
    for module in installer.modules:
        sys.modules.pop(module, None)


@pytest.fixture(autouse=True)
def _alone(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current folder and cache, and a configuration that says nothing."""
    for variable in [name for name in os.environ if name.startswith("MODEL_REGISTRY_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("MODEL_REGISTRY_DISABLED_PLUGINS", environ["MODEL_REGISTRY_DISABLED_PLUGINS"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def server(folder: Path, environ: dict[str, str]) -> Iterator[Running]:
    """A server that only this machine can reach, without tokens."""
    with serving(folder, environ=environ) as running:
        yield running


@pytest.fixture
def connect(server: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Connect]:
    """``connect("other")`` opens the server with a cache of its own, by that name."""
    opened: list[Client] = []

    def open_it(cache: str = "cache", url: str = "", **config: object) -> Client:
        with monkeypatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
            client = ModelRegistry(url or server.url, **config)
        assert isinstance(client, Client)
        opened.append(client)
        return client

    yield open_it
    for client in opened:
        client.close()


@pytest.fixture
def client(connect: Connect) -> Client:
    """The registry of the server."""
    return connect()


@pytest.fixture
def held(server: Running, folder: Path) -> ModelRegistry:
    """The server's registry, opened as what it is: a folder."""
    return ModelRegistry(folder)
