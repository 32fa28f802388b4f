"""Putting a new catalog where a lost or damaged one was. Nothing is deleted, and nobody sees half of it.

Whoever has the old catalog open notices when it writes next: it is another file then (see ``Connections.writing``).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from model_registry.catalog.connection import Connections, identity, problems_of
from model_registry.durable import make_folder, sync_folder
from model_registry.errors import ModelRegistryError, StorageError

#: Seconds to wait until whoever writes has written.
_BUSY_SECONDS = 120.0
_LOGS = ("-wal", "-shm")


def problem_of(path: Path) -> str | None:
    """What is wrong with a catalog, None if it is sound. Every page of it is read."""
    try:
        with Connections(path, create=False).reading() as db:
            return next(iter(problems_of(db)), None)
    except ModelRegistryError as error:
        return error.message


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Let nobody write into a catalog meanwhile, as far as its state allows that: it may be gone, or no database."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS)
    except sqlite3.Error:
        yield
        return
    with closing(db):
        db.isolation_level = None
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if "locked" in str(error):
                hint = "wait until it is done, and rebuild again"
                raise StorageError(f"another process is writing into {path}", hint=hint, path=str(path)) from error
        yield


def replace(path: Path, new: Path, old: tuple[int, int] | None, aside: Path) -> bool:
    """Move the old catalog and its logs aside, and let the new one, which is complete and synced, take its place.

    :param old: The identity of the catalog that was looked at; None if there was none.
    :param aside: A folder that does not exist yet, on the same filesystem; made if there is something to move.
    :returns: Whether something was moved aside.
    :raises StorageError: if another process was faster; its catalog stays.
    """
    moved = _move_aside(path, old, aside)
    try:
        os.link(new, path)
    except FileExistsError:
        raise _too_late(path) from None
    sync_folder(path.parent)
    return moved


def _move_aside(path: Path, old: tuple[int, int] | None, aside: Path) -> bool:
    if identity(path) != old:
        raise _too_late(path)
    found = [file for file in (path, *(path.with_name(path.name + log) for log in _LOGS)) if os.path.lexists(file)]
    if not found:
        return False
    make_folder(aside)
    for file in found:
        with suppress(FileNotFoundError):  # SQLite's own cleaning up
            os.rename(file, aside / file.name)
        if file == path and identity(aside / path.name) != old:
            os.link(aside / path.name, path)  # it was exchanged since we looked
            raise _too_late(path)
    sync_folder(aside)
    sync_folder(path.parent)
    return True


def _too_late(path: Path) -> StorageError:
    return StorageError(
        f"another process has put a new catalog to {path} meanwhile", hint="nothing is left to do", path=str(path)
    )
