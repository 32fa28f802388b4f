"""``key=value`` on the command line, and how those of several options become the keywords of one call."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import click

Pairs = Iterable[tuple[str, Any]]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _assignment_option(
    flag: str, name: str, metavar: str, help: str, *, read: Callable[[str], Any], expected: str
) -> Decorator:
    """An option that takes ``key=value``, any number of times, and gives the pairs.

    :param read: Makes the value of its text, or raises ValueError.
    :param expected: What the text should be, for the message.
    """

    def pair(context: click.Context, parameter: click.Parameter, assignment: str) -> tuple[str, Any]:
        key, equals, text = assignment.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{assignment!r} is not of the form {metavar}", context, parameter)
        try:
            return key, read(text)
        except ValueError:
            raise click.BadParameter(f"{key} is {text!r}, which is not {expected}", context, parameter) from None

    def pairs(context: click.Context, parameter: click.Parameter, given: Iterable[str]) -> list[tuple[str, Any]]:
        return [pair(context, parameter, assignment) for assignment in given]

    return click.option(flag, name, metavar=metavar, help=f"{help}; may be repeated.", multiple=True, callback=pairs)


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


METRICS = _assignment_option(
    "--metric", "metrics", "NAME=NUMBER", "A number that was measured", read=_number, expected="a number"
)
FIELDS = _assignment_option(
    "--set",
    "fields",
    "KEY=JSON",
    "Any other metadata",
    read=json.loads,
    expected="""JSON; a text needs quotes of its own, as in --set 'note="text"'""",
)
OPTIONS = _assignment_option(
    "--option", "options", "KEY=VALUE", "An option of the format", read=_json_or_text, expected="a value"
)


def keywords(sources: Mapping[str, Pairs], taken: Collection[str]) -> dict[str, Any]:
    """The pairs of several options as the keywords of one call.

    :param sources: The pairs of each option, by its name.
    :param taken: Keywords that the command says itself.
    :raises click.UsageError: for a key that is given twice, or taken.
    """
    given: dict[str, Any] = {}
    for option, pairs in sources.items():
        for key, value in pairs:
            if key in taken:
                raise _refusal(f"{option} {key}=… says what has an argument or option of its own")
            if key in given:
                raise _refusal(f"{key!r} is given twice, the second time by {option}")
            given[key] = value
    return given


def _refusal(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context(silent=True))
