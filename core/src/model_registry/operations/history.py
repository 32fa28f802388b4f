"""The history: what was changed, when and by whom."""

from __future__ import annotations

from model_registry.clock import moment
from model_registry.names import check_alias, check_model_name
from model_registry.operations.context import Context
from model_registry.records import Event
from model_registry.versions import check_version


def history(
    context: Context, name: str | None, version: str | None, *, alias: str | None, before: int | None, limit: int | None
) -> list[Event]:
    """See ``ModelRegistry.history``."""
    rows = context.catalog.history.events(
        None if name is None else check_model_name(name),
        None if version is None else check_version(version),
        alias=None if alias is None else check_alias(alias),
        before=before,
        limit=limit,
    )
    return [
        Event(row.id, moment(row.at), row.actor, row.action, row.model, row.version, row.subject, row.before, row.after)
        for row in rows
    ]
