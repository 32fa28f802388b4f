"""Digests that a client gives for what it sends (RFC 9530). Each is checked or refused: none is passed over."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from model_registry_server.transfer.errors import DigestMismatchError, InvalidBodyError

#: The header for the bytes of this message, and the one for what they represent: the same, where nothing is encoded.
_NAMES = ("content-digest", "repr-digest")
#: What earlier documents said, which nobody checks here.
_OLD = ("digest", "content-md5")
#: A member of such a header: an algorithm, and its digest in base64.
_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*", re.ASCII)


def claimed_digest(headers: Iterable[tuple[str, str]]) -> str | None:
    """The SHA-256, in hex, that headers give for a body or a part of a form; None if they give none.

    Digests of other algorithms may stand beside it.

    :param headers: Names in lower case, and values.
    :raises InvalidBodyError: for one that is none, has no SHA-256, or is not the only one.
    """
    said: dict[str, list[str]] = {}
    for name, text in headers:
        if name in _NAMES:
            said.setdefault(name, []).append(text)
        elif name in _OLD:
            raise InvalidBodyError(f"{name}: such digests are not checked", hint="give Content-Digest: sha-256=:…:")
    found = {digest for name, texts in said.items() for digest in _digests(name, ",".join(texts))}
    if len(found) > 1:
        raise InvalidBodyError(f"two SHA-256 are given for one body: {' and '.join(sorted(found))}", hint="give one")
    return next(iter(found), None)


def require_digest(claimed: str | None, found: str, what: str) -> None:
    """:raises DigestMismatchError: if the client said another one."""
    if claimed not in (None, found):
        message = f"{what!r:.200} has the SHA-256 {found} instead of {claimed}"
        raise DigestMismatchError(message, hint="send it again", path=what, expected=claimed, found=found)


def _digests(name: str, text: str) -> list[str]:
    members = [_MEMBER.fullmatch(member) for member in text.split(",")]
    digests = [_decoded(member[2]) for member in members if member is not None and member[1] == "sha-256"]
    if None in members or not digests or any(len(digest) != 32 for digest in digests):
        hint = "give sha-256=:…: with the digest in base64"
        raise InvalidBodyError(f"{name}: {text[:100]!r} has no SHA-256 that can be checked", hint=hint)
    return [digest.hex() for digest in digests]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
