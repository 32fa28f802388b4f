"""Documents of a server, made into the records that a local registry gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import attrs
import cattrs

from model_registry import (
    Change,
    Comparison,
    CompressionReport,
    CompressionTrial,
    CompressionType,
    Event,
    LineageNode,
    ModelEntry,
    ModelFormat,
    ModelMetadata,
    ModelType,
    OutputParity,
    Parent,
    ParityReport,
    StorageError,
)

Record = TypeVar("Record")
Document = Mapping[str, Any]

#: How JSON says numbers for which it has no word.
_NO_NUMBERS = frozenset({"inf", "-inf", "nan"})


def record(document: Any, cls: type[Record]) -> Record:
    """A record of a class, or of a type such as ``tuple[Finding, ...]``. What this version does not know is left out.

    :raises StorageError: if the document does not tell it.
    """
    try:
        made: Record = _converter().structure(document, cls)
    except Exception as error:  # whatever cattrs raises of a document that anybody may have sent
        hint = "see that server and client are of one version"
        what = getattr(cls, "__name__", str(cls))
        raise StorageError(f"the server's answer is no {what}: {error!s:.200}", hint=hint, path="") from error
    return made


def entry_of(document: Document, inspector: object) -> ModelEntry:
    """An entry, from a *version*."""
    metadata = record(document.get("metadata"), ModelMetadata)
    facts = record({"removed_at": None, **document}, _VersionFacts)
    description = document.get("description", metadata.description)
    return ModelEntry(
        metadata=metadata,
        digest=facts.digest,
        size=facts.size,
        registered_at=facts.registered_at,
        removed_at=facts.removed_at,
        description=description,
        inspector=inspector,
    )


def events_of(documents: Sequence[Document]) -> list[Event]:
    """Events."""
    return [record(document, Event) for document in documents]


def lineage_of(document: Document, inspector: object) -> LineageNode:
    """A node of the lineage. One that the caller may not see is of the state ``"hidden"``, and has no name."""
    told = {**document, "name": document["name"] or ""}
    entry = document.get("entry")
    return LineageNode(
        record(told, Parent),
        document["state"],
        None if entry is None else entry_of(entry, inspector),
        tuple(lineage_of(each, inspector) for each in document["parents"]),
        tuple(lineage_of(each, inspector) for each in document["children"]),
        document["repeated"],
    )


def parity_of(document: Document) -> ParityReport:
    """A report of parity, from what is kept of one in metadata."""
    if not document["checked"]:
        return ParityReport(None, skipped=document["reason"])
    outputs = [record({"problem": "", **output}, OutputParity) for output in document["outputs"]]
    return ParityReport(document["passed"], outputs, [dict(run) for run in document["runs"]])


def compression_of(document: Document, kept: ModelEntry | None) -> CompressionReport:
    """A report of what can be made of a version."""
    trials = [record(trial, CompressionTrial) for trial in document["trials"]]
    return CompressionReport(
        document["version"], document["size_mb"], document["latency_ms"], document["metric"], trials, kept
    )


def comparison_of(document: Document, a: ModelEntry, b: ModelEntry) -> Comparison:
    """A comparison of two entries."""
    found = record({**document, "a": a, "b": b}, Comparison)
    return attrs.evolve(found, metadata=tuple(map(_typed, found.metadata)))


def _typed(change: Change) -> Change:
    """A change of a field of the metadata, with values of the field's type."""
    kind = _metadata_types().get(change.key)
    if kind is None:
        return change
    return attrs.evolve(change, **{side: record(getattr(change, side), kind) for side in ("a", "b")})


@cache
def _metadata_types() -> dict[str, Any]:
    return {each.name: each.type for each in attrs.fields(attrs.resolve_types(ModelMetadata))}


@attrs.frozen
class _VersionFacts:
    digest: str
    size: int
    registered_at: datetime
    removed_at: datetime | None


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly)
    for vocabulary in (ModelFormat, ModelType, CompressionType):
        converter.register_structure_hook(vocabulary, lambda value, cls: cls(_exactly(value, str)))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(datetime, _moment)
    converter.register_structure_hook(ModelEntry, _exactly)  # part of a record only where it was put into the document

    def several(value: Any, cls: Any) -> Any:
        return [converter.structure(item, get_args(cls)[0]) for item in _exactly(value, list)]

    def mapped(value: Any, cls: Any) -> Any:
        return {key: converter.structure(item, get_args(cls)[1]) for key, item in _exactly(value, dict).items()}

    converter.register_structure_hook_func(lambda cls: _origin(cls) is Sequence, several)
    converter.register_structure_hook_func(lambda cls: _origin(cls) is Mapping, mapped)
    return converter


def _origin(cls: Any) -> Any:
    return get_origin(cls)


def _exactly(value: Any, cls: Any) -> Any:
    if type(value) is not cls:
        raise TypeError(f"{value!r:.80} is no {cls.__name__}")
    return value


def _number(value: Any, _: object) -> float:
    """As it came: a metric may be a whole number, or a flag."""
    if isinstance(value, str) and value in _NO_NUMBERS:
        return float(value)
    if not isinstance(value, (int, float)):
        raise TypeError(f"{value!r:.80} is no number")
    return value


def _moment(value: Any, _: object) -> datetime:
    found = datetime.fromisoformat(_exactly(value, str))
    if found.tzinfo is None:
        raise ValueError(f"{value!r:.80} has no time zone")
    return found.astimezone(timezone.utc)
