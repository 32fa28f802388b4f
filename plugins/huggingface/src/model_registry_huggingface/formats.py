"""The formats this plugin owns, and the exports it offers."""

from __future__ import annotations

from model_registry import Conversion, FormatSpec, ModelFormat

HUGGINGFACE = str(ModelFormat.HUGGINGFACE)
ONNX = str(ModelFormat.ONNX)

FORMATS = (
    FormatSpec(
        HUGGINGFACE,
        "transformers model or PEFT adapter",
        save_options=frozenset(
            {"tokenizer", "processor", "image_processor", "feature_extractor", "generation_config", "max_shard_size"}
        ),
        load_options=frozenset({"device", "dtype", "max_memory", "device_map", "attn_implementation"}),
    ),
)

CONVERSIONS = (Conversion(HUGGINGFACE, ONNX, lossless=False, options=frozenset({"opset"})),)
