"""Digests that a client gives: read as RFC 9530 writes them, and never passed over."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest

from model_registry_server.transfer.digests import claimed_digest, require_digest
from model_registry_server.transfer.errors import DigestMismatchError, InvalidBodyError

_HEX = sha256(b"abc").hexdigest()
_ABC = f"sha-256=:{base64.b64encode(sha256(b'abc').digest()).decode()}:"
_OTHER = f"sha-256=:{base64.b64encode(sha256(b'other').digest()).decode()}:"


@pytest.mark.parametrize(
    "headers",
    [
        [("content-digest", _ABC)],
        [("repr-digest", _ABC), ("content-length", "3")],
        [("content-digest", _ABC), ("repr-digest", _ABC)],
        [("content-digest", f"sha-512=:AAAA:, {_ABC}")],
        [("content-digest", f"{_ABC} , md5=:AA==:")],
        [("content-digest", "sha-512=:AAAA:"), ("content-digest", _ABC)],
    ],
)
def test_a_digest_is_found_wherever_it_stands(headers: list[tuple[str, str]]) -> None:
    assert claimed_digest(headers) == _HEX


def test_without_a_header_there_is_none() -> None:
    assert claimed_digest([("content-length", "3")]) is None


@pytest.mark.parametrize(
    "text",
    ["", "sha-512=:AAAA:", "sha-256=abc", "sha-256=::", "sha-256=:AAAA:", "sha-256=:A:", f"{_ABC}, nonsense", _HEX],
)
def test_what_cannot_be_checked_is_refused(text: str) -> None:
    with pytest.raises(InvalidBodyError, match="has no SHA-256 that can be checked — give sha-256=:…:"):
        claimed_digest([("content-digest", text)])


@pytest.mark.parametrize("name", ["digest", "content-md5"])
def test_digests_of_earlier_documents_are_refused(name: str) -> None:
    with pytest.raises(InvalidBodyError, match=f"{name}: such digests are not checked — give Content-Digest"):
        claimed_digest([(name, "sha-256=abc")])


@pytest.mark.parametrize(
    "headers",
    [
        [("content-digest", f"{_ABC}, {_OTHER}")],
        [("content-digest", _ABC), ("content-digest", _OTHER)],
        [("content-digest", _ABC), ("repr-digest", _OTHER)],
    ],
)
def test_digests_that_contradict_each_other_are_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidBodyError, match="two SHA-256 are given for one body"):
        claimed_digest(headers)


def test_another_digest_than_was_told_is_a_mismatch() -> None:
    require_digest(None, _HEX, "w")
    require_digest(_HEX, _HEX, "w")
    with pytest.raises(DigestMismatchError, match=f"'w' has the SHA-256 {_HEX} instead of 00") as caught:
        require_digest("0" * 64, _HEX, "w")
    assert (caught.value.expected, caught.value.found) == ("0" * 64, _HEX)
