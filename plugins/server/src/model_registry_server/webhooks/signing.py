"""Signatures, by which a receiver knows that a delivery comes from its server (standardwebhooks.com).

A receiver written in Python::

    from model_registry_server.webhooks.signing import verify

    verify(secret, request.headers, body)  # raises InvalidSignatureError
    change = json.loads(body)

Whoever cannot import this computes HMAC-SHA256 with the secret's bytes (base64 after ``whsec_``) over
``{webhook-id}.{webhook-timestamp}.{body}``, and compares it with the base64 after ``v1,`` in ``webhook-signature``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping

from model_registry import InvalidOptionError
from model_registry.errors import ModelRegistryError

PREFIX = "whsec_"
#: Bytes of a secret.
_SHORTEST, _LONGEST, _USUAL = 24, 64, 32
#: Without a dot: it ends the id in what is signed, so that nothing of the rest can be taken for a part of the id.
_ID = re.compile(r"[^.\s]{1,200}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class InvalidSignatureError(ModelRegistryError, ValueError):
    """A delivery that is forged, was changed on the way, or was sent long ago. Do not act on it."""


def new_secret() -> str:
    """A secret that nobody can guess."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_USUAL)).decode()


def key_of(secret: str) -> bytes:
    """The bytes that a secret stands for.

    :raises InvalidOptionError: if it is none.
    """
    key = b""
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
    if not _SHORTEST <= len(key) <= _LONGEST:
        hint = f"give {PREFIX} and {_SHORTEST} to {_LONGEST} bytes in base64, or leave it out and one is made"
        raise InvalidOptionError("this is no secret of a webhook", hint=hint, option="secret")
    return key


def sign(secret: str, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that vouch for a delivery.

    :param timestamp: Seconds since 1970 at which it is sent.
    """
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": _signature(key_of(secret), id, str(timestamp), body),
    }


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    tolerance: float = 300,
    *,
    clock: Callable[[], float] = time.time,
) -> None:
    """Make sure that a delivery comes from whoever knows the secret, and is new.

    A delivery may come twice, with the same ``webhook-id``: remember the ids for a while where that matters.

    :param secret: As it was told when the webhook was made.
    :param headers: Those of the request, in any case.
    :param body: The bytes as they came: JSON that was read and written again is other bytes.
    :param tolerance: Seconds by which the time of sending may differ from this machine's.
    :raises InvalidSignatureError: if a header is missing, the signature is another one, or the time is too far away.
    """
    key, found = key_of(secret), {name.lower(): value for name, value in headers.items()}
    id, timestamp, signatures = (found.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (_ID.fullmatch(id) and _TIMESTAMP.fullmatch(timestamp)):
        hint = "webhook-id, webhook-timestamp and webhook-signature come with each"
        raise InvalidSignatureError("the delivery lacks a header, or has one that makes no sense", hint=hint)
    expected = _signature(key, id, timestamp, body).encode()
    if not any(hmac.compare_digest(expected, each.encode("utf-8", "replace")) for each in signatures.split(" ")):
        hint = "check the secret, and that the body is verified byte for byte"
        raise InvalidSignatureError("the signature is not that of the delivery", hint=hint)
    if abs(clock() - int(timestamp)) > tolerance:
        hint = "it may be an old one sent by somebody else; or set the clock"
        raise InvalidSignatureError(f"the delivery was not sent within {tolerance:g} s of now", hint=hint)


def _signature(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    digest = hmac.new(key, b".".join((id.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
