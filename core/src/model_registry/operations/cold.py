"""Which versions are cold: seldom used, so that their files may be kept in a way that takes longer to read."""

from __future__ import annotations

from itertools import groupby

from model_registry.catalog import VersionRow
from model_registry.clock import DAY, now
from model_registry.errors import InvalidOptionError
from model_registry.operations.context import Context
from model_registry.operations.entries import LATEST, require
from model_registry.records import MEGABYTE

#: The tag that keeps a version hot, and its value.
TAG, NEVER = "archive", "never"


def cold_versions(context: Context, name: str | None, keep: int | None) -> list[list[VersionRow]]:
    """The cold versions of each model, the newest first.

    :param name: A model, or a pattern of names. None asks the policy of the configuration, for every model.
    :param keep: How many of a model's newest versions are hot; None for what the configuration says.
    """
    settings = context.settings
    keep = settings.keep_hot if keep is None else keep
    if type(keep) is not int or keep < 0:
        raise InvalidOptionError(f"keep is {keep!r}", hint="give a whole number from 0 on", option="keep")
    least = int(settings.compression_threshold * MEGABYTE) if name is None else 0
    known = list(context.catalog.versions(name=name))
    if name is not None and not known and not set(name) & set("*?["):
        require(context, name, LATEST)  # says what is called nearly so
    found = []
    for _, rows in groupby(known, lambda row: row.name):
        older = list(rows)[: -keep or None]
        found.append([row for row in reversed(older) if row.size >= least and not _is_hot(context, row)])
    return [rows for rows in found if rows]


def _is_hot(context: Context, row: VersionRow) -> bool:
    """Whether a version is kept as it is although there are newer ones."""
    if context.catalog.aliases.of_version(row) or context.catalog.tags.of_version(row).get(TAG) == NEVER:
        return True
    idle = context.settings.idle_days
    return idle > 0 and now() - context.uses.last(row.digest, row.registered_at) < idle * DAY
