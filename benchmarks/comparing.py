"""Comparing two large versions, against reading the bytes of both in one thread.

Each tensor differs in its last element. Large tensors have files of their own, so that digests tell which differ; to
tell by how much, every byte is read, once: what is read is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from measuring import Scale, paired
from models import large_module
from table import Row, ratio

from model_registry import ModelRegistry
from model_registry.operations import tensor_bytes

TITLE = "Comparing"


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    registry = ModelRegistry(folder / "registry", backup_enabled=False)
    model = large_module(scale.mebibytes)
    registry.register_model("a", model, "pytorch")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.view(-1)[-1] += 1
    registry.register_model("b", model, "pytorch")
    files = [
        registry._context.blobs.local(file.sha256)
        for name in "ab"
        for file in registry.resolve(name).files
        if file.path.endswith(".safetensors")
    ]

    def compare() -> None:
        registry.compare("a", "b", differences=True)

    compare()  # verified once, as whatever is compared is
    with _counted() as count:
        compare()
    once = count["bytes"] / (2 * sum(tensor.nbytes for tensor in model.parameters()))
    yield Row("bytes of tensors read ÷ bytes of tensors", f"{once:.2f}", "≤ 1", once <= 1)
    found = paired(lambda: registry.compare("a", "b"), lambda: _read(files), scale.pairs)
    yield ratio("compare two versions ÷ reading both", found.ratio, 1.2, f"{found.ours:.2f} s")
    found = paired(compare, lambda: _read(files), scale.pairs)
    yield ratio("… telling the greatest and mean differences ÷ reading both", found.ratio, 1.2, f"{found.ours:.2f} s")


def _read(files: list[Path]) -> None:
    buffer = bytearray(1 << 20)
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


class _counted:  # noqa: N801  # reads like a function
    """How many bytes of tensors are read meanwhile."""

    def __enter__(self) -> dict[str, int]:
        self._real = tensor_bytes._fill
        count = {"bytes": 0}

        def fill(descriptor: int, offset: int, buffer: memoryview, path: Path) -> None:
            count["bytes"] += len(buffer)
            self._real(descriptor, offset, buffer, path)

        tensor_bytes._fill = fill
        return count

    def __exit__(self, *_: object) -> None:
        tensor_bytes._fill = self._real
