"""The headers of safetensors files: what tensors there are, and where. No weight is read.

https://huggingface.co/docs/safetensors: eight bytes of a length, a JSON object of it, then the tensors.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from model_registry import UnsafeModelError, VersionFiles
from model_registry_huggingface.configs import read_config
from model_registry_huggingface.layout import is_weights

_MOST_HEADER_BYTES = 100_000_000
_MOST_DIMENSIONS = 64
#: (name in torch, bits)
DTYPES = {
    "F64": ("float64", 64),
    "F32": ("float32", 32),
    "F16": ("float16", 16),
    "BF16": ("bfloat16", 16),
    "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E5M2": ("float8_e5m2", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "F4": ("float4_e2m1fn_x2", 4),
    "I64": ("int64", 64),
    "I32": ("int32", 32),
    "I16": ("int16", 16),
    "I8": ("int8", 8),
    "U64": ("uint64", 64),
    "U32": ("uint32", 32),
    "U16": ("uint16", 16),
    "U8": ("uint8", 8),
    "BOOL": ("bool", 8),
    "C64": ("complex64", 64),
}


@frozen
class Tensor:
    """A tensor of a file: ``start`` counts from the file's first byte."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    nbytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def all_tensors(files: VersionFiles) -> Iterator[tuple[str, str, Tensor]]:
    """(file, name, tensor) of every weight file, as the headers say.

    :raises UnsafeModelError: if a file is not sound, or an index names something else than members.
    """
    check_indexes(files)
    for path in files:
        if is_weights(path):
            for name, tensor in read_header(files.local(path), path).items():
                yield path, name, tensor


def check_indexes(files: VersionFiles) -> None:
    """:raises UnsafeModelError: if an index names a file that is no weight file of this version."""
    for path in files:
        if not path.endswith(".safetensors.index.json"):
            continue
        weights = read_config(files, path).get("weight_map")
        folder = path.rpartition("/")[0]
        if not isinstance(weights, dict):
            raise _refused(path, "has no weight_map")
        for name, shard in weights.items():
            member = f"{folder}/{shard}" if folder else shard
            if not isinstance(shard, str) or member not in files or not is_weights(member) or "/" in shard:
                raise _refused(path, f"puts the tensor {name!r:.80} into {shard!r:.80}, no weight file of this version")


def read_header(local: Path, path: str) -> Mapping[str, Tensor]:
    """The tensors of a file, which lie in it without gaps. Read once, as long as the file stays the same.

    :raises UnsafeModelError: naming what is wrong.
    """
    return _read_header(local, path, fingerprint(local))


def fingerprint(local: Path) -> tuple[int, int, int, int, int]:
    """What changes when a file does."""
    found = local.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@functools.lru_cache(maxsize=64)
def _read_header(local: Path, path: str, state: tuple[int, ...]) -> Mapping[str, Tensor]:
    size = state[2]
    with local.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_MOST_HEADER_BYTES, size - 8):
            raise _refused(path, f"has {size:,} bytes, and its header should have {length:,}")
        try:
            header = json.loads(file.read(length))
            entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
            tensors = {name: _tensor(path, name, entry, 8 + length) for name, entry in entries.items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise _refused(path, "has a header that cannot be read") from error
    _require_whole(path, tensors, 8 + length, size)
    return tensors


def _tensor(path: str, name: str, entry: Mapping[str, Any], base: int) -> Tensor:
    start, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    numbers = (start, end, *shape)
    if not all(type(number) is int and number >= 0 for number in numbers) or len(shape) > _MOST_DIMENSIONS:
        raise ValueError(name)
    dtype, bits = DTYPES.get(entry["dtype"], ("", 0))
    if not bits:
        raise _refused(path, f"has the tensor {name!r:.80} of the unknown type {entry['dtype']!r:.40}")
    if end - start != (math.prod(shape) * bits + 7) // 8:
        raise _refused(path, f"gives the tensor {name!r:.80} {end - start:,} bytes, which its shape does not have")
    return Tensor(dtype, shape, base + start, end - start)


def _require_whole(path: str, tensors: Mapping[str, Tensor], position: int, size: int) -> None:
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.start, tensor.nbytes)):
        if tensor.start != position:
            raise _refused(path, "has tensors that overlap, or gaps between them")
        position += tensor.nbytes
    if position != size:
        raise _refused(path, f"should have {position:,} bytes, and has {size:,}")


def _refused(path: str, problem: str) -> UnsafeModelError:
    return UnsafeModelError(f"{path} {problem}", hint="get the model again, with all its files", path=path)
