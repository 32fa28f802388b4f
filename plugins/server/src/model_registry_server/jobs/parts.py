"""Parts of a result, told before the end: of what grows with the registry there is more than one answer can hold.

Whoever runs a task says who takes them; a task finds that by a context variable, and without it they are nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Take = Callable[[Any], object]

_take: ContextVar[Take | None] = ContextVar("take", default=None)


@contextmanager
def taken_by(take: Take) -> Iterator[None]:
    """Within the block, ``take`` is called with each part that is told, in the order of telling."""
    token = _take.set(take)
    try:
        yield
    finally:
        _take.reset(token)


def tell(part: object) -> None:
    """Tell a part, which JSON can say."""
    take = _take.get()
    if take is not None:
        take(part)
