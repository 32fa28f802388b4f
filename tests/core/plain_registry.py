"""A registry as a few dictionaries: what the real one must be equal to, whatever is done to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from attrs import define, field
from packaging.version import InvalidVersion, Version

#: What an alias named at some time: a version's number and digest, or nothing.
Named = tuple[str, str] | None


def order(version: str) -> tuple[int, Any]:
    """What equal versions share, and by which others are sorted: those that PEP 440 does not know come first."""
    try:
        return 1, Version(version)
    except InvalidVersion:
        return 0, version


def is_prerelease(version: str) -> bool:
    known, parsed = order(version)
    return bool(known and parsed.is_prerelease)


@define(eq=False)
class PlainVersion:
    name: str
    version: str
    digest: str
    value: Any
    parents: dict[tuple[str, str, str], str | None]
    declared: frozenset[tuple[str, str, str]]
    description: str | None = None
    tags: dict[str, str] = field(factory=dict)

    @property
    def named(self) -> tuple[str, str]:
        return self.version, self.digest


@define
class PlainModel:
    """What is known under one name."""

    visible: list[PlainVersion] = field(factory=list)
    removed: list[PlainVersion] = field(factory=list)
    numbers: list[str] = field(factory=list)
    tags: dict[str, str] = field(factory=dict)
    description: str | None = None
    aliases: dict[str, PlainVersion] = field(factory=dict)
    #: Of each alias, what it named and what it could go back to, before each change that was not taken back; and now.
    moves: dict[str, list[tuple[Named, tuple[Named, ...]]]] = field(factory=dict)
    trail: dict[str, tuple[Named, ...]] = field(factory=dict)

    def at(self, version: str) -> PlainVersion | None:
        return next((each for each in self.visible if order(each.version) == order(version)), None)

    def latest(self) -> PlainVersion | None:
        return max(self.visible, key=lambda each: (not is_prerelease(each.version), order(each.version)), default=None)

    def resolve(self, reference: str) -> PlainVersion | None:
        """The visible version that a number, "latest" or an alias means."""
        if reference == "latest":
            return self.latest()
        if reference.startswith("@"):
            found = self.aliases.get(reference[1:])
            return found if found in self.visible else None
        return self.at(reference)

    def with_named(self, named: Named) -> PlainVersion | None:
        return next((each for each in self.visible if each.named == named), None)


class PlainRegistry:
    """The same operations, on dictionaries. Each answers what the real one must, None for a refusal."""

    def __init__(self) -> None:
        self.models: dict[str, PlainModel] = {}
        self.events: Counter[tuple[str, str, str | None]] = Counter()

    def model(self, name: str) -> PlainModel:
        return self.models.get(name, PlainModel())

    def every(self, *, removed: bool = False) -> list[PlainVersion]:
        """In the order of a listing."""
        models = [self.models[name] for name in sorted(self.models)]
        return [
            each
            for model in models
            for each in sorted(model.removed if removed else model.visible, key=lambda each: order(each.version))
        ]

    def happened(self, action: str, name: str, version: str | None) -> None:
        self.events[action, name, version] += 1

    def add(self, new: PlainVersion) -> None:
        model = self.models.setdefault(new.name, PlainModel())
        model.visible.append(new)
        model.numbers.append(new.version)
        self.happened("registered", new.name, new.version)

    def remove(self, name: str, version: str | None) -> bool:
        model = self.model(name)
        going = list(model.visible) if version is None else [found for found in [model.resolve(version)] if found]
        for each in going:
            self.forget([old for old in model.removed if order(old.version) == order(each.version)])
            model.visible.remove(each)
            model.removed.append(each)
            self.happened("removed", name, each.version)
        return bool(going)

    def restore(self, name: str, version: str | None) -> list[PlainVersion] | None:
        model = self.model(name)
        coming = [each for each in model.removed if version is None or order(each.version) == order(version)]
        if not coming or any(model.at(each.version) for each in coming):
            return None
        for each in coming:
            model.removed.remove(each)
            model.visible.append(each)
            self.happened("restored", name, each.version)
        return coming

    def forget(self, versions: list[PlainVersion]) -> None:
        for each in versions:
            model = self.models[each.name]
            model.removed.remove(each)
            for alias in [alias for alias, named in model.aliases.items() if named is each]:
                self._name(each.name, alias, None, "alias-deleted")
            self.happened("forgotten", each.name, each.version)

    def _name(self, name: str, alias: str, version: PlainVersion | None, action: str) -> None:
        model = self.models[name]
        before = model.aliases.pop(alias, None)
        if version is not None:
            model.aliases[alias] = version
        if (before and before.named) != (version and version.named):
            self._moved(model, alias, before and before.named, None)
            self.happened(action, name, (version or before).version)  # type: ignore[union-attr]

    def set_alias(self, name: str, alias: str, reference: str) -> PlainVersion | None:
        found = self.model(name).resolve(reference)
        if found is not None:
            self._name(name, alias, found, "alias-set")
        return found

    def delete_alias(self, name: str, alias: str) -> bool:
        if alias not in self.model(name).aliases:
            return False
        self._name(name, alias, None, "alias-deleted")
        return True

    def _moved(self, model: PlainModel, alias: str, before: Named, trail: tuple[Named, ...] | None) -> None:
        """:param trail: What it can go back to now, if not to ``before`` and all that it could go back to then."""
        was = model.trail.get(alias, ())
        model.moves.setdefault(alias, []).append((before, was))
        model.trail[alias] = (before, *was) if trail is None else trail

    def undo_alias(self, name: str, alias: str) -> tuple[bool, PlainVersion | None]:
        """(whether it could be taken back, what the alias names since then)."""
        model = self.model(name)
        if not model.moves.get(alias):
            return False, None
        before, trail = model.moves[alias][-1]
        found = model.with_named(before)
        if before is not None and found is None:
            return False, None
        model.moves[alias].pop()
        model.trail[alias] = trail
        now = model.aliases.pop(alias, None)
        if found is not None:
            model.aliases[alias] = found
        self.happened("alias-undone", name, (before or (now and now.named) or (None,))[0])
        return True, found

    def rollback(self, name: str, alias: str) -> tuple[bool, PlainVersion | None]:
        """The same, for going back to the last other version that is there."""
        model = self.model(name)
        now = model.aliases.get(alias)
        trail = model.trail.get(alias, ())
        for steps, before in enumerate(trail, start=1):
            found = model.with_named(before)
            if found is not None and before != (now and now.named):
                self._moved(model, alias, now and now.named, trail[steps:])
                model.aliases[alias] = found
                self.happened("alias-rolled-back", name, found.version)
                return True, found
        return False, None

    def owner(self, name: str, reference: str | None) -> PlainModel | PlainVersion | None:
        """What a tag or a description is said of: a version, or the model itself if it has any."""
        model = self.model(name)
        return (model if model.visible else None) if reference is None else model.resolve(reference)

    def comes_from(self, version: PlainVersion) -> set[str]:
        """The digests of all that a version comes from, as far as its ancestors are there."""
        return {each.digest for each in self._ancestors(version)}

    def _ancestors(self, version: PlainVersion) -> Iterator[PlainVersion]:
        seen: list[PlainVersion] = []
        todo = [version]
        while todo:
            for (_, name, number), digest in todo.pop().parents.items():
                model = self.model(name)
                for found in model.visible + model.removed:
                    if found.digest == digest and order(found.version) == order(number) and found not in seen:
                        seen.append(found)
                        todo.append(found)
                        yield found
