"""Several files as one zip archive that is made while it is sent.

Its size is known before, since nothing is compressed, but its checksums (CRC-32) are not: each follows its file, in a
«data descriptor». So it is sent from the beginning to the end, or not at all. The records are those of PKWARE's APPNOTE
6.3.9, sections 4.3.7, 4.3.9, 4.3.12 and 4.3.14 to 4.3.16; with bit 3, sizes stand in the descriptor, not in the header.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from attrs import frozen

from model_registry_server.transfer.content import Buffer, Content, FilePart, Member, Piece, length_of

#: Sizes, places and numbers from here on are written in the wider fields of zip64.
_WIDE = 0xFFFFFFFF
_MANY = 0xFFFF

_DATE = 0x21  # 1980-01-01, the first that there is: the same files make the same bytes
_FLAGS = 0x0808  # the checksum follows the file; names are UTF-8
_MODE = 0o100644 << 16
_MADE_BY_UNIX = 3 << 8


def zip_content(files: Sequence[Member], name: str, digest: str) -> Content:
    """An archive without compression. The same files make the same bytes, whenever and wherever it is made.

    :param name: The archive's file name.
    :param digest: What identifies the files as a whole, in hex, such as the digest of their manifest.
    """
    pieces = _Archive(tuple(sorted(files, key=lambda member: member.path)))
    size = sum(map(length_of, pieces))
    return Content(name, "application/zip", size, f"sha256:{digest}-zip", pieces, ranges=False)


@frozen
class _Archive:
    """Its pieces, in order. A file's checksum stands in the pieces behind it once its bytes were seen."""

    files: Sequence[Member]

    def __iter__(self) -> Iterator[Piece]:
        place = 0
        directory: list[bytes] = []
        for member in self.files:
            checksum = _Checksum()
            header = _local_header(member)
            yield header
            if member.size:
                yield FilePart(member.file, 0, member.size, member.size, checksum.seen)
            descriptor = _descriptor(member, checksum.value)
            yield descriptor
            directory.append(_directory_entry(member, checksum.value, place))
            place += len(header) + member.size + len(descriptor)
        yield b"".join(directory) + _end(len(directory), sum(map(len, directory)), place)


class _Checksum:
    def __init__(self) -> None:
        self.value = 0

    def seen(self, data: Buffer) -> None:
        self.value = zlib.crc32(data, self.value)


def _local_header(member: Member) -> bytes:
    wide = member.size >= _WIDE
    name = member.path.encode()
    extra = struct.pack("<HHQQ", 1, 16, 0, 0) if wide else b""  # its presence makes the descriptor's sizes wide
    sizes = (_WIDE, _WIDE) if wide else (0, 0)
    fixed = (b"PK\3\4", _version(wide), _FLAGS, 0, 0, _DATE, 0, *sizes, len(name), len(extra))
    return struct.pack("<4s5H3L2H", *fixed) + name + extra


def _descriptor(member: Member, checksum: int) -> bytes:
    layout = "<4sLQQ" if member.size >= _WIDE else "<4sLLL"
    return struct.pack(layout, b"PK\7\10", checksum, member.size, member.size)


def _directory_entry(member: Member, checksum: int, place: int) -> bytes:
    wide_size, wide_place = member.size >= _WIDE, place >= _WIDE
    values = [member.size] * 2 * wide_size + [place] * wide_place
    extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
    size = _WIDE if wide_size else member.size
    name = member.path.encode()
    version = _version(bool(values))
    fixed = (b"PK\1\2", _MADE_BY_UNIX | version, version, _FLAGS, 0, 0, _DATE, checksum, size, size, len(name))
    rest = (len(extra), 0, 0, 0, _MODE, _WIDE if wide_place else place)
    return struct.pack("<4s6H3L5H2L", *fixed, *rest) + name + extra


def _end(count: int, size: int, place: int) -> bytes:
    """The end of the directory, which begins at ``place``."""
    wide = b""
    if count >= _MANY or size >= _WIDE or place >= _WIDE:
        made_by = _MADE_BY_UNIX | _version(wide=True)
        wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, made_by, _version(True), 0, 0, count, count, size, place)
        wide += struct.pack("<4sLQL", b"PK\6\7", 0, place + size, 1)
    number = min(count, _MANY)
    return wide + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, number, number, min(size, _WIDE), min(place, _WIDE), 0)


def _version(wide: bool) -> int:
    """What a reader must understand, by the APPNOTE's numbers; tens are major versions."""
    return 45 if wide else 20
