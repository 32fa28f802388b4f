"""An archive of versions: what families of trained models take, against what others make of them, and how fast."""

from __future__ import annotations

import mmap
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from statistics import median

import families
import hf_xet
import numpy as np
import torch
import zstandard
from measuring import Scale, disk_bytes
from table import Row, ratio, share

from model_registry import ModelRegistry
from model_registry_compression.lossless import methods
from model_registry_compression.lossless.encode import PIECE
from model_registry_compression.lossless.numbers import KINDS, Kind

TITLE = "Archive"

Piece = memoryview


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    versions, every = (7, 50) if scale.mebibytes > 500 else (4, 10) if scale.mebibytes > 50 else (2, 1)
    layers = 6 if scale.mebibytes > 50 else 1
    states = families.full(versions, every, layers=layers)
    for name, dtype, kind, most, most_xet, most_xor in (
        ("bf16", torch.bfloat16, KINDS["f2"], 0.30, 0.25, 0.70),
        ("fp32", torch.float32, KINDS["f4"], 0.50, 0.50, 0.90),
    ):
        files = families.write(states, folder / name, dtype)
        yield from _full(folder, name, files, most, most_xet)
        yield from _pieces(name, kind, files, most_xor, scale.pairs)
    yield from _others(folder, versions, every, layers, states)


def _full(folder: Path, name: str, files: Sequence[Path], most: float, most_xet: float) -> Iterator[Row]:
    """A family whose weights all change, against others' ways to keep it."""
    plain = sum(file.stat().st_size for file in files)
    what = f"{len(files)} versions of a full fine-tune, {name}"
    with_base, objects = _archived(folder / "one plain", files, keep=1)
    yield ratio(f"{what}, the newest plain ÷ no deduplication", with_base / plain, most)
    whole, _ = _archived(folder / "none plain", files, keep=0)
    yield ratio(f"{what}, all archived ÷ by hf_xet", whole / _xet(folder / "xet", files), most_xet)
    yield Row("… ÷ by zstd -19", f"{whole / _zstd(files):.2f}")
    yield Row("… ÷ by whole files, once each", f"{whole / _distinct(files):.2f}")
    yield ratio("… objects for each archived version", objects, 2)


def _archived(folder: Path, files: Sequence[Path], keep: int) -> tuple[float, float]:
    """Bytes on the disk once it is archived, and packs for each version. Every file comes back, or this fails."""
    registry = ModelRegistry(folder, backup_enabled=False)
    for file in files:
        registry.register_model("family", file, "pytorch")
    before = {entry.reference: [each.sha256 for each in entry.files] for entry in registry.list_models()}
    report = registry.archive("family", keep=keep, progress=False)
    found = disk_bytes(folder) - sum(file.stat().st_size for file in folder.glob("*.sqlite*"))
    for reference, digests in before.items():
        name, _, version = reference.partition(":")
        exported = Path(registry.export_model(name, version, folder.with_name("back")))
        if sorted(_digest(path) for path in exported.rglob("*") if path.is_file()) != sorted(digests):
            raise RuntimeError(f"{reference} came back with other bytes")
        shutil.rmtree(exported)
    packs = registry.get_detailed_stats()["archive"]["packs"]
    shutil.rmtree(folder)
    return found, packs / max(len(report.versions), 1)


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _xet(folder: Path, files: Sequence[Path]) -> int:
    """Bytes that the storage of the Hugging Face hub takes, in a local folder."""
    folder.mkdir()
    os.environ.setdefault("HF_HOME", str(folder / "home"))
    with warnings.catch_warnings(action="ignore"):
        hf_xet.upload_files([str(file) for file in files], f"local://{folder}", None, None, None, "model")
    found = disk_bytes(folder / "xet" / "xorbs" / "xorbs")
    shutil.rmtree(folder)
    return found


def _zstd(files: Sequence[Path]) -> float:
    """Bytes that all would take; 16 MiB from the middle of the last one stand for them, since this takes so long."""
    last = files[-1].read_bytes()
    middle = last[len(last) // 2 :][: 16 << 20]
    share = len(zstandard.ZstdCompressor(level=19, threads=-1).compress(middle)) / len(middle)
    return share * sum(file.stat().st_size for file in files)


def _distinct(files: Sequence[Path]) -> int:
    return sum({sha256(file.read_bytes()).digest(): file.stat().st_size for file in files}.values())


# Pieces, on one thread


def _pieces(name: str, kind: Kind, files: Sequence[Path], most_xor: float, pairs: int) -> Iterator[Row]:
    base, data = (_cut(file, kind) for file in files[-2:])
    by_xor = sum(map(len, (_xor(kind, a, b) for a, b in zip(data, base, strict=True))))
    best = "grouped" if kind.width == 2 else "delta"
    sizes = {}
    for method in ("split", "delta", "grouped"):
        encode = getattr(methods, method)
        encoded = [
            encode(kind, a) if method == "split" else encode(kind, a, b) for a, b in zip(data, base, strict=True)
        ]
        sizes[method] = sum(map(len, encoded))
        target = {"split": 0.2, "delta": 0.1, "grouped": 0.08}[method]
        speed = _speed(lambda: _decode(f"{method}-{kind.name}", encoded, data, base), data, pairs)  # noqa: B023
        yield share(f"decoding {method}, {name}: speed ÷ memcpy, one thread", speed, target)
    yield from _threads(name, kind, data, base, pairs)
    yield ratio(f"bytes of a difference, {name} ÷ XOR, planes and zstd", sizes[best] / by_xor, most_xor)
    yield from _zipnn(name, kind, data, sizes["split"], pairs)


def _threads(name: str, kind: Kind, data: Sequence[Piece], base: Sequence[Piece], pairs: int) -> Iterator[Row]:
    """Gigabytes a second on one thread and on two, and of memory copied by as many."""
    size = sum(map(len, data))
    encoders: dict[str, Callable[[int], bytes]] = {
        "split": lambda place: methods.split(kind, data[place]),
        "delta": lambda place: methods.delta(kind, data[place], base[place]),
    }
    targets = [np.empty(len(piece), np.uint8) for piece in data]
    copying = _rates(lambda place: np.copyto(targets[place], np.frombuffer(data[place], np.uint8)), data, size, pairs)
    for method, encode in encoders.items():
        encoded = [encode(place) for place in range(len(data))]

        def decode(place: int, encoded: Sequence[bytes] = encoded, called: str = f"{method}-{kind.name}") -> object:
            return methods.decode(called, memoryview(encoded[place]), len(data[place]), base[place])

        rates = {"encoding": _rates(encode, data, size, pairs), "decoding": _rates(decode, data, size, pairs)}
        told = "; ".join(f"{work} {' and '.join(f'{rate:.2f}' for rate in found)}" for work, found in rates.items())
        figure = f"{told}; memcpy {' and '.join(f'{rate:.1f}' for rate in copying)}"
        yield Row(f"{method}, {name}, in GB/s on one thread and on two", figure)


def _rates(work: Callable[[int], object], data: Sequence[Piece], size: int, pairs: int) -> list[float]:
    def each(places: range) -> None:
        for place in places:
            work(place)

    found = []
    for threads in (1, 2):
        spans = [range(start, len(data), threads) for start in range(threads)]  # a thread, a task
        with ThreadPoolExecutor(threads) as pool:
            times = [_time(lambda: list(pool.map(each, spans))) for _ in range(1 + max(pairs, 3))]  # noqa: B023
        found.append(size / median(times[1:]) / 1e9)
    return found


def _zipnn(name: str, kind: Kind, data: Sequence[Piece], size: int, pairs: int) -> Iterator[Row]:
    try:
        from zipnn import ZipNN
    except ImportError:  # it takes a compiler to install
        yield Row(f"bytes of a version by itself, {name} ÷ by zipnn", "zipnn is not installed")
        yield Row(f"encoding it, {name}: speed ÷ zipnn's", "zipnn is not installed")
        return
    dtype = "bfloat16" if kind.width == 2 else "float32"
    whole = bytearray(b"".join(data))
    other = ZipNN(input_format="byte", bytearray_dtype=dtype, threads=1)
    theirs = len(other.compress(bytearray(whole)))
    yield ratio(f"bytes of a version by itself, {name} ÷ by zipnn", size / theirs, 1.02)
    times = [
        _time(lambda: other.compress(whole)) / _time(lambda: [methods.split(kind, a) for a in data])
        for _ in range(pairs)
    ]
    yield share(f"encoding it, {name}: speed ÷ zipnn's", median(times), 1.5)


def _cut(file: Path, kind: Kind) -> list[Piece]:
    with file.open("rb") as opened:
        mapped = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    begin = 8 + int.from_bytes(mapped[:8], "little")
    step = PIECE * kind.width
    return [memoryview(bytes(mapped[at : at + step])) for at in range(begin, len(mapped) - step, step)]


def _xor(kind: Kind, data: Piece, base: Piece) -> bytes:
    words = kind.words(data) ^ kind.words(base)
    planes = np.ascontiguousarray(words.view(np.uint8).reshape(-1, kind.width).T)
    return zstandard.ZstdCompressor(3).compress(planes.tobytes())


def _decode(method: str, encoded: Sequence[bytes], data: Sequence[Piece], base: Sequence[Piece]) -> None:
    for each, original, other in zip(encoded, data, base, strict=True):
        methods.decode(method, memoryview(each), len(original), other)


def _speed(decode: Callable[[], object], data: Sequence[Piece], pairs: int) -> float:
    """How fast it is, as a share of copying as many bytes from memory to memory."""
    source = np.frombuffer(b"".join(data), np.uint8)
    target = np.empty_like(source)
    np.copyto(target, source)
    return median(_time(lambda: np.copyto(target, source)) / _time(decode) for _ in range(max(pairs, 3)))


def _time(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


# Other families


def _others(folder: Path, versions: int, every: int, layers: int, states: list[families.State]) -> Iterator[Row]:
    found = {
        "a frozen backbone with a trained head": (families.head(versions, every, layers), torch.float32),
        "adapters merged into the weights": (families.merged(versions, every, layers), torch.float32),
        "siblings from one base": (families.siblings(min(versions, 4), every, layers), torch.bfloat16),
    }
    for name, (family, dtype) in found.items():
        files = families.write(family, folder / "family", dtype)
        plain = sum(file.stat().st_size for file in files)
        bytes_, _ = _archived(folder / "registry", files, keep=1)
        yield Row(f"{len(files)} versions, {name}, the newest plain ÷ no deduplication", f"{bytes_ / plain:.2f}")
        shutil.rmtree(folder / "family")
    yield Row("a model and its cast to bf16, the model plain ÷ both", f"{_cast(folder, states[-1]):.2f}")


def _cast(folder: Path, state: families.State) -> float:
    full, half = (families.write([state], folder / str(dtype), dtype)[0] for dtype in (torch.float32, torch.bfloat16))
    registry = ModelRegistry(folder / "cast", backup_enabled=False)
    parent = registry.register_model("full", full, "pytorch")
    registry.register_model("half", half, "pytorch", parent=parent)
    registry.archive("half", keep=0, progress=False)
    found = disk_bytes(folder / "cast") - sum(file.stat().st_size for file in (folder / "cast").glob("*.sqlite*"))
    return found / (full.stat().st_size + half.stat().st_size)
