"""Weights of ONNX in fewer bytes, with standard operators that compute them.

Each runtime knows these operators, and ONNX Runtime computes them once, when it opens the model.
"""

from __future__ import annotations

import math
from collections import Counter
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
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)

Array = Any


@attrs.frozen
class Stored:
    """What stands in the place of a weight: its tensors by name, and what computes it of them.

    :param nodes: The last gives the weight.
    """

    tensors: Mapping[str, Array]
    nodes: Sequence[onnx.NodeProto]


@attrs.frozen
class Weight:
    """A weight that may be stored otherwise.

    :param name: What the graph calls it.
    :param inner: What the names of its tensors and of what lies between may begin with; no other name does.
    :param shared: The same for tensors that all weights have.
    :param axis: That of the channels that it gives.
    """

    name: str
    inner: str
    shared: str
    values: Array
    axis: int

    @property
    def dtype(self) -> int:
        """As ONNX numbers it."""
        return int(helper.np_dtype_to_tensor_dtype(self.values.dtype))

    def cast(self, source: str) -> onnx.NodeProto:
        """What makes the weight of the same numbers in another type."""
        return helper.make_node("Cast", [source], [self.name], to=self.dtype)

    def zeros(self, shape: str, target: str) -> onnx.NodeProto:
        """What makes zeros of the weight's type."""
        zero = helper.make_tensor("zero", self.dtype, [1], [0.0])
        return helper.make_node("ConstantOfShape", [shape], [target], value=zero)


#: What to store a weight as. None: as it is.
Store = Callable[[Weight], "Stored | None"]


def store_weights(model: onnx.ModelProto, store: Store, *, users: Collection[str] | None = PRODUCTS) -> None:
    """Let the weights of a model be stored otherwise.

    :param users: The operators whose weights those are. None: of any.
    """
    graph = model.graph
    axes = dict(_axes(graph, PRODUCTS if users is None else users))
    shared = _unused(graph)
    nodes: list[onnx.NodeProto] = []
    made: dict[str, Array] = {}
    for tensor in list(graph.initializer):
        known = users is None or tensor.name in axes
        if not known or tensor.data_type not in _FLOATS or math.prod(tensor.dims) < FEW:
            continue
        inner, values = f"{shared}{len(nodes)}.", numpy_helper.to_array(tensor)
        stored = store(Weight(tensor.name, inner, shared, values, axes.get(tensor.name, 0)))
        if stored is not None:
            graph.initializer.remove(tensor)
            made.update(stored.tensors)
            nodes.extend(stored.nodes)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in made.items())
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def bfloat16(weight: Weight) -> Stored:
    """Half the bytes: the other half of the bits are lost."""
    import ml_dtypes

    short = f"{weight.inner}bf16"
    return Stored({short: weight.values.astype(ml_dtypes.bfloat16)}, [weight.cast(short)])


def float8(weight: Weight) -> Stored:
    """A quarter of the bytes, and a scale for each channel."""
    import ml_dtypes

    short, scale, wide, scaled = (f"{weight.inner}{part}" for part in ("fp8", "scale", "wide", "scaled"))
    values = weight.values.astype(numpy.float32)
    others = tuple(place for place in range(values.ndim) if place != weight.axis)
    greatest = numpy.abs(values).max(axis=others, keepdims=True)
    scales = numpy.maximum(greatest / _GREATEST_FLOAT8, 1e-30).astype(numpy.float32)
    numbers = (values / scales).astype(ml_dtypes.float8_e4m3fn)
    nodes = [
        helper.make_node("Cast", [short], [wide], to=TensorProto.FLOAT),
        helper.make_node("Mul", [wide, scale], [scaled]),
        weight.cast(scaled),
    ]
    return Stored({short: numbers, scale: scales}, nodes)


def sparse(share: float) -> Store:
    """The elements that are left when a share, the smallest, is dropped; and a bit for each, which those are."""

    def store(weight: Weight) -> Stored | None:
        values = weight.values
        dropped = int(values.size * share)
        if dropped * values.itemsize * 8 <= values.size:
            return None  # the bits would cost more
        flat = values.reshape(-1)
        kept = numpy.ones(flat.size, dtype=bool)
        kept[numpy.argsort(numpy.abs(flat), kind="stable")[:dropped]] = False
        tensors = {
            f"{weight.inner}values": flat[kept],
            f"{weight.inner}mask": numpy.packbits(kept, bitorder="little").reshape(-1, 1),
            f"{weight.inner}size": numpy.array([flat.size], numpy.int64),
            f"{weight.inner}shape": numpy.array(values.shape, numpy.int64),
            f"{weight.inner}zero": numpy.array(0, values.dtype),
            f"{weight.shared}bits": numpy.arange(8, dtype=numpy.uint8),
            f"{weight.shared}two": numpy.array(2, numpy.int32),
            f"{weight.shared}one": numpy.array(1, numpy.int32),
            f"{weight.shared}begin": numpy.array([0], numpy.int64),
            f"{weight.shared}line": numpy.array([-1], numpy.int64),
        }
        return Stored(tensors, list(_spread(weight)))

    return store


def _spread(weight: Weight) -> Iterator[onnx.NodeProto]:
    """Eight numbers of each byte; of those that are odd, how many came before is where their value is."""
    inner, shared = weight.inner, weight.shared
    steps = [f"{inner}{number}" for number in range(10)]
    yield helper.make_node("BitShift", [f"{inner}mask", f"{shared}bits"], steps[:1], direction="RIGHT")
    yield helper.make_node("Cast", steps[:1], steps[1:2], to=TensorProto.INT32)
    yield helper.make_node("Mod", [steps[1], f"{shared}two"], steps[2:3])
    yield helper.make_node("Reshape", [steps[2], f"{shared}line"], steps[3:4])
    yield helper.make_node("Slice", [steps[3], f"{shared}begin", f"{inner}size"], steps[4:5])
    yield helper.make_node("CumSum", [steps[4], f"{shared}begin"], steps[5:6])
    yield helper.make_node("Sub", [steps[5], f"{shared}one"], steps[6:7])
    yield helper.make_node("Gather", [f"{inner}values", steps[6]], steps[7:8])
    yield helper.make_node("Cast", steps[4:5], steps[8:9], to=TensorProto.BOOL)
    yield helper.make_node("Where", [steps[8], steps[7], f"{inner}zero"], steps[9:10])
    yield helper.make_node("Reshape", [steps[9], f"{inner}shape"], [weight.name])


def channels(share: float) -> Store:
    """The channels that are left when a share, those with the smallest norm, is dropped; the others are zero."""

    def store(weight: Weight) -> Stored | None:
        turned = numpy.moveaxis(weight.values, weight.axis, 0)
        dropped = int(turned.shape[0] * share)
        if not dropped:
            return None
        norms = numpy.linalg.norm(turned.reshape(turned.shape[0], -1).astype(numpy.float32), axis=1)
        left = numpy.sort(numpy.argsort(norms, kind="stable")[dropped:])
        kept, places, shape, zeros = (f"{weight.inner}{part}" for part in ("values", "channels", "shape", "zeros"))
        tensors = {
            kept: numpy.ascontiguousarray(turned[left]),
            places: left.astype(numpy.int64).reshape(-1, 1),
            shape: numpy.array(turned.shape, numpy.int64),
        }
        whole = weight.name if weight.axis == 0 else f"{weight.inner}turned"
        nodes = [
            weight.zeros(shape, zeros),
            helper.make_node("ScatterND", [zeros, places, kept], [whole]),
        ]
        if weight.axis:
            order = [*range(1, weight.axis + 1), 0, *range(weight.axis + 1, turned.ndim)]
            nodes.append(helper.make_node("Transpose", [whole], [weight.name], perm=order))
        return Stored(tensors, nodes)

    return store


def uses(graph: onnx.GraphProto) -> Counter[str]:
    """How often each value is used: by nodes, by those of graphs inside, and as an output."""
    found: Counter[str] = Counter(output.name for output in graph.output)
    for node in graph.node:
        found.update(node.input)
        for attribute in node.attribute:
            for inside in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                found.update(uses(inside))
    return found


def _unused(graph: onnx.GraphProto) -> str:
    """What no name in the graph begins with."""
    names = {*uses(graph), *(tensor.name for tensor in graph.initializer)}
    names |= {name for node in graph.node for name in (*node.output, node.name)}
    prefix = "stored."
    while any(name.startswith(prefix) for name in names):
        prefix = f"_{prefix}"
    return prefix


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
