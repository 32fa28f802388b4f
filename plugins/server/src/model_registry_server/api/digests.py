"""Digests that a client gives for what it sends (RFC 9530)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from model_registry_server.transfer.errors import DigestMismatchError, InvalidBodyError

_SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):\s*(?:,|$)")


def claimed_digest(headers: Mapping[str, str], *names: str) -> str | None:
    """The SHA-256, in hex, that the headers give for the body; None if they give none.

    :param names: Of the headers that may.

    :raises InvalidBodyError: for one that is none.
    """
    for name in names:
        text = headers.get(name)
        if text is None:
            continue
        found = _SHA256.search(text)
        if found is None:
            continue  # other algorithms may stand there, which need not be known
        try:
            digest = base64.b64decode(found[1], validate=True)
        except binascii.Error:
            digest = b""
        if len(digest) != 32:
            hint = "give sha-256=:…: with the digest in base64"
            raise InvalidBodyError(f"{name}: {text[:100]!r} is no digest", hint=hint)
        return digest.hex()
    return None


def require_digest(claimed: str | None, found: str, what: str) -> None:
    """:raises DigestMismatchError: if the client said another one."""
    if claimed not in (None, found):
        message = f"{what!r:.200} has the SHA-256 {found} instead of {claimed}"
        raise DigestMismatchError(message, hint="send it again", path=what, expected=claimed, found=found)
