"""What durability costs without a registry: the floor of registering a small model."""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from pathlib import Path

from measuring import sync


class Floor:
    """Writes a file, syncs it, hashes it, renames it into a folder, syncs the folder, and commits a row.

    :param folder: Made if it is missing; several processes may use it at once.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._database = sqlite3.connect(folder / "rows.sqlite", isolation_level=None, timeout=60)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE IF NOT EXISTS files (sha256 TEXT)")

    def write(self, data: bytes) -> None:
        """Keep some bytes."""
        digest = sha256(data).hexdigest()
        temporary = self._folder / f"{digest}-temporary"
        temporary.write_bytes(data)
        sync(temporary)
        temporary.rename(self._folder / digest)
        sync(self._folder)
        self._database.execute("INSERT INTO files VALUES (?)", (digest,))
