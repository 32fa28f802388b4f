"""Tags and descriptions, which can be changed after registering."""

from __future__ import annotations

from model_registry.names import check_line, check_model_name, check_tag
from model_registry.operations.context import Context
from model_registry.operations.entries import require

MAX_DESCRIPTION_LENGTH = 100_000


def set_tag(context: Context, name: str, key: str, value: object, version: str | None) -> None:
    """See ``ModelRegistry.set_tag``."""
    key, text = check_tag(key, value)
    context.catalog.tags.set(*_owner(context, name, version), key, text)


def delete_tag(context: Context, name: str, key: str, version: str | None) -> bool:
    """See ``ModelRegistry.delete_tag``."""
    key, _ = check_tag(key, "")
    return context.catalog.tags.delete(*_owner(context, name, version), key)


def tags(context: Context, name: str, version: str | None) -> dict[str, str]:
    """See ``ModelRegistry.tags``."""
    if version is None:
        return context.catalog.tags.of_model(check_model_name(name))
    return context.catalog.tags.of_version(require(context, name, version))


def describe(context: Context, name: str, text: str | None, version: str | None) -> None:
    """See ``ModelRegistry.describe``."""
    if text is not None:
        check_line("the description", text, MAX_DESCRIPTION_LENGTH)
    context.catalog.descriptions.set(*_owner(context, name, version), text)


def description(context: Context, name: str) -> str | None:
    """See ``ModelRegistry.description``."""
    return context.catalog.descriptions.of_model(check_model_name(name))


def _owner(context: Context, name: str, version: str | None) -> tuple[str, str | None]:
    """The model, or the version that is meant by a number, "latest" or an alias."""
    if version is None:
        return require(context, name).name, None
    row = require(context, name, version)
    return row.name, row.version
