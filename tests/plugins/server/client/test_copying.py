"""Versions between folders and servers: byte for byte, with what was said of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from line import Line
from proxy import Proxy
from running import Running, serving

from model_registry import ModelEntry, ModelRegistry, Parent, VersionExistsError
from model_registry_server.client import Client


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Running]:
    """Another server."""
    with serving(tmp_path_factory.mktemp("second") / "models", environ=environ) as running:
        yield running


def filled(registry: ModelRegistry, name: str) -> list[ModelEntry]:
    """Versions with all that can be said of them."""
    first = registry.register_model(name, b"first" * 100, parts=2, description="one")
    second = registry.register_model(name, b"second" * 100, parent=first)
    registry.set_alias(name, "champion", "1.0.0")
    registry.set_tag(name, "stage", "prod", "1.0.1")
    registry.set_tag(name, "team", "a")
    registry.describe(name, "edited", "1.0.0")
    registry.describe(name, "of the model")
    registry.link(name, "1.0.1", Parent("dataset", "digits"))
    return [first, second]


def require_copied(source: ModelRegistry, target: ModelRegistry, name: str) -> None:
    for entry in source.list_models(name=name):
        copy = target.resolve(entry.name, entry.version)
        for fact in (
            "digest",
            "metadata",
            "registered_at",
            "size",
            "files",
            "blobs",
            "provenance",
            "environment",
            "tags",
            "parents",
        ):
            assert getattr(copy, fact) == getattr(entry, fact), fact
        assert copy.description == entry.description
        assert copy.aliases == entry.aliases
    assert (target.tags(name), target.description(name)) == (source.tags(name), source.description(name))


@pytest.mark.parametrize("way", ["folder to server", "server to folder", "server to server"])
def test_versions_are_copied(way: str, client: Client, connect, second: Running, tmp_path: Path) -> None:
    name = way.replace(" ", "-")
    source: ModelRegistry = ModelRegistry("local") if way.startswith("folder") else client
    entries = filled(source, name)
    target = {
        "folder to server": client,
        "server to folder": tmp_path / "target",
        "server to server": connect(url=second.url),
    }[way]
    foreseen = source.copy_versions(target, f"name = '{name}'", dry_run=True, aliases=True)
    report = source.copy_versions(target, f"name = '{name}'", aliases=True, progress=False)
    report.raise_for_failures()
    there = target if isinstance(target, ModelRegistry) else ModelRegistry(target)
    assert [entry.digest for entry in report.done] == [entry.digest for entry in entries]
    assert [entry.reference for entry in foreseen.done] == [entry.reference for entry in report.done]
    assert foreseen.bytes == report.bytes > 1000
    require_copied(source, there, name)
    again = source.copy_versions(target, [entries[1], f"{name}:1.0.0"])
    assert (again.done, len(again.skipped), again.failed) == ((), 2, ())
    if way != "folder to server":
        there.load_model(name)


def test_the_time_of_registering_comes_along(client: Client, tmp_path: Path) -> None:
    entry = client.register_model("timed", b"x")
    client.copy_versions(tmp_path / "target", [entry])
    assert ModelRegistry(tmp_path / "target").resolve("timed").registered_at == entry.registered_at


def test_another_version_under_the_same_name_is_a_failure(client: Client) -> None:
    client.register_model("clash", b"theirs", version="1.0.0")
    local = ModelRegistry("local")
    local.register_model("clash", b"ours", version="1.0.0")
    local.register_model("clash", b"more", version="2.0.0")
    report = local.copy_versions(client)
    assert [failure.what for failure in report.failed] == ["clash:1.0.0"]
    assert isinstance(report.failed[0].error, VersionExistsError)
    assert str(report.failed[0]).startswith("clash:1.0.0: clash:1.0.0 exists in the target with another digest — one")
    assert client.load_model("clash").model == b"more"


def test_an_address_is_a_target(client: Client, server: Running) -> None:
    local = ModelRegistry("local")
    local.register_model("addressed", b"x")
    assert local.copy_versions(server.url).ok
    assert client.load_model("addressed").model == b"x"


def test_a_target_that_is_away_is_tried_once() -> None:
    local = ModelRegistry("local")
    for _ in range(3):
        local.register_model("away", b"x")
    report = local.copy_versions("http://127.0.0.1:9")
    assert [failure.what for failure in report.failed] == ["3 versions, away:1.0.0 to away:1.0.2"]
    assert str(report.failed[0].error).startswith("http://127.0.0.1:9 cannot be reached: ")


def test_a_server_that_goes_away_ends_removing_and_what_was_done_is_told(server: Running, connect) -> None:
    with Proxy(server.port) as proxy:
        client = connect(url=proxy.url)
        for _ in range(4):
            client.register_model("going", b"x")
        away = ("DELETE", "/model-registry/models/going?version=1.0.1")
        proxy.instead = lambda asked: (504, {}, b"") if (asked.command, asked.path) == away else None
        report = client.remove_many(f"going:1.0.{number}" for number in range(4))
        assert [entry.reference for entry in report.done] == ["going:1.0.0"]
        assert [failure.what for failure in report.failed] == ["3 versions, going:1.0.1 to going:1.0.3"]


def test_what_the_server_has_is_not_sent(connect, server: Running) -> None:
    local = ModelRegistry("local")
    model = bytes(range(256)) * 4096
    for name in ("first", "second"):
        local.register_model(f"spared/{name}", model)
    with Line(server.port) as line:
        client = connect(url=line.url)
        assert local.copy_versions(client, "name = 'spared/first'").bytes > len(model)
        before = line.sent
        assert local.copy_versions(client, "name = 'spared/second'").bytes < 20_000
        assert line.sent - before < 50_000


def test_versions_of_a_folder_and_of_a_server_are_compared(client: Client) -> None:
    local = ModelRegistry("local")
    mine, theirs = local.register_model("compared", b"a", parts=2), client.register_model("compared", b"ab", parts=2)
    found = client.compare(mine, theirs)
    assert [(file.path, file.status) for file in found.files] == [("part-0.bin", "same"), ("part-1.bin", "changed")]


def test_a_version_is_taken_blob_by_blob(client: Client, held: ModelRegistry) -> None:
    entry = ModelRegistry("local").register_model("taken", b"x")
    came = client.receive_version(entry.digest, entry.blob, records=entry.blobs)
    assert came == held.resolve("taken")
    assert came.provenance == entry.provenance
    with pytest.raises(VersionExistsError, match="is registered already"):
        client.receive_version(entry.digest, entry.blob)
    assert client.receive_version(entry.digest, entry.blob, exist_ok=True) == came
