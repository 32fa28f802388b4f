"""Other libraries' errors in our messages, which are one line each."""

from __future__ import annotations


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its type if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
