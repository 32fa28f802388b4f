"""A registry written by each format on the disk that was ever released opens, loads, changes and loses nothing."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from model_registry import Finding, ModelRegistry, VersionExistsError

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("registry-*.json"))


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """The script that writes golden registries."""
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Of each golden registry in turn."""
    return str(request.param)


@pytest.fixture
def document(name: str) -> dict[str, Any]:
    """What is in the golden registry, as was written down when it was made."""
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def golden(name: str, alone: Path, make: ModuleType) -> Iterator[ModelRegistry]:
    """A copy of the golden registry, opened."""
    shutil.copytree(GOLDEN / name, alone / "models")
    for blob in (alone / "models" / "blobs" / "sha256").iterdir():
        blob.chmod(0o444)  # which git does not keep
    return make.open_golden(alone / "models")


def versions(document: dict[str, Any], *keys: str) -> list[dict[str, Any]]:
    return [version for key in keys for version in document[key]]


def loads_everything(registry: ModelRegistry, expected: list[dict[str, Any]]) -> bool:
    return all(registry.load_model(each["name"], each["version"]).model == each["model"] for each in expected)


def findings(registry: ModelRegistry, name: str) -> list[Finding]:
    """What is found but for the paths that the first format did not note, which a repair does."""
    without_paths = {"index-differs"} if name == "registry-1" else set()
    found = registry.validate_registry(deep=True)["findings"]
    return [finding for finding in found if finding.code not in without_paths]


def errors(registry: ModelRegistry) -> list[str]:
    return registry.validate_registry(deep=True)["errors"]


def test_lists_what_was_written(golden: ModelRegistry, document: dict[str, Any], make: ModuleType) -> None:
    assert make.told(golden) == document["visible"]
    assert make.told(golden, removed=True) == document["removed"]


def test_tells_what_was_said(golden: ModelRegistry, document: dict[str, Any], make: ModuleType) -> None:
    if "facts" in document:
        assert make.facts(golden) == document["facts"]
        assert golden.rollback("thresholds", "champion").version == "2.0.0rc1"


def test_knows_since_when_its_versions_are_there(golden: ModelRegistry, document: dict[str, Any]) -> None:
    told = [(each["name"], each["version"], each["registered_at"]) for each in versions(document, "visible", "removed")]
    events = [event for event in golden.history(limit=None) if event.action == "registered"]
    assert sorted((event.model, event.version) for event in events) == sorted(each[:2] for each in told)
    for each in document["removed"]:
        assert golden.history(each["name"], each["version"])[0].action == "removed"


def test_takes_what_is_said_now(golden: ModelRegistry) -> None:
    golden.set_alias("thresholds", "newest", "2.0.0rc1")
    golden.set_tag("thresholds", "stage", "new", "@newest")
    golden.describe("thresholds", "described anew", "@newest")
    golden.link("thresholds", "@newest", "thresholds:1.0.0")
    entry = golden.resolve("thresholds", "@newest")
    assert (entry.version, entry.tags["stage"], entry.description) == ("2.0.0rc1", "new", "described anew")
    assert "thresholds:1.0.0" in [parent.reference for parent in entry.parents]


def test_loads_every_version(golden: ModelRegistry, document: dict[str, Any]) -> None:
    assert loads_everything(golden, document["visible"])


def test_is_sound_to_the_last_byte(golden: ModelRegistry, name: str) -> None:
    assert findings(golden, name) == []
    assert all(entry.verify_integrity() for entry in golden.list_models())


def test_a_repair_makes_every_version_be_found_by_its_files(golden: ModelRegistry, document: dict[str, Any]) -> None:
    assert golden.repair().left == ()
    assert golden.validate_registry(deep=True)["findings"] == []
    visible = [(each["name"], each["version"]) for each in document["visible"]]
    assert [(each.name, each.version) for each in golden.search("files.path like '%'")] == visible


def test_is_rebuilt_from_its_blobs(golden: ModelRegistry, document: dict[str, Any], make: ModuleType) -> None:
    golden.backup()
    history = golden.history()
    for file in Path("models").glob("catalog.sqlite*"):
        file.unlink()
    assert ModelRegistry.rebuild("models").findings == ()
    rebuilt = make.open_golden(Path("models"))
    assert make.told(rebuilt) == document["visible"]
    assert make.told(rebuilt, removed=True) == document["removed"]
    assert rebuilt.history() == history
    assert loads_everything(rebuilt, document["visible"])
    assert rebuilt.validate_registry(deep=True)["findings"] == []


def test_restores_what_was_removed(golden: ModelRegistry, document: dict[str, Any]) -> None:
    for each in document["removed"]:
        (restored,) = golden.restore_model(each["name"], each["version"])
        assert restored.digest == each["digest"]
    assert golden.list_models(removed=True) == []
    assert loads_everything(golden, versions(document, "visible", "removed"))
    assert errors(golden) == []


def test_takes_new_versions(golden: ModelRegistry, make: ModuleType, document: dict[str, Any]) -> None:
    new = golden.register_model("thresholds", {"cat": 0.9}, "custom")
    assert new.version not in {each["version"] for each in versions(document, "visible", "removed")}
    assert golden.load_model("thresholds").entry == new
    again = golden.register_model("gone", {"x": 3}, "custom")
    assert again.version == "1.0.2"  # no number is given twice
    with pytest.raises(VersionExistsError):
        golden.register_model("thresholds", {"cat": 0.5}, "custom", version="1.0")
    assert errors(make.open_golden(golden.settings.path)) == []


@pytest.mark.parametrize("keep_removed_days", [None, 36_500, 0])
def test_collecting_garbage_takes_nothing_that_is_needed(
    golden: ModelRegistry, name: str, document: dict[str, Any], keep_removed_days: float | None
) -> None:
    kept = keep_removed_days == 36_500
    golden.collect_garbage(keep_removed_days)
    if kept:
        for each in document["removed"]:
            golden.restore_model(each["name"], each["version"])
    assert loads_everything(golden, versions(document, "visible", *(["removed"] if kept else [])))
    assert findings(golden, name) == []


def test_there_is_one_of_the_format_that_is_written_now(alone: Path, make: ModuleType) -> None:
    """What is written today is what the newest golden registry has; else the format changed without a number."""
    assert make.NAME in NAMES, "the schema has a new version: run golden/make.py and commit what it writes"
    written = make.write(alone / "models")
    document = json.loads((GOLDEN / f"{make.NAME}.json").read_text(encoding="utf-8"))
    for kind in ("visible", "removed"):
        assert [each["digest"] for each in written[kind]] == [each["digest"] for each in document[kind]]
    timeless = [
        {**each["facts"], "history": [e["action"] for e in each["facts"]["history"]]} for each in (written, document)
    ]
    assert timeless[0] == timeless[1]
