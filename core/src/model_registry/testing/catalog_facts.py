"""Checks of the facts that change: aliases, tags, descriptions, lineage, and the history of all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from model_registry.actor import acting_as
from model_registry.catalog import Catalog, VersionRow
from model_registry.clock import now
from model_registry.errors import AliasMovedError, ModelNotFoundError, VersionNotFoundError
from model_registry.records import Parent
from model_registry.testing.catalog_suite import CatalogSuite, add, numbered, row

THREADS = 6

CHANGES: dict[str, Callable[[Catalog], object]] = {
    "registered": lambda catalog: add(catalog, row("m", "9.0")),
    "removed": lambda catalog: catalog.remove("m", "2.0", keep=True),
    "restored": lambda catalog: catalog.restore("m", "3.0"),
    "forgotten": lambda catalog: catalog.purge(now() + 1),
    "alias-set": lambda catalog: catalog.aliases.set("m", "new", "1.0"),
    "alias-deleted": lambda catalog: catalog.aliases.delete("m", "best"),
    "alias-undone": lambda catalog: catalog.aliases.undo("m", "best"),
    "alias-rolled-back": lambda catalog: catalog.aliases.rollback("m", "best"),
    "tag-set": lambda catalog: catalog.tags.set("m", "1.0", "stage", "prod"),
    "tag-deleted": lambda catalog: catalog.tags.delete("m", None, "team"),
    "described": lambda catalog: catalog.descriptions.set("m", "1.0", "other"),
    "linked": lambda catalog: catalog.lineage.link("m", "2.0", Parent("dataset", "numbers")),
    "unlinked": lambda catalog: catalog.lineage.unlink("m", "1.0", Parent("dataset", "letters")),
}
UNCHANGING: dict[str, Callable[[Catalog], object]] = {
    "an alias set to what it names": lambda catalog: catalog.aliases.set("m", "BEST", "1"),
    "an alias that is not there deleted": lambda catalog: catalog.aliases.delete("m", "nothing"),
    "a tag set to its value": lambda catalog: catalog.tags.set("m", None, "team", "red"),
    "a tag that is not there deleted": lambda catalog: catalog.tags.delete("m", "1.0", "nothing"),
    "a description as it is": lambda catalog: catalog.descriptions.set("m", "1.0", "edited"),
    "a link said again": lambda catalog: catalog.lineage.link("m", "1.0", Parent("dataset", "letters")),
    "a link that was not said taken back": lambda catalog: catalog.lineage.unlink("m", "1.0", Parent("x", "y")),
    "nothing removed": lambda catalog: catalog.remove("m", "77", keep=True),
    "nothing restored": lambda catalog: catalog.restore("m", "77"),
}


class CatalogFacts(CatalogSuite):
    """What is said of versions stays said, and every change of it is in the history."""

    @pytest.fixture
    def filled(self, catalog: Catalog) -> Catalog:
        """Versions 1.0 and 2.0 of ``m``, 3.0 removed, and something said of each kind."""
        add(catalog, *(row("m", f"{number}.0", digest=numbered(number)) for number in (1, 2, 3)))
        catalog.remove("m", "3.0", keep=True)
        catalog.aliases.set("m", "best", "2.0")
        catalog.aliases.set("m", "best", "1.0")
        catalog.tags.set("m", None, "team", "red")
        catalog.descriptions.set("m", "1.0", "edited")
        catalog.lineage.link("m", "1.0", Parent("dataset", "letters"))
        return catalog

    # Aliases

    def test_an_alias_names_a_version_until_it_is_moved_or_deleted(self, catalog: Catalog, folder: Path) -> None:
        add(catalog, row("Model", "1.0", digest=numbered(1)), row("Model", "2.0", digest=numbered(2)))
        assert catalog.aliases.set("model", "Best", "1").version == "1.0"
        assert alias_of(catalog, "MODEL", "best") == "1.0"
        catalog.aliases.set("model", "best", "2.0")
        catalog.aliases.set("model", "old", "1.0")
        for instance in (catalog, self.make_catalog(folder)):
            assert alias_of(instance, "Model", "BEST") == "2.0"
            assert {alias.lower(): at for alias, at in instance.aliases.of_model("model").items()} == {
                "best": "2.0",
                "old": "1.0",
            }
            assert instance.aliases.of_version(visible(instance, "Model", "1.0")) == ("old",)
        assert catalog.aliases.delete("model", "BEST")
        assert not catalog.aliases.delete("model", "best")
        assert alias_of(catalog, "model", "best") is None

    def test_an_alias_is_of_one_model(self, catalog: Catalog) -> None:
        add(catalog, row("m"), row("n"))
        catalog.aliases.set("m", "best", "1.0")
        assert alias_of(catalog, "n", "best") is None
        assert catalog.aliases.of_model("n") == {}
        assert not catalog.aliases.delete("n", "best")

    def test_an_alias_is_only_set_to_what_is_there(self, filled: Catalog) -> None:
        for name, version in (("m", "4.0"), ("m", "3.0"), ("nobody", "1.0")):
            with pytest.raises(ModelNotFoundError):
                filled.aliases.set(name, "best", version)
        assert alias_of(filled, "m", "best") == "1.0"

    def test_an_alias_of_a_removed_version_says_so_and_of_a_forgotten_one_is_gone(self, filled: Catalog) -> None:
        filled.remove("m", "1.0", keep=True)
        named = filled.aliases.get("m", "best")
        assert named is not None
        assert named.removed_at is not None
        assert filled.aliases.of_version(named) == ("best",)
        filled.restore("m", "1.0")
        assert alias_of(filled, "m", "best") == "1.0"
        filled.remove("m", "1.0", keep=True)
        filled.purge(now() + 1)
        assert filled.aliases.get("m", "best") is None
        assert filled.aliases.of_model("m") == {}

    def test_each_change_of_an_alias_is_taken_back_in_turn(self, filled: Catalog) -> None:
        filled.aliases.delete("m", "best")
        undone = [filled.aliases.undo("m", "Best") for _ in range(3)]
        assert [each and each.version for each in undone] == ["1.0", "2.0", None]
        assert alias_of(filled, "m", "best") is None
        with pytest.raises(VersionNotFoundError):
            filled.aliases.undo("m", "best")
        filled.aliases.set("m", "best", "1.0")
        assert filled.aliases.undo("m", "best") is None

    def test_only_the_change_that_is_expected_is_taken_back(self, filled: Catalog) -> None:
        filled.aliases.set("m", "new", "1.0")
        seen = filled.history.events("m", alias="new", limit=1)[0].id
        filled.aliases.set("m", "new", "2.0")
        filled.aliases.set("m", "other", "1.0")
        for expected in (0, seen):
            with pytest.raises(AliasMovedError, match=r"it names m:2\.0"):
                filled.aliases.undo("m", "NEW", expected=expected)
        newest = filled.history.events("m", alias="new", limit=1)[0].id
        assert alias_of(filled, "m", "new") == "2.0"
        undone = filled.aliases.undo("m", "new", expected=newest)
        assert undone is not None
        assert undone.version == "1.0"

    def test_an_alias_rolls_back_to_another_version_that_is_there(self, filled: Catalog) -> None:
        filled.aliases.delete("m", "best")
        filled.aliases.set("m", "best", "1.0")
        assert filled.aliases.rollback("m", "best").version == "2.0"
        assert alias_of(filled, "m", "best") == "2.0"
        with pytest.raises(VersionNotFoundError):
            filled.aliases.rollback("m", "best")
        filled.aliases.set("m", "best", "1.0")
        filled.remove("m", "2.0", keep=True)
        with pytest.raises(VersionNotFoundError):
            filled.aliases.rollback("m", "best")
        assert alias_of(filled, "m", "best") == "1.0"

    def test_an_alias_rolls_back_further_each_time_and_every_time_can_be_taken_back(self, filled: Catalog) -> None:
        filled.restore("m", "3.0")
        for version in ("2.0", "3.0", "1.0"):
            filled.aliases.set("m", "new", version)
        rolled = [filled.aliases.rollback("m", "new").version for _ in range(2)]
        assert rolled == ["3.0", "2.0"]
        undone = [filled.aliases.undo("m", "new") for _ in range(3)]
        assert [each and each.version for each in undone] == ["3.0", "1.0", "3.0"]
        assert filled.aliases.rollback("m", "new").version == "2.0"

    def test_another_version_of_the_same_number_is_not_what_an_alias_named(self, filled: Catalog) -> None:
        filled.remove("m", "2.0", keep=False)
        add(filled, row("m", "2.0", digest=numbered(99)))
        with pytest.raises(VersionNotFoundError):
            filled.aliases.undo("m", "best")
        assert alias_of(filled, "m", "best") == "1.0"

    # Tags and descriptions

    @pytest.mark.parametrize("version", ["1.0", None])
    def test_a_tag_has_its_last_value_until_it_is_deleted(
        self, catalog: Catalog, folder: Path, version: str | None
    ) -> None:
        add(catalog, row(), row("m", "2.0", digest=numbered(2)), row("n"))
        for key, value in (("stage", "test"), ("area", ""), ("stage", "größer")):
            catalog.tags.set("M", version, key, value)
        for instance in (catalog, self.make_catalog(folder)):
            assert list(tags_of(instance, "m", version).items()) == [("area", ""), ("stage", "größer")]
            others = [
                tags_of(instance, name, other)
                for name in "mn"
                for other in ("1.0", None)
                if (name, other) != ("m", version)
            ]
            assert not any(others), "it is told of somebody else, too"
        assert catalog.tags.delete("m", version, "area")
        assert not catalog.tags.delete("m", version, "area")
        assert tags_of(catalog, "m", version) == {"stage": "größer"}

    @pytest.mark.parametrize("version", ["1.0", None])
    def test_a_description_is_as_it_was_last_edited(self, catalog: Catalog, version: str | None) -> None:
        add(catalog, row(), row("m", "2.0"))
        for text in ("first", "größer\nsecond", None, "", "third"):
            catalog.descriptions.set("M", version, text)
            assert description_of(catalog, "m", version) == text
            assert description_of(catalog, "m", "2.0") is None
            assert description_of(catalog, "m", None if version else "1.0") is None

    def test_what_is_said_of_a_version_is_there_when_it_is_restored(self, filled: Catalog) -> None:
        filled.tags.set("m", "1.0", "stage", "prod")
        (removed,) = filled.remove("m", "1.0", keep=True)
        assert filled.tags.of_version(removed) == {"stage": "prod"}
        filled.restore("m", "1.0")
        assert tags_of(filled, "m", "1.0") == {"stage": "prod"}
        assert description_of(filled, "m", "1.0") == "edited"
        assert filled.lineage.parents(visible(filled, "m", "1.0")) == [Parent("dataset", "letters")]

    def test_what_is_said_of_a_version_goes_with_it(self, filled: Catalog) -> None:
        filled.tags.set("m", "1.0", "stage", "prod")
        filled.remove("m", "1.0", keep=False)
        add(filled, row("m", "1.0", digest=numbered(1)))
        assert tags_of(filled, "m", "1.0") == {}
        assert description_of(filled, "m", "1.0") is None
        assert filled.lineage.parents(visible(filled, "m", "1.0")) == []
        assert alias_of(filled, "m", "best") is None

    @pytest.mark.parametrize(("name", "version"), [("m", "3.0"), ("m", "4.0"), ("nobody", "1.0"), ("nobody", None)])
    def test_nothing_is_said_of_what_is_not_there(self, filled: Catalog, name: str, version: str | None) -> None:
        for say in (
            lambda: filled.tags.set(name, version, "key", "value"),
            lambda: filled.tags.delete(name, version, "key"),
            lambda: filled.descriptions.set(name, version, "text"),
            lambda: filled.lineage.link(name, version or "1.0", Parent("x", "y")),
        ):
            with pytest.raises(ModelNotFoundError):
                say()

    # Lineage

    def test_lineage_is_known_from_both_ends(self, catalog: Catalog, folder: Path) -> None:
        base = Parent("derived", "base", "1.0", numbered(1))
        data = Parent("dataset", "numbers")
        add(catalog, row("base", digest=numbered(1)), row("child", digest=numbered(2), parents=(base,)))
        catalog.lineage.link("child", "1.0", data)
        catalog.lineage.link("child", "1.0", data)
        for instance in (catalog, self.make_catalog(folder)):
            assert instance.lineage.parents(visible(instance, "child", "1.0")) == [base, data]
            ((relation, child),) = instance.lineage.children(numbered(1))
            assert (relation, child.name, child.version) == ("derived", "child", "1.0")
        assert catalog.lineage.unlink("child", "1.0", data)
        assert not catalog.lineage.unlink("child", "1.0", data)
        assert not catalog.lineage.unlink("child", "1.0", base), "the manifest says it, and that does not change"
        assert catalog.lineage.parents(visible(catalog, "child", "1.0")) == [base]

    def test_a_child_knows_its_parent_when_it_is_gone(self, catalog: Catalog) -> None:
        base = Parent("derived", "base", "1.0", numbered(1))
        add(catalog, row("base", digest=numbered(1)), row("child", digest=numbered(2), parents=(base,)))
        assert catalog.lineage.find(numbered(1), "BASE", "1") is not None
        catalog.remove("base", None, keep=True)
        removed = catalog.lineage.find(numbered(1), "base", "1.0")
        assert removed is not None
        assert removed.removed_at is not None
        catalog.purge(now() + 1)
        assert catalog.lineage.find(numbered(1), "base", "1.0") is None
        assert catalog.lineage.parents(visible(catalog, "child", "1.0")) == [base]
        catalog.remove("child", None, keep=False)
        assert catalog.lineage.children(numbered(1)) == []

    # History

    @pytest.mark.parametrize("action", CHANGES)
    def test_every_change_is_an_event(self, filled: Catalog, action: str) -> None:
        before = filled.history.events()
        started = now()
        with acting_as("ada"):
            CHANGES[action](filled)
        new = filled.history.events()[: -len(before)]
        assert action in [event.action for event in new]
        assert {(event.actor, event.model) for event in new} == {("ada", "m")}
        assert all(started <= event.at <= now() for event in new)

    @pytest.mark.parametrize("what", UNCHANGING)
    def test_what_changes_nothing_is_no_event(self, filled: Catalog, what: str) -> None:
        before = filled.history.events()
        UNCHANGING[what](filled)
        assert filled.history.events() == before

    def test_the_history_comes_newest_first_in_pages(self, filled: Catalog, folder: Path) -> None:
        events = self.make_catalog(folder).history.events()
        assert [event.id for event in events] == sorted((event.id for event in events), reverse=True)
        pages: list[Any] = []
        while page := filled.history.events(before=pages[-1].id if pages else None, limit=2):
            assert len(page) <= 2
            pages += page
        assert pages == list(events)
        assert events[-1].action == "registered"

    def test_the_history_is_narrowed(self, filled: Catalog) -> None:
        add(filled, row("n"))
        assert {event.model for event in filled.history.events("M")} == {"m"}
        assert {event.version for event in filled.history.events("m", "1")} == {"1.0"}
        moves = [(event.before and event.before["version"], event.after["version"]) for event in alias_moves(filled)]
        assert moves == [("2.0", "1.0"), (None, "2.0")]

    def test_the_history_outlives_its_model(self, filled: Catalog) -> None:
        before = filled.history.events("m")
        filled.remove("m", None, keep=False)
        filled.purge(now() + 1)
        assert filled.history.events("m")[-len(before) :] == before

    def test_threads_that_move_an_alias_leave_one_chain_of_moves(self, filled: Catalog) -> None:
        """Each move begins where the one before it ended, and the alias is where the last one ended."""
        together = threading.Barrier(THREADS)

        def work(number: int) -> None:
            together.wait()
            for turn in range(4):
                filled.aliases.set("m", "best", f"{1 + (number + turn) % 2}.0")

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))
        moves = list(reversed(alias_moves(filled)))
        assert [move.before for move in moves[1:]] == [move.after for move in moves[:-1]]
        assert alias_of(filled, "m", "best") == moves[-1].after["version"]


def visible(catalog: Catalog, name: str, version: str) -> VersionRow:
    found = catalog.get(name, version)
    assert found is not None
    return found


def alias_of(catalog: Catalog, name: str, alias: str) -> str | None:
    found = catalog.aliases.get(name, alias)
    return None if found is None else found.version


def alias_moves(catalog: Catalog) -> list[Any]:
    return list(catalog.history.events("m", alias="Best"))


def tags_of(catalog: Catalog, name: str, version: str | None) -> dict[str, str]:
    return catalog.tags.of_model(name) if version is None else catalog.tags.of_version(visible(catalog, name, version))


def description_of(catalog: Catalog, name: str, version: str | None) -> str | None:
    return catalog.descriptions.of_model(name) if version is None else visible(catalog, name, version).description
