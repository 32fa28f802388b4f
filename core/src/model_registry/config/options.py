"""Raw tables into the attrs classes of plugins: nothing coerced, nothing ignored, all mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from model_registry.config.mistakes import Mistake, configuration_error

if TYPE_CHECKING:
    from model_registry.config.places import Where

Options = TypeVar("Options")


def structure_options(cls: type[Options], table: Mapping[str, Any], *, where: Where) -> Options:
    """Make an instance of ``cls`` from a raw table, as TOML or a caller gives it.

    :param cls: An attrs class. Its attributes may be of any type that ``cattrs`` structures; a ``Path`` is given as a
        string and starts at the folder of the file in which that stands.
    :param where: The place of each key of the table, for the mistakes.
    :raises ConfigurationError: with every mistake: unknown and missing keys, values of another type, and those that a
        validator of ``cls`` refuses.
    """
    if not table and all(attribute.default is not attrs.NOTHING for attribute in _fields(cls)):
        return cls()  # the usual case, which need not pay for cattrs
    from cattrs.errors import BaseValidationError

    from model_registry.config.strict import structure, told

    remaining = dict(table)
    mistakes: list[Mistake] = []
    # Validators run once every type is right and no key is missing, and the first that refuses hides the others. So
    # what is known to be wrong is left out, and the rest tried again, until nothing more comes to light.
    while True:
        try:
            options = structure(cls, remaining, where)
        except BaseValidationError as error:
            found = {
                path: mistake
                for path, mistake in told(error, remaining, where)
                if remaining.keys() == table.keys() or (path and path[0] in remaining)
            }
            mistakes += found.values()
            left = {key: value for key, value in remaining.items() if (key,) not in {path[:1] for path in found}}
            if len(left) == len(remaining):
                raise configuration_error(mistakes) from error
            remaining = left
        else:
            if mistakes:
                raise configuration_error(mistakes)
            return options


def _fields(cls: type) -> tuple[attrs.Attribute[Any], ...]:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    return fields
