"""Paths in the tree for the nodes of a graph: equal graphs have equal paths, and similar ones few others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from attrs import field, frozen

from model_registry_onnx.lines import scope_line
from model_registry_onnx.nodes import Node
from model_registry_onnx.scopes import Place, place_of


@frozen
class Names:
    """The paths that are taken, and where the nodes belong that were placed: those of a function are placed again."""

    _taken: set[str] = field(factory=set)
    _numbers: Counter[str] = field(factory=Counter)
    _places: dict[int, Place] = field(factory=dict)

    def place(self, node: Node) -> Place:
        """Where a node belongs, which lives as long as this."""
        if id(node) not in self._places:
            self._places[id(node)] = place_of(node)
        return self._places[id(node)]

    def take(self, path: str) -> bool:
        """Whether it was free."""
        if path in self._taken:
            return False
        self._taken.add(path)
        return True

    def free(self, path: str) -> str:
        """The path, or the first that is free: ``MatMul_1``, ``MatMul_2``."""
        found = path
        while not self.take(found):
            self._numbers[path] += 1
            found = f"{path}_{self._numbers[path]}"
        return found


@frozen
class Placed:
    """A node with its path.

    :param scope: That of the graph as a whole, not only of the branch that the node is in.
    :param opened: The scopes that begin with it: path and line of each.
    """

    node: Node
    path: str
    scope: tuple[str, ...]
    opened: tuple[tuple[str, str], ...]


def place_nodes(nodes: Sequence[Node], below: str, around: tuple[str, ...], names: Names) -> Iterator[Placed]:
    """The nodes of a graph, of which scopes are made as they are asked for: a small file may name very many.

    :param below: The path that all are below.
    :param around: The scope of the node that the graph is in.
    """
    places = [names.place(node) for node in nodes]
    scopes = [_inside(place.scope, around) for place in places]
    paths = _paths(places, [_joined(below, scope) for scope in scopes], names)
    opened = _opened(places, scopes, below, around, names)
    for node, path, scope, begun in zip(nodes, paths, scopes, opened, strict=True):
        yield Placed(node, path, (*around, *scope), begun)


def _paths(places: Sequence[Place], folders: Sequence[str], names: Names) -> list[str]:
    """Names go first; operators, and what has the name of another, take what is left."""
    paths = [_joined(folder, (place.name,)) for folder, place in zip(folders, places, strict=True)]
    first = [place.is_named and names.take(path) for place, path in zip(places, paths, strict=True)]
    return [path if is_first else names.free(path) for path, is_first in zip(paths, first, strict=True)]


def _opened(
    places: Sequence[Place],
    scopes: Sequence[tuple[str, ...]],
    below: str,
    around: tuple[str, ...],
    names: Names,
) -> Iterator[tuple[tuple[str, str], ...]]:
    """The scopes that each node is the first in. One whose path is a node's has the node's line."""
    inside: dict[str, Counter[str]] = {}
    for place, scope in zip(places, scopes, strict=True):
        inside.setdefault(_joined(below, scope), Counter())[place.operator] += 1
    known: set[tuple[str, ...]] = set()
    for place, scope in zip(places, scopes, strict=True):
        new: list[tuple[str, str]] = []
        if scope not in known:
            known.add(scope)
            kinds = {_joined(below, _inside(path, around)): kind for path, kind in place.classes}
            paths = (_joined(below, scope[: depth + 1]) for depth in range(len(scope)))
            new = [(path, scope_line(kinds.get(path, ""), inside.get(path, {}))) for path in paths if names.take(path)]
        yield tuple(new)


def _inside(scope: tuple[str, ...], around: tuple[str, ...]) -> tuple[str, ...]:
    """A scope as seen from one around it: the nodes of a branch are named by all that is around the branch."""
    return scope[len(around) :] if scope[: len(around)] == around else scope


def _joined(folder: str, parts: tuple[str, ...]) -> str:
    return ".".join((folder, *parts) if folder else parts)
