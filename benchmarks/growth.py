"""How the cost of registering grows with bytes and with files. (With versions: ``catalog.py``.)"""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median

from measuring import Pairs, Scale, alone, paired
from models import AsItIs, random_file
from registering import copy_and_hash

from model_registry import ModelFormat, ModelRegistry

Curve = dict[int, float]

#: Bytes of each of many files.
_PIECE = 16 << 10


def by_bytes(folder: Path, scale: Scale) -> tuple[Curve, Curve]:
    """Seconds of registering one file, by its MiB; and of copying and hashing it by hand, which tells of the disk."""
    registry = _registry(folder / "bytes")
    sizes = [size for size in (1, 4, 16, 64, 256, 1024) if size <= scale.mebibytes]
    found = {size: _beside_by_hand(registry, random_file(folder / f"{size}", size), scale.pairs) for size in sizes}
    return {size: pairs.ours for size, pairs in found.items()}, {size: pairs.theirs for size, pairs in found.items()}


def _beside_by_hand(registry: ModelRegistry, source: Path, pairs: int) -> Pairs:
    copy = source.with_suffix(".copy")

    def forget() -> None:
        registry.remove_model("m")
        copy.unlink()

    return paired(
        lambda: registry.register_model("m", source, "custom"),
        lambda: copy_and_hash(source, copy),
        pairs,
        after=forget,
    )


def by_files(folder: Path, scale: Scale) -> Curve:
    """Seconds of registering a folder, by its files."""
    registry = _registry(folder / "files")
    return {
        count: _once(registry, _folder(folder / f"{count}-files", count))
        for count in (1, 10, 100, 1_000)
        if count <= scale.mebibytes
    }


def _registry(path: Path) -> ModelRegistry:
    registry = ModelRegistry(path, backup_enabled=False)
    registry.loaders[ModelFormat.CUSTOM] = AsItIs()
    return registry


def _once(registry: ModelRegistry, source: Path) -> float:
    def forgotten() -> float:
        took = alone(lambda: registry.register_model("m", source, "custom"))
        registry.remove_model("m")
        return took

    return median(forgotten() for _ in range(3))


def _folder(path: Path, count: int) -> Path:
    path.mkdir()
    for number in range(count):
        (path / f"{number}.bin").write_bytes(os.urandom(_PIECE))
    return path
