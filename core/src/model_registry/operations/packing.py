"""Packing: files are encoded into a staged pack, and decoded again before anybody relies on it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from attrs import frozen

from model_registry.archive.pack import PackWriter
from model_registry.archive.restoring import RAW, in_order
from model_registry.archive.store import ArchivedBlobs
from model_registry.archive.twins import Twins
from model_registry.catalog import VersionRow
from model_registry.durable import new_file
from model_registry.errors import IntegrityError
from model_registry.operations.bases import Allowed, Bases, base_files, note_tensors, tensors_by_file, twins_of
from model_registry.operations.context import Context
from model_registry.operations.lease import Registration
from model_registry.operations.packs import archive_of
from model_registry.progress import advance
from model_registry.records import FileRecord
from model_registry.records.archive import ColdFile, Encoded


class Work:
    """What goes on while nobody else archives: the contents of versions seen last, and where equal tensors lie."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.blobs = archive_of(context)
        self.bases = Bases(context)

    def __enter__(self) -> Work:
        with ExitStack() as stack:
            stack.enter_context(self.blobs.packs.changing())
            self.twins = Twins(self.blobs.root / "tensors.sqlite")
            stack.callback(self.twins.close)
            with self.blobs.reader() as reader:
                note_tensors(self.context, self.twins, self.bases, reader)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


@frozen
class Staged:
    """A pack that is written and checked, and not published yet.

    :param name: What it will be called.
    """

    path: Path
    name: str
    size: int


def stage_pack(
    work: Work,
    registration: Registration,
    row: VersionRow,
    files: Sequence[FileRecord],
    others: list[VersionRow],
    without: Collection[str] = (),
) -> Staged:
    """Write a pack of files of a version, and check it. What they are told by is claimed.

    :param others: Versions that may be like it, the likeliest first.
    :param without: Blobs that they must not be told by.
    """
    blobs, context = work.blobs, work.context
    contents, found = work.bases.contents(row), work.bases.of(row, others)
    registration.claim(record.sha256 for each in found for record in each.records.values())
    tensors, excluded = tensors_by_file(contents), {*without, *(file.sha256 for file in files)}
    staged = blobs.staging(registration.lease) / "pack"
    with new_file(staged) as descriptor, blobs.reader() as reader:
        listing = blobs.packs.listing()
        writer = PackWriter(descriptor, row.digest)
        for record in files:
            allowed, its = Allowed(record.sha256, listing, excluded), tensors.get(record.path, ())
            twins = twins_of(work.twins, allowed, its, reader)
            registration.claim({span.sha256 for span in twins.values()})
            bases = tuple(base_files(found, allowed, reader))
            read = partial(reader.read, record.sha256)
            cold = ColdFile(record.path, record.sha256, record.size, its, read, bases, twins)
            writer.add(record.sha256, record.size, _encoded(context, registration, cold))
        name = writer.finish()
    _check(blobs, staged, name, files)
    return Staged(staged, name, staged.stat().st_size)


def _encoded(context: Context, registration: Registration, cold: ColdFile) -> Iterator[Encoded]:
    """Its pieces; one that became larger as it was."""
    start = 0
    for piece in in_order(lambda encode: encode(), context.plugins.encode(cold)):
        if memoryview(piece.data).nbytes > piece.size:
            piece = Encoded(piece.size, RAW, cold.read(start, piece.size))
        yield piece
        registration.keep_alive()
        advance(piece.size)
        start += piece.size


def _check(blobs: ArchivedBlobs, staged: Path, name: str, files: Sequence[FileRecord]) -> None:
    """Decode all that a pack holds.

    :raises IntegrityError: if it is not what was encoded.
    """
    with blobs.reader() as reader:
        reader.include(staged, name)
        for record in files:
            if reader.restore(record.sha256, lambda data: None) != record.sha256:
                raise IntegrityError(
                    f"file {record.path!r} would not come back as it is, so it was left as it is",
                    hint="the plugin that archives is at fault",
                    path=record.path,
                )


def likely(rows: list[VersionRow], row: VersionRow, cold: Sequence[VersionRow]) -> list[VersionRow]:
    """Versions that may be like one of a model's: the next newer one, and the oldest that stays as it is."""
    at = next((index for index, each in enumerate(rows) if each.digest == row.digest), len(rows))
    colds = {each.digest for each in cold}
    hot = [each for each in rows[at + 1 :] if each.digest not in colds]
    return [*rows[at + 1 : at + 2], *hot[:1]]
