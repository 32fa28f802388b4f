"""Parameters that many routes have."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

#: Of versions in one page.
MOST = 1000

Version = Annotated[
    str, Query(description="A version, an alias such as @champion, or latest", examples=["1.0.0", "@champion"])
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most")]
Cursor = Annotated[str | None, Query(description="The cursor of the page before")]
