"""Making a model of ONNX smaller, mostly by ONNX Runtime's own tools."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy
import onnx
import onnx.version_converter
from onnx import helper, numpy_helper

from model_registry import EXAMPLE_INPUTS, CompressionType, InvalidOptionError, UnsupportedModelError, VersionFiles
from model_registry_compression.lossy import onnx_weights
from model_registry_compression.lossy.quiet import as_it_logs
from model_registry_compression.lossy.samples import samples
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
#: The first opset with numbers of eight bits that have a point.
_FLOAT8_OPSET = 19
#: The first opset with tables of numbers of four bits.
_INT4_OPSET = 21
#: A protobuf holds 2 GiB; weights of larger models lie beside it.
_MOST_BYTES = 1 << 30

Options = Mapping[str, Any]


def compress_onnx(files: VersionFiles, kind: str, options: Options, folder: Path) -> Path:
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
        with as_it_logs():
            _MAKERS[kind](before / path, after / path, options)
    kept = [path for path in after.rglob("*") if path.is_file()]
    return kept[0] if len(kept) == 1 else after


def _external(path: Path) -> Iterator[str]:
    for tensor in onnx.load(path, load_external_data=False).graph.initializer:
        for pair in tensor.external_data:
            if pair.key == "location":
                yield pair.value


def _is_large(source: Path) -> bool:
    return sum(path.stat().st_size for path in source.parent.iterdir()) > _MOST_BYTES


def _save(model: onnx.ModelProto, target: Path) -> None:
    outside = model.ByteSize() > _MOST_BYTES
    onnx.save(model, target, save_as_external_data=outside, location=f"{target.name}.data" if outside else None)


def _int8(source: Path, target: Path, options: Options) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    outside = _is_large(source)
    common = {
        "per_channel": bool(options.get("per_channel", True)),
        "weight_type": QuantType.QInt8,
        "use_external_data_format": outside,
    }
    prepared = source if outside else _prepared(source)
    calibration = options.get("calibration")
    if calibration is None:
        quantize_dynamic(prepared, target, **common)
    else:
        # What lies between products stays in floats: it takes little time, and would lose much.
        quantize_static(
            prepared,
            target,
            _reader(calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            op_types_to_quantize=[*onnx_weights.PRODUCTS, onnx_weights.TABLE],
            **common,
        )


def _prepared(source: Path) -> Path:
    """The model with shapes, and without what can be computed beforehand: what ONNX Runtime advises."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    whole, prepared = (source.with_name(f"{word}-{source.name}") for word in ("whole", "prepared"))
    onnx.save(onnx.load(source), whole)  # with its data inside, which would not be found elsewhere
    quant_pre_process(whole, prepared, skip_symbolic_shape=True)
    return prepared


def _reader(calibration: Any) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    given = list(samples(calibration))
    if not given or not all(isinstance(sample, Mapping) for sample in given):
        raise InvalidOptionError(
            "calibration gives no inputs by name", hint="let each be a mapping of names to arrays", option="calibration"
        )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """The inputs that the caller gave, one after the other."""

        def __init__(self) -> None:
            self._left = iter(given)

        def get_next(self) -> Any:
            sample = next(self._left, None)
            return sample and {name: numpy.asarray(value) for name, value in sample.items()}

    return Reader()


def _int4(source: Path, target: Path, options: Options) -> None:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    block = options.get("block_size", 32)
    if block not in (16, 32, 64, 128, 256):
        raise InvalidOptionError(f"block_size is {block!r}", hint="give 16, 32, 64, 128 or 256", option="block_size")
    model = _with_products(source)
    newer = _with_opset(model, _INT4_OPSET)
    operators = ("MatMul",) if newer is None else ("MatMul", onnx_weights.TABLE)
    quantizer = MatMulNBitsQuantizer(
        newer or model, block_size=block, is_symmetric=False, op_types_to_quantize=operators
    )
    quantizer.process()
    _save(quantizer.model.model, target)


def _fp16(source: Path, target: Path, options: Options) -> None:
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    blocked = sorted({*DEFAULT_OP_BLOCK_LIST, *_SENSITIVE})
    short = ONNXModel(convert_float_to_float16(onnx.load(source), keep_io_types=True, op_block_list=blocked))
    short.topological_sort()
    _save(short.model, target)


def _bf16(source: Path, target: Path, options: Options) -> None:
    """The weights alone: ONNX Runtime computes in bfloat16 on few devices."""
    model = onnx.load(source)
    onnx_weights.store_weights(model, onnx_weights.bfloat16, users=None)
    _save(model, target)


def _float8(source: Path, target: Path, options: Options) -> None:
    model = _with_opset(onnx.load(source), _FLOAT8_OPSET)
    if model is None:
        raise UnsupportedModelError(
            f"fp8 needs opset {_FLOAT8_OPSET}, to which the model cannot be converted",
            hint="export it with a newer opset",
        )
    onnx_weights.store_weights(model, onnx_weights.float8, users=(*onnx_weights.PRODUCTS, onnx_weights.TABLE))
    _save(model, target)


def _unstructured(source: Path, target: Path, options: Options) -> None:
    model = onnx.load(source)
    onnx_weights.store_weights(model, onnx_weights.sparse(share_of(options, "sparsity", 0.5)))
    _save(model, target)


def _structured(source: Path, target: Path, options: Options) -> None:
    model = onnx.load(source)
    onnx_weights.store_weights(model, onnx_weights.channels(share_of(options, "sparsity", 0.25)))
    _save(model, target)


def _low_rank(source: Path, target: Path, options: Options) -> None:
    """A product with a matrix becomes two, with thin ones."""
    rank, energy = rank_of(options), share_of(options, "energy", 0.9)
    model = _with_products(source)
    weights = {tensor.name: tensor for tensor in model.graph.initializer if _is_matrix(tensor)}
    users = [name for node in model.graph.node for name in node.input]
    nodes = []
    for node in model.graph.node:
        tensor = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        thin = None if tensor is None or users.count(tensor.name) > 1 else _thin(tensor, rank, energy)
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
    except (RuntimeError, ValueError, onnx.checker.ValidationError):
        return None


def _with_products(source: Path) -> onnx.ModelProto:
    """The model, whose linear layers are products of matrices with nothing else in them."""
    from onnxruntime.quantization.onnx_model import ONNXModel

    model = ONNXModel(onnx.load(source))
    model.replace_gemm_with_matmul()
    model.clean_initializers()
    plain: onnx.ModelProto = model.model
    return plain


_MAKERS: Mapping[str, Callable[[Path, Path, Options], None]] = {
    CompressionType.QUANTIZATION_INT8: _int8,
    CompressionType.QUANTIZATION_INT4: _int4,
    CompressionType.QUANTIZATION_FP8: _float8,
    CompressionType.FP16: _fp16,
    CompressionType.BF16: _bf16,
    CompressionType.PRUNING_UNSTRUCTURED: _unstructured,
    CompressionType.PRUNING_STRUCTURED: _structured,
    CompressionType.LOW_RANK: _low_rank,
}
