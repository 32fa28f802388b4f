"""Addresses instead of folders: which class opens one, and where the address may be said."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
from importlib_metadata import entry_points

from model_registry import ConfigurationError, ModelRegistry, PluginLoadError
from model_registry.remotes import GROUP

REMOTE = """
from model_registry import ModelRegistry

class Remote(ModelRegistry):
    def __init__(self, path=None, **config):
        self.given = path, config

    def __repr__(self):
        return "remote"
"""


def offer(site: Path, *values: str) -> None:
    """Install a distribution with entry points for the scheme ``pigeon``, each of which names a class."""
    for number, value in enumerate(values):
        info = site / f"remote{number}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: remote{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[model_registry.remotes]\npigeon = {value}\n")


@pytest.fixture
def site(alone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = alone / "remotes"
    folder.mkdir()
    (folder / "pigeon_post.py").write_text(REMOTE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "pigeon_post", raising=False)
    return folder


def test_an_address_opens_what_a_plugin_offers_for_its_scheme(site: Path) -> None:
    offer(site, "pigeon_post:Remote")
    registry = ModelRegistry("pigeon://roof", cache_size=3)
    assert repr(registry) == "remote"
    assert registry.given == ("pigeon://roof", {"cache_size": 3})  # type: ignore[attr-defined]
    assert isinstance(registry, ModelRegistry)


@pytest.mark.parametrize("path", ["127.0.0.1:8000", "localhost:8000", "[::1]:80", "models.example.com:443/team"])
def test_a_host_and_a_port_are_no_folder(alone: Path, path: str) -> None:
    with pytest.raises(ConfigurationError, match="an address without its scheme") as caught:
        ModelRegistry(path)
    assert caught.value.hint == f"write http://{path} for a server, or ./{path} for a folder"
    assert not any(alone.glob("*:*"))
    assert ModelRegistry(f"./{path}", catalog="sqlite:catalog.sqlite").list_models() == []


@pytest.mark.parametrize(("path", "meant"), [("http:/127.0.0.1:8101", "http://127.0.0.1:8101"), ("s3:/b", "s3://b")])
def test_an_address_that_lacks_a_slash_is_no_folder(alone: Path, path: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match="lacks a slash") as caught:
        ModelRegistry(path)
    assert caught.value.hint == f"write {meant} for a server, or ./{path} for a folder"
    assert list(alone.iterdir()) == []
    ModelRegistry(f"./{path}", catalog="sqlite:catalog.sqlite")
    assert ModelRegistry(path, catalog="sqlite:catalog.sqlite").list_models() == []


@pytest.mark.parametrize("path", ["a:1", "team:models", "2026-01-01T10:00:00"])
def test_other_folders_may_have_a_colon_in_their_names(alone: Path, path: str) -> None:
    ModelRegistry(path)
    assert Path(path).is_dir()


def test_a_folder_that_is_there_is_opened_whatever_it_is_called(alone: Path) -> None:
    ModelRegistry("./models:1")
    assert ModelRegistry("models:1").list_models() == []


def test_the_address_may_stand_wherever_the_path_may(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(site, "pigeon_post:Remote")
    assert repr(ModelRegistry(registry_path="pigeon://roof")) == "remote"
    Path("registry.toml").write_text('[registry]\npath = "pigeon://roof"\n')
    assert repr(ModelRegistry()) == "remote"
    assert repr(ModelRegistry("folder")) == "ModelRegistry('folder')"
    monkeypatch.setenv("MODEL_REGISTRY_PATH", "elsewhere")
    assert repr(ModelRegistry()) == "ModelRegistry('elsewhere')"
    monkeypatch.setenv("MODEL_REGISTRY_PATH", "pigeon://roof")
    assert repr(ModelRegistry()) == "remote"


def test_a_scheme_that_nothing_opens_is_told(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])  # as if nothing were installed
    assert not entry_points(group=GROUP)
    with pytest.raises(ConfigurationError, match=r"nothing installed opens 'gopher' — install model-registry-server"):
        ModelRegistry("gopher://hole")
    assert list(alone.iterdir()) == []


def test_a_scheme_that_nothing_opens_leads_to_those_that_something_does(site: Path) -> None:
    offer(site, "pigeon_post:Remote")
    with pytest.raises(ConfigurationError, match=r"nothing installed opens 'pigeo' — begin it with .*pigeon://"):
        ModelRegistry("pigeo://roof")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["pigeon_post:Remote", "other:Remote"], "'pigeon' is claimed by other:Remote and pigeon_post:Remote"),
        (["pigeon_post:Missing"], "pigeon_post:Missing, which opens 'pigeon', cannot be imported: "),
        (["pathlib:Path"], "pathlib:Path, which opens 'pigeon', is no ModelRegistry"),
    ],
)
def test_what_cannot_open_it_is_named(site: Path, values: list[str], said: str) -> None:
    offer(site, *values)
    with pytest.raises(PluginLoadError) as caught:
        ModelRegistry("pigeon://roof")
    assert str(caught.value).startswith(said)


def test_a_copy_is_of_the_same_class_wherever_registries_are(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(site, "pigeon_post:Remote")
    local = ModelRegistry("folder")
    monkeypatch.setenv("MODEL_REGISTRY_PATH", "pigeon://roof")
    assert repr(copy.copy(local)) == "ModelRegistry('folder')"
