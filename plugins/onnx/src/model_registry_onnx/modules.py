"""The graph as a tree, by the names of its nodes, from the files alone: onnx is not imported.

Scopes are what is unfolded, and nodes are in them. Graphs within a node, and the nodes of a function, are below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from attrs import field, frozen

from model_registry import VersionFiles
from model_registry_onnx.attributes import graphs_in
from model_registry_onnx.dtypes import nbytes
from model_registry_onnx.headers import Header, external_place
from model_registry_onnx.layout import model_files
from model_registry_onnx.lines import Values, graph_line, node_line
from model_registry_onnx.nodes import Graph, Key, Node, members, opsets, read_functions, read_graph
from model_registry_onnx.placing import Names, Placed, place_nodes
from model_registry_onnx.values import named
from model_registry_onnx.wire import mapped

#: Lines, and characters in all of them: functions that call functions could make any number.
MOST_LINES = 50_000
MOST_CHARACTERS = 16 << 20
#: Graphs in graphs, and functions in functions.
DEEPEST = 12
_GRAPH = 7
_MORE = "…"


def describe_modules(files: VersionFiles) -> dict[str, str]:
    """Path in the tree ("" is the model) to a line such as ``Gemm(x, w float32[4, 8], transB=1) -> y``.

    Of several models, the paths begin with the model's name.

    :raises UnsafeModelError: if a file is not sound.
    """
    models = model_files(files)
    if len(models) == 1:
        return _bounded(_tree(files, next(iter(models.values())), ""))
    trees = (_tree(files, member, name.replace(".", "/")) for name, member in sorted(models.items()))
    whole = ("", f"graphs({', '.join(sorted(models))})")
    return _bounded(chain([whole], chain.from_iterable(trees)))


def _bounded(lines: Iterator[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    characters = 0
    for path, line in lines:
        characters += len(path) + len(line)
        if len(found) >= MOST_LINES or characters > MOST_CHARACTERS:
            found[_MORE] = "what follows is not told"
            break
        found[path] = line
    return found


def _tree(files: VersionFiles, member: str, root: str) -> Iterator[tuple[str, str]]:
    """Path and line of all parts of one model."""
    data = mapped(files.local(member), member)
    graph = read_graph(members(data, _GRAPH))
    yield root, graph_line(graph, opsets(data))
    yield from _Walk(_Elsewhere(files, member), read_functions(data)).below(_Level(Values(graph), root))


@frozen
class _Elsewhere:
    """The bytes of tensors inside nodes that lie in other files."""

    files: VersionFiles
    member: str
    _mapped: dict[str, memoryview] = field(factory=dict)

    def __call__(self, header: Header) -> memoryview | None:
        place = external_place(header, self.member, nbytes(header.dtype, header.elements)) if header.external else None
        if place is None or place[0] not in self.files:
            return None
        path, offset, length = place
        if path not in self._mapped:
            self._mapped[path] = mapped(self.files.local(path), path)
        found = self._mapped[path][offset : offset + length]
        return found if len(found) == length else None


@frozen
class _Level:
    """A graph on its way into the tree.

    :param path: What it is below.
    :param scope: That of the node that it is in.
    :param calls: The functions that it is in: one that calls itself is not followed.
    """

    values: Values
    path: str
    scope: tuple[str, ...] = ()
    calls: tuple[Key, ...] = ()
    depth: int = 0

    def deeper(self, values: Values, path: str, placed: Placed, *calls: Key) -> _Level:
        return _Level(values, path, placed.scope, (*self.calls, *calls), self.depth + 1)


@frozen
class _Part:
    """What is told of a node: its line, and the graphs in it with their names and lines."""

    line: str
    branches: tuple[tuple[str, str, Graph], ...]


@frozen
class _Walk:
    """Through one model, a node before what is below it."""

    elsewhere: _Elsewhere
    functions: Mapping[Key, Graph]
    names: Names = field(factory=Names)
    _parts: dict[int, _Part] = field(factory=dict)

    def below(self, level: _Level) -> Iterator[tuple[str, str]]:
        graph = level.values.graph
        if level.depth > DEEPEST:
            yield self.names.free(f"{level.path}.{_MORE}"), "what is nested deeper is not told"
            return
        for placed in place_nodes(graph.nodes, level.path, level.scope, self.names):
            yield from placed.opened
            part = self._part(placed.node, level.values)
            yield placed.path, part.line
            function = self.functions.get(placed.node.key)
            if function is not None and placed.node.key not in level.calls:
                yield from self.below(level.deeper(Values(function), placed.path, placed, placed.node.key))
            for name, line, branch in part.branches:
                path = self.names.free(f"{placed.path}.{named(name)}")
                yield path, line
                yield from self.below(level.deeper(Values(branch, level.values), path, placed))
        if graph.more:
            yield self.names.free(f"{level.path}.{_MORE}".lstrip(".")), f"{graph.more:,} nodes more"

    def _part(self, node: Node, values: Values) -> _Part:
        """Read once, however often the function that the node is in is called: a small file may call it at any length.

        Nodes live as long as the walk, so they are known by their identity.
        """
        if id(node) not in self._parts:
            graphs = [
                (name, read_graph(iter((data,)))) for name, data in chain.from_iterable(map(graphs_in, node.attributes))
            ]
            branches = tuple((name, graph_line(graph), graph) for name, graph in graphs)
            line = node_line(node, values, self.elsewhere, self.functions.get(node.key))
            self._parts[id(node)] = _Part(line, branches)
        return self._parts[id(node)]
