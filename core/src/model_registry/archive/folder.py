"""The folder of packs: which blobs they hold, what these are told by, and so what has to stay."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import Factory, frozen

from model_registry.archive.pack import Head, Packed, Table, read_head, read_table
from model_registry.digests import is_sha256
from model_registry.durable import make_folder, sync_folder
from model_registry.errors import ModelRegistryError, StorageError

#: A blob is told by another, that by a third, and so on: so many steps at most.
MOST_STEPS = 8


@frozen
class Listing:
    """What the packs hold.

    :param heads: The packs that can be read, by name; ``damaged``: why others cannot.
    :param holders: The pack that holds a blob.
    """

    heads: Mapping[str, Head] = Factory(dict)
    damaged: Mapping[str, str] = Factory(dict)
    holders: Mapping[str, Head] = Factory(dict)
    _told_by: Mapping[str, set[str]] = Factory(dict)

    def get(self, sha256: str) -> Packed | None:
        """A blob, None if no pack holds it."""
        head = self.holders.get(sha256)
        return None if head is None else head.blobs[sha256]

    def is_base(self, sha256: str) -> bool:
        """Whether a blob in a pack is told by this one."""
        return bool(self._told_by.get(sha256))

    def told_by(self, sha256: str) -> set[str]:
        """The blobs that are told by this one, directly."""
        return set(self._told_by.get(sha256, ()))

    def bases(self) -> set[str]:
        """The blobs that others are told by."""
        return {sha256 for sha256, told in self._told_by.items() if told}

    def dependents(self, sha256: str) -> set[str]:
        """All blobs that cannot be restored without this one."""
        found: set[str] = set()
        todo = [sha256]
        while todo:
            new = self._told_by.get(todo.pop(), set()) - found
            found |= new
            todo += new
        return found

    def depth(self, sha256: str) -> int:
        """Steps down from a blob to what needs no other; 0 if it is not in a pack. Of a circle, more than allowed."""
        level, steps = {sha256}, 0
        while steps <= MOST_STEPS:
            level = {base for each in level if (packed := self.get(each)) for base in packed.bases}
            if not level:
                break
            steps += 1
        return steps

    def height(self, sha256: str) -> int:
        """Steps up from a blob to the farthest of its dependents, likewise."""
        level, steps = {sha256}, 0
        while steps <= MOST_STEPS:
            level = {told for each in level for told in self._told_by.get(each, ())}
            if not level:
                break
            steps += 1
        return steps


class Packs:
    """The packs in a folder. They are immutable; who adds or removes some holds ``changing``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: tuple[int, list[str], Listing] = (-1, [], Listing())
        self._heads: dict[str, Head] = {}

    def listing(self) -> Listing:
        """What is there now."""
        try:
            stamp = os.stat(self.folder).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return Listing()
        seen, names, listing = self._seen
        if stamp != seen:
            found = self._names()
            # Packs never change, so those of the same names are the same. One that cannot be read may be mended.
            if found != names or listing.damaged:
                listing = self._list(found)
            # Two changes within one tick of the clock have one stamp: such a young one is not remembered.
            self._seen = (stamp if _is_old(stamp) else -1, found, listing)
        return listing

    def _names(self) -> list[str]:
        if self.folder.is_symlink():
            raise StorageError(f"{self.folder} is a link", hint="put the folder itself there", path=str(self.folder))
        return sorted(filter(is_sha256, os.listdir(self.folder)))

    def _list(self, names: list[str]) -> Listing:
        damaged = {}
        for name in names:
            if name not in self._heads:
                try:
                    self._heads[name] = read_head(self.folder / name, name)
                except ModelRegistryError as error:
                    if os.path.lexists(self.folder / name):
                        damaged[name] = error.message
        heads = {name: self._heads[name] for name in names if name in self._heads}
        holders: dict[str, Head] = {}
        told_by: dict[str, set[str]] = {}
        for head in heads.values():
            for sha256 in head.blobs:
                holders.setdefault(sha256, head)
        for sha256, head in holders.items():
            for base in head.blobs[sha256].bases:
                told_by.setdefault(base, set()).add(sha256)
        return Listing(heads, damaged, holders, told_by)

    def path(self, name: str) -> Path:
        return self.folder / name

    def table(self, head: Head, sha256: str) -> Table:
        """The pieces of a blob that a pack holds."""
        return read_table(self.folder / head.name, head.blobs[sha256])

    @contextmanager
    def changing(self, *, wait: bool = True) -> Iterator[bool]:
        """Nobody else adds or removes packs meanwhile. Gives False if somebody does, and ``wait`` is False."""
        make_folder(self.folder)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)  # which ends the lock

    def publish(self, staged: Path, name: str) -> None:
        """Move a pack that was synced into the folder; it is there after a power cut."""
        os.chmod(staged, staged.stat().st_mode & 0o444)
        os.rename(staged, self.folder / name)
        sync_folder(self.folder)

    def remove(self, name: str) -> int:
        """Unlink a pack; returns the bytes freed."""
        path = self.folder / name
        with suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            return size
        return 0


def _is_old(stamp: int) -> bool:
    return time.time_ns() - stamp > 2_000_000_000
