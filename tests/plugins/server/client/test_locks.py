"""Locks of the cache: their files go when nobody has taken them for long, and nobody is let in twice by that."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from model_registry_server.client.cache import Cache
from model_registry_server.client.locks import locked, sweep

ADDRESS = "http://127.0.0.1:9"


def locks_of(cache: Cache) -> list[Path]:
    return sorted((Path(cache.registry.settings.path) / "client" / "locks").iterdir())


def test_locks_that_nobody_took_for_long_are_swept_when_the_cache_is_opened() -> None:
    cache = Cache(ADDRESS, {})
    with cache.lock("old"), cache.upload("old"):
        pass
    for path in locks_of(cache):
        os.utime(path, (1000, 1000))
    with cache.lock("new"):
        pass
    assert len(locks_of(cache)) == 3
    assert len(locks_of(Cache(ADDRESS, {}))) == 1


def test_a_lock_that_is_used_again_is_not_old() -> None:
    cache = Cache(ADDRESS, {})
    for _ in range(2):
        with cache.lock("used"):
            [path] = locks_of(cache)
            assert path.stat().st_mtime > 1000
            os.utime(path, (1000, 1000))
    with cache.lock("used"):
        pass
    assert locks_of(Cache(ADDRESS, {})) == [path]


def test_a_lock_that_somebody_has_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path):
        sweep(tmp_path, -1)
        assert path.exists()
    sweep(tmp_path, -1)
    assert list(tmp_path.iterdir()) == []


def test_who_waited_for_a_lock_that_was_swept_keeps_out_those_who_come_later(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    has_it, may_go = threading.Event(), threading.Event()

    def take() -> None:
        with locked(path):
            has_it.set()
            may_go.wait()

    sweeper = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(sweeper, fcntl.LOCK_EX)
    taking = threading.Thread(target=take)
    taking.start()
    while open_at(path) < 2:  # it has opened the file, and waits for the lock
        time.sleep(0.001)
    path.unlink()
    os.close(sweeper)
    has_it.wait()
    try:
        with path.open("a") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        may_go.set()
        taking.join()


def open_at(path: Path) -> int:
    """How many descriptors of this process are of a file."""
    found = 0
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the listing itself
            found += os.readlink(f"/proc/self/fd/{descriptor}") == str(path)
    return found


def test_an_upload_is_remembered_for_longer_than_its_server_keeps_it_by_default() -> None:
    cache = Cache(ADDRESS, {})
    with cache.upload("begun") as note:
        note.write("abc")
        for path in (Path(cache.registry.settings.path) / "client" / "uploads").iterdir():
            two_days_ago = path.stat().st_mtime - 2 * 24 * 3600
            os.utime(path, (two_days_ago, two_days_ago))
    with Cache(ADDRESS, {}).upload("begun") as note:
        assert note.read() == "abc"
