"""How a token looks: ``mr_<id>_<secret>``, so that scanners for leaked secrets find it, and its id names it in lists.

The secret has 256 random bits. Nobody can try them out, so one SHA-256 guards it as well as a slow hash would guard a
password that a person thought of, and every request is spared the time.
"""

from __future__ import annotations

import hashlib
import re
import secrets

_TEXT = re.compile(r"mr_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")


def new_id() -> str:
    """Eight hex digits. They are no secret."""
    return secrets.token_hex(4)


def new_secret() -> str:
    """43 characters that nobody can guess."""
    return secrets.token_urlsafe(32)


def join(token_id: str, secret: str) -> str:
    """The text that the bearer sends."""
    return f"mr_{token_id}_{secret}"


def split(text: str) -> tuple[str, str] | None:
    """Id and secret; None if the text cannot be a token."""
    match = _TEXT.fullmatch(text)
    return None if match is None else (match[1], match[2])


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
