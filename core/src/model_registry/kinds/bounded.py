"""Reading little of a file."""

from __future__ import annotations

from typing import IO

#: Bytes that may be read of one file.
BUDGET = 1 << 20


class BudgetSpentError(Exception):
    """More of the file would have to be read than looking at it is worth."""


class Bounded:
    """A file of which at most 1 MiB is read, piece by piece, wherever the pieces lie."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.size = size
        self._file = file
        self._left = BUDGET

    def read(self, offset: int, length: int) -> bytes:
        """The bytes that are there, of so many asked for.

        :raises BudgetSpentError: instead of reading too much.
        """
        length = max(0, min(length, self.size - offset))
        if length > self._left:
            raise BudgetSpentError
        self._left -= length
        self._file.seek(offset)
        return self._file.read(length)
