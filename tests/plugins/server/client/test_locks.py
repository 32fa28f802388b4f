"""Locks of the cache: their files go when nobody has taken them for long, and nobody is let in twice by that."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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


def test_no_two_have_a_lock_while_locks_are_swept(tmp_path: Path) -> None:
    inside, most, over = [], [], threading.Event()

    def take() -> None:
        for _ in range(300):
            with locked(tmp_path / "lock"):
                inside.append(None)
                most.append(len(inside))
                inside.pop()

    def keep_sweeping() -> None:
        while not over.is_set():
            sweep(tmp_path, -1)

    sweeper = threading.Thread(target=keep_sweeping)
    sweeper.start()
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(take) for _ in range(4)]
    over.set()
    sweeper.join()
    for each in done:
        each.result()
    assert max(most) == 1


def test_an_upload_is_remembered_for_longer_than_its_server_keeps_it_by_default() -> None:
    cache = Cache(ADDRESS, {})
    with cache.upload("begun") as note:
        note.write("abc")
        for path in (Path(cache.registry.settings.path) / "client" / "uploads").iterdir():
            two_days_ago = path.stat().st_mtime - 2 * 24 * 3600
            os.utime(path, (two_days_ago, two_days_ago))
    with Cache(ADDRESS, {}).upload("begun") as note:
        assert note.read() == "abc"
