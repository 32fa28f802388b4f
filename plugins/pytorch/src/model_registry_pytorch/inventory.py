"""Every tensor of a version, by the record and the headers of the weight files. No framework is imported."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from model_registry import TensorRecord, UnsafeModelError, VersionFiles
from model_registry_pytorch import record as records
from model_registry_pytorch.layout import RECORD
from model_registry_pytorch.record import Record
from model_registry_pytorch.safetensors_file import DTYPES, Entry
from model_registry_pytorch.statedict import state_keys
from model_registry_pytorch.weights import entries_by_file

MAX_NAMES = 1_000_000  # a record of some kilobytes can give a tensor as many names as it likes


def list_tensors(files: VersionFiles) -> list[TensorRecord]:
    """The tensors as the state dict names them, then the others, such as buffers that are not persistent.

    Tied tensors stand under each of their names, in the same place of the same file.

    :raises UnsafeModelError: if the record or a header is not sound, or they do not agree.
    """
    record = records.decode(files.read(RECORD))
    places = {name: (path, entry) for path, found in entries_by_file(files) for name, entry in found.items()}
    names = dict(islice(_names(record), MAX_NAMES + 1))
    if len(names) > MAX_NAMES:
        raise UnsafeModelError(f"{RECORD} gives its tensors more than {MAX_NAMES:,} names", path=RECORD)
    return [_tensor(name, record.stored(own), places) for name, own in names.items()]


def _names(record: Record) -> Iterator[tuple[str, str]]:
    """Each name of a tensor, and the one that the record has for it."""
    told = set()
    if record.kind == "module":
        for key, own in state_keys(record):
            told.add(own)
            yield key, own
    yield from ((name, name) for name in record.tensors if name not in told)


def _tensor(name: str, stored: str, places: dict[str, tuple[str, Entry]]) -> TensorRecord:
    if stored not in places:
        raise UnsafeModelError(f"no weight file holds the tensor {name!r}", path=RECORD)
    path, entry = places[stored]
    return TensorRecord(name, DTYPES[entry.dtype][0], entry.shape, path, entry.start, entry.nbytes)
