"""The formats this plugin owns, and the exports it offers."""

from __future__ import annotations

from model_registry import Conversion, FormatSpec, ModelFormat

PYTORCH = str(ModelFormat.PYTORCH)
TORCHSCRIPT = str(ModelFormat.TORCHSCRIPT)
SAFETENSORS = str(ModelFormat.SAFETENSORS)
STATE_DICT = str(ModelFormat.STATE_DICT)
ONNX = str(ModelFormat.ONNX)

FORMATS = (
    FormatSpec(
        PYTORCH,
        "PyTorch module, state dict or checkpoint",
        save_options=frozenset({"keep_program", "example_inputs"}),
        load_options=frozenset({"device", "trusted_classes", "max_memory", "as_"}),
    ),
    FormatSpec(
        TORCHSCRIPT,
        "TorchScript archive",
        load_options=frozenset({"device"}),
        executes_code=True,
    ),
    FormatSpec(SAFETENSORS, "safetensors file", suffixes=(".safetensors",), storable=False),
    FormatSpec(STATE_DICT, "state dict file of torch.save", suffixes=(".pt", ".pth"), storable=False),
)

CONVERSIONS = (
    Conversion(PYTORCH, SAFETENSORS, lossless=True),
    Conversion(PYTORCH, STATE_DICT, lossless=True),
    Conversion(PYTORCH, ONNX, lossless=False, options=frozenset({"opset", "dynamic_axes"})),
)
