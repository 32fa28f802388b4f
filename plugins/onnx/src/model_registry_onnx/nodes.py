"""Graphs as they lie in a file: nodes, values and functions, read without onnx and without any weight.

``onnx.proto`` has the numbers of the fields. Whatever a file has too many of is cut, and what was cut is told by a
checksum, so that two that differ there do not look equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice

from attrs import define, field, frozen

from model_registry_onnx.headers import entry, text
from model_registry_onnx.wire import BYTES, VARINT, Field, fields

#: Nodes, and values, of one graph, and fields of one node: more than real ones have.
MOST = 50_000
MOST_OF_A_NODE = 5_000
#: Domain, name and overload of an operator.
Key = tuple[str, str, str]
#: Fields of a graph, and of a function, that name values.
_VALUES = {11: "inputs", 12: "outputs", 13: "types"}
_FORMAL = {4: "inputs", 5: "outputs"}
_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"


@frozen
class Node:
    """One operation.

    :param attributes: Each as it lies in the file.
    :param scopes: What torch's exporter says of the modules that it was made in, and of their classes.
    :param cut: A checksum of all of it, if it has too many parts.
    """

    name: str
    operator: str
    domain: str
    overload: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[memoryview, ...]
    scopes: str
    classes: str
    cut: str

    @property
    def key(self) -> Key:
        """What it calls, if that is a function."""
        return self.domain, self.operator, self.overload


@frozen
class Graph:
    """Nodes, what they take, and what they give. A function's body is one, too.

    :param inputs: Names to types, which lie as they are in the file, and may be empty; likewise ``types``.
    :param weights: Names to tensors.
    :param more: Nodes that were cut.
    """

    nodes: list[Node] = field(factory=list)
    inputs: dict[str, memoryview] = field(factory=dict)
    outputs: dict[str, memoryview] = field(factory=dict)
    types: dict[str, memoryview] = field(factory=dict)
    weights: dict[str, memoryview] = field(factory=dict)
    more: int = 0


def members(data: memoryview, number: int) -> Iterator[memoryview]:
    """The messages in a field."""
    return (data[item.start : item.end] for item in fields(data) if item.number == number and item.wire == BYTES)


def opsets(model: memoryview) -> dict[str, int]:
    """Versions of operators by domain, where "" is that of the standard."""
    found = {}
    for data in islice(members(model, 8), MOST):
        own = {item.number: item for item in fields(data)}
        domain = text(data[own[1].start : own[1].end]) if 1 in own else ""
        found[domain] = own[2].value if 2 in own else 0
    return found


def read_graph(parts: Iterator[memoryview]) -> Graph:
    """A graph, of which all parts count if a file has several: so do readers of protocol buffers."""
    graph = _Reading()
    for data in parts:
        for item in fields(data):
            content = data[item.start : item.end]
            if item.wire == BYTES and item.number == 1:
                graph.add_node(content)
            elif item.wire == BYTES and item.number in _VALUES:
                graph.add(_VALUES[item.number], *_named(content, 1, 2))
            elif item.wire == BYTES and item.number == 5:
                graph.add("weights", _named(content, 8)[0], content)
    return graph.done()


def read_functions(model: memoryview) -> dict[Key, Graph]:
    """The model's own operators by domain, name and overload."""
    return dict(map(_function, islice(members(model, 25), MOST)))


def read_node(data: memoryview) -> Node:
    """:raises UnsafeModelError: if the bytes are no node."""
    texts = {3: "", 4: "", 7: "", 8: ""}
    inputs, outputs, attributes = [], [], []
    properties: dict[str, str] = {}
    found = list(islice(fields(data), MOST_OF_A_NODE + 1))
    for item in found[:MOST_OF_A_NODE]:
        number = item.number
        if item.wire != BYTES:
            continue
        content = data[item.start : item.end]
        if number == 1:
            inputs.append(text(content))
        elif number == 2:
            outputs.append(text(content))
        elif number in texts:
            texts[number] = text(content)
        elif number == 5:
            attributes.append(content)
        elif number == 9 and len(content) < MOST_OF_A_NODE:
            key, value = entry(content)
            properties[key] = value
    cut = checksum(data) if len(found) > MOST_OF_A_NODE else ""
    scopes, classes = properties.get(_SCOPES, ""), properties.get(_CLASSES, "")
    return Node(
        texts[3], texts[4], texts[7], texts[8], tuple(inputs), tuple(outputs), tuple(attributes), scopes, classes, cut
    )


def checksum(data: memoryview) -> str:
    """Tells whether two that are too long to be shown differ."""
    return hashlib.sha256(data).hexdigest()[:12]


def signed(value: int) -> int:
    """A number of 64 bits, as it was before it was written."""
    return value - (1 << 64) if value >> 63 else value


def number_in(item: Field) -> int | None:
    """The whole number of a field, if it has one."""
    return signed(item.value) if item.wire == VARINT else None


def _named(data: memoryview, name_field: int, content_field: int = 0) -> tuple[str, memoryview]:
    """A name, and the content of another field."""
    name, content = "", data[:0]
    for item in fields(data):
        if item.number == name_field and item.wire == BYTES:
            name = text(data[item.start : item.end])
        elif item.number == content_field and item.wire == BYTES:
            content = data[item.start : item.end]
    return name, content


def _function(data: memoryview) -> tuple[Key, Graph]:
    texts = {1: "", 10: "", 13: ""}
    body = _Reading()
    for item in fields(data):
        content = data[item.start : item.end]
        if item.wire == BYTES and item.number in texts:
            texts[item.number] = text(content)
        elif item.wire == BYTES and item.number in _FORMAL:
            body.add(_FORMAL[item.number], text(content), data[:0])
        elif item.wire == BYTES and item.number == 7:
            body.add_node(content)
        elif item.wire == BYTES and item.number == 12:
            body.add("types", *_named(content, 1, 2))
    return (texts[10], texts[1], texts[13]), body.done()


@define
class _Reading:
    """A graph of which a part was read."""

    nodes: list[Node] = field(factory=list)
    values: dict[str, dict[str, memoryview]] = field(factory=dict)
    more: int = 0

    def add_node(self, data: memoryview) -> None:
        if len(self.nodes) < MOST:
            self.nodes.append(read_node(data))
        else:
            self.more += 1

    def add(self, kind: str, name: str, content: memoryview) -> None:
        found = self.values.setdefault(kind, {})
        if len(found) < MOST:
            found[name] = content

    def done(self) -> Graph:
        return Graph(self.nodes, **self.values, more=self.more)
