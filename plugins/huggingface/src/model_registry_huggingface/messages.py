"""Other libraries' errors in our messages, which are one line each."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
