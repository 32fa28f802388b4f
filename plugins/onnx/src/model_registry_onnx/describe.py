"""Metadata without running anything: from the model without its weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from model_registry import ModelType, VersionFiles
from model_registry_onnx.cost import multiply_adds
from model_registry_onnx.dtypes import dtype_name, nbytes
from model_registry_onnx.graphs import all_graphs, all_tensors
from model_registry_onnx.inference import with_inferred_shapes
from model_registry_onnx.layout import model_files
from model_registry_onnx.operators import STANDARD, count_operators
from model_registry_onnx.protos import read_outline

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto, ValueInfoProto

CLASSIFICATION = str(ModelType.CLASSIFICATION)
_CLASSIFIERS = ("TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier", "ZipMap")
_REGRESSORS = ("TreeEnsembleRegressor", "LinearRegressor", "SVMRegressor")


def describe_onnx(files: VersionFiles) -> Mapping[str, Any]:
    """Fields of ``ModelMetadata``, and for ``extra``: ``opsets`` by domain, ``ir_version``, ``producer``, ``inputs``
    and ``outputs`` (name, dtype, shape with symbolic sizes as texts), ``operators`` by domain and count,
    ``initializers`` (tensors, elements and bytes by dtype), ``weights_bytes``, and ``multiply_adds``, where symbolic
    sizes count as 1. ``parameters_count`` leaves out integers of 32 and 64 bits, which are shapes and indices.

    Of several models, that of each stands under ``models``.
    """
    described = {name: _describe(read_outline(files, member)) for name, member in model_files(files).items()}
    if len(described) == 1:
        return next(iter(described.values()))
    return {
        "framework": "onnx",
        "parameters_count": sum(found["parameters_count"] for found in described.values()),
        "models": {
            name: {key: value for key, value in found.items() if value is not None} for name, found in described.items()
        },
    }


def describe_ort() -> Mapping[str, Any]:
    """The format tells nothing without the runtime's own reader."""
    return {"framework": "onnxruntime"}


def _describe(outline: ModelProto) -> dict[str, Any]:
    tensors = [tensor for graph in all_graphs(outline) for tensor in graph.initializer]
    weights = {tensor.name for tensor in outline.graph.initializer}
    inputs = [_value(value) for value in outline.graph.input if value.name not in weights]
    outputs = [_value(value) for value in outline.graph.output]
    by_dtype = _by_dtype(tensors)
    operators = count_operators(outline)
    return {
        "framework": "onnx",
        "description": outline.doc_string.strip() or outline.graph.doc_string.strip() or None,
        "model_type": _model_type(outline, operators),
        "parameters_count": sum(math.prod(tensor.dims) for tensor in all_tensors(outline) if _is_weight(tensor)),
        "input_shape": inputs[0]["shape"] if len(inputs) == 1 else None,
        "output_shape": outputs[0]["shape"] if len(outputs) == 1 else None,
        "opsets": {opset.domain or STANDARD: opset.version for opset in outline.opset_import},
        "ir_version": outline.ir_version,
        "producer": " ".join(filter(None, (outline.producer_name, outline.producer_version))) or None,
        "inputs": inputs,
        "outputs": outputs,
        "operators": operators,
        "initializers": by_dtype,
        "weights_bytes": sum(found["bytes"] for found in by_dtype.values()),
        "multiply_adds": multiply_adds(with_inferred_shapes(outline, check=False)),
    }


def _value(value: ValueInfoProto) -> dict[str, Any]:
    """Name, dtype and shape of an input or output; sequences and maps have only a kind."""
    kind = value.type.WhichOneof("value")
    if kind not in ("tensor_type", "sparse_tensor_type"):
        return {"name": value.name, "dtype": (kind or "unknown").removesuffix("_type"), "shape": None}
    tensor = getattr(value.type, kind)
    shape = None
    if tensor.HasField("shape"):
        shape = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim]
    return {"name": value.name, "dtype": dtype_name(tensor.elem_type), "shape": shape}


def _is_weight(tensor: TensorProto) -> bool:
    """Not what holds shapes, indices or flags. Some exporters make every weight the value of a Constant."""
    return dtype_name(tensor.data_type) not in ("int64", "int32", "bool", "string")


def _by_dtype(tensors: Iterable[TensorProto]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for tensor in tensors:
        elements = math.prod(tensor.dims)
        counts = found.setdefault(dtype_name(tensor.data_type), {"tensors": 0, "elements": 0, "bytes": 0})
        counts["tensors"] += 1
        counts["elements"] += elements
        counts["bytes"] += nbytes(tensor.data_type, elements) or 0
    return dict(sorted(found.items()))


def _model_type(model: ModelProto, operators: Mapping[str, Mapping[str, int]]) -> str | None:
    """What the operators at the end tell; most models do not."""
    learned = operators.get("ai.onnx.ml", {})
    if any(name in learned for name in _CLASSIFIERS):
        return CLASSIFICATION
    if any(name in learned for name in _REGRESSORS):
        return str(ModelType.REGRESSION)
    last = {node.op_type for node in model.graph.node if set(node.output) & {out.name for out in model.graph.output}}
    return CLASSIFICATION if last and last <= {"Softmax", "LogSoftmax", "ArgMax"} else None
