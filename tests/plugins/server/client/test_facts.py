"""What can be asked and said of models: lists, searches, aliases, tags, lineage and history, as in a folder."""

from __future__ import annotations

import pytest

from model_registry import AliasMovedError, InvalidNameError, ModelRegistry, Parent
from model_registry.errors import ModelRegistryError
from model_registry_server.client import Client

BOTH = "client and folder"


@pytest.fixture(scope="module")
def _filled(folder, server) -> None:
    registry = ModelRegistry(folder)
    for number in range(7):
        registry.register_model("many/a", b"%d" % number, performance_metrics={"accuracy": number / 10})
    registry.register_model("many/b", b"b", parent="many/a:1.0.3", model_type="regression")
    registry.register_model("many/c", b"c")


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize(
    "ask",
    [
        lambda r: r.list_models(),
        lambda r: r.list_models("regression"),
        lambda r: r.list_models(name="many/*", limit=3),
        lambda r: r.list_models(limit=0),
        lambda r: r.list_models(name="many/*", after=("many/a", "1.0.4"), limit=4),
        lambda r: r.list_models(model_format="bytes", after=("many/b", "1.0.0")),
        lambda r: r.list_models(removed=True),
        lambda r: r.search(),
        lambda r: r.search("metrics.accuracy > 0.2 order by metrics.accuracy desc", limit=2),
        lambda r: r.search("name like 'many/a%'", limit=3, after=r.search("name like 'many/a%'", limit=3).cursor),
        lambda r: [entry.description for entry in r.search("size > 0")],
        lambda r: r.get_model_info("many/a", "1.0.2"),
        lambda r: r.get_model_info("MANY/A"),
        lambda r: r.get_model_info("nothing"),
        lambda r: r.resolve("many/a"),
        lambda r: r.aliases("many/a"),
        lambda r: r.tags("many/a"),
        lambda r: r.tags("many/a", "latest"),
        lambda r: r.description("many/a"),
        lambda r: r.lineage("many/b"),
        lambda r: r.lineage("many/a", "1.0.3", depth=1),
        lambda r: r.history(limit=None),
        lambda r: r.history("many/a", limit=2),
        lambda r: r.history("many/a", "1.0.3"),
        lambda r: r.history(version="1.0.3"),
        lambda r: r.history(limit=3, before=r.history(limit=4)[-1].id),
        lambda r: r.next_version("many/a"),
        lambda r: r.next_version("new"),
        lambda r: r.compare("many/a:1.0.0", "many/b"),
        lambda r: r.plan_conversion("many/a", to="loud"),
        lambda r: r.plan_conversion("many/a", path="x.loud"),
        lambda r: r.plan_conversion("many/a"),
        lambda r: r.check_parity("many/a:1.0.0", "many/a:1.0.1"),
        lambda r: r.validate_registry(),
        lambda r: r.validate_registry(deep=True),
        lambda r: r.repair(dry_run=True),
        lambda r: r.get_detailed_stats(),
        lambda r: r.stored_blobs({**r.resolve("many/b").blobs, "0" * 64: 3}),
        lambda r: r.stored_blobs(r.resolve("many/b").blobs, name="many/b"),
        lambda r: r.stored_blobs(r.resolve("many/b").blobs, name="many/c"),
        lambda r: [type(each) for each in (r.list_models(), r.search(), r.lineage("many/b").parents, r.history())],
        lambda r: r.remove_many("name = 'many/a'", dry_run=True).done,
    ],
)
def test_the_answer_is_that_of_the_folder(client: Client, held: ModelRegistry, ask) -> None:
    there, here = ask(client), ask(held)
    assert there == here
    assert type(there) is type(here)


def test_aliases_move_and_move_back(client: Client, held: ModelRegistry) -> None:
    first, second = (client.register_model("aliased", text) for text in (b"1", b"2"))
    assert client.set_alias("aliased", "@champion", "1.0.0") == first
    assert client.set_alias("aliased", "champion") == second
    assert client.load_model("aliased", "@champion").model == b"2"
    assert client.rollback("aliased", "champion") == first
    newest = client.history("aliased", alias="champion", limit=1)[0].id
    with pytest.raises(AliasMovedError, match="somebody changed @champion"):
        client.undo_alias("aliased", "champion", expected=newest - 1)
    assert client.undo_alias("aliased", "champion", expected=newest) == second
    assert client.undo_alias("aliased", "champion") == first
    assert client.undo_alias("aliased", "champion") is None
    assert client.set_alias("aliased", "champion", "1.0.0") == first
    assert held.aliases("aliased") == {"champion": "1.0.0"}
    assert client.delete_alias("aliased", "champion")
    assert not client.delete_alias("aliased", "champion")


def test_tags_and_descriptions_are_set_and_taken_away(client: Client, held: ModelRegistry) -> None:
    client.register_model("tagged", b"1", description="registered")
    client.set_tag("tagged", "a/b c", 0.5)
    client.set_tag("tagged", "stage", "prod", "1.0.0")
    assert held.tags("tagged") == {"a/b c": "0.5"} == client.tags("tagged")
    assert client.tags("tagged", "1.0.0") == {"stage": "prod"}
    assert client.delete_tag("tagged", "a/b c")
    assert not client.delete_tag("tagged", "a/b c")
    client.describe("tagged", "of the model")
    client.describe("tagged", "edited", "1.0.0")
    assert (held.description("tagged"), held.resolve("tagged").description) == ("of the model", "edited")
    client.describe("tagged", None, "1.0.0")
    assert client.resolve("tagged").description == "registered"


def test_versions_are_linked_to_what_they_come_from(client: Client, held: ModelRegistry) -> None:
    base = client.register_model("linked/base", b"base")
    entry = client.register_model("linked/child", b"child")
    link = client.link("linked/child", "1.0.0", "linked/base", "adapter")
    assert link == Parent("adapter", "linked/base", "1.0.0", base.digest) == held.resolve("linked/child").parents[0]
    assert client.link(entry.name, "1.0.0", Parent("dataset", "digits", "v1")).name == "digits"
    assert client.unlink("linked/child", "1.0.0", base, "adapter")
    assert not client.unlink("linked/child", "1.0.0", base, "adapter")
    with pytest.raises(ModelRegistryError, match="cannot be its parent"):
        client.link("linked/base", "1.0.0", client.register_model("linked/last", b"x", parent="linked/base"))


def test_many_are_registered_and_removed(client: Client, held: ModelRegistry) -> None:
    items = [{"name": f"batch/{number}", "model": b"%d" % number, "version": "1.0.0"} for number in range(3)]
    items += [{"name": "batch/3", "model": 7, "model_format": "bytes"}, {"name": "batch/0", "model": b"", "x y": 1}]
    reports = []
    report = client.register_many(items, progress=reports.append)
    assert [entry.reference for entry in report.done[:3]] == [f"batch/{number}:1.0.0" for number in range(3)]
    assert [failure.what for failure in report.failed] == ["batch/3"]
    assert reports[-1].finished
    assert reports[-1].items_done == len(items)
    again = client.register_many([{**item, "exist_ok": True} for item in items[:3]], progress=False)
    assert (again.done, len(again.skipped)) == ((), 3)
    removed = client.remove_many("name like 'batch/%'", progress=False)
    assert len(removed.done) == 4
    assert held.list_models(name="batch/*") == []
    assert len(client.restore_model("batch/1", "1.0.0")) == 1
    assert held.resolve("batch/1").version == "1.0.0"


def test_an_actor_that_can_be_none_is_refused(client: Client) -> None:
    with pytest.raises(InvalidNameError), client.acting_as(""):
        pass
    with client.acting_as("ada ✓"):
        entry = client.register_model("acted", b"x")
    assert entry.provenance is not None
    assert entry.provenance["actor"] == "ada ✓"


def test_upkeep_is_done_by_the_server(client: Client, held: ModelRegistry, folder) -> None:
    entry = client.register_model("kept", b"kept")
    client.remove_model("kept")
    report = client.collect_garbage(0)
    assert report.versions >= 1
    assert report.bytes > 0
    assert held.get_model_info("kept") is None
    assert client.repair().left == ()
    assert client.backup().startswith(str(folder))
    with pytest.raises(ModelRegistryError) as there:
        client.archive("kept", progress=False)
    with pytest.raises(type(there.value)) as here:
        held.archive("kept", progress=False)
    assert str(there.value) == str(here.value)
    assert entry.reference == "kept:1.0.0"
