"""Models go to the server and come back, and what is told of them is what a folder tells."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest
from running import Running

from model_registry import (
    ModelEntry,
    ModelNotFoundError,
    ModelRegistry,
    ModelRegistryError,
    Parent,
    UnsafeModelError,
    UnsupportedModelError,
    VersionExistsError,
    VersionNotFoundError,
)
from model_registry_server.client import Client

LARGE = bytes(range(256)) * 8192

#: What an entry knows without being asked, and what it finds out.
FACTS = ["metadata", "digest", "size", "registered_at", "removed_at", "description", "name", "version", "reference"]
FOUND = ["files", "blobs", "provenance", "environment", "aliases", "tags", "parents", "tensors", "modules"]


def registered(client: Client, name: str) -> list[ModelEntry]:
    """Versions of every kind."""
    base = client.register_model(f"{name}/base", b"base")
    metadata = {"performance_metrics": {"accuracy": 1, "loss": 0.25}, "tags": ["a", "b"], "note": {"x": [1, None]}}
    rich = client.register_model(
        name, LARGE, version="2.0", parent=base, description="Grüße", parts=3, tokenizer="t", **metadata
    )
    client.set_alias(name, "champion", "2.0")
    client.set_tag(name, "stage", True, "2.0")
    client.describe(name, "edited since", "2.0")
    client.link(name, "2.0", Parent("dataset", "digits"))
    return [base, client.resolve(name, rich.version)]


def test_a_model_comes_back(client: Client, held: ModelRegistry) -> None:
    entry = client.register_model("back", b"some bytes", tokenizer="words")
    assert held.load_model("back").model == b"some bytes"
    model, tokenizer = client.load_model("back")
    assert (model, tokenizer) == (b"some bytes", "words")
    assert entry == held.resolve("back") == client.load_model("back").entry
    with client.temporary_model("back", upper=True) as (model, _):
        assert model == b"SOME BYTES"


def test_another_client_gets_it_with_an_empty_cache(client: Client, connect, folder: Path) -> None:
    client.register_model("far", LARGE, parts=5)
    other = connect("other")
    assert other.load_model("far").model == LARGE
    (Path(other.settings.path) / "catalog.sqlite").stat()
    assert other.load_model("far", upper=True).model == LARGE.upper()


def test_every_attribute_of_an_entry_is_that_of_a_local_one(client: Client, held: ModelRegistry) -> None:
    for entry in registered(client, "rich"):
        local = held.resolve(entry.name, entry.version)
        for name in FACTS + FOUND:
            there, here = getattr(entry, name), getattr(local, name)
            assert there == here, name
            assert isinstance(there, type(here)), name
        assert type(entry.metadata.format) is type(local.metadata.format)
        entry.verify()
        assert entry.calculate_checksum() == entry.digest
        assert entry.verify_integrity()
        for sha256, size in entry.blobs.items():
            assert entry.blob(sha256).stat().st_size == size


def test_entries_and_clients_go_to_other_processes(client: Client) -> None:
    entry, again = registered(client, "pickled")[1], None
    again, reopened = pickle.loads(pickle.dumps((entry, client)))
    assert again == entry
    assert again.tags == {"stage": "true"}
    assert again.blobs == entry.blobs
    assert repr(reopened) == repr(client)
    assert reopened.load_model("pickled").model == LARGE
    reopened.close()
    again._inspector.server.http.close()


def test_every_public_method_is_of_the_same_signature_and_none_is_inherited() -> None:
    for name, member in inspect.getmembers(ModelRegistry):
        if name.startswith("_") or not (callable(member) or isinstance(member, property)):
            continue
        assert name in vars(Client), name
        if isinstance(member, property):
            assert isinstance(vars(Client)[name], property)
            continue
        ours, theirs = (inspect.signature(getattr(cls, name)) for cls in (Client, ModelRegistry))
        assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
            (p.name, p.kind, p.default) for p in theirs.parameters.values()
        ], name


@pytest.mark.parametrize(
    ("call", "facts"),
    [
        (lambda r: r.resolve("nothing"), ["model"]),
        (lambda r: r.resolve("wrong", "9.9"), ["model", "version"]),
        (lambda r: r.resolve("wrong", "@nobody"), ["model", "version"]),
        (lambda r: r.load_model("wrongs"), ["model"]),
        (lambda r: r.resolve("a b"), ["value"]),
        (lambda r: r.resolve("wrong", 1), ["value"]),
        (lambda r: r.search("accuracy >>> 1"), ["query", "column"]),
        (lambda r: r.search("", limit=0), ["query", "column"]),
        (lambda r: r.register_model("wrong", b"x", version="1.0.0"), ["model", "version", "digest"]),
        (lambda r: r.register_model("wrong", b"other", version="1.0.0", exist_ok=True), ["model", "version", "digest"]),
        (lambda r: r.register_model("wrong", 7, "bytes"), []),
        (lambda r: r.register_model("wrong", b"ROTTEN"), ["path"]),
        (lambda r: r.register_model("wrong", b"x", parent="nobody"), ["model"]),
        (lambda r: r.register_model("wrong", b"x", parent=3), ["field"]),
        (lambda r: r.register_model("wrong", b"x", options={"colour": 1}), ["option"]),
        (lambda r: r.load_model("wrong", colour=1), ["option"]),
        (lambda r: r.set_alias("wrong", "latest"), []),
        (lambda r: r.set_alias("nothing", "champion"), ["model"]),
        (lambda r: r.set_tag("wrong", "", "x"), ["value"]),
        (lambda r: r.set_tag("wrong", "key", b"x"), ["value"]),
        (lambda r: r.describe("wrong", 3), ["value"]),
        (lambda r: r.rollback("wrong", "champion"), ["model", "alias"]),
        (lambda r: r.undo_alias("wrong", "champion"), ["model", "alias"]),
        (lambda r: r.rollback("wrong", "only"), ["model", "alias"]),
        (lambda r: r.restore_model("wrong", "1.0.0"), ["model", "version"]),
        (lambda r: r.link("wrong", "1.0.0", 3), ["field"]),
        (lambda r: r.convert("wrong", to="marble"), ["format"]),
        (lambda r: r.export_model("wrong", "1.0.0", "out.marble"), []),
        (lambda r: r.export_model("wrong", "1.0.0", "nowhere/out"), ["path"]),
        (lambda r: r.remove_many(" "), ["option"]),
        (lambda r: r.compress_model("wrong", "1.0.0", "quantization_int8"), []),
        (lambda r: r.recommend_compression("wrong", new_name="x"), ["option"]),
    ],
)
def test_an_error_is_the_one_that_a_folder_raises(client: Client, held: ModelRegistry, call, facts) -> None:
    client.register_model("wrong", b"right", version="1.0.0", exist_ok=True)
    client.set_alias("wrong", "only")
    with pytest.raises(ModelRegistryError) as there:
        call(client)
    with pytest.raises(type(there.value)) as here:
        call(held)
    assert type(there.value) is type(here.value)
    assert there.value.message == here.value.message
    assert there.value.hint.removeprefix("at the server: ") == here.value.hint  # what is to be installed, and where
    for fact in facts:
        assert getattr(there.value, fact) == getattr(here.value, fact)


def test_what_fails_leaves_nothing(client: Client, held: ModelRegistry) -> None:
    for model, error in ((b"ROTTEN", UnsafeModelError), (7, UnsupportedModelError)):
        with pytest.raises(error):
            client.register_model("nothing", model, "bytes")
    assert client.get_model_info("nothing") is None
    assert not [entry for entry in ModelRegistry(client.settings.path).list_models() if entry.name == "nothing"]


def test_the_same_version_may_exist_if_it_is_the_same(client: Client, connect) -> None:
    first = client.register_model("same", b"x", version="1.0.0")
    assert connect("other").register_model("same", b"x", version="1.0.0", exist_ok=True) == first
    with pytest.raises(VersionExistsError, match="with another digest"):
        client.register_model("same", b"y", version="1.0.0", exist_ok=True)
    assert client.load_model("same").model == b"x"


def test_what_is_removed_is_not_loaded_and_what_takes_its_name_is(client: Client, connect) -> None:
    other = connect("other")
    client.register_model("gone", b"old", version="1.0.0")
    assert other.load_model("gone").model == b"old"
    assert client.remove_model("gone", "1.0.0")
    assert not client.remove_model("gone", "1.0.0")
    with pytest.raises(VersionNotFoundError, match="was removed"):
        other.load_model("gone", "1.0.0")
    assert [entry.reference for entry in client.list_models(name="gone", removed=True)] == ["gone:1.0.0"]
    assert client.list_models(name="gone", removed=True)[0].removed_at is not None
    client.collect_garbage(0)
    client.register_model("gone", b"new", version="1.0.0")
    assert other.load_model("gone").model == b"new"


def test_a_whole_model_is_removed_with_all_its_versions(client: Client) -> None:
    for data in (b"1", b"2"):
        client.register_model("whole", data)
    assert client.remove_model("whole")
    assert client.list_models(name="whole") == []
    assert not client.remove_model("whole")


def test_an_entry_of_a_version_that_was_replaced_says_so(client: Client) -> None:
    entry = client.register_model("replaced", b"old", version="1.0.0")
    client.remove_model("replaced")
    with pytest.raises(ModelNotFoundError):
        assert entry.tags
    client.collect_garbage(0)
    client.register_model("replaced", b"new", version="1.0.0")
    with pytest.raises(VersionNotFoundError, match="another version has taken its name"):
        assert entry.tags


def test_files_and_folders_are_registered_by_their_paths(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"a" * 10)
    (folder / "b.bin").write_bytes(b"")
    entry = client.register_model("folder", folder, "bytes", description="two files")
    assert [file.path for file in entry.files] == ["a.bin", "b.bin"]
    assert (folder / "a.bin").exists()


def test_a_local_registry_becomes_a_shared_one_by_its_path_alone(server: Running, monkeypatch, tmp_path: Path) -> None:
    Path("registry.toml").write_text(f'[registry]\npath = "{server.url}"\ncatalog = "sqlite:elsewhere.sqlite"\n')
    registry = ModelRegistry()
    assert repr(registry) == f"ModelRegistry('{server.url}')"
    assert registry.register_model("by-file", b"x").version == "1.0.0"
    assert not (Path(registry.settings.path) / "elsewhere.sqlite").exists()
    registry.close()
