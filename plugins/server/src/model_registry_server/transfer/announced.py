"""How long a body is said to be."""

from __future__ import annotations

from collections.abc import Mapping

#: No disk holds a number of bytes that has more.
_MOST_DIGITS = 18


def announced_length(headers: Mapping[str, str]) -> int | None:
    """Bytes; None if it is not said. Of a number that is too large to be one, only that it is."""
    text = headers.get("content-length", "")
    if not (text.isascii() and text.isdecimal()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS
