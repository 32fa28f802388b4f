"""The safetensors file format: writing its header, and reading it with every check.

A file is an 8-byte little-endian header length, the header (a JSON object, padded with spaces) and the data. Each
entry says dtype, shape and the [start, stop) bytes of its tensor in the data; tensors cover the data without holes or
overlaps. See https://huggingface.co/docs/safetensors. Needs no framework.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from model_registry import UnsafeModelError

MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors library
MOST_DIMENSIONS = 64  # torch makes no tensor of more
ALIGNMENT = 64  # bytes: a cache line, and what torch gives its own allocations

#: safetensors dtype: (name of the torch dtype, bytes per element)
DTYPES: Mapping[str, tuple[str, int]] = {
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "F8_E8M0": ("float8_e8m0fnu", 1),
    "I16": ("int16", 2),
    "U16": ("uint16", 2),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "I32": ("int32", 4),
    "U32": ("uint32", 4),
    "F32": ("float32", 4),
    "I64": ("int64", 8),
    "U64": ("uint64", 8),
    "F64": ("float64", 8),
    "C64": ("complex64", 8),
}
CODES: Mapping[str, str] = {name: code for code, (name, _) in DTYPES.items()}


@frozen
class Entry:
    """One tensor of a file: its safetensors dtype, shape, bytes, and where in the file they begin."""

    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    start: int = 0

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def order(entries: Mapping[str, Entry]) -> list[str]:
    """The order of tensors in a file: by name, but those that keep the alignment of what follows come first.

    The format allows no gaps, so a tensor of 10 floats would shift all others off the cache lines.
    """
    return sorted(entries, key=lambda name: (*_disorder(entries[name]), name))


def _disorder(entry: Entry) -> tuple[bool, int]:
    return entry.nbytes % ALIGNMENT != 0, -DTYPES[entry.dtype][1]


def encode_header(entries: Mapping[str, Entry], names: Iterable[str]) -> bytes:
    """The length and header of a file with the named tensors, in that order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name in names:
        entry = entries[name]
        header[name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [start, start + entry.nbytes],
        }
        start += entry.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def read_entries(path: Path, label: str) -> dict[str, Entry]:
    """The tensors of a file, in the order of its header. Reads only the header.

    :param label: What error messages call the file.
    :raises UnsafeModelError: unless every check of the format holds.
    """
    with path.open("rb", buffering=0) as file:
        # The header alone: reading ahead would bring in the first megabytes of weights that nobody may want.
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > MAX_HEADER_BYTES or 8 + length > size:
            raise _refusal(label, "its header does not fit")
        header = _parse(file.read(length), label)
    return _entries(header, 8 + length, size, label)


def _parse(text: bytes, label: str) -> dict[str, Any]:
    try:
        header = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise _refusal(label, "its header is not JSON with unique names") from error
    if not isinstance(header, dict):
        raise _refusal(label, "its header is no JSON object")
    return header


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result


def _entries(header: dict[str, Any], data_start: int, size: int, label: str) -> dict[str, Entry]:
    header.pop("__metadata__", None)
    spans: list[tuple[int, int, str]] = []
    entries: dict[str, Entry] = {}
    for name, raw in header.items():
        start, stop = _span(name, raw, label)
        entries[name] = Entry(raw["dtype"], tuple(raw["shape"]), stop - start, data_start + start)
        spans.append((start, stop, name))
    position = 0
    for start, stop, name in sorted(spans):
        if start != position:
            raise _refusal(label, f"tensor {name!r} overlaps another or leaves a hole")
        position = stop
    if data_start + position != size:
        raise _refusal(label, f"its tensors cover {position} of {size - data_start} bytes")
    return entries


def _span(name: str, raw: Any, label: str) -> tuple[int, int]:
    """The checked [start, stop) of a tensor in the data."""
    if not isinstance(raw, dict) or set(raw) != {"dtype", "shape", "data_offsets"}:
        raise _refusal(label, f"tensor {name!r} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = raw["dtype"], raw["shape"], raw["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise _refusal(label, f"tensor {name!r} has the unknown dtype {dtype!r}")
    if not (_naturals(shape) and len(shape) <= MOST_DIMENSIONS and _naturals(offsets) and len(offsets) == 2):
        raise _refusal(label, f"tensor {name!r} has a malformed shape or data_offsets")
    start, stop = offsets
    if math.prod(shape) * DTYPES[dtype][1] != stop - start:
        raise _refusal(label, f"tensor {name!r} has not as many bytes as its shape says")
    return start, stop


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 63 for item in value)


def _refusal(label: str, problem: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"{label} is not a sound safetensors file: {problem}", hint="get the file again from its source", path=label
    )
