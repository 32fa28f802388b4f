"""From what is written in a query to a value of the field's kind."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from model_registry.clock import DAY, EPOCH
from model_registry.digests import is_sha256
from model_registry.errors import InvalidNameError
from model_registry.search.fields import Kind
from model_registry.search.lexer import Token, TokenKind
from model_registry.search.mistakes import Source
from model_registry.search.tree import Field, Period, Value
from model_registry.versions import check_version

SECOND = 1_000_000
MINUTE = 60 * SECOND
DIGEST_PREFIX = "sha256:"

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_CONSTANTS = {"true": True, "false": False}


def value_of(source: Source, token: Token, field: Field, kind: Kind, after: str) -> Value:
    """The value that a token stands for.

    :param after: What it follows, for messages.
    :raises InvalidQueryError: if it is no value, or none of the field's kind.
    """
    if token.kind is TokenKind.WORD and token.text.lower() in _CONSTANTS:
        if kind is Kind.ANY:
            return _CONSTANTS[token.text.lower()]
    elif token.kind is TokenKind.NUMBER and isinstance(token.value, (int, float)):
        if token.unit and kind not in (Kind.SIZE, Kind.ANY):
            raise source.mistake(token.column, f"{field} is no number of bytes", f"write {kind.value}, without a unit")
        if kind in (Kind.NUMBER, Kind.SIZE, Kind.ANY):
            return token.value
    elif token.kind is TokenKind.TEXT and isinstance(token.value, str):
        if kind not in (Kind.NUMBER, Kind.SIZE):
            return _text(source, token, token.value, kind)
    else:
        raise source.mistake(token.column, f"expected a value after {after}, found {token}", _value_hint(token, kind))
    raise source.mistake(token.column, f"{field} cannot be compared with {token}", f"write {kind.value}")


def _value_hint(token: Token, kind: Kind) -> str:
    if token.text == "=":
        return "equality is a single ="
    if token.kind is TokenKind.WORD:
        if token.text.lower() == "null":
            return "ask for what is missing with «is null»"
        if kind is Kind.TEXT:
            return f"texts stand in single quotes: '{token.text}'"
    return f"write {kind.value}"


def _text(source: Source, token: Token, text: str, kind: Kind) -> Value:
    if kind is Kind.TIME:
        return _period(source, token, text)
    if kind is Kind.DIGEST:
        digest = text.lower().removeprefix(DIGEST_PREFIX)
        if not is_sha256(digest):
            hint = "write 64 hexadecimal digits, or their beginning: like '3a7bd3e2%'"
            raise source.mistake(token.column, f"{token} is no SHA-256 digest", hint)
        return digest
    if kind is Kind.VERSION:
        try:
            return check_version(text)
        except InvalidNameError as error:
            raise source.mistake(token.column, error.message, error.hint) from error
    return text


def _period(source: Source, token: Token, text: str) -> Period:
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError("no time of ISO 8601")
        return _period_of(match)
    except (ValueError, OverflowError) as error:
        raise source.mistake(token.column, f"{token} is no time", f"write {Kind.TIME.value}") from error


def _period_of(match: re.Match[str]) -> Period:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    start = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    microseconds = int((fraction or "").ljust(6, "0"))
    moment = start.replace(microsecond=microseconds, tzinfo=_zone(zone)).astimezone(timezone.utc)
    length = 1 if fraction else SECOND if second else MINUTE if minute else DAY
    first = (moment - EPOCH) // timedelta(microseconds=1)
    return Period(first, first + length)


def _zone(zone: str | None) -> timezone:
    if zone is None or zone in "Zz":
        return timezone.utc
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if minutes > 59:
        raise ValueError("an hour has 60 minutes")
    return timezone(timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1))
