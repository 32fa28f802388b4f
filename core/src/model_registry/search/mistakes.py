"""Mistakes in a query, with their place."""

from __future__ import annotations

from attrs import frozen

from model_registry.errors import InvalidQueryError


@frozen
class Source:
    """The text of a query, of which mistakes are told."""

    text: str

    def mistake(self, column: int, problem: str, hint: str = "") -> InvalidQueryError:
        """:param column: Where it is, from 1; one past the end if something is missing there."""
        return InvalidQueryError(f"search, column {column}: {problem}", hint=hint, query=self.text, column=column)
