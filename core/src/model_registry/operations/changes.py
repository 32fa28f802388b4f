"""How what is known of two versions differs: metadata, metrics, files, and anything else that is a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from model_registry.comparison import Change, FileChange, MetricChange
from model_registry.records import FileRecord, ModelMetadata

#: What tells the versions apart anyway, and what is compared part by part.
_APART = frozenset({"name", "version", "performance_metrics", "extra"})


def of_metadata(a: ModelMetadata, b: ModelMetadata) -> tuple[Change, ...]:
    """The fields that differ, then the keys of ``extra``."""
    names = [field.name for field in attrs.fields(ModelMetadata) if field.name not in _APART]
    fields = of_mappings({name: getattr(a, name) for name in names}, {name: getattr(b, name) for name in names})
    return (*fields, *of_mappings(a.extra, b.extra, prefix="extra."))


def of_mappings(a: Mapping[str, Any], b: Mapping[str, Any], *, prefix: str = "") -> tuple[Change, ...]:
    """The keys whose values differ, those of ``a`` first; what a side lacks is None there."""
    return tuple(
        Change(f"{prefix}{key}", a.get(key), b.get(key))
        for key in {**a, **b}
        if (key in a) != (key in b) or _differ(a[key], b[key])
    )


def of_environments(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs of where two versions were made, package by package. Nothing, if either does not say."""
    return of_mappings(_flat(a), _flat(b)) if a and b else ()


def _flat(environment: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in environment.items():
        inner = value if isinstance(value, Mapping) else {}
        flat |= {f"{key}.{name}": item for name, item in inner.items()} if inner else {key: value}
    return flat


def _differ(a: Any, b: Any) -> bool:
    """As JSON sees it: 1 and True differ, a list and a tuple do not."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() != b.keys() or any(_differ(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) != len(b) or any(map(_differ, a, b))
    return isinstance(a, bool) != isinstance(b, bool) or bool(a != b)


def of_metrics(a: Mapping[str, float], b: Mapping[str, float]) -> tuple[MetricChange, ...]:
    """The metrics that differ."""
    changes = of_mappings(a, b)
    return tuple(MetricChange(change.key, change.a, change.b, _delta(change.a, change.b)) for change in changes)


def _delta(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    try:
        return b - a
    except OverflowError:  # of a whole number that no float holds
        return None


def of_files(a: Sequence[FileRecord], b: Sequence[FileRecord]) -> tuple[FileChange, ...]:
    """Every file of both versions, by path; bytes are compared by their digests."""
    before, after = ({record.path: record for record in records} for records in (a, b))
    old = _renamed(before, after)
    moved = {record.path for record in old.values()}
    changes = [_file(path, old.get(path, before.get(path)), record) for path, record in after.items()]
    gone = [_file(path, record, None) for path, record in before.items() if path not in after and path not in moved]
    return tuple(sorted([*changes, *gone], key=lambda change: change.path))


def _renamed(before: Mapping[str, FileRecord], after: Mapping[str, FileRecord]) -> dict[str, FileRecord]:
    """The former records of files that only ``after`` has, and whose bytes ``before`` has under a path of its own."""
    gone: dict[str, list[FileRecord]] = {}
    for path, record in before.items():
        if path not in after:
            gone.setdefault(record.sha256, []).append(record)
    return dict(_paired(gone, (record for path, record in after.items() if path not in before)))


def _paired(gone: dict[str, list[FileRecord]], new: Iterator[FileRecord]) -> Iterator[tuple[str, FileRecord]]:
    for record in new:
        if candidates := gone.get(record.sha256):
            yield record.path, candidates.pop(0)


def _file(path: str, a: FileRecord | None, b: FileRecord | None) -> FileChange:
    if a is None or b is None:
        return FileChange(path, "added" if a is None else "removed", a, b)
    if a.sha256 != b.sha256:
        return FileChange(path, "changed", a, b)
    return FileChange(path, "same" if a.path == b.path else "renamed", a, b)
