"""The kind of a file: by magic bytes where it has some, else by its structure."""

from __future__ import annotations

import codecs
import re

from model_registry.kinds.bounded import Bounded, BudgetSpentError
from model_registry.kinds.kind import Content, Kind
from model_registry.kinds.protobuf import content_of_protobuf
from model_registry.kinds.zips import content_of_zip

_HEAD = 4096
#: A legacy torch.save file is a pickle of this number, protocol 2, then other pickles.
_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
#: (offset, bytes, kind)
_MAGIC = (
    (0, b"GGUF", Kind.GGUF),
    (0, b"lmgg", Kind.GGML),
    (0, b"fmgg", Kind.GGML),
    (0, b"tjgg", Kind.GGML),
    (4, b"TFL3", Kind.TFLITE),
    (4, b"ORTM", Kind.ORT),
    (0, b"\x89HDF\r\n\x1a\n", Kind.HDF5),
    (0, b"\x93NUMPY", Kind.NPY),
    (0, b"CBM1", Kind.CATBOOST),
    (0, b"ptrt", Kind.TENSORRT),
    (0, b"ftrt", Kind.TENSORRT),
    (0, b"binf", Kind.XGBOOST),
    (0, b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner", Kind.XGBOOST),
    (0, b"\x1f\x8b", Kind.COMPRESSED),
    (0, b"\x28\xb5\x2f\xfd", Kind.COMPRESSED),
    (0, b"\xfd7zXZ\x00", Kind.COMPRESSED),
    (0, b"BZh", Kind.COMPRESSED),
    (0, b"7z\xbc\xaf\x27\x1c", Kind.COMPRESSED),
    (0, _TORCH_LEGACY, Kind.TORCH_LEGACY),
)
#: How texts begin, after white space.
_TEXTS = (
    (b"version https://git-lfs", Kind.LFS_POINTER),
    (b"<!doctype html", Kind.HTML),
    (b"<html", Kind.HTML),
    (b"tree\nversion=", Kind.LIGHTGBM),
    (b'{"learner":', Kind.XGBOOST),
)
_LONGEST_SAFETENSORS_HEADER = 100_000_000
_ENDS = re.compile(rb'"data_offsets"\s*:\s*\[\s*\d+\s*,\s*(\d{1,20})\s*\]')


def content_of_file(file: Bounded) -> Content:
    """See :func:`model_registry.kinds.content_of`."""
    if file.size == 0:
        return Content(Kind.EMPTY)
    head = file.read(0, _HEAD)
    try:
        return _by_magic(file, head) or _by_structure(file, head)
    except BudgetSpentError:
        return Content(Kind.UNKNOWN)


def _by_magic(file: Bounded, head: bytes) -> Content | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return content_of_zip(file)
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return Content(kind)
    if head[257:262] == b"ustar":
        return Content(_tar_kind(file))
    return None


def _tar_kind(file: Bounded) -> Kind:
    """By the names of the first members, each of which stands at the start of a block of 512 bytes."""
    names: set[bytes] = set()
    offset = 0
    while len(names) < 4 and offset + 512 <= file.size:
        header = file.read(offset, 512)
        names.add(header[:100].rstrip(b"\0"))
        try:
            offset += 512 + -(-int(header[124:136].rstrip(b"\0 ") or b"0", 8) // 512) * 512
        except ValueError:
            break
    return Kind.TORCH_TAR if {b"sys_info", b"pickle"} <= names else Kind.TAR


def _by_structure(file: Bounded, head: bytes) -> Content:
    if head[:1] == b"\x80" and head[1:2] <= b"\x05" and file.read(file.size - 1, 1) == b".":
        return Content(Kind.PICKLE)
    return _safetensors(file, head) or _text(head) or content_of_protobuf(file) or Content(Kind.UNKNOWN)


def _safetensors(file: Bounded, head: bytes) -> Content | None:
    """Eight bytes of a length, then a JSON object of it, then exactly the bytes that it tells of."""
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or not 2 <= length <= _LONGEST_SAFETENSORS_HEADER:
        return None
    if 8 + length > file.size:
        problem = f"it is cut short: its header has {length:,} bytes, and the whole file {file.size:,}"
        return Content(Kind.SAFETENSORS, problem)
    try:
        header = file.read(8, length)
    except BudgetSpentError:
        return Content(Kind.SAFETENSORS)
    if not header.rstrip().endswith(b"}"):
        return Content(Kind.SAFETENSORS, "its header is no JSON object")
    # Not parsed: whoever reads the tensors does that, and a header can be long.
    end = 8 + length + max(map(int, _ENDS.findall(header)), default=0)
    if end > file.size:
        return Content(Kind.SAFETENSORS, f"it is cut short: it should have {end:,} bytes, and has {file.size:,}")
    return Content(Kind.SAFETENSORS)


def _text(head: bytes) -> Content | None:
    """A text has no control characters but white space, and is UTF-8, at most cut in the middle of a character."""
    if any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < _HEAD)
    except UnicodeDecodeError:
        return None
    begins = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if begins.startswith(b"<?xml") and b"<net " in begins:
        return Content(Kind.OPENVINO)
    return Content(next((kind for start, kind in _TEXTS if begins.startswith(start)), Kind.TEXT))
