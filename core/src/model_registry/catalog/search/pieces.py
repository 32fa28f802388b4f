"""Pieces of SQL that carry their values, so that nothing of a query ever becomes part of a statement's text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen


@frozen
class Sql:
    """A piece of SQL, with the values of its ``?`` in their order."""

    text: str
    values: tuple[object, ...] = ()


def sql(template: str, *parts: object) -> Sql:
    """A piece made of others: each ``{}`` takes one, or becomes a ``?`` that is bound to a value."""
    texts = template.split("{}")
    pieces = [part if isinstance(part, Sql) else Sql("?", (part,)) for part in parts]
    text = texts[0] + "".join(piece.text + rest for piece, rest in zip(pieces, texts[1:], strict=True))
    return Sql(text, tuple(_values(pieces)))


def joined(separator: str, pieces: Iterable[Sql]) -> Sql:
    """The pieces, one after another."""
    pieces = list(pieces)
    return Sql(separator.join(piece.text for piece in pieces), tuple(_values(pieces)))


def listed(values: Iterable[object]) -> Sql:
    """``?, ?, ?``, bound to the values."""
    return joined(", ", (Sql("?", (value,)) for value in values))


def _values(pieces: Iterable[Sql]) -> Iterator[object]:
    for piece in pieces:
        yield from piece.values
