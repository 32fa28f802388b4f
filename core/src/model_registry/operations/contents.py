"""What is inside a version, as far as its plugin tells: files, tensors, modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from model_registry.errors import UnsafeModelError, UnsupportedFormatError
from model_registry.files import StoredFiles
from model_registry.operations.context import Context
from model_registry.operations.stored import read_manifest
from model_registry.records import FileRecord, ModelEntry, TensorRecord

#: Of a tensor; numpy and torch have no more than 64.
MOST_DIMENSIONS = 64


@frozen
class Contents:
    """What is inside a version.

    :param files: Its files, for reading; ``records`` describes each by path.
    :param tensors: None if nobody tells; likewise ``modules``.
    :param missing: Why no plugin could be asked; empty if one was.
    """

    entry: ModelEntry
    files: StoredFiles
    records: Mapping[str, FileRecord]
    tensors: tuple[TensorRecord, ...] | None = None
    modules: Mapping[str, str] | None = None
    missing: str = ""


def contents_of(context: Context, entry: ModelEntry, *, with_modules: bool = True) -> Contents:
    """Look inside. Every file of a version that a plugin is asked about has been verified then.

    :raises IntegrityError: if the bytes on the disk are not those that were registered.
    :raises UnsafeModelError: if headers are not sound.
    """
    records = read_manifest(context, entry.digest, entry.reference).files
    files = StoredFiles(entry.reference, records, context.blobs)
    by_path = {record.path: record for record in records}
    format = str(entry.metadata.format)
    try:
        context.plugins.format(format)
    except UnsupportedFormatError as error:
        return Contents(entry, files, by_path, missing=str(error))
    files.verify()  # now, and several at once; a plugin would have them verified one by one
    tensors = context.plugins.tensors(format, files)
    modules = context.plugins.modules(format, files) if with_modules else None
    return Contents(entry, files, by_path, None if tensors is None else _sound(tensors, by_path, entry), modules)


def _sound(
    tensors: Sequence[TensorRecord], files: Mapping[str, FileRecord], entry: ModelEntry
) -> tuple[TensorRecord, ...]:
    """The records, of which each has a name of its own and lies within its file.

    :raises UnsafeModelError: for the first that does not: what it points to must not be read.
    """
    for name, problem in _problems(tensors, files):
        raise UnsafeModelError(
            f"{entry.reference}: tensor {name!r:.200} {problem}", hint="its bytes were not read", path=entry.reference
        )
    return tuple(tensors)


def _problems(tensors: Sequence[TensorRecord], files: Mapping[str, FileRecord]) -> Iterator[tuple[str, str]]:
    names = set()
    for tensor in tensors:
        file = files.get(tensor.path)
        if not _is_described(tensor):
            yield tensor.name, "is not described by texts and whole numbers"
        elif tensor.name in names:
            yield tensor.name, "is told twice"
        elif file is None:
            yield tensor.name, f"lies in {tensor.path!r:.200}, which is no file of the version"
        elif not (tensor.offset >= 0 and tensor.nbytes >= 0 and tensor.offset + tensor.nbytes <= file.size):
            yield tensor.name, f"lies outside of its file {tensor.path!r:.200}"
        names.add(tensor.name)


def _is_described(tensor: TensorRecord) -> bool:
    """Whether it says what it should: a plugin may take over what a file says."""
    texts, numbers = (tensor.name, tensor.dtype, tensor.path), (*tensor.shape, tensor.offset, tensor.nbytes)
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(number) is int and abs(number) < 1 << 63 for number in numbers)
        and all(size >= 0 for size in tensor.shape)
        and len(tensor.shape) <= MOST_DIMENSIONS
    )
