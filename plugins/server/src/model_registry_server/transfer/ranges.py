"""What a request's conditions ask for, by RFC 9110, sections 8.8.3, 13 and 14. Nothing here reads or sends anything."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen

_RANGE = re.compile(r"bytes=[ \t]*(?:(\d{1,20})-(\d{0,20})|-(\d{1,20}))[ \t]*", re.IGNORECASE | re.ASCII)
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_TAGS = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")


@frozen
class Answer:
    """How to answer.

    :param status: 200, 206, 304, 412 or 416.
    :param span: The bytes to send, for 206.
    """

    status: int
    span: range = range(0)


def answer(method: str, headers: Mapping[str, str], etag: str | None, size: int | None) -> Answer:
    """How to answer a request, by the order of RFC 9110, section 13.2.2.

    :param headers: By lower-case name; a header that was sent several times is joined by commas.
    :param etag: Of what may be sent, without quotes.
    :param size: Of what may be sent; None if no part of it can be sent.
    """
    expected = headers.get("if-match")
    if expected is not None and not matches(expected, etag):
        return Answer(412)
    known = headers.get("if-none-match")
    if known is not None and matches(known, etag, weak=True):
        return Answer(304 if method in ("GET", "HEAD") else 412)
    if method != "GET" or size is None or not _may_cut(headers.get("if-range"), etag):
        return Answer(200)
    span = parse_range(headers.get("range", ""), size)
    if span is None:
        return Answer(200)
    return Answer(206, span) if span else Answer(416)


def parse_range(text: str, size: int) -> range | None:
    """The bytes that a ``Range`` header asks for: empty if there are none such, None if the header is to be ignored.

    Ignored are malformed headers, and several ranges at once: whoever asks for them must take the whole instead.
    Nothing can be cut from nothing, so for an empty content it is ignored, too.
    """
    found = _RANGE.fullmatch(text)
    if found is None or not size:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return range(max(size - int(suffix), 0), size)
    if last and int(last) < int(first):
        return None
    stop = min(int(last) + 1, size) if last else size
    return range(min(int(first), stop), stop)


def matches(text: str, etag: str | None, *, weak: bool = False) -> bool:
    """Whether one of the entity tags of a header is ``etag``, or the header is ``*``.

    :param weak: Tags that are marked as weak count, too.
    """
    if text.strip(" \t") == "*":
        return True
    if etag is None or not _TAGS.fullmatch(text):
        return False
    return any(tag == etag and (weak or not mark) for mark, tag in _TAG.findall(text))


def _may_cut(if_range: str | None, etag: str | None) -> bool:
    """Whether the part that the client has is of what would be sent now. A date proves nothing, a weak tag neither."""
    return if_range is None or (etag is not None and if_range.strip(" \t") == f'"{etag}"')
