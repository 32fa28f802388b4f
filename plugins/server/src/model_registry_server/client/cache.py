"""What a client has of its server: a registry in the user's cache, which may be deleted at any time."""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from model_registry import ModelEntry, ModelRegistry, StorageError
from model_registry.records import MEGABYTE
from model_registry_server.client import locks
from model_registry_server.client.untold import untold
from model_registry_server.places import client_folder

logger = logging.getLogger("model_registry")

#: What a cache is, whatever the configuration says of other registries.
_SETTINGS: Mapping[str, Any] = {
    "catalog": "sqlite:catalog.sqlite",
    "blobs": "file:.",
    "backup_enabled": False,
    "auto_archive": False,
    "idle_days": 0,
    "create": True,
}
#: Seconds after which what a killed process left behind is swept away.
_ABANDONED = 24 * 3600.0
#: Seconds after which no server has an upload any more, however long it keeps them.
_FORGOTTEN = 30 * _ABANDONED


class Cache:
    """The registry, and what is kept beside it: locks, what is just arriving, which uploads were begun, and when each
    version was used.

    :param address: Of the server.
    :param config: Other settings, by keyword.
    """

    def __init__(self, address: str, config: Mapping[str, Any]) -> None:
        folder = client_folder(address)
        given = {key: value for key, value in config.items() if key not in ("path", "registry_path")}
        self.registry = ModelRegistry(folder, **{**given, **_SETTINGS})
        self._beside = folder / "client"
        self._in_use: dict[str, list[weakref.ref[Any]]] = {}
        self._changing = threading.Lock()
        for name in ("locks", "incoming", "used", "uploads"):
            (self._beside / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    def lock(self, what: str) -> AbstractContextManager[None]:
        """Only one process, and one of its threads, changes something of the cache at a time.

        :param what: A version's reference, for what the cache has of it; or a model's name, for making versions of it,
            while others of its versions may come.
        """
        key = sha256(what.lower().encode(errors="surrogatepass")).hexdigest()[:32]
        return locks.locked(self._beside / "locks" / key)

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """An empty folder on the file system of the registry, which ends with the block."""
        folder = self._beside / "incoming" / uuid.uuid4().hex
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def upload(self, what: str) -> Iterator[Note]:
        """What is remembered of an upload, whose only sender the caller is within the block.

        :param what: Says what it is of; the same is sent by the same upload.
        """
        key = sha256(what.encode(errors="surrogatepass")).hexdigest()[:32]
        with self.lock(f"upload {key}"):
            yield Note(self._beside / "uploads" / key)

    def held(self, name: str, version: str, digest: str) -> ModelEntry | None:
        """The version, if the cache has it with this digest."""
        entry = self.registry.get_model_info(name, version)
        return entry if entry is not None and entry.digest == digest else None

    def drop(self, name: str, version: str, *, but: str | None = None) -> None:
        """Forget a version, unless it has the digest ``but``."""
        entry = self.registry.get_model_info(name, version)
        if entry is not None and entry.digest != but:
            with untold():
                self.registry.remove_model(name, version)
            with suppress(OSError):
                self._used(entry.digest).unlink()

    def note_use(self, entry: ModelEntry, model: object = None) -> None:
        """Remember that a version is used now; and that its files may be read as long as a model lives."""
        with suppress(OSError):
            self._used(entry.digest).touch(mode=0o600)
        with suppress(TypeError), self._changing:  # what takes no weak reference has its bytes in memory
            self._in_use.setdefault(entry.digest, []).append(weakref.ref(model))

    def make_room(self, just_came: ModelEntry) -> None:
        """Forget the versions that were not used for longest, as far as there are more bytes than there may be.

        :param just_came: Is not forgotten, whatever its size.
        """
        most = self.registry.settings.cache_size * MEGABYTE
        if self._bytes() <= most:
            return
        for entry in sorted(self.registry.list_models(), key=self._last_use):
            if entry.digest == just_came.digest or self._is_in_use(entry.digest):
                continue
            with self.lock(entry.reference):
                self.drop(entry.name, entry.version)
            logger.info("dropped %s from the cache", entry.reference)
            if self._bytes() <= most:
                break
        with untold():
            self.registry.collect_garbage(0)

    def _bytes(self) -> int:
        return int(self.registry.get_detailed_stats()["stored_bytes"])

    def _used(self, digest: str) -> Path:
        return self._beside / "used" / digest

    def _last_use(self, entry: ModelEntry) -> float:
        try:
            return self._used(entry.digest).stat().st_mtime
        except OSError:
            return 0.0

    def _is_in_use(self, digest: str) -> bool:
        with self._changing:
            alive = [model for model in self._in_use.pop(digest, ()) if model() is not None]
            if alive:
                self._in_use[digest] = alive
            return bool(alive)

    def _sweep(self) -> None:
        for kind, seconds in (("incoming", _ABANDONED), ("uploads", _FORGOTTEN)):
            for left in (self._beside / kind).iterdir():
                with suppress(OSError):
                    if time.time() - left.stat().st_mtime > seconds:
                        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()
        locks.sweep(self._beside / "locks", _ABANDONED)


class Note:
    """The id of an upload, where the next process finds it. What cannot be kept is only sent again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        """The id; None if none was noted."""
        try:
            text = self._path.read_text(encoding="ascii")
        except (OSError, ValueError):
            return None
        return text if text.isalnum() else None

    def write(self, upload_id: str) -> None:
        """Note it."""
        with suppress(OSError):
            self._path.write_text(upload_id, encoding="ascii")

    def forget(self) -> None:
        """There is no such upload any more."""
        with suppress(OSError):
            self._path.unlink()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Say of what the disk refuses that it was the cache."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError) or error.errno is None:
            raise
        hint = "make room there, or set XDG_CACHE_HOME to another place"
        raise StorageError(f"{path}: {error.strerror}", hint=hint, path=str(path)) from error
