"""An archive of the server made into a folder. Nothing that anybody may have put into one leads out of it."""

from __future__ import annotations

import sys
import tarfile
from io import FileIO
from pathlib import Path
from shutil import copyfileobj

from model_registry import InvalidNameError, StorageError
from model_registry_server.transfer.layout import plain_name

_PIECE = 1 << 18
#: Bytes of all headers of one member.
_HEADERS = 1 << 20
_REFUSED = "nothing of it was kept; see that the address is that of a server that you trust"


def unpack(archive: Path, folder: Path) -> None:
    """Write the files and folders of a tar below a folder, which is made.

    The filters of ``tarfile`` have been wrong before, and look at links. The server sends none, so none is taken: what
    was written here never leads elsewhere.

    :raises StorageError: for anything else in it, or what is no tar.
    """
    folder.mkdir()
    try:
        with _InPieces(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := file.headers_of(tar)) is not None:
                _write(tar, member, folder)
                # It keeps them all: of small files, more than the archive is long.
                tar.members.clear()  # type: ignore[attr-defined]
                if tar.pax_headers:
                    raise _refused("has headers for all that follows", archive)
    except OSError:  # also what was refused
        raise
    except Exception as error:  # whatever tarfile raises of an archive that anybody may have made
        raise _refused(f"cannot be unpacked: {error!s:.200}", archive) from error


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    try:
        target = folder / plain_name(member.name)
    except InvalidNameError as error:
        raise _refused(f"holds {member.name!r:.200}, which is no name within a folder", folder) from error
    if member.issparse() or member.size < 0:  # the bytes that it gives are not those that came
        raise _refused(f"holds {member.name!r:.200}, whose size is not that of its bytes", folder)
    try:
        if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            _write_file(tar, member, target)
        elif member.isdir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            raise _refused(f"holds {member.name!r:.200}, which is neither a file nor a folder", folder)
    except (FileExistsError, NotADirectoryError) as error:
        raise _refused(f"holds {member.name!r:.200} twice, or as a file and as a folder", folder) from error


def _write_file(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    with target.open("xb") as file:
        if source is not None:
            copyfileobj(source, file, _PIECE)


def _refused(why: str, path: Path) -> StorageError:
    return StorageError(f"the server's archive {why}", hint=_REFUSED, path=str(path))


class _InPieces(FileIO):
    """A file of which nobody reads much at once, nor very many headers of one member: they say themselves how long they
    are, and how many."""

    _left = _HEADERS  # to open a tar reads its first member's

    def headers_of(self, tar: tarfile.TarFile) -> tarfile.TarInfo | None:
        """The next member of the tar that this file is."""
        self._left = _HEADERS
        try:
            return tar.next()
        finally:
            self._left = sys.maxsize  # what follows is the member's own

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _PIECE:
            raise tarfile.ReadError("a header is longer than 256 KiB")
        self._left -= size
        if self._left < 0:
            raise tarfile.ReadError("the headers of a member are longer than 1 MiB")
        return super().read(size) or b""
