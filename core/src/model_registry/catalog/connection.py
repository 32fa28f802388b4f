"""SQLite connections of the catalog: made once per thread and process, durable, and created without a race."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from model_registry.catalog.schema import MIGRATIONS, migrate, prepare
from model_registry.durable import make_folder, sync_file, sync_folder
from model_registry.errors import RegistryNotFoundError, StorageError
from model_registry.forks import Connection
from model_registry.names import shown

#: Seconds to wait for another process's transaction. They last milliseconds; this is for a stopped machine.
_BUSY_SECONDS = 120.0
#: What to do about a catalog that is lost or damaged.
REBUILD = "«model-registry rebuild» makes it anew from the blobs and the newest backup"


class Connections:
    """One connection per thread; after a fork the child opens its own, as SQLite demands."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self.listener: Callable[[Sequence[Mapping[str, Any]]], None] = lambda told: None
        self._local = threading.local()
        if not _exists(path):
            if path.parent.is_file():
                message = f"no registry at {path.parent}: that is a file"
                raise RegistryNotFoundError(message, hint="give the registry's folder", path=str(path.parent))
            if not create:
                raise RegistryNotFoundError(
                    f"no registry at {path.parent}",
                    hint="check the path; registering a model makes one",
                    path=str(path.parent),
                )
            try:
                _create(path)
            except OSError as error:
                raise _place_error(error, path) from error
        with self.reading() as connection:
            if _schema_version(connection) == 0:  # ours are never seen without their schema
                raise StorageError(
                    f"{path} is no catalog: it is empty, or another program's",
                    hint=f"{REBUILD}; nothing was changed",
                    path=str(path),
                )
            _migrate(connection, path)
            if _schema(connection) != _our_schema():
                raise StorageError(
                    f"{path} has other tables, views or triggers than a catalog has: somebody changed it",
                    hint=f"{REBUILD}; nothing was changed",
                    path=str(path),
                )

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The thread's connection, for single SELECTs."""
        try:
            connection = self._connection()
            with connection.using:
                yield connection
        except sqlite3.DatabaseError as error:
            raise _storage_error(error, self.path) from error

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """A write transaction, alone in the database. ``durable``: acknowledged only once it survives a power cut.

        Without FULL, a power cut loses acknowledged commits of a WAL database; what concerns only running processes
        (leases and claims) dies with them anyway and need not wait for the disk.
        """
        told: list[dict[str, Any]] = []
        try:
            while True:
                connection = self._connection()
                with connection.using:
                    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                    connection.execute("BEGIN IMMEDIATE")
                    if identity(self.path) != self._local.state[2]:  # replaced by a rebuilt one while we waited
                        connection.execute("ROLLBACK")
                        continue
                    connection.told = told
                    try:
                        yield connection
                        connection.execute("COMMIT")
                    except BaseException:
                        with suppress(sqlite3.Error):
                            connection.execute("ROLLBACK")
                        raise
                break
        except sqlite3.DatabaseError as error:
            raise _storage_error(error, self.path) from error
        if told:
            self.listener(told)

    def _connection(self) -> Connection:
        state = (os.getpid(), _frozen_state(self.path), identity(self.path))
        if getattr(self._local, "state", None) != state:
            self._local.connection = _connect(self.path, frozen=state[1])
            self._local.state = state
        connection: Connection = self._local.connection
        return connection


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise _place_error(error, path) from error


def _place_error(error: OSError, path: Path) -> StorageError:
    if isinstance(error, StorageError):
        return error
    reason = f"there can be no registry at {shown(str(path.parent))}: {error.strerror}"
    return StorageError(reason, hint="choose another folder", path=str(path.parent))


def identity(path: Path) -> tuple[int, int] | None:
    """Which file it is: what is written into one that was moved away is lost."""
    try:
        stat = path.stat()
    except OSError:  # SQLite says what is wrong with it
        return None
    return stat.st_dev, stat.st_ino


def _frozen_state(path: Path) -> tuple[int, int, bool] | None:
    """What is seen of a catalog that cannot be written, such as one on a read-only mount; None for others.

    Without a log beside it nobody is writing, and SQLite reads it as it is; until it looks different.
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return None
    try:
        stat = path.stat()
    except OSError:  # SQLite says what is wrong with it
        return None
    return stat.st_mtime_ns, stat.st_size, path.with_name(f"{path.name}-wal").exists()


def _connect(path: Path, *, frozen: tuple[int, int, bool] | None) -> Connection:
    # mode=rw: never make an empty database where the registry's was taken away.
    mode = "mode=rw" if frozen is None else "mode=ro" if frozen[2] else "mode=ro&immutable=1"
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = Connection(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False)
    if frozen is not None and 0 < _schema_version(connection) < len(MIGRATIONS):
        connection = _migrated_in_memory(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")  # the file may be somebody else's
    prepare(connection)
    return connection


def _migrated_in_memory(connection: Connection) -> Connection:
    """An older catalog that cannot be written, such as one on a read-only mount, as it would be after a migration."""
    copy = Connection(":memory:", isolation_level=None, check_same_thread=False)
    connection.backup(copy)
    connection.close()
    prepare(copy)
    copy.execute("BEGIN")
    migrate(copy, _schema_version(copy))
    copy.execute("COMMIT")
    return copy


def _create(path: Path) -> None:
    """Make the database under another name and link it into place, so that nobody ever sees half a schema."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and not path.exists():  # in this order: a catalog is older than its log
        raise StorageError(
            f"{log} belongs to a catalog that is gone",
            hint=f"SQLite would play it into a new one; {REBUILD}",
            path=str(log),
        )
    folder = path.parent / "staging" / os.urandom(8).hex()  # where a collection finds what a crash leaves
    make_folder(folder)
    temporary = folder / path.name
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        prepare(connection)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = WAL")
        _migrate(connection, path)
        connection.close()
        sync_file(temporary)
        os.link(temporary, path)
    except FileExistsError:
        pass  # another process was first
    except sqlite3.DatabaseError as error:
        raise _storage_error(error, path) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sync_folder(path.parent)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to this version; several processes may try at once."""
    if _schema_version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    found = _schema_version(connection)
    if found > len(MIGRATIONS):
        connection.execute("ROLLBACK")
        raise StorageError(
            f"{path} has schema version {found}, this core knows up to {len(MIGRATIONS)}",
            hint="it was written by a newer model-registry-core: upgrade",
            path=str(path),
        )
    try:
        migrate(connection, found)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def open_copy(path: Path, *, is_new: bool) -> Connection:
    """A catalog that nobody else uses: a new one, or the copy of another, checked and brought to this schema.

    :raises StorageError: if it is damaged, or no catalog.
    """
    try:
        connection = Connection(path, isolation_level=None, check_same_thread=False)
        prepare(connection)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA foreign_keys = OFF")  # tables are exchanged by migrations
        connection.execute("PRAGMA synchronous = OFF")
        if not is_new:
            _require_sound(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        _migrate(connection, path)
        if _schema(connection) != _our_schema():
            raise StorageError(f"{path} has other tables than a catalog has", path=str(path))
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.DatabaseError as error:
        raise _storage_error(error, path) from error
    return connection


def _require_sound(connection: sqlite3.Connection, path: Path) -> None:
    problems = problems_of(connection)
    if problems or _schema_version(connection) == 0:
        raise StorageError(f"{path} is damaged: {problems[0] if problems else 'it is empty'}", path=str(path))


def problems_of(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with a database, one line each; at most a hundred."""
    try:
        found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def _schema(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """What there is, and by which statement, however that was broken into lines."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    return {(type, name, table, " ".join(str(sql).split())) for type, name, table, sql in connection.execute(query)}


@lru_cache(maxsize=1)
def _our_schema() -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        prepare(connection)
        migrate(connection, 0)
        return _schema(connection)


def _schema_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _storage_error(error: sqlite3.DatabaseError, path: Path) -> Exception:
    if isinstance(error, sqlite3.IntegrityError):
        return error  # a constraint spoke: the caller knows what it means
    text = str(error)
    hint = "nothing was changed; try again"
    if "full" in text:
        hint = "free some space and try again; nothing was changed"
    elif "malformed" in text or "not a database" in text:
        hint = f"the catalog is damaged; {REBUILD}"
    elif "readonly" in text:
        hint = "the registry's folder is not writable for this user"
    return StorageError(f"catalog {path}: {text}", hint=hint, path=str(path), full="full" in text)
