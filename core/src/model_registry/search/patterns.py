r"""Patterns of ``like``: ``%`` is any text, ``_`` one character, ``\`` takes either meaning away. Case is ignored."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\\(.)|(.)", re.DOTALL)


class Pattern:
    """A pattern.

    Matching takes time in proportion to the text, whatever the pattern: between ``%``, the leftmost place is always as
    good as any other, so nothing is ever tried twice.
    """

    def __init__(self, pattern: str) -> None:
        self._segments = [_Segment()]
        for escaped, plain in _PIECE.findall(pattern):
            if plain == "%":
                self._segments.append(_Segment())
            else:
                self._segments[-1].add(escaped or plain, wild=plain == "_")
        self._regexes = [segment.regex() for segment in self._segments]

    @property
    def prefix(self) -> str:
        """What every matching text begins with, but for case."""
        return self._segments[0].prefix

    @property
    def is_prefix(self) -> bool:
        """Nothing in it is wild but a % at its end."""
        return (
            len(self._segments) == 2 and len(self.prefix) == self._segments[0].length and not self._segments[1].length
        )

    @property
    def pieces(self) -> list[str]:
        """What occurs in every matching text, but for case."""
        return [piece for segment in self._segments for piece in segment.pieces if piece]

    def matches(self, text: str) -> bool:
        first, last = self._segments[0], self._segments[-1]
        if not self._regexes[0].match(text):
            return False
        if first is last:
            return len(text) == first.length
        position, end = first.length, len(text) - last.length
        if end < position or not self._regexes[-1].match(text, end):
            return False
        for regex in self._regexes[1:-1]:
            found = regex.search(text, position, end)
            if found is None:
                return False
            position = found.end()
        return True


class _Segment:
    """A piece between two ``%``: so many characters, some of them wild."""

    def __init__(self) -> None:
        self.length = 0
        self.pieces = [""]
        self._source: list[str] = []

    @property
    def prefix(self) -> str:
        return self.pieces[0]

    def add(self, character: str, *, wild: bool) -> None:
        if wild:
            self.pieces.append("")
        else:
            self.pieces[-1] += character
        self.length += 1
        self._source.append("." if wild else re.escape(character))

    def regex(self) -> re.Pattern[str]:
        return re.compile("".join(self._source), re.IGNORECASE | re.DOTALL)
