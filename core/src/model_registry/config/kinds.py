"""The kinds of values that a setting may have: each checks a value without coercing it, and reads one from a text."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:.*", re.DOTALL)  # two letters at least: C:\ is no URL


class UnexpectedError(Exception):
    """The value is not of the kind; ``str(error)`` says what was expected."""


@frozen
class Kind:
    """How a setting's value is checked.

    :param check: Gives the value as ``Settings`` holds it, or raises UnexpectedError.
    :param parse: Gives what an environment variable's text stands for, for ``check``; the text itself if it stands
        for nothing.
    """

    check: Callable[[object], Any]
    parse: Callable[[str], object] = str


def _check_path(value: object) -> Path:
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise UnexpectedError("a path")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UnexpectedError("a path in the home of a user that exists") from None


def _check_url(value: object) -> str:
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise UnexpectedError("a URL such as 'sqlite:catalog.sqlite' or 'file:.'")
    return value


def _check_name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UnexpectedError("a name")
    return str(value)


def _check_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise UnexpectedError("true or false")
    return value


def _parse_flag(text: str) -> object:
    lower = text.strip().lower()
    return lower in _TRUE if lower in _TRUE | _FALSE else text


def _check_amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnexpectedError("a number")
    try:
        amount = float(value)
    except OverflowError:
        amount = math.inf
    if not 0 <= amount < math.inf:
        raise UnexpectedError("a finite number of at least 0")
    return amount


def _parse_amount(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _check_count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UnexpectedError("a whole number of at least 0")
    return value


def _parse_count(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        return text


def _check_names(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item for item in value):
        raise UnexpectedError("a list of names")
    return tuple(value)


def _parse_names(text: str) -> object:
    return [item for part in text.split(",") if (item := part.strip())]


PATH = Kind(_check_path)
URL = Kind(_check_url)
NAME = Kind(_check_name)
FLAG = Kind(_check_flag, _parse_flag)
COUNT = Kind(_check_count, _parse_count)
AMOUNT = Kind(_check_amount, _parse_amount)
NAMES = Kind(_check_names, _parse_names)
