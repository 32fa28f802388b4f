"""Ranges and conditions: whatever a client asks for, it gets the bytes that slicing would give, or the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry_server.transfer.ranges import Answer, answer, matches, parse_range

_SIZES = st.integers(1, 60)
_PLACES = st.integers(0, 80)


@given(_SIZES, _PLACES, _PLACES)
def test_a_range_is_the_slice_from_its_first_to_its_last_byte(size: int, first: int, last: int) -> None:
    span = parse_range(f"bytes={first}-{last}", size)
    if last < first:
        assert span is None
    else:
        assert span is not None
        assert list(span) == list(range(size))[first : last + 1]


@given(_SIZES, _PLACES)
def test_an_open_range_goes_to_the_end(size: int, first: int) -> None:
    span = parse_range(f"Bytes= {first}-", size)
    assert span is not None
    assert list(span) == list(range(size))[first:]


@given(_SIZES, _PLACES)
def test_a_suffix_is_as_many_last_bytes_as_there_are(size: int, count: int) -> None:
    span = parse_range(f"bytes=-{count}", size)
    assert span is not None
    assert list(span) == (list(range(size))[-count:] if count else [])


@given(st.text("bytes=-, 0123456789\t٣", max_size=14), st.integers(0, 30))
def test_no_header_asks_for_what_is_not_there(text: str, size: int) -> None:
    span = parse_range(text, size)
    assert span is None or (span.step == 1 and set(span) <= set(range(size)))


@pytest.mark.parametrize(
    "text",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2,4-5", "bytes=--1", "bytes=5-3", "lines=0-1", "bytes=٣-",
     "bytes=0-0, bytes=1-1", "bytes=" + "9" * 5000 + "-"],
)  # fmt: skip
def test_a_header_that_is_malformed_or_asks_for_several_ranges_is_ignored(text: str) -> None:
    assert parse_range(text, 10) is None


def test_of_an_empty_content_the_whole_is_sent() -> None:
    assert parse_range("bytes=0-", 0) is None
    assert parse_range("bytes=-5", 0) is None


_TAGS = st.lists(st.tuples(st.booleans(), st.sampled_from(["a", "b", "sha256:1", ""])), min_size=1, max_size=4)


@given(_TAGS, st.sampled_from(["a", "b", "c", ""]), st.booleans(), st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_a_list_matches_if_one_of_its_tags_does(
    tags: list[tuple[bool, str]], etag: str, weak: bool, separator: str
) -> None:
    text = separator.join(f'W/"{tag}"' if mark else f'"{tag}"' for mark, tag in tags)
    assert matches(text, etag, weak=weak) == any(tag == etag and (weak or not mark) for mark, tag in tags)


@pytest.mark.parametrize("text", ["", "a", '"a', 'w/"a"', '"a" "a"', '"a";', "**"])
def test_a_malformed_list_matches_nothing(text: str) -> None:
    assert not matches(text, "a", weak=True)


def test_a_star_matches_whatever_there_is() -> None:
    assert matches("*", "a")
    assert matches(" * ", None)


_RANGE = {"range": "bytes=2-3"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Answer(200)),
        (_RANGE, Answer(206, range(2, 4))),
        ({"range": "bytes=10-"}, Answer(416)),
        ({"range": "bytes=-0"}, Answer(416)),
        (_RANGE | {"if-range": '"a"'}, Answer(206, range(2, 4))),
        (_RANGE | {"if-range": '"b"'}, Answer(200)),
        (_RANGE | {"if-range": 'W/"a"'}, Answer(200)),
        (_RANGE | {"if-range": "Wed, 21 Oct 2015 07:28:00 GMT"}, Answer(200)),
        ({"range": "bytes=10-", "if-range": '"b"'}, Answer(200)),
        ({"if-none-match": '"b", W/"a"'}, Answer(304)),
        ({"if-none-match": "*"}, Answer(304)),
        ({"if-none-match": '"b"'} | _RANGE, Answer(206, range(2, 4))),
        ({"if-match": '"a"'}, Answer(200)),
        ({"if-match": 'W/"a"'}, Answer(412)),
        ({"if-match": '"b"', "if-none-match": '"a"'} | _RANGE, Answer(412)),
    ],
)
def test_conditions_come_before_ranges(headers: dict[str, str], expected: Answer) -> None:
    assert answer("GET", headers, "a", 10) == expected


def test_only_get_sends_a_part() -> None:
    assert answer("HEAD", _RANGE, "a", 10) == Answer(200)
    assert answer("HEAD", {"if-none-match": '"a"'}, "a", 10) == Answer(304)


def test_without_a_tag_nothing_is_known_to_be_the_same() -> None:
    assert answer("GET", _RANGE | {"if-range": '""'}, None, 10) == Answer(200)
    assert answer("GET", {"if-none-match": '""'}, None, 10) == Answer(200)
    assert answer("GET", {"range": "bytes=0-1"}, "a", None) == Answer(200)
