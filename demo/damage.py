"""Damage a file of a registry on purpose, and repair it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_registry import FileRecord, ModelEntry


def largest_file(entry: ModelEntry) -> FileRecord:
    """The file of a version that holds most of its weights."""
    return max(entry.files, key=lambda file: file.size)


@contextmanager
def flipped_byte(path: Path) -> Iterator[int]:
    """Flip the lowest bit of the byte in the middle of a file; gives its offset, and flips it back at the end."""
    offset = path.stat().st_size // 2
    _flip(path, offset)
    try:
        yield offset
    finally:
        _flip(path, offset)


def _flip(path: Path, offset: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode | stat.S_IWUSR)  # blobs are read-only, so that this does not happen by mistake
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    path.chmod(mode)
