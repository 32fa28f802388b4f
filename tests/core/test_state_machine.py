"""Whatever is done to a registry, in whatever order, it is what a few dictionaries say; restarts and gc in between."""

from __future__ import annotations

import gc
import json
import shutil
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from importlib_metadata import entry_points
from plain_registry import PlainRegistry, PlainVersion, order

from model_registry import (
    InvalidMetadataError,
    ModelLoader,
    ModelNotFoundError,
    ModelRegistry,
    Parent,
    VersionExistsError,
    VersionNotFoundError,
)
from model_registry.hookspecs import GROUP

names = st.sampled_from(["a", "a", "a", "team/b"])
numbers = st.sampled_from(["1.0", "1.0.0", "2.0rc1", "nightly"])
aliases = st.sampled_from(["best", "best", "old"])
values = st.sampled_from([0, {"one": "größer"}])
keys = st.sampled_from(["stage", "team"])
texts = st.sampled_from(["", "größer"])
#: A number, "latest" or an alias; or what stands for one of the versions that the model had, by their turn.
references = st.integers(0, 9) | st.integers(0, 9) | st.sampled_from(["latest", "@best", "@old", "9.9"])


class JsonLoader(ModelLoader):
    def save(self, model: Any, model_path: str, **kwargs: Any) -> None:
        Path(model_path).write_text(json.dumps(model), encoding="utf-8")

    def load(self, model_path: str, **kwargs: Any) -> Any:
        return json.loads(Path(model_path).read_text(encoding="utf-8"))


class RegistryMachine(RuleBasedStateMachine):
    """A registry beside its plain model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model_registry-test-"))
        self.plain = PlainRegistry()
        self.digests: dict[str, str] = {}
        self.exports = 0
        self.open()

    def open(self) -> None:
        others = sorted({point.name for point in entry_points(group=GROUP)})
        self.registry = ModelRegistry(self.folder / "models", disabled_plugins=others)
        self.registry.loaders["custom"] = JsonLoader()

    def teardown(self) -> None:
        findings = self.registry.validate_registry(deep=True)["findings"]
        assert [finding for finding in findings if finding.severity != "info"] == []
        del self.registry
        gc.collect()
        shutil.rmtree(self.folder)

    def said(self, name: str, reference: int | str | None) -> str | None:
        """A reference; a number by its turn among those that the model had: what is random seldom hits one."""
        if not isinstance(reference, int):
            return reference
        had = sorted(set(self.plain.model(name).numbers))
        return had[reference % len(had)] if had else "9.9"

    # Registering, removing, restoring

    @initialize(name=names)
    def begin_with_two_versions(self, name: str) -> None:
        for value in (0, 1):
            self.register(name, value)

    @rule(name=names, value=values)
    def register(self, name: str, value: Any) -> None:
        entry = self.registry.register_model(name, value, "custom")
        had = self.plain.model(name).numbers
        assert all(order(entry.version) > order(number) for number in had), "a number was given that is not above all"
        self._registered(entry, value, [])

    @rule(
        name=names, number=numbers | st.integers(0, 9), value=values, exist_ok=st.booleans(), parent=st.none() | names
    )
    def register_as(self, name: str, number: int | str, value: Any, exist_ok: bool, parent: str | None) -> None:
        version = self.said(name, number) or ""
        above = None if parent is None else self.plain.model(parent).latest()
        parents = [] if above is None else [Parent("derived", above.name, above.version, above.digest)]
        given: list[Any] = [] if above is None else [f"{above.name}:{above.version}"]
        existing = self.plain.model(name).at(version)

        def act() -> Any:
            return self.registry.register_model(name, value, "custom", version=version, exist_ok=exist_ok, parent=given)

        if existing is None:
            self._registered(act(), value, parents)
        elif exist_ok and existing.digest == self.digests.get(_identity(name, version, value, parents)):
            assert act().digest == existing.digest
        else:
            with pytest.raises(VersionExistsError):
                act()

    def _registered(self, entry: Any, value: Any, parents: list[Parent]) -> None:
        edges = {(parent.relation, parent.name, parent.version or ""): parent.digest for parent in parents}
        identity = _identity(entry.name, entry.version, value, parents)
        assert self.digests.setdefault(identity, entry.digest) == entry.digest, "equal models have two digests"
        self.plain.add(PlainVersion(entry.name, entry.version, entry.digest, value, edges, declared=frozenset(edges)))

    @rule(name=names, reference=references | st.none())
    def remove(self, name: str, reference: int | str | None) -> None:
        version = self.said(name, reference)
        assert self.registry.remove_model(name.upper(), version) == self.plain.remove(name, version)

    @rule(name=names, number=st.integers(0, 9) | st.none())
    def restore(self, name: str, number: int | None) -> None:
        version = self.said(name, number)
        expected = self.plain.restore(name, version)
        if expected is None:
            with pytest.raises((VersionNotFoundError, VersionExistsError)):
                self.registry.restore_model(name, version)
        else:
            restored = self.registry.restore_model(name, version)
            assert sorted(entry.digest for entry in restored) == sorted(each.digest for each in expected)

    # Aliases

    @rule(name=names, alias=aliases, reference=references)
    def set_alias(self, name: str, alias: str, reference: int | str) -> None:
        version = self.said(name, reference) or ""
        expected = self.plain.set_alias(name, alias, version)
        if expected is None:
            with pytest.raises(ModelNotFoundError):
                self.registry.set_alias(name, alias, version)
        else:
            assert self.registry.set_alias(name, alias.upper(), version).digest == expected.digest

    @rule(name=names, alias=aliases, where_to=st.lists(references, min_size=2, max_size=5))
    def move_an_alias_about(self, name: str, alias: str, where_to: list[int | str]) -> None:
        for reference in where_to:
            self.set_alias(name, alias, reference)

    @rule(name=names, alias=aliases)
    def delete_alias(self, name: str, alias: str) -> None:
        assert self.registry.delete_alias(name, alias) == self.plain.delete_alias(name, alias)

    @rule(name=names, alias=aliases, ways=st.lists(st.sampled_from(["undo_alias", "rollback"]), min_size=1, max_size=4))
    def go_back(self, name: str, alias: str, ways: list[str]) -> None:
        for way in ways:
            possible, expected = getattr(self.plain, way)(name, alias)
            if not possible:
                with pytest.raises(ModelNotFoundError):  # also of a model that has such a name, and no way back
                    getattr(self.registry, way)(name, alias)
            else:
                found = getattr(self.registry, way)(name, alias)
                assert (found and found.digest) == (expected and expected.digest)

    # What is said

    @rule(name=names, reference=references | st.none(), key=keys, value=texts)
    def set_tag(self, name: str, reference: int | str | None, key: str, value: str) -> None:
        version = self.said(name, reference)
        owner = self.plain.owner(name, version)
        if owner is None:
            with pytest.raises(ModelNotFoundError):
                self.registry.set_tag(name, key, value, version)
            return
        if owner.tags.get(key) != value:
            self.plain.happened("tag-set", name, getattr(owner, "version", None))
        owner.tags[key] = value
        self.registry.set_tag(name, key, value, version)

    @rule(name=names, reference=references | st.none(), key=keys)
    def delete_tag(self, name: str, reference: int | str | None, key: str) -> None:
        version = self.said(name, reference)
        owner = self.plain.owner(name, version)
        if owner is None:
            with pytest.raises(ModelNotFoundError):
                self.registry.delete_tag(name, key, version)
            return
        had = owner.tags.pop(key, None) is not None
        if had:
            self.plain.happened("tag-deleted", name, getattr(owner, "version", None))
        assert self.registry.delete_tag(name, key, version) == had

    @rule(name=names, reference=references | st.none(), text=texts | st.none())
    def describe(self, name: str, reference: int | str | None, text: str | None) -> None:
        version = self.said(name, reference)
        owner = self.plain.owner(name, version)
        if owner is None:
            with pytest.raises(ModelNotFoundError):
                self.registry.describe(name, text, version)
            return
        if owner.description != text:
            self.plain.happened("described", name, getattr(owner, "version", None))
        owner.description = text
        self.registry.describe(name, text, version)

    @rule(name=names, reference=references, parent=names, above=references)
    def link(self, name: str, reference: int | str, parent: str, above: int | str) -> None:
        version = self.said(name, reference) or ""
        child = self.plain.model(name).resolve(version)
        found = self.plain.model(parent).resolve(self.said(parent, above) or "")
        if child is None or found is None:
            return
        said = Parent("derived", found.name, found.version, found.digest)
        if child.digest in {found.digest, *self.plain.comes_from(found)}:
            with pytest.raises(InvalidMetadataError):
                self.registry.link(name, version, said)
            return
        assert self.registry.link(name, version, said) == said
        key = (said.relation, said.name, said.version or "")
        if key not in child.parents:
            child.parents[key] = said.digest
            self.plain.happened("linked", name, child.version)

    @rule(name=names, row=st.lists(references, min_size=3, max_size=5))
    def link_one_to_the_next(self, name: str, row: list[int | str]) -> None:
        for child, above in pairwise([*row, row[0]]):
            self.link(name, child, name, above)

    @rule(name=names, reference=references)
    def unlink(self, name: str, reference: int | str) -> None:
        version = self.said(name, reference) or ""
        child = self.plain.model(name).resolve(version)
        if child is None or not child.parents:
            return
        key = min(child.parents)
        can = key not in child.declared
        assert self.registry.unlink(name, version, Parent(*key, child.parents[key])) == can
        if can:
            del child.parents[key]
            self.plain.happened("unlinked", name, child.version)

    # Keeping house

    @rule()
    def restart(self) -> None:
        del self.registry
        gc.collect()
        self.open()

    @rule()
    def collect_what_is_due(self) -> None:
        assert self.registry.collect_garbage().versions == 0  # nothing was removed a week ago

    @rule()
    def collect_everything(self) -> None:
        removed = self.plain.every(removed=True)
        assert self.registry.collect_garbage(keep_removed_days=0).versions == len(removed)
        self.plain.forget(removed)
        assert self.registry.validate_registry()["findings"] == []  # not a blob too many, not one too few

    @precondition(lambda self: self.plain.every())
    @rule(data=st.data())
    def export_and_verify(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.plain.every()))
        self.exports += 1
        path = self.registry.export_model(chosen.name, chosen.version, self.folder / f"export-{self.exports}")
        (file,) = Path(path).iterdir()
        assert json.loads(file.read_text(encoding="utf-8")) == chosen.value
        entry = self.registry.resolve(chosen.name, chosen.version)
        entry.verify()
        assert entry.verify_integrity()

    @rule()
    def validate(self) -> None:
        found = self.registry.validate_registry()
        assert (found["errors"], found["warnings"]) == ([], [])
        assert found["total_models"] == found["valid_models"] == len(self.plain.every())

    # What must hold after every step

    @invariant()
    def listings_are_equal(self) -> None:
        for removed in (False, True):
            listed = [
                (entry.name, entry.version, entry.digest, entry.description)
                for entry in self.registry.list_models(removed=removed)
            ]
            assert listed == [
                (each.name, each.version, each.digest, each.description) for each in self.plain.every(removed=removed)
            ]

    @invariant()
    def every_visible_version_loads_with_its_content(self) -> None:
        for each in self.plain.every():
            assert self.registry.load_model(each.name, each.version).model == each.value

    @invariant()
    def latest_and_aliases_resolve(self) -> None:
        for name, model in self.plain.models.items():
            assert {alias.lower(): version for alias, version in self.registry.aliases(name).items()} == {
                alias: each.version for alias, each in model.aliases.items()
            }
            for reference in ("latest", *(f"@{alias}" for alias in model.aliases)):
                expected = model.resolve(reference)
                found = self.registry.get_model_info(name, reference)
                assert (found and found.digest) == (expected and expected.digest), reference

    @invariant()
    def what_was_said_is_told(self) -> None:
        for name, model in self.plain.models.items():
            assert self.registry.tags(name) == model.tags
            assert self.registry.description(name) == model.description
            for each in model.visible:
                entry = self.registry.resolve(name, each.version)
                assert entry.tags == each.tags
                told = {(p.relation, p.name, p.version or ""): p.digest for p in entry.parents}
                assert told == each.parents

    @invariant()
    def every_change_is_in_the_history(self) -> None:
        events = self.registry.history(limit=None)
        assert Counter((event.action, event.model, event.version) for event in events) == self.plain.events


def _identity(name: str, version: str, value: Any, parents: list[Parent]) -> str:
    """All that the digest of a version comes from."""
    return json.dumps([name, version, value, [[p.relation, p.name, p.version, p.digest] for p in parents]])


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
