"""What a file is, by its first bytes and its table of contents. Nothing is unpickled, and torch is not imported."""

from __future__ import annotations

import enum
import zipfile
from collections.abc import Iterable
from pathlib import Path

#: A legacy torch.save file is a pickle of this number, protocol 2, then other pickles.
_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_ZIP_MAGIC = b"PK\x03\x04"


class Kind(enum.Enum):
    """Kinds of files."""

    TORCH_ZIP = "zip file of torch.save"
    TORCH_LEGACY = "legacy file of torch.save"
    TORCHSCRIPT = "TorchScript archive"
    EXPORTED_PROGRAM = "exported program (.pt2)"
    SAFETENSORS = "safetensors file"
    OTHER_ZIP = "zip file that torch did not write"
    DAMAGED_ZIP = "damaged zip file, perhaps cut short"
    TAR = "tar archive"
    PICKLE = "pickle"
    UNKNOWN = "file of an unknown kind"


def sniff(path: Path) -> Kind:
    """The kind of a file, whatever its name says."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(_ZIP_MAGIC):
        return _zip_kind(path)
    if head.startswith(_LEGACY_MAGIC):
        return Kind.TORCH_LEGACY
    if head[257:262] == b"ustar":
        return Kind.TAR
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        return Kind.PICKLE
    if head[8:9] == b"{" and 8 + int.from_bytes(head[:8], "little") <= path.stat().st_size:
        return Kind.SAFETENSORS
    return Kind.UNKNOWN


def _zip_kind(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            return _kind_of_members(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return Kind.DAMAGED_ZIP


def _kind_of_members(names: Iterable[str]) -> Kind:
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        return Kind.TORCHSCRIPT
    if "archive_format" in inner or any(name.startswith("models/") or "exported_program" in name for name in inner):
        return Kind.EXPORTED_PROGRAM
    return Kind.TORCH_ZIP if "data.pkl" in inner else Kind.OTHER_ZIP
