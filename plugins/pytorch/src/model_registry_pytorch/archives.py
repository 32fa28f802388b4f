"""Checks of the zip archives that torch writes, before torch reads them.

torch's own reader trusts an archive's table of contents: compressed members, two members of one name, or members that
lie over each other would show it other bytes than the ones checked here.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from model_registry import UnsafeModelError
from model_registry_pytorch.pickles import check_zip_pickle

MAX_PICKLE_BYTES = 256 << 20
#: Bytes of the end record, of the large archives' locator before it, and of their own end record before that.
_END, _LOCATOR, _RECORD = 22, 20, 56
_TAIL = _END + _LOCATOR + _RECORD


def check_archive(path: Path, *, run_dry: bool = True) -> None:
    """Check that an archive is stored plainly: no compression, no duplicates, no overlaps, sound pickles.

    :param run_dry: Check what its pickle asks for, too.
    :raises UnsafeModelError: naming the member that breaks a rule.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.comment:
                raise _refusal(path, "it has a comment")
            _check_table(path)
            members = archive.infolist()
            _check_names(path, members)
            _check_extents(path, members, archive.start_dir)
            for member in members:
                if member.filename.endswith(".pkl"):
                    content = _content(path, archive, member)
                    if run_dry and member.filename.endswith("/data.pkl"):
                        sizes = {other.filename.partition("/")[2]: other.file_size for other in members}
                        check_zip_pickle(path, content, sizes)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, RuntimeError) as error:
        if isinstance(error, UnsafeModelError):
            raise
        raise _refusal(path, str(error)) from error


def _check_names(path: Path, members: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for member in members:
        name = member.orig_filename
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise _refusal(path, f"the member {name!r} has an unsafe name")
        if name.casefold() in seen:
            raise _refusal(path, f"the member {name!r} occurs twice")
        seen.add(name.casefold())
    if len({name.partition("/")[0] for name in seen}) > 1:
        raise _refusal(path, "its members lie in more than one folder")


def _check_extents(path: Path, members: list[zipfile.ZipInfo], directory_start: int) -> None:
    position = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise _refusal(path, f"the member {member.filename!r} is compressed")
        if member.flag_bits & 0x1:
            raise _refusal(path, f"the member {member.filename!r} is encrypted")
        end = member.header_offset + 30 + len(member.filename) + member.compress_size
        if member.header_offset < position or end > directory_start:
            raise _refusal(path, f"the member {member.filename!r} lies over another or beyond the file")
        position = end


def _check_table(path: Path) -> None:
    """One table of contents: where a large archive has a second end record, it must stand where every reader looks.

    See sections 4.3.14 to 4.3.16 of the zip specification.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    locator = tail[-_END - _LOCATOR : -_END]
    if not locator.startswith(b"PK\x06\x07"):
        return
    record_at = size - _TAIL
    if int.from_bytes(locator[8:16], "little") != record_at or not tail.startswith(b"PK\x06\x06"):
        raise _refusal(path, "it has two tables of contents")


def _content(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """zipfile compares the local header's name and the CRC when it reads."""
    if member.file_size > MAX_PICKLE_BYTES:
        raise _refusal(path, f"the pickle {member.filename!r} is larger than {MAX_PICKLE_BYTES:,} bytes")
    return archive.read(member)


def _refusal(path: Path, problem: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"{path.name} is no archive as torch.save writes it: {problem}",
        hint="save the model again with torch.save",
        path=str(path),
    )
