"""Weights of ONNX in fewer bytes, with standard operators that compute them.

Each runtime knows these operators, and ONNX Runtime computes them once, when it opens the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Initializers with fewer elements than this cost more than they save.
FEW = 1024
#: Of float8_e4m3fn.
_GREATEST_FLOAT8 = 448.0
PRODUCTS = ("MatMul", "Gemm", "Conv")
TABLE = "Gather"

Array = Any


@attrs.frozen
class Stored:
    """What stands in the place of a weight: its tensors by name, and what computes it of them.

    :param nodes: The last gives the weight.
    """

    tensors: Mapping[str, Array]
    nodes: Sequence[onnx.NodeProto]


#: What to store a weight as: given its name, its values, and the axis of the channels that it gives. None: as it is.
Store = Callable[[str, Array, int], "Stored | None"]


def store_weights(model: onnx.ModelProto, store: Store, *, users: Collection[str] | None = PRODUCTS) -> None:
    """Let the weights of a model be stored otherwise.

    :param users: The operators whose weights those are. None: of any.
    """
    graph = model.graph
    axes = dict(_axes(graph, PRODUCTS if users is None else users))
    nodes: list[onnx.NodeProto] = []
    for tensor in list(graph.initializer):
        known = users is None or tensor.name in axes
        if not known or tensor.data_type != TensorProto.FLOAT or math.prod(tensor.dims) < FEW:
            continue
        stored = store(tensor.name, numpy_helper.to_array(tensor), axes.get(tensor.name, 0))
        if stored is None:
            continue
        graph.initializer.remove(tensor)
        there = {initializer.name for initializer in graph.initializer}
        graph.initializer.extend(
            numpy_helper.from_array(array, name) for name, array in stored.tensors.items() if name not in there
        )
        nodes.extend(stored.nodes)
    names = {name for node in nodes for name in node.output}
    for given in [given for given in graph.input if given.name in names]:
        graph.input.remove(given)  # a default that a caller could replace: there is none any more
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def bfloat16(name: str, values: Array, axis: int) -> Stored:
    """Half the bytes: the other half of the bits are lost."""
    import ml_dtypes

    short = f"{name}_bf16"
    return Stored({short: values.astype(ml_dtypes.bfloat16)}, [_cast(short, name)])


def float8(name: str, values: Array, axis: int) -> Stored:
    """A quarter of the bytes, and a scale for each channel."""
    import ml_dtypes

    short, scale, wide = f"{name}_fp8", f"{name}_scale", f"{name}_wide"
    others = tuple(place for place in range(values.ndim) if place != axis)
    greatest = numpy.abs(values).max(axis=others, keepdims=True)
    scales = numpy.maximum(greatest / _GREATEST_FLOAT8, 1e-30).astype(values.dtype)
    numbers = (values / scales).astype(ml_dtypes.float8_e4m3fn)
    return Stored({short: numbers, scale: scales}, [_cast(short, wide), helper.make_node("Mul", [wide, scale], [name])])


def sparse(share: float) -> Store:
    """The elements that are left when a share, the smallest, is dropped; and a bit for each, which those are."""

    def store(name: str, values: Array, axis: int) -> Stored | None:
        dropped = int(values.size * share)
        if dropped * values.itemsize * 8 <= values.size:
            return None  # the bits would cost more
        flat = values.reshape(-1)
        kept = numpy.ones(flat.size, dtype=bool)
        kept[numpy.argsort(numpy.abs(flat), kind="stable")[:dropped]] = False
        bits = numpy.packbits(kept, bitorder="little").reshape(-1, 1)
        named = {part: f"{name}_{part}" for part in ("values", "mask", "size", "shape")}
        tensors = {
            named["values"]: flat[kept],
            named["mask"]: bits,
            named["size"]: numpy.array([flat.size], numpy.int64),
            named["shape"]: numpy.array(values.shape, numpy.int64),
            "weight_bits": numpy.arange(8, dtype=numpy.uint8),
            "weight_two": numpy.array(2, numpy.int32),
            "weight_one": numpy.array(1, numpy.int32),
            "weight_begin": numpy.array([0], numpy.int64),
            "weight_line": numpy.array([-1], numpy.int64),
            "weight_zero": numpy.array(0, numpy.float32),
        }
        return Stored(tensors, list(_spread(name, **named)))

    return store


def _spread(name: str, values: str, mask: str, size: str, shape: str) -> Iterator[onnx.NodeProto]:
    """Eight numbers of each byte; of those that are odd, how many came before is where their value is."""
    steps = [f"{name}_step{number}" for number in range(9)]
    yield helper.make_node("BitShift", [mask, "weight_bits"], steps[:1], direction="RIGHT")
    yield helper.make_node("Cast", steps[:1], steps[1:2], to=TensorProto.INT32)
    yield helper.make_node("Mod", [steps[1], "weight_two"], steps[2:3])
    yield helper.make_node("Reshape", [steps[2], "weight_line"], steps[3:4])
    yield helper.make_node("Slice", [steps[3], "weight_begin", size], steps[4:5])
    yield helper.make_node("CumSum", [steps[4], "weight_begin"], steps[5:6])
    yield helper.make_node("Sub", [steps[5], "weight_one"], steps[6:7])
    yield helper.make_node("Gather", [values, steps[6]], steps[7:8])
    yield helper.make_node("Cast", steps[4:5], steps[8:9], to=TensorProto.BOOL)
    yield helper.make_node("Where", [steps[8], steps[7], "weight_zero"], [f"{name}_flat"])
    yield helper.make_node("Reshape", [f"{name}_flat", shape], [name])


def channels(share: float) -> Store:
    """The channels that are left when a share, those with the smallest norm, is dropped; the others are zero."""

    def store(name: str, values: Array, axis: int) -> Stored | None:
        turned = numpy.moveaxis(values, axis, 0)
        dropped = int(turned.shape[0] * share)
        if not dropped:
            return None
        norms = numpy.linalg.norm(turned.reshape(turned.shape[0], -1), axis=1)
        left = numpy.sort(numpy.argsort(norms, kind="stable")[dropped:])
        kept, places, shape, zeros = (f"{name}_{part}" for part in ("values", "channels", "shape", "zeros"))
        tensors = {
            kept: numpy.ascontiguousarray(turned[left]),
            places: left.astype(numpy.int64).reshape(-1, 1),
            shape: numpy.array(turned.shape, numpy.int64),
        }
        whole = name if axis == 0 else f"{name}_turned"
        nodes = [
            helper.make_node("ConstantOfShape", [shape], [zeros], value=_zero()),
            helper.make_node("ScatterND", [zeros, places, kept], [whole]),
        ]
        if axis:
            order = [*range(1, axis + 1), 0, *range(axis + 1, values.ndim)]
            nodes.append(helper.make_node("Transpose", [whole], [name], perm=order))
        return Stored(tensors, nodes)

    return store


def _axes(graph: onnx.GraphProto, users: Collection[str]) -> Iterator[tuple[str, int]]:
    """The weights of some operators, and which axis has the channels that each gives; of a table, its rows."""
    ranks = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in users or node.domain or len(node.input) < 2:
            continue
        name = node.input[0 if node.op_type == TABLE else 1]
        turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        if ranks.get(name, 0) >= 2:
            yield name, 0 if turned or node.op_type in ("Conv", TABLE) else ranks[name] - 1


def _cast(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], to=TensorProto.FLOAT)


def _zero() -> onnx.TensorProto:
    return helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
