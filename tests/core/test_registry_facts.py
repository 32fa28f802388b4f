"""What can be changed after registering: aliases, tags, descriptions, links; and the history that tells of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from model_registry import (
    AliasMovedError,
    InvalidMetadataError,
    InvalidNameError,
    ModelNotFoundError,
    ModelRegistry,
    Parent,
    VersionNotFoundError,
)


@pytest.fixture
def three(registry: ModelRegistry) -> ModelRegistry:
    """A model of three versions."""
    for number in "123":
        registry.register_model("m", number.encode(), version=f"{number}.0")
    return registry


def told(registry: ModelRegistry, **asked: Any) -> list[str]:
    return [event.action for event in registry.history(**asked)]


class TestAliases:
    @pytest.mark.parametrize("alias", ["champion", "@champion", "CHAMPION"])
    def test_name_a_version_wherever_one_is_asked_for(self, three: ModelRegistry, alias: str) -> None:
        assert three.set_alias("m", alias, "2.0").version == "2.0"
        assert three.load_model("m", "@champion").model == b"2"
        assert three.resolve("m", "@Champion").version == "2.0"
        assert three.export_model("m", "@champion", "out.bin") == "out.bin"
        assert three.remove_model("m", "@champion")
        assert [entry.version for entry in three.list_models()] == ["1.0", "3.0"]
        assert three.restore_model("m", "@champion")[0].version == "2.0"

    def test_follow_what_they_are_told_and_know_their_versions(self, three: ModelRegistry) -> None:
        three.set_alias("m", "champion", "1.0")
        three.set_alias("m", "best", "1.0")
        three.set_alias("m", "champion", "latest")
        assert three.aliases("m") == {"best": "1.0", "champion": "3.0"}
        assert three.resolve("m", "1.0").aliases == ("best",)
        assert three.delete_alias("m", "best")
        assert not three.delete_alias("m", "best")

    def test_go_back_step_by_step(self, three: ModelRegistry) -> None:
        for version in ("1.0", "2.0", "3.0"):
            three.set_alias("m", "champion", version)
        back = [three.undo_alias("m", "champion") for _ in range(3)]
        assert [entry and entry.version for entry in back] == ["2.0", "1.0", None]
        with pytest.raises(VersionNotFoundError, match="alias @champion of 'm' has nothing to go back to"):
            three.undo_alias("m", "champion")

    @pytest.mark.parametrize("go_back", [ModelRegistry.undo_alias, ModelRegistry.rollback])
    def test_that_never_were_are_told_from_those_that_cannot_go_back(self, three: ModelRegistry, go_back: Any) -> None:
        with pytest.raises(VersionNotFoundError, match=r"^model 'm' has no alias '@nope' — «model-registry alias set"):
            go_back(three, "m", "nope")
        three.set_alias("m", "champion")
        with pytest.raises(VersionNotFoundError, match=r"^model 'm' has no alias '@nope' — it has @champion$") as found:
            go_back(three, "m", "nope")
        assert (found.value.model, found.value.alias) == ("m", "nope")
        with pytest.raises(ModelNotFoundError, match=r"^there is no model 'n'"):
            go_back(three, "n", "champion")

    def test_do_not_go_back_if_somebody_was_faster(self, three: ModelRegistry) -> None:
        three.set_alias("m", "champion", "1.0")
        (seen,) = three.history("m", alias="champion")
        three.delete_alias("m", "champion")
        with pytest.raises(AliasMovedError, match="somebody changed @champion of 'm' meanwhile: it is gone — look at"):
            three.undo_alias("m", "champion", expected=seen.id)
        newest = three.history("m", alias="champion", limit=1)[0]
        entry = three.undo_alias("m", "champion", expected=newest.id)
        assert entry is not None
        assert entry.version == "1.0"

    def test_that_were_deleted_come_back(self, three: ModelRegistry) -> None:
        three.set_alias("m", "champion", "1.0")
        three.delete_alias("m", "champion")
        entry = three.undo_alias("m", "champion")
        assert entry is not None
        assert entry.version == "1.0"

    def test_roll_back_to_the_last_other_version_that_is_there(self, three: ModelRegistry) -> None:
        for version in ("1.0", "2.0", "3.0"):
            three.set_alias("m", "champion", version)
        three.remove_model("m", "2.0")
        assert three.rollback("m", "champion").version == "1.0"
        with pytest.raises(VersionNotFoundError):
            three.rollback("m", "champion")
        assert three.aliases("m") == {"champion": "1.0"}

    def test_roll_back_further_each_time_and_forward_again_by_undoing(self, three: ModelRegistry) -> None:
        for version in ("1.0", "2.0", "3.0"):
            three.set_alias("m", "champion", version)
        assert [three.rollback("m", "champion").version for _ in range(2)] == ["2.0", "1.0"]
        back = [three.undo_alias("m", "champion") for _ in range(2)]
        assert [entry and entry.version for entry in back] == ["2.0", "3.0"]
        assert [event.action for event in three.history("m", alias="champion")[:3]] == [
            "alias-undone", "alias-undone", "alias-rolled-back",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "after", ["", "[]", "{", "7", '{"steps": 9}', '{"digest": "x", "version": "1.0", "steps": 1e99}', "big"]
    )
    def test_stay_usable_with_a_history_that_somebody_forged(self, three: ModelRegistry, after: str) -> None:
        for version in ("1.0", "2.0", "3.0"):
            three.set_alias("m", "champion", version)
        three.rollback("m", "champion")
        with closing(sqlite3.connect("models/catalog.sqlite")) as db, db:
            known = "SELECT max(after) FROM events WHERE after LIKE '%steps%'"
            big = db.execute(known).fetchone()[0].replace('"steps":1', f'"steps":{1 << 62}')
            db.execute("UPDATE events SET after = ? WHERE after LIKE '%steps%'", (big if after == "big" else after,))
        entry = three.undo_alias("m", "champion")
        assert entry is not None
        assert entry.version == "3.0"

    def test_do_not_go_back_to_another_model_of_the_same_number(self, three: ModelRegistry) -> None:
        three.set_alias("m", "champion", "1.0")
        three.set_alias("m", "champion", "2.0")
        three.remove_model("m", "1.0")
        three.register_model("m", b"another", version="1.0")
        with pytest.raises(VersionNotFoundError, match=r"named m:1.0, which is not there any more"):
            three.undo_alias("m", "champion")

    def test_of_a_removed_version_say_so(self, three: ModelRegistry) -> None:
        three.set_alias("m", "champion", "2.0")
        three.remove_model("m", "2.0")
        with pytest.raises(
            VersionNotFoundError, match=r"alias @champion of 'm' names 2.0, which was removed — .*restore"
        ):
            three.load_model("m", "@champion")
        three.collect_garbage(0)
        assert three.aliases("m") == {}
        assert told(three, alias="champion") == ["alias-deleted", "alias-set"]

    def test_that_are_not_there_are_told_with_those_that_are(self, three: ModelRegistry) -> None:
        three.set_alias("m", "champion")
        with pytest.raises(VersionNotFoundError, match="model 'm' has no alias '@best' — it has @champion"):
            three.load_model("m", "@best")
        with pytest.raises(VersionNotFoundError, match="has no version 'Champion' — did you mean '@champion'"):
            three.load_model("m", "Champion")
        with pytest.raises(ModelNotFoundError, match="there is no model 'n'"):
            three.load_model("n", "@best")

    @pytest.mark.parametrize("alias", ["", "latest", "1", "a b", "a..b", "ä", "x" * 65, None])
    def test_have_names(self, three: ModelRegistry, alias: Any) -> None:
        with pytest.raises(InvalidNameError):
            three.set_alias("m", alias)


class TestTags:
    @pytest.mark.parametrize("version", ["2.0", None])
    def test_are_set_changed_and_taken_away(self, three: ModelRegistry, version: str | None) -> None:
        three.set_tag("m", "stage", "test", version)
        three.set_tag("m", "stage", "prod", version)
        three.set_tag("m", "reviewed", True, version)
        assert three.tags("m", version) == {"reviewed": "true", "stage": "prod"}
        assert three.tags("m", "1.0") == {}
        assert three.delete_tag("m", "stage", version)
        assert not three.delete_tag("m", "stage", version)
        assert told(three, name="m", limit=4) == ["tag-deleted", "tag-set", "tag-set", "tag-set"]

    def test_stay_with_a_version_that_is_removed_and_restored(self, three: ModelRegistry) -> None:
        three.set_tag("m", "stage", "prod", "2.0")
        three.remove_model("m", "2.0")
        assert three.list_models(removed=True)[0].tags == {"stage": "prod"}
        three.restore_model("m", "2.0")
        assert three.resolve("m", "2.0").tags == {"stage": "prod"}

    @pytest.mark.parametrize(
        ("key", "value"), [("", "x"), (" a", "x"), ("a=b", "x"), ("a", None), ("a", "\0"), (1, "x")]
    )
    def test_are_texts(self, three: ModelRegistry, key: Any, value: Any) -> None:
        with pytest.raises(InvalidNameError):
            three.set_tag("m", key, value)


def test_descriptions_are_edited_and_the_registered_one_stays(registry: ModelRegistry) -> None:
    registry.register_model("m", b"x", description="first")
    registry.describe("m", "second", "1.0.0")
    registry.describe("m", "a family")
    entry = registry.resolve("m")
    assert (entry.description, entry.metadata.description) == ("second", "first")
    assert registry.description("m") == "a family"
    registry.describe("m", None, "latest")
    assert registry.resolve("m").description == "first"
    assert entry.verify_integrity()


class TestLineage:
    def test_is_walked_both_ways(self, three: ModelRegistry) -> None:
        three.set_alias("m", "champion", "1.0")
        three.register_model("child", b"c", parent=["m@champion", Parent("dataset", "digits", "1")])
        three.register_model("grandchild", b"g", parent=Parent("compressed", "child"))
        node = three.lineage("child")
        assert [(up.parent.relation, up.reference, up.state) for up in node.parents] == [
            ("dataset", "digits:1", "unknown"),
            ("derived", "m:1.0", "visible"),
        ]
        assert [(down.parent.relation, down.reference) for down in node.children] == [
            ("compressed", "grandchild:1.0.0")
        ]
        below = three.lineage("m", "1.0").children
        assert [each.reference for each in below[0].children] == ["grandchild:1.0.0"]
        assert three.lineage("m", "1.0", depth=1).children[0].children == ()

    def test_outlives_the_parent(self, three: ModelRegistry) -> None:
        digest = three.resolve("m", "1.0").digest
        three.register_model("child", b"c", parent="m:1.0")
        three.remove_model("m", "1.0")
        assert three.lineage("child").parents[0].state == "removed"
        three.collect_garbage(0)
        (parent,) = three.lineage("child").parents
        assert (parent.state, parent.parent) == ("unknown", Parent("derived", "m", "1.0", digest))

    def test_is_part_of_the_version_that_declares_it(self, three: ModelRegistry) -> None:
        a = three.register_model("a", b"same", version="1", parent="m:1.0")
        three.remove_model("a")
        b = three.register_model("a", b"same", version="1", parent="m:2.0")
        assert a.digest != b.digest
        assert b.metadata.parents == [Parent("derived", "m", "2.0", three.resolve("m", "2.0").digest)]
        assert not three.unlink("a", "1", "m:2.0")

    def test_is_linked_later_and_taken_back(self, three: ModelRegistry) -> None:
        three.link("m", "2.0", "m:1.0")
        three.link("m", "2.0", "m:1.0")
        assert [parent.reference for parent in three.resolve("m", "2.0").parents] == ["m:1.0"]
        assert three.unlink("m", "2.0", "m:1.0")
        assert not three.unlink("m", "2.0", "m:1.0")
        assert told(three, name="m", version="2.0", limit=2) == ["unlinked", "linked"]

    @pytest.mark.parametrize("child", ["1.0", "2.0"])
    def test_has_no_circles(self, three: ModelRegistry, child: str) -> None:
        three.link("m", "2.0", "m:1.0")
        three.link("m", "3.0", "m:2.0")
        with pytest.raises(InvalidMetadataError, match=rf"m:3.0 comes from m:{child}, so it cannot be its parent"):
            three.link("m", child, "m:3.0")

    def test_tells_a_shared_ancestor_once(self, three: ModelRegistry) -> None:
        three.link("m", "2.0", "m:1.0")
        three.link("m", "3.0", "m:1.0")
        three.register_model("child", b"c", parent=["m:2.0", "m:3.0"])
        first, second = three.lineage("child").parents
        assert (first.parents[0].repeated, second.parents[0].repeated) == (False, True)

    @pytest.mark.parametrize(
        "parent", [3, Parent("UP", "m", "1.0"), Parent("dataset", ""), Parent("dataset", "d", None, "beef")]
    )
    def test_of_what_is_no_parent_is_refused(self, three: ModelRegistry, parent: Any) -> None:
        with pytest.raises(InvalidMetadataError):
            three.register_model("child", b"c", parent=parent)
        assert three.get_model_info("child") is None


class TestHistory:
    def test_tells_of_versions_that_are_gone(self, three: ModelRegistry) -> None:
        digest = three.resolve("m", "1.0").digest
        three.remove_model("m", "1.0")
        three.restore_model("m", "v1")
        three.remove_model("m", "1.0.0")
        three.collect_garbage(0)
        events = three.history("m", "1")
        assert [event.action for event in events] == ["forgotten", "removed", "restored", "removed", "registered"]
        assert events[0].before == {"digest": digest}
        assert [event.at for event in events] == sorted((event.at for event in events), reverse=True)

    def test_comes_in_pages(self, three: ModelRegistry) -> None:
        first = three.history(limit=2)
        rest = three.history(before=first[-1].id)
        assert [event.version for event in (*first, *rest)] == ["3.0", "2.0", "1.0"]

    def test_names_who_did_it(self, three: ModelRegistry) -> None:
        with three.acting_as("Ada of team-a"):
            three.set_tag("m", "stage", "prod")
        three.delete_tag("m", "stage")
        after, during = three.history(limit=2)
        assert during.actor == "Ada of team-a"
        assert "@" in after.actor
        with pytest.raises(InvalidNameError):
            three.acting_as("a\nb").__enter__()

    @pytest.mark.parametrize(
        "change",
        [
            lambda registry: registry.set_tag("m", "a", "b"),
            lambda registry: registry.set_alias("m", "champion", "2.0"),
            lambda registry: registry.describe("m", "text"),
            lambda registry: registry.link("m", "2.0", "m:1.0"),
        ],
        ids=["tag", "alias", "description", "link"],
    )
    def test_has_no_event_of_what_changed_nothing(
        self, three: ModelRegistry, change: Callable[[ModelRegistry], object]
    ) -> None:
        change(three)
        before = three.history()
        change(three)
        assert three.history() == before
