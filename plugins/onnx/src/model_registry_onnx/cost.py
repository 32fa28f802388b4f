"""Multiply-adds of a model, where the shapes are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto

Shape = list[int]


def multiply_adds(inferred: ModelProto) -> int | None:
    """Of one run with every symbolic size 1; of convolutions, matrix products and recurrent layers, the rest being
    small beside them. None if a shape that is needed is not known.

    :param inferred: A model with the shapes of what its nodes give.
    """
    graph = inferred.graph
    values = (*graph.input, *graph.output, *graph.value_info)
    shapes = {value.name: shape for value in values if (shape := _shape(value)) is not None}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        count = _COUNTS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if count is None:
            continue
        try:
            total += count(node, shapes)
        except (KeyError, IndexError):
            return None
    return total


def _shape(value: ValueInfoProto) -> Shape | None:
    if not value.type.tensor_type.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else 1 for dim in value.type.tensor_type.shape.dim]


def _matmul(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Each element of the result sums over the last dimension of the first factor."""
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    first = shapes[node.input[0]]
    is_transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(shapes[node.output[0]]) * first[0 if is_transposed else -1]


def _conv(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """The weight has the shape (output channels, input channels ÷ groups, kernel…)."""
    return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])


def _conv_transposed(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """The weight has the shape (input channels, output channels ÷ groups, kernel…): each input meets all of it."""
    return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def _recurrent(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Both weight matrices, of shape (directions, gates · hidden, …), meet every step of every sequence."""
    steps, batch = shapes[node.input[0]][:2]
    return steps * batch * (math.prod(shapes[node.input[1]]) + math.prod(shapes[node.input[2]]))


_COUNTS: Mapping[str, Callable[[NodeProto, Mapping[str, Shape]], int]] = {
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvInteger": _conv,
    "ConvTranspose": _conv_transposed,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
