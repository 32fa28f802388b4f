"""What the files of a cold version may be told by: the version that came next, what it comes from, and twins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from attrs import Factory, frozen

from model_registry.archive.folder import MOST_STEPS, Listing
from model_registry.archive.restoring import Reader
from model_registry.archive.twins import Twins
from model_registry.catalog import VersionRow
from model_registry.errors import ModelRegistryError
from model_registry.operations.contents import Contents, contents_of
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of
from model_registry.operations.stored import read_manifest
from model_registry.records import TensorRecord
from model_registry.records.archive import BaseFile, Span

#: Bytes that are compared at a time.
_PIECE = 1 << 20


class Bases:
    """Finds them, and remembers what is inside the versions that were just looked at."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._contents: dict[str, Contents] = {}

    def contents(self, row: VersionRow) -> Contents:
        """What is inside a version; every file of it is verified, and is there as a plain file."""
        if row.digest not in self._contents:
            while len(self._contents) > 8:
                self._contents.pop(next(iter(self._contents)))
            self._contents[row.digest] = contents_of(self._context, entry_of(self._context, row), with_modules=False)
        return self._contents[row.digest]

    def of(self, row: VersionRow, others: list[VersionRow]) -> list[Contents]:
        """The versions to compare a version with, the likeliest first: such as could be read."""
        found = []
        for other in {each.digest: each for each in [*others, *self._parents(row)]}.values():
            if other.digest != row.digest:
                try:
                    found.append(self.contents(other))
                except ModelRegistryError:  # it is damaged, or its plugin is gone: others will do
                    continue
        return found

    def _parents(self, row: VersionRow) -> Iterator[VersionRow]:
        for parent in entry_of(self._context, row).metadata.parents:
            if parent.digest is not None and parent.version is not None:
                found = self._context.catalog.lineage.find(parent.digest, parent.name, parent.version)
                if found is not None and found.removed_at is None:
                    yield found


def tensors_by_file(contents: Contents) -> dict[str, tuple[TensorRecord, ...]]:
    """The tensors of each file, by its path, in the order of their offsets; of those that share bytes, one."""
    by_path: dict[str, list[TensorRecord]] = {}
    for tensor in sorted(contents.tensors or (), key=lambda tensor: (tensor.path, tensor.offset, -tensor.nbytes)):
        mine = by_path.setdefault(tensor.path, [])
        if tensor.nbytes and (not mine or tensor.offset >= mine[-1].offset + mine[-1].nbytes):
            mine.append(tensor)
    return {path: tuple(tensors) for path, tensors in by_path.items()}


@frozen
class Allowed:
    """What a blob may be told by without going in a circle, or in too many steps.

    :param excluded: What it must not be told by in any case, such as what is being packed beside it.
    """

    sha256: str
    listing: Listing
    excluded: Collection[str] = ()
    dependents: set[str] = Factory(lambda self: self.listing.dependents(self.sha256), takes_self=True)
    height: int = Factory(lambda self: self.listing.height(self.sha256), takes_self=True)

    def __contains__(self, base: str) -> bool:
        if base == self.sha256 or base in self.excluded or base in self.dependents:
            return False
        return self.listing.depth(base) + 1 + self.height <= MOST_STEPS


def base_files(found: list[Contents], allowed: Allowed, reader: Reader) -> Iterator[BaseFile]:
    """The files that a blob may be told by."""
    seen: set[str] = set()
    for contents in found:
        tensors: Mapping[str, tuple[TensorRecord, ...]] = tensors_by_file(contents)
        for path, record in contents.records.items():
            base = record.sha256
            if base not in seen and base in allowed:
                seen.add(base)
                yield BaseFile(base, record.size, tensors.get(path, ()), _reading(reader, base))


def _reading(reader: Reader, sha256: str) -> Callable[[int, int], memoryview]:
    return lambda offset, size: reader.read(sha256, offset, size)


def note_tensors(context: Context, twins: Twins, bases: Bases, reader: Reader) -> None:
    """Look at every version that was not looked at yet, for tensors that others may have too."""
    for row in context.catalog.versions():
        if twins.knows(row.digest):
            continue
        try:
            files = read_manifest(context, row.digest, row.name).files
            if any(context.blobs.size(file.sha256) is None for file in files):  # it is archived, or damaged
                continue
            contents = bases.contents(row)
        except ModelRegistryError:  # it is damaged, or its plugin is gone: others will do
            continue
        tensors = tensors_by_file(contents)
        for path, record in contents.records.items():
            if not twins.knows(record.sha256):
                twins.note(record.sha256, tensors.get(path, ()), _reading(reader, record.sha256))
        twins.note(row.digest, (), _nothing)


def twins_of(twins: Twins, allowed: Allowed, tensors: tuple[TensorRecord, ...], reader: Reader) -> dict[int, Span]:
    """Where the same bytes lie as those of tensors of a blob, by their offsets there."""
    read = _reading(reader, allowed.sha256)
    found = {}
    for tensor in tensors:
        for span in twins.find(allowed.sha256, tensor, read):
            if span.sha256 in allowed and _are_equal(reader, allowed.sha256, tensor, span):
                found[tensor.offset] = span
                break
    return found


def _are_equal(reader: Reader, sha256: str, tensor: TensorRecord, span: Span) -> bool:
    try:
        for start in range(0, span.size, _PIECE):
            size = min(_PIECE, span.size - start)
            mine, other = (
                reader.read(sha256, tensor.offset + start, size),
                reader.read(span.sha256, span.offset + start, size),
            )
            if bytes(mine) != bytes(other):
                return False
    except ModelRegistryError:  # it was collected meanwhile
        return False
    return True


def _nothing(offset: int, size: int) -> bytes:
    return b""
