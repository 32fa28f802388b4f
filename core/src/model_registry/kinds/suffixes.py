"""What names of files promise; only to tell when a name and the content disagree."""

from __future__ import annotations

from pathlib import Path

from model_registry.kinds.kind import Kind

_TORCH = (
    Kind.TORCH_STATE_DICT,
    Kind.TORCH_OBJECTS,
    Kind.TORCH_LEGACY,
    Kind.TORCH_TAR,
    Kind.TORCHSCRIPT,
    Kind.EXPORTED_PROGRAM,
    Kind.PICKLE,
)
_KINDS: dict[str, tuple[Kind, ...]] = {
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".pt2": (Kind.EXPORTED_PROGRAM,),
    ".safetensors": (Kind.SAFETENSORS,),
    ".onnx": (Kind.ONNX,),
    ".ort": (Kind.ORT,),
    ".gguf": (Kind.GGUF,),
    ".tflite": (Kind.TFLITE,),
    ".keras": (Kind.KERAS,),
    ".h5": (Kind.HDF5,),
    ".npy": (Kind.NPY,),
    ".npz": (Kind.NPZ,),
    ".mlmodel": (Kind.CORE_ML,),
    ".cbm": (Kind.CATBOOST,),
}


def kinds_named(path: Path) -> tuple[Kind, ...]:
    """The kinds that a file of this name should be one of; none if the name does not tell."""
    return _KINDS.get(path.suffix.lower(), ())
