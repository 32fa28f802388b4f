"""Every weight of a version, by the headers of its files."""

from __future__ import annotations

from model_registry import TensorRecord, VersionFiles
from model_registry_huggingface.headers import all_tensors


def list_tensors(files: VersionFiles) -> list[TensorRecord]:
    """The tensors as the files name them; those in folders with the folder before the name.

    :raises UnsafeModelError: for headers that are not sound.
    """
    return [
        TensorRecord(_named(path, name), tensor.dtype, tensor.shape, path, tensor.start, tensor.nbytes)
        for path, name, tensor in all_tensors(files)
    ]


def _named(path: str, name: str) -> str:
    folder = path.rpartition("/")[0]
    return f"{folder}/{name}" if folder else name
