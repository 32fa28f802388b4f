"""What versions of one family take: the floor is the bytes that are distinct."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from measuring import Scale, disk_bytes
from table import Row, ratio
from torch import nn

from model_registry import ModelRegistry

TITLE = "Space"
LAYERS, SIDE = 10, 1600  # about 10 MB a layer


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    registry = ModelRegistry(folder / "ten", backup_enabled=False)
    layers = [nn.Linear(SIDE, SIDE) for _ in range(LAYERS)]
    distinct = 0

    def register() -> None:
        registry.register_model("family", nn.Sequential(*layers), "pytorch")

    register()
    distinct += LAYERS * _bytes(layers[0])
    for number in range(9):
        layers[number] = nn.Linear(SIDE, SIDE)
        register()
        distinct += _bytes(layers[number])
    found = disk_bytes(folder / "ten") / distinct
    yield ratio("ten versions, nine tenths of the tensors equal ÷ the distinct bytes", found, 1.05)
    before = disk_bytes(folder / "ten")
    register()
    yield Row("registering the same model again adds", f"{(disk_bytes(folder / 'ten') - before) // 1024} KiB")


def _bytes(layer: nn.Linear) -> int:
    return sum(tensor.nbytes for tensor in layer.parameters())
