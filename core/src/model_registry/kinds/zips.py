"""Zip archives, told apart by their tables of contents."""

from __future__ import annotations

import struct

from attrs import frozen

from model_registry.kinds.bounded import Bounded, BudgetSpentError
from model_registry.kinds.kind import Content, Kind
from model_registry.kinds.pickles import holds_only_tensors

#: The end record stands in the last 22 bytes, unless there is a comment, which no archive of a model has reason to.
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_RECORD = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_CUT = "its table of contents, which stands at the end, is not there: it was cut short, or is no longer whole"


@frozen
class _Member:
    name: str
    offset: int
    size: int


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


def _kind(file: Bounded, members: list[_Member]) -> Kind:
    names = {member.name for member in members}
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        return Kind.TORCHSCRIPT
    if "archive_format" in inner or any(name.startswith("models/") or "exported_program" in name for name in inner):
        return Kind.EXPORTED_PROGRAM
    if "data.pkl" in inner:
        pickled = next(member for member in members if member.name.partition("/")[2] == "data.pkl")
        return Kind.TORCH_STATE_DICT if holds_only_tensors(_content(file, pickled)) else Kind.TORCH_OBJECTS
    if {"metadata.json", "config.json"} <= names and any(name.startswith("model.weights") for name in names):
        return Kind.KERAS
    return Kind.NPZ if names and all(name.endswith(".npy") for name in names) else Kind.ZIP


def _kind_by_first_name(file: Bounded) -> Kind:
    """What can be said without the table: torch.save writes its pickle first."""
    name_length = _LOCAL.unpack(head)[9] if len(head := file.read(0, _LOCAL.size)) == _LOCAL.size else 0
    name = file.read(_LOCAL.size, min(name_length, 1000)).decode("utf-8", "replace")
    return Kind.TORCH_STATE_DICT if name.partition("/")[2] == "data.pkl" else Kind.ZIP


def _members(file: Bounded) -> list[_Member]:
    start, length, count = _table(file)
    if start + length > file.size:
        raise _DamagedError
    table, position, members = file.read(start, length), 0, []
    for _ in range(min(count, length // _ENTRY.size)):
        entry = _ENTRY.unpack_from(table, position)
        if entry[0] != b"PK\x01\x02":
            raise _DamagedError
        name_length, extra_length, comment_length = entry[10:13]
        begin = position + _ENTRY.size
        name = table[begin : begin + name_length].decode("utf-8", "replace")
        members.append(_Member(name, entry[16], entry[8]))
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


def _content(file: Bounded, member: _Member) -> bytes:
    """The bytes of a member that is stored plainly; none if they are too many to look at."""
    try:
        local = _LOCAL.unpack(file.read(member.offset, _LOCAL.size))
        return file.read(member.offset + _LOCAL.size + local[9] + local[10], member.size)
    except (BudgetSpentError, struct.error):
        return b""
