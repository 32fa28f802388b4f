"""Whether the server can do its work: the registry can be read, and there is room to write."""

from __future__ import annotations

import asyncio
import math
import os
import time

from anyio.to_thread import run_sync

from model_registry import ModelRegistry, ModelRegistryError, StorageError
from model_registry_server.security import moments
from model_registry_server.state import State

#: Seconds for which what was found is told again, so that whoever asks often costs no more than others.
_BELIEVED = 1.0
#: Seconds for which a look is waited for.
_PATIENCE = 5.0
#: Bytes that are written, to see whether there is room: a database finds some in its own log when the disk has none.
_PROBE = b"?" * 4096

_TABLE = "CREATE TABLE IF NOT EXISTS ready (at INTEGER)"
_WRITE = "INSERT OR REPLACE INTO ready (rowid, at) VALUES (1, ?)"


class Readiness:
    """Looks whether a server is ready, at most once a second. Used by one event loop."""

    def __init__(self, registry: ModelRegistry, state: State) -> None:
        self._registry = registry
        self._state = state
        self._look: asyncio.Task[ModelRegistryError | None] | None = None
        self._looked = -math.inf
        state.create(_TABLE)

    async def check(self) -> None:
        """:raises StorageError: if the registry cannot be read, or nothing be written beside it."""
        if self._look is None or (self._look.done() and time.monotonic() - self._looked >= _BELIEVED):
            self._look = asyncio.create_task(self._look_now())
        done, _ = await asyncio.wait((self._look,), timeout=_PATIENCE)
        if not done:
            message = f"{self._state.folder}: nothing could be written for {_PATIENCE:g} s"
            hint = "see whether the disk hangs, or another process holds the database"
            raise StorageError(message, hint=hint, path=str(self._state.folder))
        problem = self._look.result()
        if problem is not None:
            raise problem.with_traceback(None)  # which would grow, each time that it is raised

    async def _look_now(self) -> ModelRegistryError | None:
        try:
            return await run_sync(self._find_problem)
        finally:
            self._looked = time.monotonic()

    def _find_problem(self) -> ModelRegistryError | None:
        try:
            self._registry.history(limit=1)
            with self._state.writing() as db:
                db.execute(_WRITE, (moments.microseconds(moments.now()),))
            self._write_probe()
        except ModelRegistryError as error:
            return error
        return None

    def _write_probe(self) -> None:
        path = self._state.folder / "ready"
        try:
            with path.open("wb") as file:
                file.write(_PROBE)
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except OSError as error:
            hint = "the server needs to write there; free some space if the disk is full"
            raise StorageError(f"{path}: {error.strerror}", hint=hint, path=str(path)) from error
