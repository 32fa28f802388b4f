"""Registering: versions, formats, and what a failure leaves behind: nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_registry import (
    InvalidNameError,
    InvalidOptionError,
    ModelRegistry,
    UnsafeModelError,
    UnsupportedFormatError,
    UnsupportedModelError,
    VersionExistsError,
)
from model_registry.catalog import VersionRow
from model_registry.catalog.sqlite import SqliteCatalog


def blobs() -> set[str]:
    return {path.name for path in Path("models").glob("blobs/sha256/*")}


def test_versions_are_counted_up_unless_given(registry: ModelRegistry) -> None:
    given = [None, None, "2.0", None, "nightly", None]
    versions = [registry.register_model("m", b"x", version=version).version for version in given]
    assert versions == ["1.0.0", "1.0.1", "2.0", "2.0.1", "nightly", "2.0.2"]


@pytest.mark.parametrize("again", ["1.0", "1.0.0"])
def test_a_version_is_immutable(registry: ModelRegistry, again: str) -> None:
    entry = registry.register_model("m", b"x", version="1.0")
    before = blobs()
    with pytest.raises(VersionExistsError, match=r"^m:1\.0 is registered already") as refusal:
        registry.register_model("m", b"y", version=again)
    assert (refusal.value.model, refusal.value.version, refusal.value.digest) == ("m", "1.0", entry.digest)
    assert blobs() == before


def test_the_same_version_again_is_fine_when_said_so_and_only_then(registry: ModelRegistry) -> None:
    entry = registry.register_model("m", b"x", version="1.0")
    before = blobs()
    assert registry.register_model("m", b"x", version="1.0", exist_ok=True) == entry
    for changed in ({"model": b"y"}, {"model": b"x", "description": "d"}):
        with pytest.raises(VersionExistsError, match="with another digest: model or metadata differ"):
            registry.register_model("m", version="1.0", exist_ok=True, **changed)  # type: ignore[arg-type]
    assert blobs() == before


def test_equal_bytes_are_stored_once(registry: ModelRegistry) -> None:
    one = registry.register_model("m", b"abcdef", parts=2)
    other = registry.register_model("n", b"a_c_e_", parts=2)
    assert one.files[0].sha256 == other.files[0].sha256
    stats = registry.get_detailed_stats()
    assert (stats["logical_bytes"], one.size) == (12, 6)


def test_a_file_and_a_folder_are_kept_byte_for_byte(registry: ModelRegistry) -> None:
    Path("folder/sub").mkdir(parents=True)
    Path("folder/sub/a.bin").write_bytes(b"1")
    Path("folder/b.bin").write_bytes(b"2")
    assert [file.path for file in registry.register_model("m", "folder", "bytes").files] == ["b.bin", "sub/a.bin"]
    assert registry.register_model("n", Path("folder/b.bin")).metadata.format == "bytes"
    assert Path("folder/b.bin").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("said", "error", "line"),
    [
        (
            {"model": 3},
            UnsupportedModelError,
            "no installed plugin recognises a int; formats known: bytes, loud, script — say",
        ),
        ({"model": int}, UnsupportedModelError, "int is a class, not a model — give an instance of it, such as int()"),
        ({"model": 3, "model_format": "bytes"}, UnsupportedModelError, "a int is not bytes — give bytes"),
        ({"model_format": "loud"}, UnsupportedModelError, "'loud' is a format to export to, not to register in"),
        ({"model_format": "onnx"}, UnsupportedFormatError, "no plugin handles the format 'onnx'; formats known: bytes"),
        (
            {"model": b"ROTTEN"},
            UnsafeModelError,
            "refused: part-0.bin: the bytes say that they are rotten — use fresh ones",
        ),
        ({"parts": 0}, UnsupportedModelError, "there is nothing to store: the model has no files"),
    ],
)
def test_what_cannot_be_stored_leaves_nothing(
    registry: ModelRegistry, said: dict[str, Any], error: type[Exception], line: str
) -> None:
    with pytest.raises(error) as refusal:
        registry.register_model(**{"name": "m", "model": b"x", **said})
    assert line in str(refusal.value)
    assert (registry.list_models(), blobs(), list(Path("models").glob("staging/*"))) == ([], set(), [])
    assert registry.register_model("m", b"x").version == "1.0.0"  # no number was used up


def test_validation_may_be_turned_off(registry: ModelRegistry) -> None:
    entry = ModelRegistry("models", auto_validate=False).register_model("m", b"ROTTEN")
    (line,) = registry.validate_registry()["errors"]
    assert line == f"{entry.reference}, part-0.bin: the bytes say that they are rotten — use fresh ones"


def test_names_that_differ_by_case_are_one_name(registry: ModelRegistry) -> None:
    registry.register_model("Model", b"x")
    with pytest.raises(InvalidNameError, match="use 'Model'"):
        registry.register_model("model", b"y")
    assert registry.load_model("MODEL").model == b"x"


def test_a_default_format_is_used_where_none_is_seen(registry: ModelRegistry) -> None:
    Path("data.xyz").write_bytes(b"x")
    assert ModelRegistry("models", default_format="bytes").register_model("m", "data.xyz").metadata.format == "bytes"


def test_registering_again_puts_damaged_bytes_back(registry: ModelRegistry) -> None:
    path = Path("models/blobs/sha256", registry.register_model("m", b"abc").files[0].sha256)
    path.chmod(0o644)
    path.write_bytes(b"abX")
    registry.register_model("n", b"abc")
    assert path.read_bytes() == b"abc"
    assert registry.load_model("m").model == b"abc"


def test_a_number_that_somebody_asks_for_by_name_meanwhile_is_not_taken(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ModelRegistry("models")
    commit = SqliteCatalog.commit

    def late(self: SqliteCatalog, lease: str, row: VersionRow) -> None:
        monkeypatch.setattr(SqliteCatalog, "commit", commit)
        other.register_model("m", b"theirs", version=row.version)
        commit(self, lease, row)

    monkeypatch.setattr(SqliteCatalog, "commit", late)
    assert registry.register_model("m", b"ours").version == "1.0.1"
    assert (registry.load_model("m", "1.0.0").model, registry.load_model("m", "1.0.1").model) == (b"theirs", b"ours")
    registry.collect_garbage(0)
    assert registry.validate_registry(deep=True)["findings"] == []


@pytest.mark.parametrize("which", ["member", "manifest", "metadata", "config"])
@pytest.mark.parametrize("harm", ["changed", "deleted"])
def test_registering_the_same_again_puts_back_what_was_damaged(registry: ModelRegistry, which: str, harm: str) -> None:
    entry = registry.register_model("m", b"x" * 100, version="1.0")
    manifest = json.loads(Path("models/blobs/sha256", entry.digest).read_bytes())
    digests = {
        "member": entry.files[0].sha256,
        "manifest": entry.digest,
        "metadata": manifest["layers"][-1]["digest"].removeprefix("sha256:"),
        "config": manifest["config"]["digest"].removeprefix("sha256:"),
    }
    blob = Path("models/blobs/sha256", digests[which])
    blob.chmod(0o600)
    if harm == "changed":
        blob.write_bytes(b"?")
    else:
        blob.unlink()
    assert registry.validate_registry()["valid_models"] == 0
    assert registry.register_model("m", b"x" * 100, version="1.0", exist_ok=True) == entry
    assert registry.validate_registry(deep=True)["findings"] == []
    assert registry.load_model("m").model == b"x" * 100


def test_a_number_is_never_given_twice_even_when_forgotten(bytes_plugin: str) -> None:
    registry = ModelRegistry("models", backup_enabled=False)
    assert [registry.register_model("m", bytes([n])).version for n in range(2)] == ["1.0.0", "1.0.1"]
    registry.remove_model("m")
    registry.collect_garbage(0)
    assert registry.register_model("m", b"new").version == "1.0.2"


def test_options_must_be_known_while_keywords_may_be_metadata(registry: ModelRegistry) -> None:
    assert len(registry.register_model("m", b"abcdef", options={"parts": 3}).files) == 3
    assert registry.register_model("m", b"x", zip=1).metadata.extra["zip"] == 1
    with pytest.raises(InvalidOptionError, match=r"registering in format 'bytes' knows no option 'part'.*'parts'"):
        registry.register_model("m", b"x", options={"part": 3})


def test_a_default_format_is_taken_at_its_word(bytes_plugin: str) -> None:
    with pytest.raises(UnsupportedFormatError, match="no plugin handles the format 'bites'"):
        ModelRegistry("models", default_format="bites").register_model("m", b"x")


@pytest.mark.parametrize(("said", "meant"), [("bytse", "bytes"), ("pytorhc", "pytorch")])
def test_a_misspelt_format_is_told_from_one_that_is_to_be_installed(
    registry: ModelRegistry, said: str, meant: str
) -> None:
    hint = rf"did you mean '{meant}'\? If not, install the plugin that its authors name, or set registry\.loaders\["
    with pytest.raises(UnsupportedFormatError, match=rf"no plugin handles the format '{said}'.* — {hint}'{said}'\]$"):
        registry.register_model("m", b"x", said)


def test_what_looks_like_a_field_is_kept_and_told(registry: ModelRegistry, caplog: pytest.LogCaptureFixture) -> None:
    entry = registry.register_model("m", b"x", descripton="a word")
    assert entry.metadata.extra["descripton"] == "a word"
    assert "'descripton' is kept under extra; did you mean the field 'description'?" in caplog.messages
