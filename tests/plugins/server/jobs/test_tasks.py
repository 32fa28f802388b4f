"""What workers can do, done here: each task gives what the registry gives, in words of JSON."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from model_registry import InvalidOptionError, ModelRegistry, SourceNotFoundError, UnsupportedFormatError
from model_registry_server.jobs import parts
from model_registry_server.jobs.tasks import TASKS, task


def do(registry: ModelRegistry, task: str, /, **arguments: Any) -> Any:
    """The result, after the way through JSON."""
    return json.loads(json.dumps(TASKS[task](registry, arguments), allow_nan=False))


def validated(registry: ModelRegistry, **arguments: Any) -> tuple[Any, list[Any]]:
    """The report, and what was told before it of the versions that were read."""
    told: list[Any] = []
    with parts.taken_by(told.append):
        report = do(registry, "validate", **arguments)
    return report, [part["read"] for part in told]


def test_validation_tells_what_is_damaged(registry: ModelRegistry, folder: Path) -> None:
    whole = registry.register_model("whole", b"another", "text")
    assert do(registry, "validate")["valid_models"] == 2
    digest = registry.resolve("m").files[0].sha256
    blob = next(path for path in folder.rglob(f"*{digest[8:]}*") if path.is_file())
    blob.chmod(0o600)
    blob.write_bytes(b"j" + blob.read_bytes()[1:])
    report, read = validated(registry, deep=True)
    assert (report["total_models"], report["valid_models"]) == (2, 1)
    assert report["findings"][0]["severity"] == "error"
    damaged = registry.resolve("m").digest
    assert read == [{damaged: False, whole.digest: True}]
    assert validated(registry)[1] == [{damaged: False}]  # the other one was not read


@pytest.mark.parametrize("cell", ["metadata = '{}'", "registered_at = 'x'", "digest = 'x'"])
def test_validation_tells_of_an_entry_that_is_wrong(registry: ModelRegistry, folder: Path, cell: str) -> None:
    whole = registry.register_model("whole", b"another", "text")
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as db, db:
        db.execute(f"UPDATE versions SET {cell} WHERE id = 1")
    report, read = validated(registry, deep=True)
    assert (report["total_models"], report["valid_models"]) == (2, 1)
    assert ("manifest-damaged", "m:1.0.0") in {(finding["code"], finding["where"]) for finding in report["findings"]}
    assert read == [{whole.digest: True}]


def test_what_was_read_is_told_in_parts(registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_registry_server.jobs.tasks._PART", 2)
    for number in range(4):
        registry.register_model("more", f"{number}".encode(), "text")
    report, read = validated(registry, deep=True)
    assert [len(part) for part in read] == [2, 2, 1]
    assert {**read[0], **read[1], **read[2]} == {entry.digest: True for entry in registry.list_models()}
    assert report.keys() == {"total_models", "valid_models", "errors", "warnings", "findings"}


def test_a_model_of_a_hub_is_registered(registry: ModelRegistry) -> None:
    given = {"name": "haiku", "revision": "v2", "version": "3.0", "author": "Bashō", "parent": ["m:1.0.0"]}
    version = do(registry, "register_from_hub", repo_id="poets/haiku", exist_ok=None, **given)
    assert (version["reference"], version["metadata"]["author"]) == ("haiku:3.0", "Bashō")
    assert registry.load_model("haiku").model == "a frog jumps in at v2"
    assert [parent.reference for parent in registry.resolve("haiku").parents] == ["m:1.0.0"]


def test_a_parent_of_another_relation_is_a_record(registry: ModelRegistry) -> None:
    dataset = {"relation": "dataset", "name": "frogs", "version": "1"}
    version = do(registry, "register_from_hub", repo_id="poets/haiku", name="haiku", parent=dataset)
    assert version["metadata"]["parents"] == [{**dataset, "digest": None}]


def test_what_the_hub_does_not_have_is_told(registry: ModelRegistry) -> None:
    with pytest.raises(SourceNotFoundError, match="the hub has no 'poets/ode'"):
        do(registry, "register_from_hub", repo_id="poets/ode")


@pytest.mark.parametrize("name", ["model", "model_format", "options", "weights_only", "example_inputs", "self"])
def test_metadata_of_a_hub_model_cannot_say_how_it_is_registered(registry: ModelRegistry, name: str) -> None:
    with pytest.raises(InvalidOptionError, match=f"'{name}' is no option of metadata"):
        TASKS["register_from_hub"](registry, {"repo_id": "poets/haiku", name: True})
    assert registry.get_model_info("poets/haiku") is None


def test_a_version_is_converted(registry: ModelRegistry) -> None:
    given = {"to": "loud", "new_name": "n", "new_version": "2", "check": False, "options": {"marks": 3}}
    version = do(registry, "convert", name="m", version=None, **given)
    assert (version["reference"], version["metadata"]["format"]) == ("n:2", "loud")
    assert registry.load_model("n").model == "HELLO " * 1000 + "!!!"


@pytest.mark.parametrize("version", [None, "1.0.0"])
def test_a_version_is_exported(registry: ModelRegistry, tmp_path: Path, version: str | None) -> None:
    path = tmp_path / "m.txt"
    told = do(registry, "export", name="m", version=version, path=str(path), format="loud", check=False)
    assert told["path"] == str(path)
    assert told["parity"]["checked"] is False
    assert path.read_text() == "HELLO " * 1000 + "!"
    do(registry, "export", name="m", version=version, path=str(path), format="text", overwrite=True)
    assert path.read_text() == "hello " * 1000


@pytest.mark.parametrize("name", ["overwrite", "inputs", "name", "self"])
def test_options_of_a_plugin_cannot_pass_for_those_of_the_registry(
    registry: ModelRegistry, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "m.loud"
    with pytest.raises(InvalidOptionError, match=f"'{name}' is no option of a plugin"):
        do(registry, "export", name="m", path=str(path), check=False, options={name: True})
    assert not path.exists()


def test_an_unknown_argument_is_named_with_the_nearest(registry: ModelRegistry) -> None:
    with pytest.raises(InvalidOptionError, match="'tolerence' is no option of the task — did you mean 'tolerance'"):
        do(registry, "convert", name="m", to="loud", tolerence=1)


def test_a_missing_argument_is_named(registry: ModelRegistry) -> None:
    with pytest.raises(InvalidOptionError, match="the task needs 'to'"):
        do(registry, "convert", name="m", to=None)


@pytest.mark.parametrize(("name", "arguments"), [("compress", {"compression": "fp16"}), ("archive", {"keep": 0})])
def test_what_no_plugin_offers_is_an_error_of_the_registry(
    registry: ModelRegistry, name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(UnsupportedFormatError):
        do(registry, name, name="m", **arguments)


def test_a_compression_that_nobody_offers_is_not_recommended(registry: ModelRegistry) -> None:
    with pytest.raises(UnsupportedFormatError):
        do(registry, "recommend", name="m", max_drop=0.5)


def test_removed_versions_are_collected(registry: ModelRegistry) -> None:
    registry.remove_model("m")
    told = do(registry, "collect_garbage", keep_removed_days=0)
    assert told["versions"] == 1
    assert told["bytes"] >= 6000


def test_nothing_is_repaired_where_nothing_is_wrong(registry: ModelRegistry) -> None:
    assert do(registry, "repair", dry_run=True) == {"done": [], "left": []}


def test_a_backup_is_made(registry: ModelRegistry) -> None:
    assert Path(do(registry, "backup")["path"]).is_file()


def test_a_version_that_is_not_archived_is_hot_already(registry: ModelRegistry) -> None:
    assert do(registry, "restore_hot", name="m", version="1.0.0")["reference"] == "m:1.0.0"
    assert registry.tags("m", "1.0.0") == {"archive": "never"}


def test_there_are_no_two_tasks_of_one_name() -> None:
    with pytest.raises(ValueError, match="two tasks 'validate'"):
        task("validate")(lambda registry, arguments: None)
