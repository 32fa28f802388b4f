"""Looking at the configuration as a whole: the core's settings and the options of every installed plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from model_registry.cli.session import Session
from model_registry.config import Mistake, Settings
from model_registry.config.mistakes import in_order
from model_registry.config.sources import VARIABLE_PREFIX
from model_registry.errors import ConfigurationError
from model_registry.plugins.discovery import Candidate, candidates
from model_registry.plugins.settings_check import check_plugin_settings

#: The settings that stand in [plugins], and under which key.
_IN_PLUGINS = {"plugin_order": "plugins.order", "disabled_plugins": "plugins.disabled"}
_NO_KEYS = frozenset({"plugin_tables", "origins"})


@attrs.frozen
class Entry:
    """One key: as ``registry.toml`` calls it, its value, and where that was said."""

    key: str
    value: Any
    origin: str


@attrs.frozen
class Inspection:
    """What was found.

    :param unchecked: Why the options of a plugin could not be checked, by its name.
    """

    entries: Sequence[Entry] = ()
    mistakes: Sequence[Mistake] = ()
    unchecked: Mapping[str, str] = attrs.field(factory=dict)


def inspect_configuration(session: Session) -> Inspection:
    """Read the configuration, and let every installed plugin that is not disabled check its part."""
    settings, mistakes = session.read_settings()
    is_right = not mistakes
    if not all(map(_leaves_the_plugins, mistakes)):
        return Inspection(mistakes=in_order(mistakes))
    found = candidates(settings)
    entries = list(_of_the_core(settings, session.address())) if is_right else []
    unchecked: dict[str, str] = {}
    with _collected(mistakes):
        check_plugin_settings(settings, [candidate.name for candidate in found])
    for candidate in found:
        if candidate.problem:
            unchecked[candidate.name] = candidate.problem
        elif not candidate.disabled:
            with _collected(mistakes), _noted(unchecked, candidate.name):
                entries += _of_a_plugin(settings, candidate)
    return Inspection(entries if is_right else (), in_order(mistakes), unchecked)


def _leaves_the_plugins(mistake: Mistake) -> bool:
    """Whether it is known in spite of a mistake which plugins there are, so that none is imported that is disabled."""
    return mistake.key.startswith(("registry.", VARIABLE_PREFIX)) and "plugin" not in mistake.key.lower()


def _mistakes(error: ConfigurationError) -> list[Mistake]:
    """Those that the error tells; the error as one if it is of another making, as a plugin's may be."""
    told = error.facts.get("mistakes")
    mistakes = [one for one in told if isinstance(one, Mistake)] if isinstance(told, Sequence) else []
    return mistakes or [Mistake("configuration", None, "", problem=str(error))]


@contextmanager
def _collected(mistakes: list[Mistake]) -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        mistakes += _mistakes(error)


@contextmanager
def _noted(unchecked: dict[str, str], name: str) -> Iterator[None]:
    """A plugin may fail in any way when it is imported; that is no mistake of the configuration."""
    try:
        yield
    except ConfigurationError:
        raise
    except Exception as error:
        unchecked[name] = f"{type(error).__name__}: {error}"


def _of_the_core(settings: Settings, address: str | None) -> Iterator[Entry]:
    for field in attrs.fields(Settings):
        if field.name not in _NO_KEYS:
            key = _IN_PLUGINS.get(field.name, f"registry.{field.name}")
            value = getattr(settings, field.name)
            if field.name == "path" and address is not None:  # as a path, it would lose one of its slashes
                value = address
            yield Entry(key, value, _origin(settings, field.name))


def _of_a_plugin(settings: Settings, candidate: Candidate) -> list[Entry]:
    """The options of a plugin that has any.

    :raises ConfigurationError: with every mistake in its table.
    """
    cls = getattr(candidate.entry_point.load(), "Options", None)
    if cls is None:
        return []
    options, table = settings.plugin_options(candidate.name, cls), f"plugins.{candidate.name}"
    return [
        Entry(f"{table}.{field.name}", getattr(options, field.name), _origin(settings, f"{table}.{field.name}"))
        for field in attrs.fields(cls)
    ]


def _origin(settings: Settings, key: str) -> str:
    origin = settings.origins.get(key, "default")
    return "command line" if origin == "keyword" else origin
