"""Types in words, for people who write configuration files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

_WORDS: Mapping[Any, tuple[str, str]] = {  # one, several
    str: ("a string", "strings"),
    bool: ("true or false", "booleans"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    Path: ("a path", "paths"),
    Any: ("a value", "values"),
}


def describe_type(type_: Any) -> str:
    """What TOML value a type takes: ``a list of strings``, ``one of 'a', 'b'``."""
    origin, arguments = get_origin(type_) or type_, get_args(type_)
    if type_ in _WORDS:
        return _WORDS[type_][0]
    if origin is Literal:
        return _one_of(arguments)
    if origin in (Union, UnionType):
        return " or ".join(describe_type(argument) for argument in arguments if argument is not NoneType)
    if not isinstance(origin, type):
        return str(type_)
    return _describe_class(origin, arguments)


def _describe_class(cls: type, arguments: tuple[Any, ...]) -> str:
    if issubclass(cls, Enum):
        return _one_of(member.value for member in cls)
    if attrs.has(cls) or issubclass(cls, Mapping):
        return "a table"
    if issubclass(cls, str):
        return "a string"
    if issubclass(cls, (Sequence, Set)):
        return _describe_list(arguments)
    return f"a {cls.__name__}"


def _describe_list(items: tuple[Any, ...]) -> str:
    if len(items) == 1 or (len(items) == 2 and items[1] is ...):
        return f"a list of {_WORDS[items[0]][1]}" if items[0] in _WORDS else "a list"
    return f"a list of {len(items)} items" if items else "a list"


def _one_of(values: Any) -> str:
    return "one of " + ", ".join(repr(value) for value in values)
