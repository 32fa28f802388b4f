"""Several files as one tar archive, whose every byte has its place in advance: so parts of it can be asked for."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence

from model_registry_server.transfer.content import Content, FilePart, Member, Piece, length_of


def tar_content(files: Sequence[Member], name: str, digest: str) -> Content:
    """An uncompressed POSIX archive. The same files make the same bytes, whenever and wherever it is made.

    :param name: The archive's file name.
    :param digest: What identifies the files as a whole, in hex, such as the digest of their manifest.
    """
    pieces = tuple(_pieces(sorted(files, key=lambda member: member.path)))
    size = sum(map(length_of, pieces))
    return Content(name, "application/x-tar", size, f"sha256:{digest}-tar", pieces)


def _pieces(files: Sequence[Member]) -> Iterator[Piece]:
    for member in files:
        yield _header(member)
        if member.size:
            yield FilePart(member.file, 0, member.size, member.size)
        if padding := -member.size % tarfile.BLOCKSIZE:
            yield bytes(padding)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _header(member: Member) -> bytes:
    info = tarfile.TarInfo(member.path)  # its time is 0 and its owner root, whoever sends it
    info.size = member.size
    info.mode = 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
