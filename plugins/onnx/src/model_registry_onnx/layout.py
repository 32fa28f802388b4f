"""The members of a version."""

from __future__ import annotations

from pathlib import PurePosixPath

from model_registry import UnsafeModelError, VersionFiles

MODEL = "model.onnx"
ORT_MODEL = "model.ort"
TOKENIZER = "tokenizer.json"
SUFFIX = ".onnx"

#: Tensors of a model in memory that have so many bytes get a file each, so that versions share those that are equal.
OWN_FILE_BYTES = 1 << 20
MAX_FILES = 1000


def data_file(number: int) -> str:
    """The file of the tensor with this number."""
    return f"model-{number:05d}.data"


def model_files(files: VersionFiles) -> dict[str, str]:
    """The models of a version by name, such as ``encoder`` and ``decoder``: the members that end in .onnx.

    :raises UnsafeModelError: if there is none.
    """
    found = {PurePosixPath(path).stem: path for path in files if path.endswith(SUFFIX)}
    if not found:
        raise UnsafeModelError("the version has no file that ends in .onnx", hint="register the model again")
    return found
