"""Two versions beside each other, a page at a time, in a worker process."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from model_registry import Comparison, TensorChange
from model_registry.documents import comparison_document, plain
from model_registry_server.jobs.tasks import task

if TYPE_CHECKING:
    from model_registry import ModelRegistry

#: Tensors of which no difference can be told come first, those that are not there at all before all others.
_RANKS = ("removed", "added", "shape", "dtype", "changed")
#: What there may be very many of.
LONG = ("files", "tensors", "modules")

#: What was asked for last, and the comparison, if it has more than a page.
_last: tuple[object, Comparison] | None = None


@task("compare")
def compare(registry: ModelRegistry, arguments: Mapping[str, Any]) -> Any:
    """``a``, ``b``, their ``digests``, ``differences``; of ``files``, ``tensors`` and ``modules`` how many to leave out
    (``starts``) and how many to tell at ``most``; ``differing`` for the tensors that differ alone, the most changed
    first → the comparison, how many of each there are, and how many tensors of each status."""
    comparison = _comparison(registry, arguments)
    document = comparison_document(comparison)
    statuses = Counter(tensor.status for tensor in comparison.tensors)
    if arguments["differing"]:
        document["tensors"] = by_change(comparison.tensors)
    counts = {f"{kind.removesuffix('s')}_count": len(document[kind]) for kind in LONG}
    starts = {kind: arguments["starts"].get(kind, 0) for kind in LONG}
    told = {kind: document[kind][start : start + arguments["most"]] for kind, start in starts.items()}
    return plain({**document, **told, **counts, "tensor_statuses": statuses})


def _comparison(registry: ModelRegistry, arguments: Mapping[str, Any]) -> Comparison:
    """The whole of it. A page after the first is of the same one, which may have read many gigabytes."""
    global _last
    asked = str(registry.settings.path), *(arguments[key] for key in ("a", "b", "digests", "differences"))
    if _last is not None and _last[0] == asked and any(arguments["starts"].values()):
        return _last[1]
    _last = None
    found = registry.compare(arguments["a"], arguments["b"], differences=arguments["differences"])
    if any(len(getattr(found, kind)) > arguments["most"] for kind in LONG):
        _last = asked, found
    return found


def by_change(tensors: Iterable[TensorChange]) -> list[TensorChange]:
    """The tensors that differ, the most changed first; of those of which nobody knows how far, the largest."""

    def rank(tensor: TensorChange) -> tuple[int, float, int]:
        place = _RANKS.index(tensor.status) if tensor.status in _RANKS else len(_RANKS)
        size = max(side.nbytes for side in (tensor.a, tensor.b) if side)
        return place, -math.inf if tensor.max_abs is None else -tensor.max_abs, -size

    return sorted((tensor for tensor in tensors if tensor.status != "identical"), key=rank)
