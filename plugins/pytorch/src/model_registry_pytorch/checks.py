"""Validation of the structure of stored versions, without executing anything."""

from __future__ import annotations

from collections.abc import Iterator

from model_registry import EXAMPLE_INPUTS, Finding, Kind, ModelRegistryError, VersionFiles, content_of
from model_registry_pytorch import record as records
from model_registry_pytorch.layout import INDEX, PROGRAM, RECORD
from model_registry_pytorch.record import Record
from model_registry_pytorch.tensors import is_dense
from model_registry_pytorch.torchscript import ARCHIVE
from model_registry_pytorch.weights import read_all_entries, weight_files

_READ_AGAIN = "register the model again from its source"


def check_pytorch(files: VersionFiles) -> Iterator[Finding]:
    """Check the record, the index, every header, and that they agree."""
    if RECORD not in files:
        yield Finding("error", "record-missing", RECORD, "the version has no module record", _READ_AGAIN)
        return
    try:
        record = records.decode(files.read(RECORD))
        entries = read_all_entries(files)
    except ModelRegistryError as error:
        yield _finding(error)
        return
    yield from _check_tensors(record, {name: entry.shape for name, entry in entries.items()})
    yield from _check_members(files)


def _check_tensors(record: Record, shapes: dict[str, tuple[int, ...]]) -> Iterator[Finding]:
    for name, tensor in sorted(record.tensors.items()):
        shape = shapes.get(record.stored(name))
        if shape is None:
            yield Finding("error", "tensor-missing", RECORD, f"no weight file holds the tensor {name!r}", _READ_AGAIN)
        elif tensor.strides is not None and not is_dense(shape, tensor.strides):
            yield Finding(
                "error", "record-unsound", RECORD, f"the strides of {name!r} do not fit its shape", _READ_AGAIN
            )


def _check_members(files: VersionFiles) -> Iterator[Finding]:
    known = {RECORD, INDEX, PROGRAM, EXAMPLE_INPUTS, *weight_files(files)}
    for path in files:
        if path not in known:
            yield Finding("warning", "file-unused", path, "no part of the model uses this file", "export without it")


def check_torchscript(files: VersionFiles) -> Iterator[Finding]:
    """Check that the archive is there and is TorchScript."""
    if ARCHIVE not in files:
        yield Finding("error", "archive-missing", ARCHIVE, "the version has no TorchScript archive", _READ_AGAIN)
    elif content_of(files.local(ARCHIVE)).kind is not Kind.TORCHSCRIPT:
        yield Finding("error", "archive-unsound", ARCHIVE, "the file is no TorchScript archive", _READ_AGAIN)


def _finding(error: ModelRegistryError) -> Finding:
    where = str(error.facts.get("path", RECORD))
    code = "record-unsound" if where == RECORD else "weights-unsound"
    return Finding("error", code, where, error.message, error.hint or _READ_AGAIN)
