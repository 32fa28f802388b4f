"""What shells complete: names of models, versions, aliases, formats, types of compression and relations."""

from __future__ import annotations

import re
from contextlib import suppress

import click

from model_registry.cli.session import Session

#: What a name can begin with; anything else would be a pattern.
_BEGINNING = re.compile(r"[A-Za-z0-9._/-]*")
_MOST = 500
_RELATIONS = ("derived", "converted", "compressed", "adapter", "dataset")


def complete_name(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The models whose names begin so; none if there is no registry, or anything else is wrong with it."""
    if not _BEGINNING.fullmatch(incomplete):
        return []
    with suppress(Exception):  # a shell that completes has no place for errors
        found = context.ensure_object(Session).open().list_models(name=f"{incomplete}*", limit=_MOST)
        return list(dict.fromkeys(entry.name for entry in found))
    return []


def complete_version(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The versions and aliases of the model that is named already."""
    name = context.params.get("name")
    if not isinstance(name, str):
        return []
    with suppress(Exception):
        registry = context.ensure_object(Session).open()
        versions = [entry.version for entry in registry.list_models(name=name, limit=_MOST)]
        known = [*versions, "latest", *(f"@{alias}" for alias in registry.aliases(name))]
        return [each for each in known if each.startswith(incomplete)]
    return []


def complete_alias(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The aliases of the model that is named already, with the ``@`` if that was typed."""
    name, at = context.params.get("name"), "@" if incomplete.startswith("@") else ""
    if isinstance(name, str):
        with suppress(Exception):
            aliases = context.ensure_object(Session).open().aliases(name)
            return [known for alias in aliases if (known := f"{at}{alias}").startswith(incomplete)]
    return []


def complete_format(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The formats of the installed plugins."""
    with suppress(Exception):
        return [
            format for format in context.ensure_object(Session).plugins().formats() if format.startswith(incomplete)
        ]
    return []


def complete_compression(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The types of compression that the installed plugins offer."""
    with suppress(Exception):
        ways = context.ensure_object(Session).plugins().compressions()
        return sorted({way.type for way in ways if way.type.startswith(incomplete)})
    return []


def complete_relation(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The relations that have a meaning; other words are possible."""
    return [relation for relation in _RELATIONS if relation.startswith(incomplete)]
