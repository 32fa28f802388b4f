"""All that the API shows of a registry, for comparing it with itself before a loss and after a rebuild."""

from __future__ import annotations

from typing import Any

from model_registry import ModelRegistry


def snapshot(registry: ModelRegistry) -> dict[str, Any]:
    """Everything but bytes."""
    visible, removed = registry.list_models(), registry.list_models(removed=True)
    names = sorted({entry.name for entry in (*visible, *removed)})
    return {
        "visible": [shown(entry) for entry in visible],
        "removed": [shown(entry) for entry in removed],
        "latest": {name: registry.get_model_info(name) for name in names},
        "aliases": {name: registry.aliases(name) for name in names},
        "tags": {name: registry.tags(name) for name in names},
        "descriptions": {name: registry.description(name) for name in names},
        "lineage": [registry.lineage(entry.name, entry.version) for entry in visible],
        "history": [
            (event.id, event.actor, event.action, event.model, event.version, event.subject, event.before, event.after)
            for event in registry.history()
        ],
        "stats": registry.get_detailed_stats(),
        "highest": {name: _highest(registry, name) for name in names},
    }


def shown(entry: Any) -> tuple[Any, ...]:
    return (
        *(entry.reference, entry.metadata, entry.digest, entry.size, entry.registered_at, entry.removed_at),
        *(entry.description, entry.aliases, dict(entry.tags), entry.parents, entry.files),
        *(entry.provenance, entry.environment),
    )


def _highest(registry: ModelRegistry, name: str) -> str | None:
    with registry._context.catalog._connections.reading() as db:
        found = db.execute("SELECT highest FROM models WHERE key = ?", (name.lower(),)).fetchone()
    highest: str | None = found[0]
    return highest
