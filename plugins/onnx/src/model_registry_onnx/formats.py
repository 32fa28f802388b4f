"""The formats this plugin owns, and the exports it offers."""

from __future__ import annotations

from model_registry import Conversion, FormatSpec, ModelFormat

ONNX = str(ModelFormat.ONNX)
ORT = "ort"

_SESSION = frozenset({"device", "providers", "session_options"})

FORMATS = (
    FormatSpec(
        ONNX,
        "ONNX model",
        save_options=frozenset({"strip_paths"}),
        load_options=_SESSION | {"as_"},
        suffixes=(".onnx",),
    ),
    FormatSpec(ORT, "ONNX Runtime's own format", load_options=_SESSION, suffixes=(".ort",)),
)

CONVERSIONS = (
    Conversion(ONNX, ONNX, lossless=False, options=frozenset({"opset", "external_data", "strip_paths"})),
    Conversion(ONNX, ORT, lossless=False),
    Conversion(
        ONNX,
        str(ModelFormat.PYTORCH),
        lossless=False,
        impossible="no library that is still kept makes a PyTorch module of an ONNX graph",
    ),
)
