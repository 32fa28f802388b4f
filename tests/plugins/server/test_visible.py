"""What a caller may see is found by its patterns: the same as by going over everything, and at less cost."""

from __future__ import annotations

from typing import Any

import pytest

from model_registry import ModelEntry, ModelRegistry, SearchPage
from model_registry_server.documents import page_of_models, page_of_search
from model_registry_server.security.roles import Caller, Role
from model_registry_server.visible import visible_versions
from model_registry_server.web import grouping

NAMES = ["a", "Team-A/m", "team-a/n", "team-a/x/y", "team-ab", "team-b/m", "Team-C/m", "z", "z-1"]


class Counting(ModelRegistry):
    """A registry that counts what it lists, and its searches."""

    listed = searches = 0

    def list_models(self, *words: Any, **keywords: Any) -> list[ModelEntry]:
        found = super().list_models(*words, **keywords)
        self.listed += len(found)
        return found

    def search(self, *words: Any, **keywords: Any) -> SearchPage:
        self.searches += 1
        return super().search(*words, **keywords)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Counting:
    folder = tmp_path_factory.mktemp("visible")
    (folder / "f").write_bytes(b"x")
    registry = Counting(folder / "models")
    more = {"model": folder / "f", "model_format": "opaque"}
    items = [{"name": name, "version": version, **more} for name in NAMES for version in ("1.0", "1.1", "2.0rc1")]
    items += [{"name": f"many/m{number:03}", **more} for number in range(200)]
    registry.register_many(items, progress=False).raise_for_failures()
    return registry


PATTERNS = [
    ("*",),
    ("team-a/*",),
    ("TEAM-A/*", "z"),
    ("*/m", "team-a/*", "team-?/m"),
    ("team-[ac]/*",),
    ("[!t]*", "z*"),
    ("z*", "*m", "a"),
    ("nothing/*",),
    ("team-a",),
    ("many/m0*", "many/m1*", "a", "many/m00?"),
    ("x@y", "/a", "z*", "m:1"),  # such as no model is called
]


@pytest.mark.parametrize("patterns", PATTERNS, ids=str)
@pytest.mark.parametrize("size", [1, 3, 50])
def test_the_versions_are_those_that_may_be_seen_in_order(
    registry: Counting, patterns: tuple[str, ...], size: int
) -> None:
    caller = Caller("r", Role.READER, patterns, "t", "")
    expected = [entry.reference for entry in registry.list_models() if caller.may(Role.READER, entry.name)]
    assert [entry.reference for entry in visible_versions(registry, caller, None, size)] == expected
    found: list[str] = []
    after: str | None = None
    while True:
        page = page_of_models(registry, caller, after, size)
        found += [version["reference"] for version in page["versions"]]
        after = page["cursor"]
        if after is None:
            break
    assert found == expected
    named = [version["reference"] for version in page_of_models(registry, caller, None, 500, name="*m*")["versions"]]
    assert named == [each for each in expected if "m" in each.partition(":")[0].lower()]


@pytest.mark.parametrize("patterns", PATTERNS, ids=str)
def test_each_model_is_grouped_once(registry: Counting, patterns: tuple[str, ...]) -> None:
    caller = Caller("r", Role.READER, patterns, "t", "")
    latest = {entry.name: entry for entry in registry.list_models() if entry.version != "2.0rc1"}
    expected = [entry.reference for name, entry in latest.items() if caller.may(Role.READER, name)]
    found: list[str] = []
    after: str | None = None
    while True:
        page = grouping.models(registry, caller, after, 7)
        found += [entry.reference for entry in page.entries]
        after = page.after
        if after is None:
            break
    assert found == expected


@pytest.mark.parametrize("patterns", PATTERNS, ids=str)
@pytest.mark.parametrize("size", [1, 50])
def test_a_search_finds_those_that_may_be_seen_in_order(
    registry: Counting, patterns: tuple[str, ...], size: int
) -> None:
    caller = Caller("r", Role.READER, patterns, "t", "")
    query = "size > 0 order by name desc"
    expected = [entry.reference for entry in registry.search(query) if caller.may(Role.READER, entry.name)]
    found: list[str] = []
    after: str | None = None
    while True:
        page = page_of_search(registry, caller, query, after, size)
        found += [version["reference"] for version in page["versions"]]
        after = page["cursor"]
        if after is None:
            break
    assert found == expected


def test_a_search_of_who_sees_little_reads_more_and_more_at_once(registry: Counting) -> None:
    caller = Caller("r", Role.READER, ("nothing",), "t", "")
    before = registry.searches
    assert page_of_search(registry, caller, "order by size", None, 1) == {"versions": [], "cursor": None}
    assert registry.searches - before == 3  # of 50, 100 and the rest of 227


def test_models_that_may_not_be_seen_are_not_gone_over(registry: Counting) -> None:
    caller = Caller("r", Role.READER, ("z*", "team-a/*"), "t", "")
    before = registry.listed
    assert len(page_of_models(registry, caller, None, 50)["versions"]) == 15
    assert len(grouping.models(registry, caller, None, 50).entries) == 5
    assert registry.listed - before < 50
