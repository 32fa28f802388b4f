"""Registering a large model, from memory and from a file.

The floor of a module is ``safetensors.save_file``, one pass of SHA-256 over the file, and an fsync: what one writes by
hand. That of a file is one pass that copies and hashes, and an fsync; of a file that is stored already, one pass of
SHA-256: it has to be read to know that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from measuring import Scale, paired, python, sync
from models import AsItIs, large_module, random_file
from safetensors.torch import save_file
from table import Row, ratio

from model_registry import ModelFormat, ModelRegistry

TITLE = "Registering a large model"


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    yield from _module(folder, scale)
    yield from _file(folder, scale)


def _module(folder: Path, scale: Scale) -> Iterator[Row]:
    model, plain = large_module(scale.mebibytes), folder / "plain.safetensors"
    registry = ModelRegistry(folder / "modules", backup_enabled=False)

    def by_hand() -> None:
        save_file(model.state_dict(), plain)
        hash_file(plain)
        sync(plain)

    def forget() -> None:
        registry.remove_model("m")
        plain.unlink()

    found = paired(lambda: registry.register_model("m", model, "pytorch"), by_hand, scale.pairs, after=forget)
    size = f"{scale.mebibytes} MiB"
    yield ratio(
        f"register a module of {size} ÷ (`save_file` + sha256 + fsync)", found.ratio, 0.8, f"{found.ours:.2f} s"
    )
    peak = int(python(_PEAK, folder / "peak", scale.mebibytes))
    yield Row("… peak memory above the model", f"{peak} MiB", "≤ 64 MiB", peak <= 64)


def _file(folder: Path, scale: Scale) -> Iterator[Row]:
    source, copy = random_file(folder / "source", scale.mebibytes), folder / "copy"
    registry = ModelRegistry(folder / "files", backup_enabled=False)
    registry.loaders[ModelFormat.CUSTOM] = AsItIs()

    def register() -> None:
        registry.register_model("f", source, "custom")

    def forget() -> None:
        registry.remove_model("f")
        copy.unlink()

    found = paired(register, lambda: copy_and_hash(source, copy), scale.pairs, after=forget)
    yield ratio("register a file ÷ (copy + sha256 in one pass, fsync)", found.ratio, 1.15, f"{found.ours:.2f} s")
    register()
    found = paired(register, lambda: hash_file(source), scale.pairs)
    yield ratio("register a file that is stored already ÷ one sha256 pass", found.ratio, 1.1, f"{found.ours:.2f} s")


def hash_file(path: Path) -> str:
    """One pass of SHA-256, with a buffer that stays in the cache."""
    state, buffer = sha256(), memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            state.update(buffer[:count])
    return state.hexdigest()


def copy_and_hash(source: Path, target: Path) -> None:
    """The same while it is copied, and forced to the disk."""
    state, buffer = sha256(), memoryview(bytearray(1 << 20))
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        while count := reading.readinto(buffer):
            state.update(buffer[:count])
            writing.write(buffer[:count])
        os.fsync(writing.fileno())


_PEAK = """
import sys
from torch import nn
from model_registry import ModelRegistry
registry = ModelRegistry(sys.argv[1], backup_enabled=False)
registry.register_model("warm", nn.Linear(2, 2), "pytorch")
model = nn.Sequential(*[nn.Linear(2048, 2048) for _ in range(max(1, int(sys.argv[2]) // 16))])
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
open("/proc/self/clear_refs", "w").write("5")  # start the high-water mark here
before = resident()
registry.register_model("m", model, "pytorch")
print((resident() - before) // 1024)
"""
