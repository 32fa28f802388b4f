"""How the cost of registering grows with bytes and with files. (With versions: ``catalog.py``.)"""

from __future__ import annotations

import os
from pathlib import Path

from measuring import Scale, seconds
from models import AsItIs, random_file

from model_registry import ModelFormat, ModelRegistry

#: Bytes of each of many files.
_PIECE = 16 << 10


def by_bytes(folder: Path, scale: Scale) -> dict[int, float]:
    """Seconds of registering one file, by its MiB."""
    registry = _registry(folder / "bytes")
    sizes = [size for size in (1, 4, 16, 64, 256, 1024) if size <= scale.mebibytes]
    return {size: _once(registry, random_file(folder / f"{size}", size)) for size in sizes}


def by_files(folder: Path, scale: Scale) -> dict[int, float]:
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
        took = seconds(lambda: registry.register_model("m", source, "custom"))
        registry.remove_model("m")
        return took

    return sorted(forgotten() for _ in range(3))[1]


def _folder(path: Path, count: int) -> Path:
    path.mkdir()
    for number in range(count):
        (path / f"{number}.bin").write_bytes(os.urandom(_PIECE))
    return path
