"""Making a model of ONNX smaller, mostly by ONNX Runtime's own tools."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy
import onnx
import onnx.version_converter
from onnx import helper, numpy_helper

from model_registry import EXAMPLE_INPUTS, CompressionType, InvalidOptionError, UnsupportedModelError, VersionFiles
from model_registry_compression.lossy import onnx_weights
from model_registry_compression.lossy.quiet import as_it_logs
from model_registry_compression.lossy.samples import HINT, samples
from model_registry_compression.lossy.shares import rank_for, rank_of, share_of

_SUFFIX = ".onnx"
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
#: The opset that a type needs at least: that has its operators, or its numbers.
_OPSETS: Mapping[str, int] = {
    CompressionType.QUANTIZATION_INT8: 13,
    CompressionType.QUANTIZATION_FP8: 19,
    CompressionType.BF16: 13,
    CompressionType.PRUNING_UNSTRUCTURED: 13,
    CompressionType.PRUNING_STRUCTURED: 13,
}
#: The first with tables of numbers of four bits.
_INT4_OPSET = 21
#: The first in which what is stored in a model need not be one of its inputs.
_IR = 4
#: A protobuf holds 2 GiB; weights of larger models lie beside it.
_MOST_BYTES = 1 << 30

Options = Mapping[str, Any]


def compress_onnx(files: VersionFiles, kind: str, options: Options, folder: Path) -> Path:
    """A folder with the models of a version, each smaller, and what lay beside them.

    :raises UnsupportedModelError: for a model of an old opset that cannot be converted.
    """
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
        with as_it_logs():
            _MAKERS[kind](_loaded(before / path, _OPSETS.get(kind, 0)), after / path, options)
    shutil.rmtree(before)
    kept = [path for path in after.rglob("*") if path.is_file()]
    return kept[0] if len(kept) == 1 and kept[0].parent == after else after


def _external(path: Path) -> Iterator[str]:
    for tensor in onnx.load(path, load_external_data=False).graph.initializer:
        for pair in tensor.external_data:
            if pair.key == "location":
                yield pair.value


def _loaded(path: Path, least: int) -> onnx.ModelProto:
    """A model whose weights are initializers and nothing else, of that opset at least."""
    model = onnx.load(path)
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "Constant" and not node.domain]:
        for attribute in node.attribute:
            if attribute.name == "value" and math.prod(attribute.t.dims) >= onnx_weights.FEW:
                graph.initializer.add().CopyFrom(attribute.t)
                graph.initializer[-1].name = node.output[0]
                graph.node.remove(node)
    names = {tensor.name for tensor in graph.initializer}
    for given in [given for given in graph.input if given.name in names]:
        graph.input.remove(given)
    model.ir_version = max(model.ir_version, _IR)
    newer = _with_opset(model, least)
    if newer is None:
        raise UnsupportedModelError(
            f"{path.name} has an older opset than {least}, which this type needs, and cannot be converted",
            hint="export it again with a newer opset",
        )
    return newer


def _is_large(model: onnx.ModelProto) -> bool:
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer) > _MOST_BYTES


def _save(model: onnx.ModelProto, target: Path) -> None:
    outside = _is_large(model)
    onnx.save(model, target, save_as_external_data=outside, location=f"{target.name}.data" if outside else None)


def _int8(model: onnx.ModelProto, target: Path, options: Options) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    per_channel, calibration = options.get("per_channel", True), options.get("calibration")
    if not isinstance(per_channel, bool):
        raise InvalidOptionError(f"per_channel is {per_channel!r}", hint="give True or False", option="per_channel")
    outside = _is_large(model)
    common = {"per_channel": per_channel, "weight_type": QuantType.QInt8, "use_external_data_format": outside}
    reader = None if calibration is None else _reader(calibration, [given.name for given in model.graph.input])
    with tempfile.TemporaryDirectory(prefix="model_registry-") as folder:
        prepared = _prepared(model, Path(folder), outside=outside)
        if reader is None:
            quantize_dynamic(prepared, target, **common)
        else:
            # What lies between products stays in floats: it takes little time, and would lose much.
            quantize_static(
                prepared,
                target,
                reader,
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                op_types_to_quantize=[*onnx_weights.PRODUCTS, onnx_weights.TABLE],
                **common,
            )


def _prepared(model: onnx.ModelProto, folder: Path, *, outside: bool) -> Path:
    """The model with shapes, and without what can be computed beforehand: what ONNX Runtime advises, where it can."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    whole, prepared = folder / "whole.onnx", folder / "prepared.onnx"
    _save(model, whole)
    if outside:
        return whole
    quant_pre_process(whole, prepared, skip_symbolic_shape=True)
    return prepared


def _reader(calibration: Any, names: Sequence[str]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    given = [_named(sample, names) for sample in samples(calibration)]
    if not given:
        raise InvalidOptionError("calibration gives no inputs", hint=HINT, option="calibration")

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """The inputs that the caller gave, one after the other."""

        def __init__(self) -> None:
            self._left = iter(given)

        def get_next(self) -> Any:
            return next(self._left, None)

    return Reader()


def _named(sample: Any, names: Sequence[str]) -> dict[str, Any]:
    """Inputs by the names that the model has for them."""
    if not isinstance(sample, Mapping):
        sample = dict(zip(names, sample if isinstance(sample, (tuple, list)) else [sample], strict=False))
    if set(sample) != set(names):
        raise InvalidOptionError(
            f"calibration gives {', '.join(map(str, sample)) or 'nothing'}",
            hint=f"the model takes {', '.join(names)}",
            option="calibration",
        )
    return {str(name): numpy.asarray(value) for name, value in sample.items()}


def _int4(model: onnx.ModelProto, target: Path, options: Options) -> None:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    block = options.get("block_size", 32)
    if block not in (16, 32, 64, 128, 256):
        raise InvalidOptionError(f"block_size is {block!r}", hint="give 16, 32, 64, 128 or 256", option="block_size")
    model = _with_products(model)
    newer = _with_opset(model, _INT4_OPSET)
    operators = ("MatMul",) if newer is None else ("MatMul", onnx_weights.TABLE)
    quantizer = MatMulNBitsQuantizer(
        newer or model, block_size=block, is_symmetric=False, op_types_to_quantize=operators
    )
    quantizer.process()
    _save(quantizer.model.model, target)


def _fp16(model: onnx.ModelProto, target: Path, options: Options) -> None:
    import onnx_ir
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    blocked = sorted({*DEFAULT_OP_BLOCK_LIST, *_SENSITIVE})
    if not _is_large(model):
        _forget_types(model)
    short = convert_float_to_float16(
        model, keep_io_types=True, op_block_list=blocked, disable_shape_infer=_is_large(model)
    )
    ordered = onnx_ir.from_proto(short)
    ordered.graph.sort()  # what casts the inputs of a graph inside may come after it
    _save(onnx_ir.to_proto(ordered), target)


def _forget_types(model: onnx.ModelProto) -> None:
    """What exporters tell of what lies between is not changed with its types, and is inferred anew: but for what
    operators give that inference does not know."""
    unknown = {name for node in model.graph.node if node.domain not in ("", "ai.onnx") for name in node.output}
    told = [value for value in model.graph.value_info if value.name in unknown]
    del model.graph.value_info[:]
    model.graph.value_info.extend(told)


def _bf16(model: onnx.ModelProto, target: Path, options: Options) -> None:
    """The weights alone: ONNX Runtime computes in bfloat16 on few devices."""
    onnx_weights.store_weights(model, onnx_weights.bfloat16, users=None)
    _save(model, target)


def _float8(model: onnx.ModelProto, target: Path, options: Options) -> None:
    onnx_weights.store_weights(model, onnx_weights.float8, users=(*onnx_weights.PRODUCTS, onnx_weights.TABLE))
    _save(model, target)


def _unstructured(model: onnx.ModelProto, target: Path, options: Options) -> None:
    onnx_weights.store_weights(model, onnx_weights.sparse(share_of(options, "sparsity", 0.5)))
    _save(model, target)


def _structured(model: onnx.ModelProto, target: Path, options: Options) -> None:
    onnx_weights.store_weights(model, onnx_weights.channels(share_of(options, "sparsity", 0.25)))
    _save(model, target)


def _low_rank(model: onnx.ModelProto, target: Path, options: Options) -> None:
    """A product with a matrix becomes two, with thin ones."""
    rank, energy = rank_of(options), share_of(options, "energy", 0.9)
    model = _with_products(model)
    weights = {tensor.name: tensor for tensor in model.graph.initializer if _is_matrix(tensor)}
    used = onnx_weights.uses(model.graph)
    nodes = []
    for node in model.graph.node:
        tensor = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        thin = None if tensor is None or used[tensor.name] > 1 else _thin(tensor, rank, energy)
        if tensor is None or thin is None:
            nodes.append(node)
            continue
        model.graph.initializer.extend(thin)
        model.graph.initializer.remove(tensor)
        between = f"{node.output[0]}_low_rank"
        nodes.append(helper.make_node("MatMul", [node.input[0], thin[0].name], [between]))
        nodes.append(helper.make_node("MatMul", [between, thin[1].name], list(node.output), name=node.name))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _save(model, target)


def _is_matrix(tensor: onnx.TensorProto) -> bool:
    few = numpy.prod(tensor.dims) < onnx_weights.FEW
    return tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2 and not few


def _thin(tensor: onnx.TensorProto, rank: int | None, energy: float) -> list[onnx.TensorProto] | None:
    """Two thin matrices, whose product is nearly a matrix; None if they would not be smaller."""
    matrix = numpy_helper.to_array(tensor)
    left, values, right = numpy.linalg.svd(matrix, full_matrices=False)
    chosen = rank or rank_for(values, energy)
    if chosen * sum(matrix.shape) >= matrix.size:
        return None
    root = numpy.sqrt(values[:chosen])
    return [
        numpy_helper.from_array(numpy.ascontiguousarray(left[:, :chosen] * root), f"{tensor.name}_left"),
        numpy_helper.from_array(numpy.ascontiguousarray(root[:, None] * right[:chosen]), f"{tensor.name}_right"),
    ]


def _with_opset(model: onnx.ModelProto, least: int) -> onnx.ModelProto | None:
    """The model in an opset that is as new as that; None if it cannot be converted."""
    if max((opset.version for opset in model.opset_import if not opset.domain), default=0) >= least:
        return model
    try:
        return onnx.version_converter.convert_version(model, least)
    except Exception:  # of the converter, about operators it does not know, or of protobuf, about large models
        return None


def _with_products(source: onnx.ModelProto) -> onnx.ModelProto:
    """The model, whose linear layers are products of matrices with nothing else in them."""
    from onnxruntime.quantization.onnx_model import ONNXModel

    model = ONNXModel(source)
    model.replace_gemm_with_matmul()
    model.clean_initializers()
    plain: onnx.ModelProto = model.model
    return plain


_MAKERS: Mapping[str, Callable[[onnx.ModelProto, Path, Options], None]] = {
    CompressionType.QUANTIZATION_INT8: _int8,
    CompressionType.QUANTIZATION_INT4: _int4,
    CompressionType.QUANTIZATION_FP8: _float8,
    CompressionType.FP16: _fp16,
    CompressionType.BF16: _bf16,
    CompressionType.PRUNING_UNSTRUCTURED: _unstructured,
    CompressionType.PRUNING_STRUCTURED: _structured,
    CompressionType.LOW_RANK: _low_rank,
}
