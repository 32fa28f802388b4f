"""The weight files of a version: writing them from memory, mapping them back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from model_registry import Stage, UnsafeModelError, VersionFiles
from model_registry_pytorch.layout import INDEX, SINGLE, arrange, encode_index
from model_registry_pytorch.safetensors_file import ALIGNMENT, DTYPES, Entry, encode_header, read_entries
from model_registry_pytorch.tensors import TensorTable, memory_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch


#: Bytes of tensors that may be copied, where needed, before a worker asks for them.
_SMALL = 1 << 20


def add_weights(table: TensorTable, stage: Stage) -> None:
    """Add the weight files, whose bytes are the tensors' own memory."""
    entries = table.entries()
    files = arrange(entries)
    for path, names in files.items():
        make = _source(table, entries, names)
        # The bytes of small tensors are given at once: a thread that makes them later would cost more.
        is_small = sum(entries[name].nbytes for name in names) <= _SMALL
        stage.add(path, make() if is_small else make, kind="weight")
    if len(files) > 1:
        stage.add(INDEX, encode_index(files, entries), kind="config")


def _source(
    table: TensorTable, entries: Mapping[str, Entry], names: Sequence[str]
) -> Callable[[], list[bytes | bytearray | memoryview]]:
    """What makes a file's bytes when a worker asks: copies, where needed, exist for one file at a time."""

    def make() -> list[bytes | bytearray | memoryview]:
        return [encode_header(entries, names), *(memory_of(table.data[name]) for name in names)]

    return make


def weight_files(files: VersionFiles) -> set[str]:
    """The members that hold tensors, by the index or by name.

    :raises UnsafeModelError: if the index is malformed or names a file that is no member of the version.
    """
    if INDEX in files:
        return set(_read_index(files).values())
    return {SINGLE} if SINGLE in files else set()


def _read_index(files: VersionFiles) -> dict[str, str]:
    """The file of each tensor."""
    try:
        index = json.loads(files.read(INDEX))["weight_map"]
        pairs = {str(name): str(file) for name, file in index.items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UnsafeModelError(f"{INDEX} has no weight_map that can be read", path=INDEX) from error
    for name, file in pairs.items():
        if file not in files or not file.endswith(".safetensors"):
            raise UnsafeModelError(
                f"{INDEX} puts the tensor {name!r} into {file!r}, which is no weight file of this version",
                hint="export or download the model again, with all its files",
                path=INDEX,
            )
    return pairs


def read_all_entries(files: VersionFiles) -> dict[str, Entry]:
    """What the headers of all weight files say of the tensors. Reads headers only, and needs no framework.

    :raises UnsafeModelError: if a file is not sound, or holds other tensors than the index says.
    """
    return {name: entry for _, found in entries_by_file(files) for name, entry in found.items()}


def entries_by_file(files: VersionFiles) -> Iterator[tuple[str, dict[str, Entry]]]:
    """The same, file by file."""
    if INDEX not in files:
        if SINGLE in files:
            yield SINGLE, read_entries(files.local(SINGLE), SINGLE)
        return
    for path, names in _by_file(_read_index(files)).items():
        found = read_entries(files.local(path), path)
        _require_same(set(found), names, path)
        yield path, found


def map_weights(files: VersionFiles) -> dict[str, torch.Tensor]:
    """Every tensor, mapped privately: pages are read when touched, and writing changes memory and never the file."""
    tensors: dict[str, torch.Tensor] = {}
    for path, entries in entries_by_file(files):
        tensors.update(_map_file(files.local(path), entries))
    return tensors


def _map_file(local: Path, entries: Mapping[str, Entry]) -> Iterator[tuple[str, torch.Tensor]]:
    # Not safetensors.safe_open: it touches the mapping, and the system then reads megabytes of each file ahead.
    import torch

    mapped = torch.UntypedStorage.from_file(str(local), shared=False, nbytes=local.stat().st_size)
    storage = cast("torch.UntypedStorage", mapped)
    for name, entry in entries.items():
        yield name, _aligned(_view(storage, entry))


def _view(storage: torch.UntypedStorage, entry: Entry) -> torch.Tensor:
    """A tensor over its part of a mapped file, as a storage of its own: torch.save writes whole storages."""
    import torch

    dtype: torch.dtype = getattr(torch, DTYPES[entry.dtype][0])
    part = storage[entry.start : entry.start + entry.nbytes]
    data = torch.empty(0, dtype=torch.uint8).set_(part, 0, (entry.nbytes,), (1,))
    if entry.start % dtype.itemsize:
        data = data.clone()  # a file of another writer, which cannot be viewed in place
    return data.view(dtype).reshape(entry.shape)


def _aligned(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor on a cache line, copied if need be: elsewhere, some kernels add in another order.

    Only small tensors, which share a file, can lie elsewhere.
    """
    return tensor if tensor.data_ptr() % ALIGNMENT == 0 else tensor.clone()


def _by_file(weights: Mapping[str, str]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for name, file in weights.items():
        names.setdefault(file, set()).add(name)
    return names


def _require_same(found: set[str], expected: set[str], path: str) -> None:
    for name in sorted(found ^ expected):
        holds = "holds" if name in found else "lacks"
        raise UnsafeModelError(f"{path} {holds} the tensor {name!r}, unlike the index says", path=path)
