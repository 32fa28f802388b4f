"""What the files of a cold version may be told by: the version that came next, what it comes from, and twins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model_registry.archive.folder import MOST_STEPS, Listing
from model_registry.archive.restoring import Reader
from model_registry.catalog import VersionRow
from model_registry.errors import ModelRegistryError
from model_registry.operations.contents import Contents, contents_of
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of
from model_registry.records import BaseFile, TensorRecord


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


def base_files(found: list[Contents], sha256: str, listing: Listing, reader: Reader) -> Iterator[BaseFile]:
    """The files that a blob may be told by without going in a circle, or in too many steps."""
    dependents, height = listing.dependents(sha256), listing.height(sha256)
    seen = {sha256}
    for contents in found:
        tensors: Mapping[str, tuple[TensorRecord, ...]] = tensors_by_file(contents)
        for path, record in contents.records.items():
            base = record.sha256
            if base not in seen | dependents and listing.depth(base) + 1 + height <= MOST_STEPS:
                seen.add(base)
                yield BaseFile(base, record.size, tensors.get(path, ()), _reading(reader, base))


def _reading(reader: Reader, sha256: str):  # type: ignore[no-untyped-def]
    return lambda offset, size: reader.read(sha256, offset, size)
