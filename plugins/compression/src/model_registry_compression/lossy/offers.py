"""What can be made smaller, and how: read without importing any framework."""

from __future__ import annotations

from collections.abc import Mapping

from model_registry import Compression, CompressionType, ModelFormat

_INT8, _INT4, _FP8 = (
    CompressionType.QUANTIZATION_INT8,
    CompressionType.QUANTIZATION_INT4,
    CompressionType.QUANTIZATION_FP8,
)
_FP16, _BF16, _LOW_RANK = CompressionType.FP16, CompressionType.BF16, CompressionType.LOW_RANK

#: What every format has in common.
_COMMON: Mapping[str, tuple[str, ...]] = {
    _INT4: ("block_size",),
    _FP8: (),
    _FP16: (),
    _BF16: (),
    CompressionType.PRUNING_UNSTRUCTURED: ("sparsity",),
    CompressionType.PRUNING_STRUCTURED: ("sparsity",),
    _LOW_RANK: ("rank", "energy"),
}
_TORCH = {_INT8: ("calibration", "weight_only"), **_COMMON}
_OPTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    ModelFormat.PYTORCH: _TORCH,
    ModelFormat.HUGGINGFACE: _TORCH,
    ModelFormat.ONNX: {_INT8: ("calibration", "per_channel"), **_COMMON},
}

OFFERS = tuple(
    Compression(str(type), str(format), frozenset(options))
    for format, types in _OPTIONS.items()
    for type, options in types.items()
)
