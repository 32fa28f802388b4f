"""Walking over a model: every graph, node and tensor of it, wherever it is nested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto


def all_graphs(model: ModelProto) -> Iterator[GraphProto]:
    """The main graph, those of training, and those inside nodes."""
    yield from _graphs_in(model.graph)
    for training in model.training_info:
        yield from _graphs_in(training.initialization)
        yield from _graphs_in(training.algorithm)
    for function in model.functions:
        yield from _graphs_of_nodes(function.node)


def all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """The nodes of every graph and function."""
    yield from chain.from_iterable(graph.node for graph in all_graphs(model))
    yield from chain.from_iterable(function.node for function in model.functions)


def all_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Initializers, sparse ones, and the tensors that are attributes."""
    for graph in all_graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for attribute in _attributes(all_nodes(model), model.functions):
        yield from attribute_tensors(attribute)


def attribute_tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    """The tensors of an attribute."""
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    one = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
    for sparse in chain(one, attribute.sparse_tensors):
        yield from (sparse.values, sparse.indices)


def _attributes(nodes: Iterable[NodeProto], functions: Iterable[FunctionProto]) -> Iterator[AttributeProto]:
    yield from chain.from_iterable(node.attribute for node in nodes)
    yield from chain.from_iterable(function.attribute_proto for function in functions)


def _graphs_in(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    yield from _graphs_of_nodes(graph.node)


def _graphs_of_nodes(nodes: Iterable[NodeProto]) -> Iterator[GraphProto]:
    for node in nodes:
        for attribute in node.attribute:
            for graph in chain([attribute.g] if attribute.HasField("g") else [], attribute.graphs):
                yield from _graphs_in(graph)
