"""The history is followed by one look for all, in bounded memory, and also past a catalog that was put back."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from model_registry import Event, ModelRegistry
from model_registry_server.watching.changes import Changes


class Counting(ModelRegistry):
    """A registry that counts how often, and for how much, its history was asked."""

    looks = 0
    largest = 0

    def history(self, *words: Any, **keywords: Any) -> list[Event]:
        found = super().history(*words, **keywords)
        self.looks += 1
        self.largest = max(self.largest, keywords["limit"])
        return found


@pytest.fixture
def registry(tmp_path: Path) -> Counting:
    registry = Counting(tmp_path / "models")
    (tmp_path / "f").write_bytes(b"x")
    registry.register_model("m", tmp_path / "f", "opaque")
    return registry


async def take(changes: Changes, last: int, count: int) -> list[int]:
    """The numbers of the next changes."""
    found: list[int] = []
    async with aclosing(changes.follow(last)) as pages:
        async for page in pages:
            found += [event.id for event in page]
            if len(found) >= count:
                break
    return found


def test_many_followers_cost_no_more_looks_than_one(registry: Counting) -> None:
    async def follow() -> list[list[int]]:
        changes = Changes(registry)
        followers = [asyncio.create_task(take(changes, 1, 3)) for _ in range(200)]
        while not registry.looks:
            await asyncio.sleep(0.01)
        for number in range(3):
            await asyncio.to_thread(registry.set_tag, "m", f"key{number}", "value")
        found = await asyncio.gather(*followers)
        looks = registry.looks
        await asyncio.sleep(1.2)  # twice as long as between two looks
        assert registry.looks == looks  # nobody follows any more
        return found

    assert asyncio.run(asyncio.wait_for(follow(), 30)) == [[2, 3, 4]] * 200
    assert registry.looks < 100


def test_a_follower_that_is_behind_gets_all_in_pages(registry: Counting) -> None:
    for number in range(130):
        registry.set_alias("m", f"a{number}")

    async def follow() -> list[int]:
        changes = Changes(registry)
        waiting = asyncio.create_task(take(changes, 131, 1))
        found = await take(changes, 0, 131)
        registry.set_alias("m", "last")
        assert await waiting == [132]
        return found

    assert asyncio.run(asyncio.wait_for(follow(), 30)) == list(range(1, 132))
    assert registry.largest <= 100


def test_a_catalog_that_was_put_back_is_followed_on(registry: Counting, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    backup = registry.backup()
    for number in range(5):
        registry.set_tag("m", f"key{number}", "value")

    async def follow() -> list[str]:
        changes = Changes(registry)
        found: list[str] = []
        async with aclosing(changes.follow(5)) as pages:
            async for page in pages:
                found += [f"{event.action} {event.subject}" for event in page]
                if len(found) == 2:
                    return found
                await asyncio.to_thread(put_back)
        return found

    def put_back() -> None:
        for path in folder.glob("catalog.sqlite*"):
            path.unlink()
        shutil.copy2(backup, folder / "catalog.sqlite")
        waiting = registry.looks + 2
        while registry.looks < waiting:
            time.sleep(0.01)
        ModelRegistry(folder).set_alias("m", "again")

    assert asyncio.run(asyncio.wait_for(follow(), 30)) == ["tag-set key4", "alias-set again"]
