"""Keywords: which are options of the format's plugin, and which are not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from model_registry.errors import InvalidOptionError
from model_registry.records import FormatSpec


def split(given: Mapping[str, Any], names: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(those called so, the rest)."""
    return {k: v for k, v in given.items() if k in names}, {k: v for k, v in given.items() if k not in names}


def require_known_names(given: Mapping[str, Any], known: Collection[str], what: str, verb: str) -> None:
    """The same, of what is no format."""
    for option in given:
        if option not in known:
            hint = f"it knows: {', '.join(sorted(known)) or 'none'}"
            raise InvalidOptionError(f"{verb} {what} knows no option {option!r}", hint=hint, option=option)


def require_known(given: Mapping[str, Any], known: Collection[str], spec: FormatSpec, verb: str) -> None:
    """:raises InvalidOptionError: naming the first option that the format does not know, and the nearest it does."""
    for option in given:
        if option in known or spec.open_options:
            continue
        import difflib  # for mistakes alone

        near = difflib.get_close_matches(option, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it knows: {', '.join(sorted(known)) or 'none'}"
        raise InvalidOptionError(
            f"{verb} format {str(spec.id)!r} knows no option {option!r}", hint=hint, option=option, format=spec.id
        )
