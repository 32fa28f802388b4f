"""Versions: the grammar, the order of PEP 440 as strings, the next version, and OCI tags."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from model_registry.errors import InvalidNameError
from model_registry.versions import check_version, from_oci_tag, is_prerelease, next_version, oci_tag, sort_key

OCI_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")

numbers = st.one_of(st.integers(0, 12), st.integers(0, 10**30))


@st.composite
def pep440(draw: st.DrawFn) -> str:
    """Versions of PEP 440 in all their parts, spelled as people do, small enough that two often share a part."""
    text = draw(st.sampled_from(["", "", "v", "V"]))
    text += draw(st.sampled_from(["", "", "0!", "1!", "2!"]))
    text += ".".join(map(str, draw(st.lists(numbers, min_size=1, max_size=4))))
    if draw(st.booleans()):
        text += draw(st.sampled_from(["a", "b", "rc", ".alpha", "-beta.", "_RC_", "c"])) + str(draw(numbers))
    if draw(st.booleans()):
        text += draw(st.sampled_from([".post", "-rev", "-"])) + str(draw(numbers))
    if draw(st.booleans()):
        text += draw(st.sampled_from([".dev", "-DEV"])) + str(draw(numbers))
    if draw(st.booleans()):
        segment = st.one_of(numbers.map(str), st.text("abz01", min_size=1, max_size=3))
        text += "+" + ".".join(draw(st.lists(segment, min_size=1, max_size=3)))
    return text


parts = r"[A-Za-z0-9]{1,4}([._-][A-Za-z0-9]{1,4}){0,8}"
versions = st.from_regex(rf"([0-9]{{1,2}}!)?{parts}(\+{parts})?", fullmatch=True).filter(
    lambda version: version.lower() != "latest"
)


def is_pep440(version: str) -> bool:
    try:
        Version(version)
    except InvalidVersion:
        return False
    return True


@pytest.mark.parametrize(
    "version",
    ["1.0.0", "v1", "2024-06-01", "1!2.0.post3.dev4+cuda.12", "experiment_7", "a+b-c", "latest-1", "0", "1" * 120],
)
def test_a_version_may_be_called_so(version: str) -> None:
    assert check_version(version) == version


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        (1.0, "a version is a string, not float (1.0)"),
        (None, "a version is a string, not NoneType (None)"),
        ("", "the version is empty"),
        ("1" * 121, "121 characters are too many"),
        ("latest", "the word is reserved for the highest version"),
        ("LaTest", "the word is reserved for the highest version"),
        ("@champion", "'@' begins the name of an alias"),
        ("1@2", "(U+0040, COMMERCIAL AT) at position 2"),
        ("1 0", "(U+0020, SPACE)"),
        ("1/0", "(U+002F, SOLIDUS)"),
        ("1.0\n", "(U+000A, a character without a name)"),
        ("\u0661.0", "(U+0661, ARABIC-INDIC DIGIT ONE)"),
        ("..", "each separator must stand alone, between letters or digits"),
        ("1..0", "each separator must stand alone"),
        ("1.-0", "each separator must stand alone"),
        ("-1", "each separator must stand alone"),
        ("1+", "each separator must stand alone"),
        ("1+2+3", "with at most one '+'"),
        ("a!1", "each separator must stand alone"),
    ],
)
def test_a_refused_version_is_told_in_one_line_with_what_is_allowed(version: object, problem: str) -> None:
    with pytest.raises(InvalidNameError, match=r"such as '1\.0\.0'") as refusal:
        check_version(version)
    assert problem in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert refusal.value.value == version


@given(pep440(), pep440())
@example("1.0", "v1.0.0")
@example("1.0.dev1", "1.0a1.dev1")
@example("1.0a1", "1.0a1.post1.dev1")
@example("1.0+a", "1.0+1")
@example("1.0+a", "1.0+a.0")
@example("1.0+a", "1.0+ab")
@example("1.0+a.1", "1.0+a0")
@example("9", "10")
@example("0", "0!0.0")
@example("1", "1.0.0.1")
def test_keys_order_as_pep_440_orders_versions(one: str, other: str) -> None:
    a, b = Version(one), Version(other)
    assert (sort_key(one) < sort_key(other)) == (a < b)
    assert (sort_key(one) == sort_key(other)) == (a == b)


def test_keys_order_the_list_of_pep_440() -> None:
    text = (
        "0.9 1.dev0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0b2.post345.dev456"
        " 1.0b2.post345 1.0rc1.dev456 1.0rc1 1.0 1.0+abc.5 1.0+abc.7 1.0+5 1.0.post456.dev34 1.0.post456 1.0.15"
        " 1.1.dev1 2.0 10.0 1!0.1"
    )
    ordered = text.split()
    assert all(sort_key(lower) < sort_key(higher) for lower, higher in pairwise(ordered))


@given(versions)
def test_a_key_is_ascii_and_the_order_of_its_bytes_is_its_own(version: str) -> None:
    assert sort_key(version).isascii()
    assert sort_key(version).isprintable()


@given(versions, versions)
def test_versions_outside_pep_440_sort_before_and_by_string(one: str, other: str) -> None:
    assume(not is_pep440(one))
    if is_pep440(other):
        assert sort_key(one) < sort_key(other)
    else:
        assert (sort_key(one) < sort_key(other)) == (one < other)


def test_a_number_that_python_does_not_read_is_a_version_outside_pep_440() -> None:
    assert sort_key("9" * 5000) < sort_key("0")


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.0a1", True), ("1.0.dev3", True), ("1.0rc1", True), ("1.0", False), ("1.0.post1", False), ("nightly-a", False)],
)
def test_prereleases_are_those_of_pep_440(version: str, expected: bool) -> None:
    assert is_prerelease(version) is expected


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        ([], "1.0.0"),
        (["nightly-a", "zzz"], "1.0.0"),
        (["1.0.0"], "1.0.1"),
        (["2"], "2.0.1"),
        (["1.2"], "1.2.1"),
        (["1.2.3.4"], "1.2.3.5"),
        (["1.10.0", "1.9.9", "nightly-a"], "1.10.1"),
        (["v3.1.4"], "3.1.5"),
        (["1.0.0", "2.0.0rc1"], "2.0.0"),
        (["2.0.dev4"], "2.0"),
        (["1!2.0a1"], "1!2.0"),
        (["1!2.0", "7.0"], "1!2.0.1"),
        (["1.0.0+cuda.12"], "1.0.1"),
        (["1.0.0.post3"], "1.0.1"),
        (["1.0.0.post3.dev1"], "1.0.1"),
    ],
)
def test_the_next_version(existing: list[str], expected: str) -> None:
    assert next_version(iter(existing)) == expected


@given(st.lists(st.one_of(pep440(), versions), max_size=5))
def test_the_next_version_is_above_all_and_no_prerelease(existing: list[str]) -> None:
    assume(all(len(version) < 110 for version in existing))
    chosen = next_version(existing)
    assert check_version(chosen) == chosen
    assert not is_prerelease(chosen)
    assert all(sort_key(chosen) > sort_key(version) for version in existing)


def test_a_next_version_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(InvalidNameError, match="121 characters are too many"):
        next_version([f"1.0.{'9' * 116}"])


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("1.0.0", "1.0.0"),
        ("1.0+cuda.12", "1.0--cuda.12"),
        ("1!2.0", "1--e--2.0"),
        ("1!e+x", "1--e--e--x"),
        ("a_b-c+e", "a_b-c--e"),
    ],
)
def test_a_version_has_a_tag(version: str, tag: str) -> None:
    assert oci_tag(version) == tag
    assert from_oci_tag(tag) == version


@given(versions)
def test_a_tag_is_one_and_gives_the_version_back(version: str) -> None:
    assert OCI_TAG.fullmatch(oci_tag(check_version(version)))
    assert from_oci_tag(oci_tag(version)) == version


@given(st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}", fullmatch=True))
@example("a--b")
@example("1--e--b")
@example("a--e--b")
@example("1--e--b--e")
def test_a_tag_that_is_of_a_version_is_the_tag_of_that_version_only(tag: str) -> None:
    try:
        version = from_oci_tag(tag)
    except InvalidNameError:
        return
    assert oci_tag(version) == tag


def test_the_tag_that_moves_is_of_no_version() -> None:
    with pytest.raises(InvalidNameError, match="reserved"):
        from_oci_tag("latest")
