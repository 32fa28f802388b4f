"""Writes a golden registry: what this core leaves on the disk, for the tests of every later one.

::

    python tests/core/golden/make.py

makes ``registry-<schema version of the catalog>/`` beside this file, and a JSON file of what is in it. A golden
registry is never made anew once its format was released.
"""

from __future__ import annotations

import gc
import getpass
import json
import platform
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs

from model_registry import ModelFormat, ModelLoader, ModelRegistry, Parent
from model_registry.catalog.schema import MIGRATIONS

HERE = Path(__file__).parent
NAME = f"registry-{len(MIGRATIONS)}"


class JsonLoader(ModelLoader):
    """Models that are JSON values."""

    def save(self, model: Any, model_path: str, **kwargs: Any) -> None:
        Path(model_path).write_text(json.dumps(model), encoding="utf-8")

    def load(self, model_path: str, **kwargs: Any) -> Any:
        return json.loads(Path(model_path).read_text(encoding="utf-8"))


def open_golden(folder: Path) -> ModelRegistry:
    """A registry with the loader of the golden ones."""
    registry = ModelRegistry(folder)
    registry.loaders[ModelFormat.CUSTOM] = JsonLoader()
    return registry


def write(folder: Path) -> dict[str, Any]:
    """Write the registry into a folder that does not exist; what is in it."""
    registry = open_golden(folder)
    fill(registry)
    registry.remove_model("gone", "1.0.0")
    registry.remove_model("thresholds", "1.1.0")
    with registry.acting_as("ada"):
        say(registry)
    return {"visible": told(registry), "removed": told(registry, removed=True), "facts": facts(registry)}


def fill(registry: ModelRegistry) -> None:
    registry.register_model(
        "thresholds",
        {"cat": 0.5},
        "custom",
        version="1.0.0",
        model_type="classification",
        description="the first",
        author="Ada",
        performance_metrics={"accuracy": 0.91, "loss": 0.4},
        tags=["animals", "small"],
        note="kept",
        nested={"a": [1, None, "x"]},
    )
    metrics = {"accuracy": 0.95}
    registry.register_model(
        "thresholds", {"cat": 0.75}, "custom", version="1.1.0", performance_metrics=metrics, tags=["animals"]
    )
    registry.register_model("thresholds", {"cat": 0.75}, "custom", version="2.0.0rc1")
    words = ["ein", "zwei", "三"]
    registry.register_model(
        "team-a/Words", words, "custom", version="1!1.0+cpu", model_type="language_model", license="MIT"
    )
    registry.register_model("gone", {"x": 1}, "custom")
    registry.register_model("gone", {"x": 2}, "custom")
    registry.register_model("child", {"dog": 1}, "custom", parent="thresholds:1.0.0")


def say(registry: ModelRegistry) -> None:
    """Everything that can be said of versions after they were registered."""
    for version in ("1.0.0", "2.0.0rc1", "1.0.0", "2.0.0rc1"):
        registry.set_alias("thresholds", "champion", version)
    registry.undo_alias("thresholds", "champion")
    registry.set_alias("gone", "former", "1.0.1")
    registry.delete_alias("gone", "former")
    registry.set_tag("thresholds", "stage", "prod", "1.0.0")
    registry.set_tag("thresholds", "team", "größer")
    registry.describe("thresholds", "edited since", "1.0.0")
    registry.describe("thresholds", "what cats need")
    registry.link("thresholds", "2.0.0rc1", Parent("dataset", "pets"))


def told(registry: ModelRegistry, *, removed: bool = False) -> list[dict[str, Any]]:
    """What a golden registry's JSON file says of each version."""
    return [
        {
            "name": entry.name,
            "version": entry.version,
            "digest": entry.digest,
            "registered_at": entry.registered_at.isoformat(),
            "model_type": entry.metadata.model_type.value,
            "extra": entry.metadata.extra,
            "model": json.loads((Path(registry.settings.path) / "blobs" / "sha256" / file.sha256).read_bytes()),
        }
        for entry in registry.list_models(removed=removed)
        for file in entry.files
    ]


def facts(registry: ModelRegistry) -> dict[str, Any]:
    """What is said of models and versions, and what was changed when and by whom."""
    entries = registry.list_models()
    models = sorted({entry.name for entry in entries})
    return {
        "aliases": {name: registry.aliases(name) for name in models},
        "model_tags": {name: registry.tags(name) for name in models},
        "model_descriptions": {name: registry.description(name) for name in models},
        "tags": {entry.reference: dict(entry.tags) for entry in entries},
        "descriptions": {entry.reference: entry.description for entry in entries},
        "parents": {entry.reference: [attrs.asdict(parent) for parent in entry.parents] for entry in entries},
        "history": [
            {**attrs.asdict(event), "at": event.at.isoformat()} for event in reversed(registry.history(limit=None))
        ],
    }


def leave_no_trace(folder: Path) -> None:
    """Keep what is the registry's; drop caches, and what the database remembers of leases that have ended."""
    gc.collect()  # closes the registry's connections
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as database:
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.rmtree(folder / "staging")
    for leftover in ("fingerprints.sqlite", "fingerprints.sqlite-wal", "fingerprints.sqlite-shm"):
        (folder / leftover).unlink(missing_ok=True)


if __name__ == "__main__":
    socket.gethostname = lambda: "golden"
    getpass.getuser = lambda: "golden"
    platform.platform = lambda *_: "golden"
    document = write(HERE / NAME)
    leave_no_trace(HERE / NAME)
    (HERE / f"{NAME}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
