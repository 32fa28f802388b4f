"""Exports that were made are kept for a while: a version never changes, so what was made of it does not either."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from model_registry import ModelEntry, ModelRegistry
from model_registry_server.transfer.archives import Archive, archive_content
from model_registry_server.transfer.content import Content, Member, file_content
from model_registry_server.transfer.hashing import hash_of_file

#: Seconds in which an export is fetched that was made.
_FETCHED_WITHIN = 300.0


def export_key(digest: str, format: str, gate: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """What tells an export from every other one. What is not compared has no tolerance."""
    gate = gate if gate["check"] else {"check": False}
    return sha256(json.dumps([digest, format, dict(gate), dict(options)], sort_keys=True).encode()).hexdigest()[:32]


class Exports:
    """The folder of exports.

    :param most_bytes: What they may take; those that were asked for least recently go first.
    """

    def __init__(self, folder: Path, registry: ModelRegistry, most_bytes: int) -> None:
        self._folder = folder
        self._registry = registry
        self._most_bytes = most_bytes

    def place(self, key: str, entry: ModelEntry, format: str, under_way: Collection[str] = ()) -> Path:
        """Where an export is to be written.

        :param under_way: Keys of those that are being made, for which there has to be room.
        """
        self.make_room({key, *under_way})
        folder = self._folder / key
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        spec = self._registry.formats().get(format)
        suffix = spec.suffixes[0] if spec is not None and spec.suffixes else ""
        return folder / f"{entry.name.rpartition('/')[2]}-{entry.version}{suffix}"

    def content(self, key: str, entry: ModelEntry, archive: Archive | None) -> Content | None:
        """What was exported; None if it was not, or had to make room."""
        folder = self._folder / key
        with suppress(OSError):
            made = [path for path in folder.iterdir() if not path.name.startswith(".")]
            if len(made) != 1:
                return None
            folder.touch()  # it was asked for just now
            return _content(made[0], archive)
        return None

    def make_room(self, spared: Collection[str] = ()) -> None:
        """Remove those that were asked for least recently, until the others may stay.

        :param spared: Keys of those that stay; and those do that somebody asked for just now, and may still fetch.
        """
        now = time.time()
        with suppress(FileNotFoundError):
            kept = sorted(self._folder.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
            total = 0
            for folder in kept:
                total += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                is_new = now - folder.stat().st_mtime < _FETCHED_WITHIN and total <= 2 * self._most_bytes
                if total > self._most_bytes and not (is_new or folder.name in spared):
                    shutil.rmtree(folder, ignore_errors=True)


def _content(path: Path, archive: Archive | None) -> Content:
    if path.is_file() and archive is None:
        return file_content(path, path.name, _sha256(path), path.stat().st_size)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    root = path.parent if path.is_file() else path
    members = [Member(file.relative_to(root).as_posix(), file, file.stat().st_size, _sha256(file)) for file in files]
    return archive_content(members, path.name, _digest(members), archive)


def _digest(members: Collection[Member]) -> str:
    """Of the bytes, not of what was asked for: what is made a second time, when it had to make room, may be other."""
    return sha256(json.dumps([(member.path, member.sha256) for member in members]).encode()).hexdigest()


def _sha256(path: Path) -> str:
    found = path.stat()
    return _hash(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1000)
def _hash(path: Path, size: int, changed: int) -> str:
    return hash_of_file(path, size).hexdigest()
