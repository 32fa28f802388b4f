"""How the bytes of versions that are seldom used are kept smaller, and what that saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import Factory, frozen

from model_registry.records.contents import TensorRecord
from model_registry.records.metadata import MEGABYTE

Buffer = bytes | bytearray | memoryview


@frozen
class Span:
    """A piece of a blob: the blob's SHA-256, where the piece begins, and its bytes."""

    sha256: str
    offset: int
    size: int


@frozen
class Encoded:
    """A piece of a file, encoded.

    :param size: Bytes of the piece as it was.
    :param method: How it is decoded: a word that ``decode`` of the same plugin knows. What stands before the first
        ``-`` is the name under which statistics count it.
    :param data: What is stored of it.
    :param base: The piece of another blob that decoding needs; None if it needs none.
    """

    size: int
    method: str
    data: Buffer
    base: Span | None = None


@frozen
class BaseFile:
    """A file of another version that pieces of a cold file may be told by.

    :param tensors: Those that lie in it, in the order of their offsets.
    :param read: ``read(offset, size)`` gives its bytes, from any thread.
    """

    sha256: str
    size: int
    tensors: tuple[TensorRecord, ...]
    read: Callable[[int, int], Buffer]


@frozen
class ColdFile:
    """A file that is to be kept smaller. Members as in :class:`BaseFile`.

    :param path: The member's path inside its version.
    :param bases: Files that may be like it, the likeliest first.
    :param twins: Where the same bytes lie as those of a tensor, by its offset: they need not be read to be told.
    """

    path: str
    sha256: str
    size: int
    tensors: tuple[TensorRecord, ...]
    read: Callable[[int, int], Buffer]
    bases: tuple[BaseFile, ...] = ()
    twins: Mapping[int, Span] = Factory(dict)


@frozen
class Saving:
    """What one method did: bytes of the pieces as they were, and as they are stored."""

    before: int = 0
    stored: int = 0


@frozen
class ArchiveReport:
    """What archiving did.

    :param versions: ``name:version`` of each whose files take less now.
    :param files: How many files that were.
    :param before: Their bytes as they were; ``stored``: as they are kept now.
    :param skipped: Versions that could not be archived, and why.
    """

    versions: tuple[str, ...] = ()
    files: int = 0
    before: int = 0
    stored: int = 0
    skipped: dict[str, str] = Factory(dict)

    def __str__(self) -> str:
        count = len(self.versions)
        done = f"archived {count:,} version{'' if count == 1 else 's'}"
        if self.before:
            share = f"{self.stored / self.before:.1%}"
            done += f": {self.before / MEGABYTE:,.1f} MB became {self.stored / MEGABYTE:,.1f} MB ({share})"
        return "\n".join([done, *(f"  {what}: {why}" for what, why in self.skipped.items())])
