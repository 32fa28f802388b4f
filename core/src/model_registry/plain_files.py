"""Files that others give us: only plain ones are read, whatever has taken their place since we looked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG

from model_registry.digests import sha256_of_descriptor
from model_registry.errors import StorageError, UnsafeModelError

#: So many pieces of two files, of so many bytes each, are compared to see whether the files may be equal.
_PIECES, _PIECE = 16, 1 << 14


@contextmanager
def open_plain(path: Path) -> Iterator[int]:
    """A descriptor to read a file. If a link or a pipe has its name, nothing is read and nothing waits.

    :raises UnsafeModelError: for anything but a plain file.
    :raises StorageError: if it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror}", hint="check its permissions", path=str(path)
        ) from error
    try:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise UnsafeModelError(f"{path} is no plain file", hint="replace it by one", path=str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def sha256_of_plain(path: Path) -> str:
    """Hex SHA-256 of a file. Raises what :func:`open_plain` does."""
    with open_plain(path) as descriptor:
        return sha256_of_descriptor(descriptor)


def seem_equal(descriptor: int, other: Path, size: int) -> bool:
    """Whether an open file and another one, of so many bytes both, agree in pieces all over them.

    Versions of one model have the same number of bytes, but few pieces in common.
    """
    step = max((size - _PIECE) // (_PIECES - 1), 1)
    try:
        with open_plain(other) as another:
            return all(
                os.pread(descriptor, _PIECE, index * step) == os.pread(another, _PIECE, index * step)
                for index in range(_PIECES)
            )
    except (StorageError, UnsafeModelError):
        return False


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """(relative path, file) of every file below a folder, sorted.

    :raises UnsafeModelError: for a link or anything else that is no plain file: it would bring in another file's bytes.
    """
    for root, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted([*names, *folders]):
            file = Path(root, name)
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise UnsafeModelError(
                    f"{file} is no plain file", hint="replace the link by what it points to", path=str(file)
                )
            if file.is_file():
                yield file.relative_to(folder).as_posix(), file


def _raise(error: OSError) -> None:
    raise error  # a folder that cannot be read must not count as empty
