"""What programs get to read: records of the registry as JSON. Keys are never renamed or taken away, only added."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from enum import Enum
from typing import Any

import attrs

from model_registry.comparison import Comparison
from model_registry.errors import ModelRegistryError
from model_registry.records import ModelEntry

Document = dict[str, Any]


def version_document(entry: ModelEntry) -> Document:
    """A *version*."""
    return {
        "name": entry.name,
        "version": entry.version,
        "reference": entry.reference,
        "digest": entry.digest,
        "size": entry.size,
        "registered_at": entry.registered_at,
        "removed_at": entry.removed_at,
        "metadata": entry.metadata,
    }


def comparison_document(comparison: Comparison) -> Document:
    """What ``compare`` prints: every field of the record."""
    parts = {field.name: getattr(comparison, field.name) for field in attrs.fields(Comparison)}
    sides = {"a": version_document(comparison.a), "b": version_document(comparison.b)}
    return {**parts, **sides, "identical": comparison.identical}


def facts_document(entry: ModelEntry) -> Document:
    """What of a version can change."""
    facts = {"description": entry.description, "aliases": entry.aliases, "tags": entry.tags, "parents": entry.parents}
    return {key: plain(value) for key, value in facts.items()}


def origin_document(entry: ModelEntry) -> Document:
    """Who registered a version, and where it was made."""
    try:
        return {"provenance": entry.provenance, "environment": entry.environment}
    except ModelRegistryError:  # «validate» tells of it
        return {"provenance": None, "environment": None}


def plain(value: Any) -> Any:
    """The value as JSON can say it; what JSON has no word for, as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return plain(value.value)
    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (bytes, bytearray)):
        return [plain(item) for item in value]
    return str(value)
