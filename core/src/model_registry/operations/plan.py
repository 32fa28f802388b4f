"""Which conversions, one after the other, lead from one format to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from model_registry.errors import UnsupportedFormatError
from model_registry.operations.context import Context
from model_registry.records import Conversion

Chain = tuple[Conversion, ...]


def plan(context: Context, source: str, target: str, what: str) -> Chain:
    """The shortest chain; of several, the one whose first step the configured order of plugins has first.

    :param what: What to call the version in an error.
    :raises UnsupportedFormatError: with what is possible, and why this is not if somebody knows.
    """
    found = reachable(context, source)
    if target in found:
        return found[target]
    offered = context.plugins.conversions()
    why = next((c.impossible for c in offered if (c.source, c.target) == (source, target) and c.impossible), "")
    raise UnsupportedFormatError(
        f"{what} ({source}) cannot be exported as {target!r}{': ' + why if why else ''}",
        hint=f"possible: {', '.join(sorted({source, *found}))}",
        format=target,
    )


def reachable(context: Context, source: str) -> dict[str, Chain]:
    """The shortest chain to every format that can be had, from the nearest to the farthest."""
    offered = [conversion for conversion in context.plugins.conversions() if not conversion.impossible]
    found: dict[str, Chain] = {c.target: (c,) for c in reversed(offered) if c.source == c.target == source}
    waiting: deque[tuple[str, Chain]] = deque([(source, ())])
    while waiting:
        format, chain = waiting.popleft()
        for step in offered:
            if step.source == format and step.target != source and step.target not in found:
                found[step.target] = (*chain, step)
                waiting.append((step.target, found[step.target]))
    return found


def describe(chain: Sequence[Conversion]) -> str:
    """``pytorch → onnx → ort``"""
    return " → ".join([chain[0].source, *(step.target for step in chain)])
