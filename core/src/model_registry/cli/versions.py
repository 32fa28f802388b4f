"""Versions as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from model_registry.cli.session import Session
from model_registry.cli.text import count_text, inert, moment_text, size_text
from model_registry.records import ModelEntry

_COLUMNS = ("name", "version", "type", "format", "parameters", "size", "registered")
_NUMBERS = ("parameters", "size")


def show_versions(
    session: Session, entries: Iterable[ModelEntry], *, removed: bool = False, metrics: Sequence[str] = ()
) -> None:
    """Show a table of versions.

    :param removed: With the time of their removal.
    :param metrics: With what was measured under these names.
    """
    named = [inert(name) for name in metrics]
    columns = [*_COLUMNS, *(["removed"] if removed else []), *named, "description"]
    rows = (_row(entry, removed, metrics) for entry in entries)
    session.screen().table(columns, rows, numbers=(*_NUMBERS, *named), cut=True)


def _row(entry: ModelEntry, removed: bool, metrics: Sequence[str]) -> list[str]:
    metadata = entry.metadata
    measured = (metadata.performance_metrics.get(name) for name in metrics)
    return [
        entry.name,
        entry.version,
        metadata.model_type,
        metadata.format,
        count_text(metadata.parameters_count),
        size_text(entry.size),
        moment_text(entry.registered_at),
        *([moment_text(entry.removed_at)] if removed else []),
        *("" if number is None else f"{number:.6g}" for number in measured),
        entry.description or "",
    ]
