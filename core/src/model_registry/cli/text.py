"""Values as text for people. What comes from files or plugins is made inert: nobody has vouched for it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

#: Control, format (which can reverse what is read), surrogate, and line and paragraph separator.
_ACTIVE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: Format characters that scripts and emoji need inside words; they do nothing else.
_JOINERS = "\u200c\u200d"
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def inert(value: object, *, lines: bool = False) -> str:
    r"""A text that a terminal only shows: what could move the cursor, colour or reorder it is escaped, as in ``\x1b``.

    :param lines: Keep line breaks; otherwise the text becomes one line.
    """
    text = str(value)
    if text.isprintable():
        return text
    if lines:
        return "\n".join(inert(line) for line in text.splitlines())
    return "".join(_inert(character) for character in " ".join(text.split("\n")).replace("\t", " "))


def _inert(character: str) -> str:
    if unicodedata.category(character) not in _ACTIVE or character in _JOINERS:
        return character
    return character.encode("unicode_escape").decode()


def size_text(size: int) -> str:
    """Bytes in units of powers of 1000: ``1.2 MB``."""
    amount = float(size)
    for unit in _UNITS:
        if amount < 999.95 or unit == _UNITS[-1]:
            break
        amount /= 1000
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def count_text(count: int | None) -> str:
    """A whole number with its thousands set apart; empty for None."""
    return "" if count is None else f"{count:,}"


def moment_text(moment: datetime | None) -> str:
    """A point in time as the clock on the wall shows it; empty for None."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def plural(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def shape_text(shape: Sequence[int]) -> str:
    """The sizes of a tensor: ``16×4``, and ``scalar`` for a single number."""
    return "×".join(map(str, shape)) or "scalar"


def value_text(value: Any, longest: int) -> str:
    """A value of a JSON type, cut after ``longest`` characters."""
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[:longest]}… (all of it with --json)"


def pointed(text: str, column: int, width: int = 76) -> str:
    """The line of a text that has a column (from 1), cut to a width, and below it a caret under the column."""
    before, after = text[: column - 1], text[column - 1 :]
    line, rest = before.rpartition("\n")[2], after.partition("\n")[0]
    line = f"…{line[-width // 2 :]}" if len(line) > width // 2 + 1 else line
    rest = rest[: width - len(line)]
    return f"  {inert(line)}{inert(rest)}\n  {' ' * _cells(inert(line))}^"


def _cells(text: str) -> int:
    """How many places of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
