"""The Python functions that searches call from SQL, for what no table has.

They are given a test or a field as text and understand each text once. A document is unpacked once while tests of the
same row follow each other, and parsed only if the field's name occurs in it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast
from weakref import WeakSet

from attrs import frozen

from model_registry.catalog.packing import unpack
from model_registry.search import parse
from model_registry.search.documents import comparable, document_value, test_of
from model_registry.search.fields import FIELDS, Kind
from model_registry.search.patterns import Pattern
from model_registry.search.tree import Comparison, Field, Like, Test

_prepared: WeakSet[sqlite3.Connection] = WeakSet()


def prepare(connection: sqlite3.Connection) -> None:
    """Give a connection the functions of this module."""
    if connection in _prepared:
        return
    documents = _Documents()
    connection.create_function("document_fits", 2, documents.fits, deterministic=True)
    connection.create_function("document_matches", 2, documents.matches, deterministic=True)
    connection.create_function("document_value", 2, documents.value, deterministic=True)
    connection.create_function("fits_pattern", 2, _fits_pattern, deterministic=True)
    _prepared.add(connection)


class _Documents:
    """The documents of one connection's rows. Damaged ones say nothing."""

    def __init__(self) -> None:
        self._packed: bytes | None = None
        self._text = ""
        self._metadata: dict[str, Any] | None = None

    def fits(self, packed: bytes, test: str) -> bool | None:
        """What a test says of a document: true, false, or None where nothing is known."""
        known = _known_test(test)
        return known.answer(self._read(packed)) if self._mentions(packed, known.needle) else known.absent

    def matches(self, packed: bytes, test: str) -> bool | None:
        """The same where false and unknown come to the same, so that fewer documents have to be parsed."""
        known = _known_test(test)
        if not self._mentions(packed, known.needle):
            return known.absent
        # Letters that are not ASCII may be the same as others in ways that only the pattern knows.
        if known.pieces and (known.cased or self._text.isascii()):
            text = self._text if known.cased else self._text.lower()
            if not all(piece in text for piece in known.pieces):
                return False
        return known.answer(self._read(packed))

    def value(self, packed: bytes, field: str) -> str | int | float | None:
        """The one value that a field has in a document, in the form in which it is compared."""
        known, needle = _known_field(field)
        if not self._mentions(packed, needle):
            return None
        return _storable(comparable(document_value(known, self._read(packed)), FIELDS[known.name].kind))

    def _mentions(self, packed: bytes, needle: str) -> bool:
        if packed != self._packed:
            self._packed, self._metadata = packed, None
            try:
                self._text = unpack(packed)
            except (ValueError, TypeError):
                self._text = ""
        return needle in self._text

    def _read(self, packed: bytes) -> dict[str, Any]:
        if self._metadata is None:
            try:
                metadata = json.loads(self._text)["metadata"]
            except (ValueError, TypeError, KeyError, RecursionError):
                metadata = {}
            self._metadata = metadata if isinstance(metadata, dict) else {}
        return self._metadata


@frozen
class _Known:
    """A test that is understood.

    :param needle: What a document holds if it says anything of the field.
    :param absent: The answer where it does not.
    :param pieces: What a document holds, too, if the answer is true.
    :param cased: … in just these letters; in lower case otherwise.
    """

    answer: Callable[[dict[str, Any]], bool | None]
    needle: str
    absent: bool | None
    pieces: tuple[str, ...]
    cased: bool


@lru_cache(maxsize=1024)
def _known_test(text: str) -> _Known:
    test = cast("Test", parse(text).condition)
    answer = test_of(test)
    return _Known(answer, _needle(test.field), answer({}), _pieces(test), cased=not isinstance(test, Like))


@lru_cache(maxsize=1024)
def _known_field(text: str) -> tuple[Field, str]:
    field = parse(f"order by {text}").order[0].field
    return field, _needle(field)


def _needle(field: Field) -> str:
    """The last key of a field, as canonical JSON writes it."""
    return json.dumps([field.name, *field.keys][-1], ensure_ascii=False) + ":"


def _pieces(test: Test) -> tuple[str, ...]:
    """What canonical JSON holds of the texts that fulfil a test."""
    kind = FIELDS[test.field.name].kind
    if isinstance(test, Like):
        return tuple(
            piece.lower() for piece in Pattern(test.pattern).pieces if piece.isascii() and _as_json(piece) == piece
        )
    if isinstance(test, Comparison) and test.operator == "=" and isinstance(test.value, str):
        return () if kind is Kind.VERSION else (f'"{_as_json(test.value)}"',)
    return ()


def _as_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _fits_pattern(pattern: str, text: str | None) -> bool | None:
    return None if text is None else _known_pattern(pattern).matches(text)


_known_pattern = lru_cache(maxsize=1024)(Pattern)


def _storable(value: Any) -> str | int | float | None:
    """The value as SQLite can hold it; lists and mappings have no order, and so no value."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        try:
            return float(value)
        except OverflowError:
            return None
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return value if isinstance(value, (int, float)) else None
