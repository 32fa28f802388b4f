"""Zip archives, told apart by their tables of contents."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from model_registry.kinds.bounded import Bounded, BudgetSpentError
from model_registry.kinds.kind import Content, Kind
from model_registry.kinds.pickles import LOOKED_AT, holds_only_tensors

#: The end record stands in the last 22 bytes, unless there is a comment, which no archive of a model has reason to.
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_RECORD = struct.Struct("<4sQ2H2L4Q")
#: Of an entry of the table: its size without what varies; from its 24th byte on, the size of its member, the lengths
#: of what varies, and where the member lies.
_ENTRY, _PLACES = 46, struct.Struct("<L3H8xL")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_CUT = "its table of contents, which stands at the end, is not there: it was cut short, or is no longer whole"


class _DamagedError(Exception):
    pass


def content_of_zip(file: Bounded) -> Content:
    """The kind of an archive."""
    try:
        members = _members(file)
    except BudgetSpentError:
        return Content(_kind_by_first_name(file))
    except (_DamagedError, struct.error):
        return Content(_kind_by_first_name(file), _CUT)
    return Content(_kind(file, members))


def _kind(file: Bounded, members: Mapping[bytes, tuple[int, int]]) -> Kind:
    folder = next(iter(members), b"").partition(b"/")[0] + b"/"
    if folder + b"constants.pkl" in members or _any_below(members, folder + b"code/"):
        return Kind.TORCHSCRIPT
    if folder + b"archive_format" in members or b"serialized_exported_program.json" in members:
        return Kind.EXPORTED_PROGRAM
    if folder + b"data.pkl" in members:
        pickled = _beginning(file, *members[folder + b"data.pkl"])
        return Kind.TORCH_STATE_DICT if holds_only_tensors(pickled) else Kind.TORCH_OBJECTS
    if {b"metadata.json", b"config.json"} <= members.keys() and _any_below(members, b"model.weights"):
        return Kind.KERAS
    return Kind.NPZ if members and all(name.endswith(b".npy") for name in members) else Kind.ZIP


def _any_below(members: Mapping[bytes, object], beginning: bytes) -> bool:
    return any(name.startswith(beginning) for name in members)


def _kind_by_first_name(file: Bounded) -> Kind:
    """What can be said without the table: torch.save writes its pickle first."""
    name_length = _LOCAL.unpack(head)[9] if len(head := file.read(0, _LOCAL.size)) == _LOCAL.size else 0
    name = file.read(_LOCAL.size, min(name_length, 1000)).decode("utf-8", "replace")
    return Kind.TORCH_STATE_DICT if name.partition("/")[2] == "data.pkl" else Kind.ZIP


def _members(file: Bounded) -> dict[bytes, tuple[int, int]]:
    """Size and offset of each member by its name. There may be thousands, so little is done for each."""
    start, length, count = _table(file)
    if start + length > file.size:
        raise _DamagedError
    table, position, members = file.read(start, length), 0, {}
    for _ in range(min(count, length // _ENTRY)):
        if table[position : position + 4] != b"PK\x01\x02":
            raise _DamagedError
        size, name_length, extra_length, comment_length, offset = _PLACES.unpack_from(table, position + 24)
        begin = position + _ENTRY
        members[table[begin : begin + name_length]] = (size, offset)
        position = begin + name_length + extra_length + comment_length
    return members


def _table(file: Bounded) -> tuple[int, int, int]:
    """(offset, bytes, entries) of the table of contents."""
    end_at = file.size - _END.size
    if end_at < 0:
        raise _DamagedError
    magic, _, _, _, count, length, start, _ = _END.unpack(file.read(end_at, _END.size))
    if magic != b"PK\x05\x06":
        raise _DamagedError
    if _MAX32 not in (length, start) and count != _MAX16:
        return start, length, count
    magic, _, record_at, _ = _LOCATOR.unpack(file.read(end_at - _LOCATOR.size, _LOCATOR.size))
    if magic != b"PK\x06\x07":
        return start, length, count
    record = _RECORD.unpack(file.read(record_at, _RECORD.size))
    if record[0] != b"PK\x06\x06":
        raise _DamagedError
    return record[9], record[8], record[7]


def _beginning(file: Bounded, size: int, offset: int) -> bytes:
    """The first bytes of a member that is stored plainly."""
    try:
        local = _LOCAL.unpack(file.read(offset, _LOCAL.size))
        return file.read(offset + _LOCAL.size + local[9] + local[10], min(size, LOOKED_AT))
    except (BudgetSpentError, struct.error):
        return b""
