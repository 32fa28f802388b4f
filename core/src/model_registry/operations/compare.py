"""Comparing two versions without loading either: what is known of them, their files, tensors and modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_registry.comparison import Comparison, TensorChange
from model_registry.errors import ModelRegistryError
from model_registry.operations import changes
from model_registry.operations.contents import Contents, contents_of
from model_registry.operations.context import Context
from model_registry.operations.entries import home_of
from model_registry.operations.references import entry_for
from model_registry.operations.tensors import compare_tensors
from model_registry.records import ModelEntry


def compare(context: Context, a: str | ModelEntry, b: str | ModelEntry, *, differences: bool) -> Comparison:
    """See ``ModelRegistry.compare``."""
    first, second = (entry_for(context, reference) for reference in (a, b))
    before, after = (contents_of(home_of(context, entry), entry) for entry in (first, second))
    comparable = before.tensors is not None and after.tensors is not None
    measure = context.plugins.difference if differences else None
    tensors = compare_tensors(before, after, measure) if comparable else ()
    modules_told = before.modules is not None and after.modules is not None
    return Comparison(
        first,
        second,
        metadata=changes.of_metadata(first.metadata, second.metadata),
        environment=changes.of_environments(*(_environment(entry) for entry in (first, second))),
        metrics=changes.of_metrics(first.metadata.performance_metrics, second.metadata.performance_metrics),
        files=changes.of_files([*before.records.values()], [*after.records.values()]),
        tensors=tensors,
        modules=changes.of_mappings(before.modules or {}, after.modules or {}) if modules_told else (),
        notes=tuple(dict.fromkeys([*_untold(before, after), *(_unmeasured(tensors) if differences else ())])),
    )


def _environment(entry: ModelEntry) -> Mapping[str, Any]:
    """Where a version was made; nothing if that was not captured, or its record is damaged, which «validate» tells."""
    try:
        return entry.environment or {}
    except ModelRegistryError:
        return {}


def _untold(*sides: Contents) -> Iterator[str]:
    """What could not be compared, since a side does not tell it."""
    a_tree_is_told = any(side.modules is not None for side in sides)
    for side in sides:
        reference, format = side.entry.reference, str(side.entry.metadata.format)
        if side.missing:
            yield f"tensors and modules were not compared: {reference}: {side.missing}"
            continue
        if side.tensors is None:
            yield f"tensors were not compared: no plugin tells those of the format {format!r} ({reference})"
        if side.modules is None and a_tree_is_told:
            yield f"modules were not compared: {reference} has no module tree"


def _unmeasured(tensors: Sequence[TensorChange]) -> Iterator[str]:
    """The dtypes whose differences nobody tells."""
    unknown = {row.a.dtype for row in tensors if row.status == "changed" and row.max_abs is None and row.a is not None}
    for dtype in sorted(unknown):
        yield f"differences of {dtype} tensors were not measured: no plugin knows how"
