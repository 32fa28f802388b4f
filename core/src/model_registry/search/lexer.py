"""From the text of a query to its tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from enum import Enum

from attrs import frozen

from model_registry.names import shown
from model_registry.search.mistakes import Source

MAX_LENGTH = 10_000
MAX_DIGITS = 400

#: Powers of 1000, as sizes are shown everywhere.
UNITS = {unit.lower(): 1000**power for power, unit in enumerate(("B", "kB", "MB", "GB", "TB", "PB"))}

_KEY = r'[A-Za-z0-9_-]+|"(?:[^"]|"")*"'
_TOKEN = re.compile(
    rf"""
    (?P<space>\s+)
    | (?P<text>'(?:[^']|'')*')
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.(?:{_KEY}))*(?P<open>\."|\.)?)
    | (?P<number>[+-]?\.?[0-9][A-Za-z0-9_.:+-]*(?:\ [kMGTP]?i?B\b)?)
    | (?P<symbol><=|>=|<>|!=|[=<>(),])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)(?:\ ?([a-z]+))?", re.IGNORECASE)
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_HINTS = {
    "'": "end it with another '; a ' inside a text is written twice",
    '"': 'texts stand in single quotes; double quotes are for keys, as in metrics."top-5 accuracy"',
}
_USUAL = "a query looks like: metrics.accuracy >= 0.97 and name like 'mnist%' order by size"


class TokenKind(Enum):
    WORD = "word"
    TEXT = "text"
    NUMBER = "number"
    SYMBOL = "symbol"
    END = "end"


@frozen
class Token:
    """One token.

    :param text: As it is written.
    :param column: Where it begins, from 1.
    :param value: What a text or a number is worth; the parts of a word.
    :param unit: Whether a number has a unit of bytes.
    """

    kind: TokenKind
    text: str
    column: int
    value: str | int | float | tuple[str, ...] = ""
    unit: bool = False

    def __str__(self) -> str:
        if self.kind is TokenKind.END:
            return "the end"
        return shown(self.value if self.kind is TokenKind.TEXT else self.text)


def tokens_of(source: Source) -> Iterator[Token]:
    """The tokens, and the end.

    :raises InvalidQueryError: for what is no token.
    """
    text = source.text
    if len(text) > MAX_LENGTH:
        raise source.mistake(MAX_LENGTH + 1, f"{len(text):,} characters are too many", f"use at most {MAX_LENGTH:,}")
    if foreign := _NO_TEXT.search(text):
        raise source.mistake(foreign.start() + 1, f"{foreign[0]!r} is no character of a text", "leave it out")
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unknown(source, position)
        if match.lastgroup != "space":
            yield _token(source, match)
        position = match.end()
    yield Token(TokenKind.END, "", len(text) + 1)


def _token(source: Source, match: re.Match[str]) -> Token:
    text, column = match[0], match.start() + 1
    if match["text"]:
        return Token(TokenKind.TEXT, text, column, text[1:-1].replace("''", "'"))
    if match["number"]:
        return _number(source, text, column)
    if match["word"]:
        if match["open"]:
            raise source.mistake(match.end(), f"expected a key after {shown(text)}", _key_hint(match["open"]))
        return Token(TokenKind.WORD, text, column, _parts(text))
    return Token(TokenKind.SYMBOL, text, column)


def _number(source: Source, text: str, column: int) -> Token:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise source.mistake(column, f"{shown(text)} is no number", "put texts, versions and times in single quotes")
    digits, unit = match.groups()
    if unit and unit.lower() not in UNITS:
        raise source.mistake(column, f"{shown(text)} has the unknown unit {shown(unit)}", "use B, kB, MB, GB, TB or PB")
    number = float(digits) * UNITS.get((unit or "").lower(), 1)
    if math.isinf(number) or len(digits) > MAX_DIGITS:
        raise source.mistake(column, f"{shown(text)} is too large", f"use a number below 1e308, of {MAX_DIGITS} digits")
    if not unit and digits.lstrip("+-").isdigit():
        return Token(TokenKind.NUMBER, text, column, int(digits))
    return Token(TokenKind.NUMBER, text, column, int(number) if unit and number.is_integer() else number, bool(unit))


def _parts(word: str) -> tuple[str, ...]:
    parts = re.findall(_KEY, word)
    return tuple(part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts)


def _key_hint(opened: str) -> str:
    return 'end the key with another "' if '"' in opened else 'write metrics.accuracy, or metrics."top-5 accuracy"'


def _unknown(source: Source, position: int) -> Exception:
    character = source.text[position]
    hint = _HINTS.get(character, _USUAL)
    if character == "'":
        return source.mistake(position + 1, "the text that begins here does not end", hint)
    return source.mistake(position + 1, f"{character!r} has no meaning here", hint)
