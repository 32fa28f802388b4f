"""Nodes, graphs and scopes in one line each: ``Gemm(x, weight float32[4, 8], transB=1) -> y float32[batch, 4]``.

The type of a value is told where it is made, so that another one changes one line and not those of all who take it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from attrs import field, frozen

from model_registry_onnx.attributes import attribute_text
from model_registry_onnx.headers import read_header
from model_registry_onnx.nodes import Graph, Node
from model_registry_onnx.operators import STANDARD
from model_registry_onnx.scopes import folder_of
from model_registry_onnx.values import Elsewhere, named, shortened, type_text, weight_text

_LONGEST_LINE = 1000


@frozen
class Values:
    """What is known of the values that nodes may name: those of their graph, and of the graphs around it."""

    graph: Graph
    around: Values | None = None
    _weights: dict[str, str] = field(factory=dict)
    _types: dict[str, str] = field(factory=dict)

    def weight(self, name: str) -> str:
        """Type and shape of a weight; empty for any other value."""
        if name in self._weights:
            return self._weights[name]
        if name in self.graph.weights:
            said = weight_text(read_header(self.graph.weights[name]))
        else:
            said = "" if self.around is None else self.around.weight(name)
        self._weights[name] = said
        return said

    def type(self, name: str) -> str:
        """Type and shape of what a node gives, if the file says."""
        if name not in self._types:
            kind = self.graph.outputs.get(name) or self.graph.types.get(name)
            self._types[name] = _type(bytes(kind)) if kind else ""
        return self._types[name]


def node_line(node: Node, values: Values, elsewhere: Elsewhere, function: Graph | None) -> str:
    """A node; a call of a function with the names that it gives to what it takes.

    Names that begin as the node's own does are told from there: ``./MatMul_output_0``.
    """
    folder = folder_of(node.name)
    near = {name: _near(name, folder) for name in (*node.inputs, *node.outputs)}
    formal_inputs, formal_outputs = (function.inputs, function.outputs) if function else ((), ())
    inputs = [_said(near[name], values.weight(name)) for name in node.inputs]
    outputs = [_said(near[name], values.type(name)) for name in node.outputs]
    is_standard = node.domain in ("", STANDARD)
    said = (attribute_text(data, elsewhere, is_standard=is_standard) for data in node.attributes)
    attributes = sorted(filter(None, said))
    operator = ".".join(filter(None, map(_plain, (node.domain, node.operator, node.overload))))
    line = (
        f"{operator}({', '.join([*_with(formal_inputs, inputs), *attributes])}){_arrow(_with(formal_outputs, outputs))}"
    )
    return shortened(line, _LONGEST_LINE) + (f" … {node.cut}" if node.cut else "")


def graph_line(graph: Graph, opsets: Mapping[str, int] | None = None) -> str:
    """What a graph takes and gives, and the versions of its operators."""
    inputs = [_said(named(name), type_text(kind)) for name, kind in graph.inputs.items() if name not in graph.weights]
    outputs = [_said(named(name), type_text(kind)) for name, kind in graph.outputs.items()]
    versions = [f"{_plain(domain) or 'opset'}={version}" for domain, version in sorted((opsets or {}).items())]
    return shortened(f"graph({', '.join([*inputs, *versions])}){_arrow(outputs)}", _LONGEST_LINE)


def scope_line(kind: str, operators: Mapping[str, int]) -> str:
    """The nodes right in a scope, by operator: those of scopes within are not counted, so one more changes one line."""
    counted = (f"{operator} × {count}" if count > 1 else operator for operator, count in sorted(operators.items()))
    return shortened(f"{kind or 'scope'}({', '.join(counted)})", _LONGEST_LINE)


@lru_cache(256)
def _type(kind: bytes) -> str:
    """Most values of a graph have one of few types."""
    return type_text(memoryview(kind))


def _plain(name: str) -> str:
    return named(name) if name else ""


def _near(name: str, folder: str) -> str:
    return named(f"./{name[len(folder) :]}" if len(folder) > 1 and name.startswith(folder) else name)


def _said(name: str, kind: str) -> str:
    return f"{name} {kind}" if kind else name


def _with(formal: Iterable[str], actual: list[str]) -> Iterator[str]:
    names = list(formal)
    for number, said in enumerate(actual):
        yield f"{named(names[number])}={said}" if number < len(names) else said


def _arrow(outputs: Iterable[str]) -> str:
    said = ", ".join(outputs)
    return f" -> {said}" if said else ""
