"""Other libraries' errors in our messages, which are one line each."""

from __future__ import annotations

import re

#: What they put before what they have to say: a status, and the place in their own sources.
_WHERE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : |Exception during initialization: "
    r"|/\S+\.(?:cc|h):\d+:? (?:\S+ )?(?:Assertion `[^`]*` failed: )?"
)


def first_line(error: Exception) -> str:
    """The first line of an error's text that says something, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return _WHERE.sub("", lines[0])[:300] if lines else type(error).__name__
