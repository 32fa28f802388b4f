"""The three sources of the configuration. Each gives what it says, key by key, and the keys that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from attrs import frozen

from model_registry.config.kinds import PATH, Kind, UnexpectedError
from model_registry.config.mistakes import Mistake, nearest
from model_registry.config.places import Place
from model_registry.config.toml_file import TomlFile, read_toml

FILE_NAME = "registry.toml"
VARIABLE_PREFIX = "MODEL_REGISTRY_"
FILE_VARIABLE = "MODEL_REGISTRY_CONFIG"

_PATH_ALIAS = "registry_path"
_PLUGIN_LISTS = {"order": "plugin_order", "disabled": "disabled_plugins"}


@frozen
class Given:
    """A value that a source gives.

    :param key: ``(<setting>,)``, ``("plugins", <name>)`` for a plugin's table, which may be empty, or
        ``("plugins", <name>, <option>)`` for what stands in it.
    """

    key: tuple[str, ...]
    value: Any
    place: Place


def find_file(keywords: Mapping[str, object], environ: Mapping[str, str]) -> TomlFile | Mistake | None:
    """The file named by keyword or environment, which must exist, or else the current folder's, if there is one.

    Nor that if the current folder is a registry: what lies inside one may be somebody else's and configures nothing.
    """
    if (named := keywords.get("config")) is not None:
        return _read_named(named, Place("keyword", ("config",)))
    if named := environ.get(FILE_VARIABLE):
        return _read_named(named, Place("environment", (FILE_VARIABLE,)))
    path = Path(FILE_NAME)
    is_registry = any(Path(mark).exists() for mark in ("oci-layout", "catalog.sqlite"))
    return read_toml(path) if path.is_file() and not is_registry else None


def from_file(file: TomlFile, kinds: Mapping[str, Kind]) -> Iterator[Given | Mistake]:
    """What a file says."""
    settings = kinds.keys() - _PLUGIN_LISTS.values()
    for table, value in file.tables.items():
        place = Place(file.source, (table,), file)
        if table not in {"registry", "plugins"}:
            yield _unknown(place, table, ("registry", "plugins"))
        elif not isinstance(value, Mapping):
            yield place.mistake(found=value, expected="a table")
        elif table == "registry":
            yield from _settings_of(value, settings, place)
        else:
            yield from _plugins_of(value, place)


def from_environment(environ: Mapping[str, str], kinds: Mapping[str, Kind]) -> Iterator[Given]:
    """What the environment says. An empty variable says nothing.

    Other variables of the prefix are no mistakes: container platforms set ``MODEL_REGISTRY_PORT`` and the like for any
    service that is called so.
    """
    for setting, kind in kinds.items():
        variable = VARIABLE_PREFIX + setting.upper()
        if text := environ.get(variable):
            yield Given((setting,), kind.parse(text), Place("environment", (variable,)))


def from_keywords(keywords: Mapping[str, object], kinds: Mapping[str, Kind]) -> Iterator[Given | Mistake]:
    """What the caller says. A keyword that is None says nothing."""
    for keyword, value in keywords.items():
        place = Place("keyword", (keyword,))
        if keyword == "plugins" and value is not None:
            yield from _plugin_tables_of(value, place)
        elif keyword in kinds or keyword == _PATH_ALIAS:
            if value is not None:
                yield Given(("path" if keyword == _PATH_ALIAS else keyword,), value, place)
        elif keyword not in {"config", "plugins"}:
            yield _unknown(place, keyword, (*kinds, _PATH_ALIAS, "config", "plugins"))
    if keywords.get("path") is not None and keywords.get(_PATH_ALIAS) is not None:
        yield Place("keyword", (_PATH_ALIAS,)).mistake("another name of 'path', which is given too")


def _read_named(named: object, place: Place) -> TomlFile | Mistake:
    try:
        path = PATH.check(named)
    except UnexpectedError:
        return place.mistake(found=named, expected="the path of a TOML file")
    return read_toml(path) if path.is_file() else place.mistake(f"there is no file {str(named)!r}", found=named)


def _unknown(place: Place, key: str, valid: Iterable[str]) -> Mistake:
    return place.mistake("unknown key", found=key, suggestion=nearest(key, valid))


def _settings_of(table: Mapping[str, Any], settings: Iterable[str], place: Place) -> Iterator[Given | Mistake]:
    for key, value in table.items():
        yield Given((key,), value, place.below(key)) if key in settings else _unknown(place.below(key), key, settings)


def _plugins_of(table: Mapping[str, Any], place: Place) -> Iterator[Given | Mistake]:
    plugins = {}
    for key, value in table.items():
        if key in _PLUGIN_LISTS:
            yield Given((_PLUGIN_LISTS[key],), value, place.below(key))
        elif isinstance(value, Mapping):
            plugins[key] = value
        elif nearest(key, _PLUGIN_LISTS):
            yield _unknown(place.below(key), key, _PLUGIN_LISTS)
        else:
            yield place.below(key).mistake(found=value, expected="a table")
    yield from _plugin_tables_of(plugins, place)


def _is_table(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _plugin_tables_of(plugins: object, place: Place) -> Iterator[Given | Mistake]:
    if not _is_table(plugins):
        yield place.mistake(found=plugins, expected="a table of tables, one for each plugin")
        return
    for name, table in plugins.items():
        if not _is_table(table):
            yield place.below(name).mistake(found=table, expected="a table")
            continue
        yield Given(("plugins", name), {}, place.below(name))
        for key, value in table.items():
            yield Given(("plugins", name, key), value, place.below(name, key))
