"""The lineage as a picture: older on the left, younger on the right, an arrow for each relation."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

WIDTH, HEIGHT, GAP_X, GAP_Y = 176, 44, 92, 16
#: More in a column, or at all, would be no picture any more.
MOST_BESIDE = 12
MOST = 60
_LEVELS = 12


@frozen
class Box:
    """A version in the picture."""

    name: str | None
    version: str | None
    state: str
    is_asked: bool
    x: float
    y: float


@frozen
class Arrow:
    """An edge, from what was first to what came from it."""

    relation: str
    path: str
    x: float
    y: float


@frozen
class Picture:
    """What a template draws.

    :param left_out: How many versions had no place.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float
    left_out: int


@frozen
class _Found:
    nodes: dict[object, tuple[Mapping[str, Any], int]] = field(factory=dict)
    edges: dict[tuple[object, object], str] = field(factory=dict)
    left_out: set[object] = field(factory=set)


def picture(root: Mapping[str, Any]) -> Picture:
    """The picture of a lineage document."""
    found = _walk(root)
    columns: dict[int, list[object]] = {}
    for key, (_, level) in found.nodes.items():
        columns.setdefault(level, []).append(key)
    least = min(columns)
    tallest = max(map(len, columns.values()))
    places: dict[object, tuple[float, float]] = {}
    for level, keys in columns.items():
        top = (tallest - len(keys)) * (HEIGHT + GAP_Y) / 2
        for row, key in enumerate(keys):
            places[key] = (level - least) * (WIDTH + GAP_X), top + row * (HEIGHT + GAP_Y)
    asked = next(iter(found.nodes))
    boxes = tuple(
        Box(node["name"], node["version"], node["state"], key == asked, *places[key])
        for key, (node, _) in found.nodes.items()
    )
    arrows = tuple(_arrow(relation, places[a], places[b]) for (a, b), relation in found.edges.items())
    width = (max(columns) - least) * (WIDTH + GAP_X) + WIDTH
    return Picture(boxes, arrows, width, tallest * (HEIGHT + GAP_Y) - GAP_Y, len(found.left_out))


def _walk(root: Mapping[str, Any]) -> _Found:
    """Every version of the document once, nearest first, with its distance from the one that was asked about."""
    found = _Found()
    todo: deque[tuple[Mapping[str, Any], int, object | None, bool]] = deque([(root, 0, None, False)])
    while todo:
        node, level, beside, is_parent = todo.popleft()
        key = _key(node)
        if key not in found.nodes:
            if not _has_room(found, level):
                found.left_out.add(key)
                continue
            found.nodes[key] = node, level
        if beside is not None:
            found.edges.setdefault((key, beside) if is_parent else (beside, key), node["relation"])
        todo.extend((parent, level - 1, key, True) for parent in node["parents"])
        todo.extend((child, level + 1, key, False) for child in node["children"])
    return found


def _has_room(found: _Found, level: int) -> bool:
    in_column = sum(other == level for _, other in found.nodes.values())
    return len(found.nodes) < MOST and in_column < MOST_BESIDE and abs(level) <= _LEVELS


def _key(node: Mapping[str, Any]) -> object:
    """What tells a version from others; each that is hidden stands for itself."""
    return id(node) if node["name"] is None else (node["name"], node["version"], node["digest"])


def _arrow(relation: str, a: tuple[float, float], b: tuple[float, float]) -> Arrow:
    x1, y1, x2, y2 = a[0] + WIDTH, a[1] + HEIGHT / 2, b[0], b[1] + HEIGHT / 2
    if x2 < x1:  # two versions of one column, or a way back
        x1, x2 = a[0] + WIDTH / 2, b[0] + WIDTH / 2
    middle = (x1 + x2) / 2
    return Arrow(
        relation,
        f"M{x1:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}",
        middle,
        (y1 + y2) / 2,
    )
