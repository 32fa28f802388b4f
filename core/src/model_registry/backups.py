"""Backups of the catalog, and what was changed since.

::

    backups/
      catalog-20260131T120000000000Z.sqlite    a consistent copy; the newest three are kept
      changes-20260131T120503000000Z.jsonl     what was changed since, a line each

A lost catalog is made anew from the blobs, which tell of every registration. What they cannot tell (aliases, tags,
descriptions, links, removals) is in the newest backup, or in a line: each change is appended here, durably, before it
is acknowledged. Events have ascending ids, so whoever reads a backup goes on with the lines above its last one, in
whichever file they are.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any

from model_registry.clock import moment, now
from model_registry.durable import make_folder, sync_file, sync_folder, write_all
from model_registry.errors import StorageError

KEPT = 3
_NAME = re.compile(r"(catalog|changes)-([0-9]{8}T[0-9]{12}Z)\.(?:sqlite|jsonl)")
#: Bytes of a line; ours have at most two descriptions of a change, each of 100,000 characters of six bytes.
_LONGEST_LINE = 4 << 20
#: Bytes of a file that are read: changes of one day, a thousand times over.
_MOST_BYTES = 1 << 28


class Backups:
    """The folder ``backups`` of a registry. Several processes may use it at once."""

    def __init__(self, registry: Path) -> None:
        self.folder = registry / "backups"

    def catalogs(self) -> list[Path]:
        """The copies of the catalog, the newest first."""
        return self._files("catalog")[::-1]

    def changes(self) -> list[Path]:
        """The files of changes, the oldest first."""
        return self._files("changes")

    def newest(self) -> str | None:
        """When the last backup was taken, or the first change noted that is in none; None if there is neither."""
        found = self.catalogs() or self.changes()
        return _stamp_of(found[0]) if found else None

    def publish(self, copy: Path) -> Path:
        """Sync a copy of the catalog, move it here, and drop what is older than the three newest.

        :param copy: On the same filesystem.
        """
        sync_file(copy)
        self._make()
        target = self.folder / f"catalog-{self._stamp()}.sqlite"
        os.rename(copy, target)
        sync_folder(self.folder)
        self._prune()
        return target

    def aside(self) -> Path:
        """A folder, not made yet, for a catalog that is replaced."""
        self._require_own()
        return self.folder / f"damaged-{stamp_at(now())}"

    def append(self, changes: Iterable[Mapping[str, Any]]) -> None:
        """Append changes, durably. Each process writes its lines with one call, so that lines are never mixed."""
        # A line break in front: the last line may be torn, of a process that was killed.
        lines = "".join(f"\n{json.dumps(change, ensure_ascii=False, separators=(',', ':'))}\n" for change in changes)
        self._make()
        path = self._current()
        is_new = not path.exists()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o666)
        try:
            write_all(descriptor, [lines.encode()])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self.folder)

    def read_changes(self) -> Iterator[tuple[str, int, bytes]]:
        """(file, number of the line, line) of every change that is noted, in no order. Nobody vouches for them."""
        for path in self.changes():
            with suppress(FileNotFoundError), path.open("rb") as file:
                number = 0
                while line := file.readline(_LONGEST_LINE):
                    number += 1
                    if line.strip():
                        yield path.name, number, line
                    if file.tell() > _MOST_BYTES:
                        yield path.name, number + 1, f"the rest, behind {_MOST_BYTES:,} bytes".encode()
                        break

    def _current(self) -> Path:
        """The file for new changes: that of the changes since the newest backup."""
        changes, catalogs = self.changes(), self.catalogs()
        if changes and (not catalogs or _stamp_of(changes[-1]) > _stamp_of(catalogs[0])):
            return changes[-1]
        return self.folder / f"changes-{self._stamp()}.jsonl"

    def _stamp(self) -> str:
        """The time, after all others here even if the clock was set back."""
        stamp = stamp_at(now())
        newest = max((_stamp_of(path) for path in (*self.catalogs(), *self.changes())), default="")
        return stamp if stamp > newest else f"{newest[:9]}{int(newest[9:21]) + 1:012}Z"

    def _prune(self) -> None:
        old = self.catalogs()[KEPT:]
        if not old:
            return
        # Changes since the newest of the old ones stay: some may have been noted while its successor was taken.
        oldest = _stamp_of(old[0])
        for path in (*old, *(path for path in self.changes() if _stamp_of(path) < oldest)):
            path.unlink(missing_ok=True)

    def _files(self, kind: str) -> list[Path]:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries if S_ISREG(entry.stat(follow_symlinks=False).st_mode)]
            return [
                self.folder / name for name in sorted(names) if (found := _NAME.fullmatch(name)) and found[1] == kind
            ]
        return []

    def _make(self) -> None:
        self._require_own()
        make_folder(self.folder)

    def _require_own(self) -> None:
        if self.folder.is_symlink():  # what is pruned there would be another's
            raise StorageError(f"{self.folder} is a link", hint="put the folder itself there", path=str(self.folder))


def stamp_at(microseconds: int) -> str:
    """A time as names of backups have it; they sort as the times do."""
    return moment(microseconds).strftime("%Y%m%dT%H%M%S%fZ")


def _stamp_of(path: Path) -> str:
    return path.stem.partition("-")[2]
