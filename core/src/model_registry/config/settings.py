"""The settings of one registry, and how they come together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from attrs import Factory, field, fields, frozen

from model_registry.config import kinds
from model_registry.config.kinds import Kind, UnexpectedError
from model_registry.config.mistakes import Mistake, configuration_error
from model_registry.config.options import structure_options
from model_registry.config.places import Origins, Place
from model_registry.config.sources import (
    FILE_VARIABLE,
    VARIABLE_PREFIX,
    Given,
    find_file,
    from_environment,
    from_file,
    from_keywords,
)

Options = TypeVar("Options")

_KIND = "kind"


def _setting(kind: Kind, default: Any) -> Any:
    return field(default=default, metadata={_KIND: kind})


@frozen
class Settings:
    """Everything a registry can be told. Megabytes are 1,000,000 bytes.

    :param path: The registry's folder.
    :param catalog: URL of the catalog; a relative one starts at ``path``.
    :param blobs: URL of the blob store, which owns ``oci-layout``, ``blobs/`` and ``staging/`` there; a relative one
        starts at ``path``.
    :param default_format: Format of models registered without one; None to detect it.
    :param auto_validate: Validate models when they are registered.
    :param capture_environment: Keep with each version where it was made: packages, git commit, command.
    :param compression_threshold: Models of this many megabytes or more are archived when nobody names one, and listed
        as worth compressing.
    :param keep_hot: How many of a model's newest versions are never archived.
    :param idle_days: For how many days a version must not have been loaded before it is; 0 does not ask.
    :param auto_archive: Archive when garbage is collected.
    :param backup_enabled: Removed versions can be restored for a while, and the catalog is backed up.
    :param keep_removed_days: For how many days.
    :param cache_size: Megabytes that what is restored from the archive may take, like other caches.
    :param trusted_models: ``fnmatch`` patterns of the names of models whose artifacts may execute code.
    :param create: Make the registry if there is none at ``path``.
    :param plugin_order: Plugins that are asked first, in this order.
    :param disabled_plugins: Plugins that are not even imported.
    :param plugin_tables: What was said under ``[plugins.<name>]``, unchecked; ``plugin_options`` checks it.
    :param origins: Where each value came from.
    """

    path: Path = _setting(kinds.PATH, Path("models"))  # noqa: RUF009 - the call makes an attrs field
    catalog: str = _setting(kinds.URL, "sqlite:catalog.sqlite")
    blobs: str = _setting(kinds.URL, "file:.")
    default_format: str | None = _setting(kinds.NAME, None)
    auto_validate: bool = _setting(kinds.FLAG, True)
    capture_environment: bool = _setting(kinds.FLAG, True)
    compression_threshold: float = _setting(kinds.AMOUNT, 100.0)
    keep_hot: int = _setting(kinds.COUNT, 3)
    idle_days: float = _setting(kinds.AMOUNT, 0.0)
    auto_archive: bool = _setting(kinds.FLAG, False)
    backup_enabled: bool = _setting(kinds.FLAG, True)
    keep_removed_days: float = _setting(kinds.AMOUNT, 7.0)
    cache_size: float = _setting(kinds.AMOUNT, 1000.0)
    trusted_models: tuple[str, ...] = _setting(kinds.NAMES, ())
    create: bool = _setting(kinds.FLAG, True)
    plugin_order: tuple[str, ...] = _setting(kinds.NAMES, ())
    disabled_plugins: tuple[str, ...] = _setting(kinds.NAMES, ())
    plugin_tables: Mapping[str, Mapping[str, Any]] = Factory(dict)
    origins: Origins = field(default=Origins({}), eq=False, repr=False)

    def plugin_options(self, name: str, cls: type[Options]) -> Options:
        """The options of a plugin: an instance of its attrs class, filled from its table.

        :raises ConfigurationError: with all mistakes in the table.
        """
        return structure_options(
            cls, self.plugin_tables.get(name, {}), where=lambda *path: self.origins.plugin(name, *path)
        )


_KINDS: Mapping[str, Kind] = {a.name: a.metadata[_KIND] for a in fields(Settings) if _KIND in a.metadata}


def load_settings(keywords: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> Settings:
    """Bring the settings together: keyword over environment over file over default.

    :param keywords: Those of ``ModelRegistry``: the names of the settings, ``registry_path`` for ``path``,
        ``plugins={"<name>": {…}}`` over the tables of the file, and ``config`` for the path of the file. None counts
        as not given.
    :raises ConfigurationError: with every mistake of all sources, even in values that another source overrides.
    """
    settings, mistakes = read_settings(keywords, environ)
    if mistakes:
        raise configuration_error(mistakes)
    return settings


def read_settings(
    keywords: Mapping[str, object], environ: Mapping[str, str] = os.environ
) -> tuple[Settings, list[Mistake]]:
    """The same for whoever looks for more mistakes: what is right, with defaults for the rest, and what is wrong."""
    said = list(_said(keywords, environ))
    given = [item for item in said if isinstance(item, Given)]
    mistakes = [item for item in said if isinstance(item, Mistake)]
    values = dict(_values(given, mistakes))
    return Settings(**values, plugin_tables=_plugin_tables(given), origins=_origins(given)), mistakes


def said_path(keywords: Mapping[str, object], environ: Mapping[str, str]) -> object:
    """What the sources say where the registry is, unchecked: a folder or an address. None if they say nothing."""
    first = (keywords.get("path"), keywords.get("registry_path"), environ.get(f"{VARIABLE_PREFIX}PATH"))
    said = next((value for value in first if value), None)
    if said is not None:
        return said
    given = _paths(keywords, environ)
    return given[-1].value if given else None


def found_path(keywords: Mapping[str, object], environ: Mapping[str, str]) -> str | None:
    """The line of the current folder's file that says where the registry is; None if somebody named the file, or the
    registry, or nobody says it."""
    is_named = keywords.get("config") is not None or environ.get(FILE_VARIABLE)
    given = [] if is_named else _paths(keywords, environ)
    return str(given[-1].place) if given and given[-1].place.file is not None else None


def _paths(keywords: Mapping[str, object], environ: Mapping[str, str]) -> list[Given]:
    return [item for item in _said(keywords, environ) if isinstance(item, Given) and item.key == ("path",)]


def _said(keywords: Mapping[str, object], environ: Mapping[str, str]) -> Iterator[Given | Mistake]:
    """All that the sources say, from the lowest precedence to the highest."""
    file = find_file(keywords, environ)
    if isinstance(file, Mistake):
        yield file
    elif file is not None:
        yield from from_file(file, _KINDS)
    yield from from_environment(environ, _KINDS)
    yield from from_keywords(keywords, _KINDS)


def _values(given: Iterable[Given], mistakes: list[Mistake]) -> Iterator[tuple[str, Any]]:
    for item in given:
        if (kind := _KINDS.get(item.key[0])) is None:
            continue
        try:
            value = kind.check(item.value)
        except UnexpectedError as error:
            mistakes.append(item.place.mistake(found=item.value, expected=str(error)))
            continue
        yield item.key[0], item.place.folder / value if isinstance(value, Path) else value


def _plugin_tables(given: Iterable[Given]) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for item in given:
        if item.key[0] == "plugins":
            _, name, *option = item.key
            tables.setdefault(name, {}).update((key, item.value) for key in option)
    return tables


def _origins(given: Iterable[Given]) -> Origins:
    places = {setting: Place("default", (setting,)) for setting in _KINDS}
    for item in given:
        # An empty table by keyword takes nothing from the file's, so that table still is the place of missing keys.
        if len(item.key) != 2 or ".".join(item.key) not in places:
            places[".".join(item.key)] = item.place
    return Origins(places)
