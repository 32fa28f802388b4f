"""Loading and validating a large model.

Files are in the page cache in both arms. Verifying is measured against one pass of SHA-256 in one thread; with two
cores it can take half of that. How near it comes is told by a floor in which each core hashes its part of the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Thread

import torch
from measuring import Scale, paired, python
from models import large_module
from registering import hash_file
from table import Row, ratio

from model_registry import ModelRegistry

TITLE = "Loading and validating"


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    model = large_module(scale.mebibytes)
    registry = ModelRegistry(folder / "registry", backup_enabled=False)
    entry = registry.register_model("m", model, "pytorch")
    checkpoint = folder / "plain.pt"
    torch.save(model.state_dict(), checkpoint)

    def forget() -> None:
        for file in entry.files:
            registry._context.blobs.forget(file.sha256)

    def load() -> None:
        registry.load_model("m")

    forget()
    found = paired(load, lambda: hash_file(checkpoint), scale.pairs, after=forget)
    yield ratio("first load, every byte verified ÷ one sha256 pass in one thread", found.ratio, 0.6)
    forget()
    found = paired(load, lambda: _hash_on_all_cores(checkpoint), scale.pairs, after=forget)
    speed = 1 / found.ratio
    yield Row("… speed of verifying ÷ hashlib's on all cores", f"{speed:.2f}", "≥ 0.9", speed >= 0.9)
    load()
    found = paired(load, lambda: torch.load(checkpoint, weights_only=True), scale.pairs)
    figure = f"{1 / found.ratio:.0f}"
    yield Row("load once verified: `torch.load(weights_only=True)` ÷ ours", figure, "≥ 20", found.ratio <= 1 / 20)
    yield Row("… itself", f"{found.ours * 1e3:.0f} ms", "≤ 60 ms", found.ours <= 0.06)
    loading, using = map(int, python(_READ, folder / "registry").split())
    told = f"{loading} MiB, and {using} MiB once every weight is used"
    yield Row("… read from a cold disk by loading", told, "≤ 5 %", loading <= scale.mebibytes * 0.05)

    def validate() -> None:
        assert registry.validate_registry(deep=True)["errors"] == []

    found = paired(validate, lambda: hash_file(checkpoint), scale.pairs)
    yield ratio("`validate --deep` ÷ one sha256 pass in one thread", found.ratio, 0.6)


def _hash_on_all_cores(path: Path) -> None:
    """A file, of which each core reads and hashes a part."""
    cores = os.cpu_count() or 1
    size = path.stat().st_size

    def hash_share(number: int) -> None:
        state, buffer = sha256(), bytearray(1 << 20)
        with path.open("rb", buffering=0) as file:
            for start in range(size * number // cores, size * (number + 1) // cores, len(buffer)):
                os.preadv(file.fileno(), [buffer], start)
                state.update(buffer)

    threads = [Thread(target=hash_share, args=(number,)) for number in range(cores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


_READ = """
import os, sys, torch
from pathlib import Path
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
