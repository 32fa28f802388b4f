"""Texts that are none: a protocol buffer's reader gives bytes where a text is not UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from model_registry_onnx.graphs import all_graphs, all_nodes, all_tensors

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto


def are_texts(model: ModelProto) -> bool:
    """Whether everything in a model that is read as a text is one."""
    return all(isinstance(text, str) for text in _texts(model))


def _texts(model: ModelProto) -> Iterator[object]:
    yield from (model.producer_name, model.producer_version, model.doc_string)
    yield from (opset.domain for opset in model.opset_import)
    yield from chain.from_iterable((function.name, function.domain) for function in model.functions)
    for graph in all_graphs(model):
        yield graph.doc_string
        yield from _of_values(chain(graph.input, graph.output, graph.value_info))
    for node in all_nodes(model):
        yield from (node.op_type, node.domain, *node.input, *node.output)
    for tensor in all_tensors(model):
        yield tensor.name
        yield from chain.from_iterable((entry.key, entry.value) for entry in tensor.external_data)


def _of_values(values: Iterable[ValueInfoProto]) -> Iterator[object]:
    for value in values:
        yield value.name
        yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
        yield from (dim.dim_param for dim in value.type.sparse_tensor_type.shape.dim)
