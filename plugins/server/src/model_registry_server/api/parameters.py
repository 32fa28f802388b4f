"""Parameters that many routes have, and what becomes of one that a route does not have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Annotated

from fastapi import Query, Request

from model_registry import InvalidOptionError

#: Of versions in one page.
MOST = 1000

#: Of parameters that look the same wherever they are, by their names.
EXAMPLES: Mapping[str, str | int | float] = {
    "actor": "ci",
    "after": 1200,
    "alias": "champion",
    "before": 1200,
    "delivery": "msg_01KGB0T1Q8",
    "depth": 3,
    "expected": 1200,
    "format": "onnx",
    "head": "9f86d081884c7d659a2feaa0c55ad015" * 2,
    "id": "8f14e45fceea167a",
    "key": "stage",
    "last-event-id": "1200",
    "limit": 50,
    "name": "digits",
    "number": 0,
    "path": "model.safetensors",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015" * 2,
    "start": 10_000,
    "subject": "digits",
    "tolerance": 0.001,
    "upload-offset": 0,
    "version": "1.0.0",
}

Version = Annotated[
    str, Query(description="A version, an alias such as @champion, or latest", examples=["1.0.0", "@champion"])
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most")]
Cursor = Annotated[
    str | None, Query(description="The cursor of the page before", examples=["WyJkaWdpdHMiLCIxLjAuMCJd"])
]


async def only_known(request: Request) -> None:
    """A dependency of every route that takes no others: what is misspelt would be left out of account silently.

    :raises InvalidOptionError: for a parameter of the query that the route does not have.
    """
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            raise InvalidOptionError(f"there is no parameter {name!r:.100}", hint=_instead(name, known), option=name)


def _instead(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(known)}" if known else "there are none here"
