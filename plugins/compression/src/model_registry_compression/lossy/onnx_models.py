"""Making a model of ONNX smaller, mostly by ONNX Runtime's own tools."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from model_registry import EXAMPLE_INPUTS, CompressionType, InvalidOptionError, VersionFiles
from model_registry_compression.lossy.shares import rank_for, share_of

if TYPE_CHECKING:
    import onnx

_SUFFIX = ".onnx"
#: Initializers with fewer elements than this cost more than they save.
_FEW = 1024
#: What loses too much in half precision: sums of many terms, exponentials, and what divides by a small number.
_SENSITIVE = (
    "BatchNormalization",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "LogSoftmax",
    "Pow",
    "ReduceMean",
    "ReduceSum",
    "Softmax",
    "Sqrt",
)


def compress_onnx(files: VersionFiles, kind: str, options: Mapping[str, Any], folder: Path) -> Path:
    """A folder with the models of a version, each smaller, and what lay beside them."""
    before, after = folder / "before", folder / "after"
    for path in files:
        (before / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.local(path), before / path)  # no links: onnx refuses them for external data
    models = [path for path in files if path.endswith(_SUFFIX)]
    external = {str(PurePosixPath(path).parent / place) for path in models for place in _external(before / path)}
    for path in files:
        if path not in models and path not in external and path != EXAMPLE_INPUTS:
            (after / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(before / path, after / path)
    for path in models:
        (after / path).parent.mkdir(parents=True, exist_ok=True)
        _MAKERS[kind](before / path, after / path, options)
    kept = [path for path in after.rglob("*") if path.is_file()]
    return kept[0] if len(kept) == 1 else after


def _external(path: Path) -> Iterator[str]:
    import onnx

    for tensor in onnx.load(path, load_external_data=False).graph.initializer:
        for pair in tensor.external_data:
            if pair.key == "location":
                yield pair.value


def _int8(source: Path, target: Path, options: Mapping[str, Any]) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    per_channel = bool(options.get("per_channel", True))
    calibration = options.get("calibration")
    if calibration is None:
        quantize_dynamic(source, target, per_channel=per_channel, weight_type=QuantType.QInt8)
        return
    quantize_static(
        source,
        target,
        _reader(calibration),
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def _reader(calibration: Any) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    if isinstance(calibration, CalibrationDataReader):
        return calibration
    if not isinstance(calibration, Sequence) or not calibration or not all(isinstance(i, Mapping) for i in calibration):
        raise InvalidOptionError(
            f"calibration is a {type(calibration).__name__}",
            hint="give a list of inputs, each a mapping of names to arrays, or a CalibrationDataReader",
            option="calibration",
        )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """The inputs that the caller gave, one after the other."""

        def __init__(self) -> None:
            self._left = iter(calibration)

        def get_next(self) -> Any:
            return next(self._left, None)

    return Reader()


def _int4(source: Path, target: Path, options: Mapping[str, Any]) -> None:
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    block = options.get("block_size", 32)
    if block not in (16, 32, 64, 128, 256):
        raise InvalidOptionError(f"block_size is {block!r}", hint="give 16, 32, 64, 128 or 256", option="block_size")
    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=block, is_symmetric=False)
    quantizer.process()
    onnx.save(quantizer.model.model, target)


def _fp16(source: Path, target: Path, options: Mapping[str, Any]) -> None:
    import onnx
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    blocked = sorted({*DEFAULT_OP_BLOCK_LIST, *_SENSITIVE})
    short = ONNXModel(convert_float_to_float16(onnx.load(source), keep_io_types=True, op_block_list=blocked))
    short.topological_sort()
    onnx.save(short.model, target)


def _bf16(source: Path, target: Path, options: Mapping[str, Any]) -> None:
    """The weights alone: ONNX Runtime computes in bfloat16 on few devices, so each is cast where it is used."""
    import ml_dtypes
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    casts = []
    for tensor in list(_large(model)):
        short = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(ml_dtypes.bfloat16), f"{tensor.name}_bf16")
        casts.append(helper.make_node("Cast", [short.name], [tensor.name], to=onnx.TensorProto.FLOAT))
        tensor.CopyFrom(short)
    _put_first(model, casts)
    onnx.save(model, target)


def _low_rank(source: Path, target: Path, options: Mapping[str, Any]) -> None:
    """A product with a matrix becomes two, with thin ones."""
    import numpy
    import onnx
    from onnx import helper, numpy_helper

    rank, energy = options.get("rank"), share_of(options, "energy", 0.9)
    if rank is not None and (type(rank) is not int or rank < 1):
        raise InvalidOptionError(f"rank is {rank!r}", hint="give a natural number", option="rank")
    model = onnx.load(source)
    weights = {tensor.name: tensor for tensor in _large(model) if len(tensor.dims) == 2}
    users = [name for node in model.graph.node for name in node.input]
    nodes = []
    for node in model.graph.node:
        tensor = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if tensor is None or users.count(tensor.name) > 1:
            nodes.append(node)
            continue
        matrix = numpy_helper.to_array(tensor)
        left, values, right = numpy.linalg.svd(matrix.astype("float32"), full_matrices=False)
        chosen = rank or rank_for(values, energy)
        if chosen * sum(matrix.shape) >= matrix.size:
            nodes.append(node)
            continue
        root = numpy.sqrt(values[:chosen])
        names = f"{tensor.name}_left", f"{tensor.name}_right"
        model.graph.initializer.extend(
            [
                numpy_helper.from_array(numpy.ascontiguousarray(left[:, :chosen] * root), names[0]),
                numpy_helper.from_array(numpy.ascontiguousarray(root[:, None] * right[:chosen]), names[1]),
            ]
        )
        model.graph.initializer.remove(tensor)
        between = f"{node.output[0]}_low_rank"
        nodes.append(helper.make_node("MatMul", [node.input[0], names[0]], [between]))
        nodes.append(helper.make_node("MatMul", [between, names[1]], list(node.output), name=node.name))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, target)


def _large(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    import math

    import onnx

    for tensor in list(model.graph.initializer):
        if tensor.data_type == onnx.TensorProto.FLOAT and math.prod(tensor.dims) >= _FEW:
            yield tensor


def _put_first(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])


_MAKERS: Mapping[str, Callable[[Path, Path, Mapping[str, Any]], None]] = {
    CompressionType.QUANTIZATION_INT8: _int8,
    CompressionType.QUANTIZATION_INT4: _int4,
    CompressionType.FP16: _fp16,
    CompressionType.BF16: _bf16,
    CompressionType.LOW_RANK: _low_rank,
}
