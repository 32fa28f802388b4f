"""The files of a version as plugins see them: verified before they are handed out."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from model_registry import workers
from model_registry.blobs import BlobStore
from model_registry.errors import IntegrityError, UnsafeModelError
from model_registry.plain_files import files_below
from model_registry.records import FileRecord
from model_registry.staged import StagedFile


class _Files(ABC):
    """What stored and staged files have in common. See :class:`model_registry.hookspecs.VersionFiles`."""

    def __init__(self, records: Sequence[FileRecord]) -> None:
        self._records = {record.path: record for record in records}
        self._lock = threading.Lock()
        self._directory: Path | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._records))

    def __contains__(self, path: object) -> bool:
        return path in self._records

    def size(self, path: str) -> int:
        return self._records[path].size

    @abstractmethod
    def local(self, path: str) -> Path:
        """Where a member's bytes are."""

    def verify(self, paths: Iterable[str] | None = None) -> None:
        wanted = sorted(self._records if paths is None else paths)
        if wanted:
            workers.run_all(self.local, wanted)

    def read(self, path: str, limit: int = 64 << 20) -> bytes:
        if self.size(path) > limit:
            raise UnsafeModelError(
                f"{path} has {self.size(path):,} bytes where at most {limit:,} make sense",
                hint="it was not read",
                path=path,
            )
        return self.local(path).read_bytes()

    def directory(self) -> Path:
        with self._lock:
            if self._directory is None:
                self.verify()
                self._directory = Path(tempfile.mkdtemp(prefix="model_registry-"))
                self._removal = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
                for path in self:
                    link = self._directory / path
                    link.parent.mkdir(parents=True, exist_ok=True)
                    # Not a hard link: that would change the blob's fingerprint and have it hashed again.
                    link.symlink_to(self.local(path).absolute())
            return self._directory

    def keep_for(self, model: object) -> None:
        """Let the folder of ``directory`` live as long as the model, which may go on reading from it."""
        if self._directory is None or not self._removal.detach():
            return
        try:
            weakref.finalize(model, _remove, self._directory, self)
        except TypeError:  # such as a list, of whose end nobody is told: until the process ends
            atexit.register(_remove, self._directory, self)


def _remove(directory: Path, files: _Files) -> None:
    """Remove the folder of files; until then they are used."""
    shutil.rmtree(directory, ignore_errors=True)


class StoredFiles(_Files):
    """The files of a registered version."""

    def __init__(self, reference: str, records: Sequence[FileRecord], blobs: BlobStore) -> None:
        super().__init__(records)
        self._reference = reference
        self._blobs = blobs
        self._found: dict[str, Path] = {}

    def moved(self) -> bool:
        """Whether a file that was handed out is not there any more: it was archived meanwhile, or what was restored
        gave way."""
        return not all(path.exists() for path in self._found.values())

    def verify(self, paths: Iterable[str] | None = None) -> None:
        wanted = self._records if paths is None else paths
        super().verify([path for path in wanted if path not in self._found])

    def local(self, path: str) -> Path:
        if path not in self._found:
            record = self._records[path]
            found = self._blobs.fetch(record.sha256, record.size, self)
            if found is None:
                message = f"{self._reference}: {damage(self._blobs, record)}"
                raise IntegrityError(message, hint=REPAIR, path=path, expected=record.sha256)
            self._found[path] = found
        return self._found[path]


class StagedFiles(_Files):
    """The files of a version that is being registered: ours, and hashed a moment ago."""

    def __init__(self, staged: Sequence[StagedFile], blobs: BlobStore) -> None:
        super().__init__([file.record for file in staged])
        self._places = {file.record.path: file.written or blobs.local(file.record.sha256) for file in staged}

    def local(self, path: str) -> Path:
        return self._places[path]


class PathFiles(_Files):
    """A file or folder that was just written, as plugins see the files of a version. Nothing of it is hashed.

    :param name: What a single file is called.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        found = dict(files_below(path)) if path.is_dir() else {name: path}
        super().__init__([FileRecord(name, file.stat().st_size, "", "") for name, file in found.items()])
        self._found = found

    def local(self, path: str) -> Path:
        return self._found[path]


REPAIR = "load another version, or register the same model again: that puts the bytes back"


def damage(blobs: BlobStore, record: FileRecord) -> str:
    """What is wrong with a file whose bytes are not those that were registered."""
    found = blobs.size(record.sha256)
    if found is None and record.sha256 in blobs.archived():
        return f"file {record.path!r} cannot be restored: its pack, or what it is told by, is damaged or gone"
    if found is None:
        state = "is missing"
    elif found != record.size:
        state = f"has {found:,} of {record.size:,} bytes"
    else:
        state = "was changed"
    return f"file {record.path!r} {state} on disk (blobs/sha256/{record.sha256})"
