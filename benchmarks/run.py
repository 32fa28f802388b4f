"""The first benchmarks: ``python benchmarks/run.py [--size MIB] [--pairs N] [--write FILE]``.

Every figure is a ratio against plain libraries or floors in the same run, or a count that does not depend on the
machine. Nothing here is part of the tests.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from pairs import Row, cpu_seconds, disk_bytes, markdown, paired, python, seconds
from safetensors.torch import save_file
from torch import nn

from model_registry import ModelRegistry
from model_registry.digests import sha256_of_file

MIB = 1 << 20


def main() -> None:
    arguments = _arguments()
    with _folder(arguments.folder) as folder:
        rows = []
        for row in measure(folder, arguments.size, arguments.pairs):
            print(f"{row.what}: {row.figure} (target {row.target}){'' if row.reached else ' SHORT'}", flush=True)
            rows.append(row)
    table = markdown(rows)
    if arguments.write:
        Path(arguments.write).write_text(
            f"# Benchmarks\n\nMade by `make bench` on {os.cpu_count()} cores.\n\n{table}\n"
        )
    sys.exit(any(not row.reached for row in rows))


def measure(folder: Path, mebibytes: int, pairs: int) -> Iterator[Row]:
    """All cases, one after the other."""
    yield from large_module(folder, mebibytes, pairs)
    yield from ten_versions(folder)
    yield from small_models(folder, pairs)
    yield from starting(folder)


def module(mebibytes: int, seed: int = 0) -> nn.Module:
    """A module of tensors of 16 MiB, as a language model's layers have them, with a small bias each."""
    torch.manual_seed(seed)
    return nn.Sequential(*[nn.Linear(2048, 2048) for _ in range(max(1, mebibytes // 16))])


def large_module(folder: Path, mebibytes: int, pairs: int) -> Iterator[Row]:
    model = module(mebibytes)
    registry = ModelRegistry(folder / "large", backup_enabled=False)
    plain, checkpoint = folder / "plain.safetensors", folder / "plain.pt"

    def forget() -> None:
        registry.remove_model("m")
        registry.collect_garbage(0)

    def ours() -> None:
        registry.register_model("m", model, "pytorch")

    def theirs() -> None:
        save_file(model.state_dict(), plain)
        sha256_of_file(plain)
        _sync(plain)

    times = []
    for _ in range(pairs):
        times.append((seconds(ours), seconds(theirs)))
        forget()
        plain.unlink()
    ratio = sorted(a / b for a, b in times)[pairs // 2]
    yield Row(
        f"register a module of {mebibytes} MiB ÷ (save_file + sha256 + fsync)", f"{ratio:.2f}", "≤ 0.8", ratio <= 0.8
    )

    extra = int(python(_PEAK, str(folder / "peak"), str(mebibytes)))
    yield Row("… peak memory above the model", f"{extra} MiB", "≤ 64 MiB", extra <= 64)

    ours()
    torch.save(model.state_dict(), checkpoint)
    first = []
    for _ in range(pairs):
        for digest in registry._context.blobs.digests():
            registry._context.blobs.forget(digest)
        first.append(seconds(lambda: registry.load_model("m")) / seconds(lambda: sha256_of_file(checkpoint)))
    ratio = sorted(first)[pairs // 2]
    yield Row("first load, verifying every byte ÷ one sha256 pass", f"{ratio:.2f}", "≤ 0.6", ratio <= 0.6)

    ratio, mine, _ = paired(lambda: registry.load_model("m"), lambda: torch.load(checkpoint, weights_only=True), pairs)
    yield Row(
        "load once verified: torch.load(weights_only=True) ÷ ours",
        f"{1 / ratio:.0f} ({mine * 1e3:.0f} ms)",
        "≥ 20",
        ratio <= 0.05,
    )
    loading, using = map(int, python(_READ, str(folder / "large")).split())
    figure = f"{loading} MiB, and {using} MiB once every weight is used"
    yield Row("… read from a cold disk by loading", figure, "≤ 5 %", loading <= mebibytes * 0.05)
    checkpoint.unlink()
    forget()


def ten_versions(folder: Path) -> Iterator[Row]:
    registry = ModelRegistry(folder / "ten")
    layers = [nn.Linear(1600, 1600) for _ in range(10)]  # about 10 MB each
    registry.register_model("family", nn.Sequential(*layers), "pytorch")
    one = disk_bytes(str(folder / "ten" / "blobs"))
    registry.register_model("again", nn.Sequential(*layers), "pytorch")
    added = disk_bytes(str(folder / "ten" / "blobs")) - one
    yield Row("registering the same model again adds", f"{added // 1024} KiB", "≤ 64 KiB", added <= 64 * 1024)
    for number in range(9):
        layers[number] = nn.Linear(1600, 1600)
        registry.register_model("family", nn.Sequential(*layers), "pytorch")
    ratio = disk_bytes(str(folder / "ten" / "blobs")) / one
    yield Row("ten versions of 100 MB, nine tenths equal ÷ one", f"{ratio:.2f}", "≤ 1.95", ratio <= 1.95)


def small_models(folder: Path, pairs: int) -> Iterator[Row]:
    registry = ModelRegistry(folder / "small")
    models = [nn.Linear(500, 500) for _ in range(100 * pairs)]  # 1 MB each
    floor = _Floor(folder / "floor")
    registry.register_model("small", nn.Linear(500, 500), "pytorch")
    rates, ratios = [], []
    for start in range(0, len(models), 100):
        batch = models[start : start + 100]
        mine = seconds(lambda batch=batch: [registry.register_model("small", model, "pytorch") for model in batch])
        theirs = seconds(lambda batch=batch: [floor.write(model) for model in batch])
        rates.append(100 / mine)
        ratios.append(mine / theirs)
    rate, ratio = sorted(rates)[pairs // 2], sorted(ratios)[pairs // 2]
    yield Row(
        "models of 1 MB registered one by one", f"{rate:.0f} a second, {ratio:.1f} × the floor", "≥ 100", rate >= 100
    )


class _Floor:
    """What durability costs without a registry: write, sha256, fsync, rename, fsync of the folder, one commit."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._database = sqlite3.connect(folder / "rows.sqlite", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE files (sha256 TEXT)")

    def write(self, model: nn.Linear) -> None:
        data = model.weight.detach().numpy().tobytes()
        digest = hashlib.sha256(data).hexdigest()
        temporary = self._folder / "temporary"
        temporary.write_bytes(data)
        _sync(temporary)
        temporary.rename(self._folder / digest)
        _sync(self._folder)
        self._database.execute("INSERT INTO files VALUES (?)", (digest,))


def starting(folder: Path) -> Iterator[Row]:
    program = str(Path(sys.executable).with_name("model-registry"))
    ModelRegistry(folder / "empty")
    cpu = cpu_seconds([program, "--registry", str(folder / "empty"), "list"])
    yield Row(
        "`model-registry list`, empty registry, CPU of the process", f"{cpu * 1e3:.0f} ms", "≤ 200 ms", cpu <= 0.2
    )
    bare = cpu_seconds([sys.executable, "-c", "pass"])
    cpu = cpu_seconds([sys.executable, "-c", "import model_registry"]) - bare
    yield Row("`import model_registry`, CPU above bare Python", f"{max(cpu, 0) * 1e3:.0f} ms", "≤ 50 ms", cpu <= 0.05)
    create = float(python(_CREATE, str(folder)))
    yield Row("creating a registry", f"{create * 1e3:.1f} ms", "≤ 15 ms", create <= 0.015)
    heavy = python(_HEAVY, str(folder / "empty")).strip()
    yield Row("frameworks imported by listing", heavy or "none", "none", not heavy)


_PEAK = """
import sys, threading, torch
from torch import nn
from model_registry import ModelRegistry
registry = ModelRegistry(sys.argv[1], backup_enabled=False)
registry.register_model("warm", nn.Linear(2, 2), "pytorch")
model = nn.Sequential(*[nn.Linear(2048, 2048) for _ in range(int(sys.argv[2]) // 16)])
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
open("/proc/self/clear_refs", "w").write("5")  # start the high-water mark here
before = resident()
registry.register_model("m", model, "pytorch")
print((resident() - before) // 1024)
"""
_READ = """
import os, sys, torch
from pathlib import Path
from torch import nn
from model_registry import ModelRegistry
registry = ModelRegistry(sys.argv[1])
registry.load_model("m")
for blob in Path(sys.argv[1], "blobs", "sha256").iterdir():  # out of the page cache, so that reading is seen
    descriptor = os.open(blob, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
def read():
    return next(int(line.split()[1]) for line in open("/proc/self/io") if line.startswith("read_bytes"))
before = read()
model, _ = registry.load_model("m")
loading = read() - before
sum(weight.sum().item() for weight in model.parameters())
print(loading >> 20, (read() - before) >> 20)
"""
_CREATE = """
import sys, time
from statistics import median
from model_registry import ModelRegistry
ModelRegistry(sys.argv[1] + "/warm").list_models()
def once(number):
    start = time.perf_counter()
    ModelRegistry(f"{sys.argv[1]}/create{number}")
    return time.perf_counter() - start
print(median(once(number) for number in range(9)))
"""
_HEAVY = """
import sys
from model_registry import ModelRegistry
ModelRegistry(sys.argv[1]).list_models()
print(*sorted({"torch", "numpy", "transformers", "onnx", "model_registry_pytorch"} & set(sys.modules)))
"""


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


@contextmanager
def _folder(parent: str | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=parent))
    old = Path.cwd()
    os.chdir(folder)  # away from any registry.toml
    try:
        yield folder
    finally:
        os.chdir(old)
        shutil.rmtree(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large module")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--folder", help="where to work: the disk to measure")
    parser.add_argument("--write", help="also write the table to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
