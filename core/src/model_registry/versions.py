"""Versions: what they may look like, how they are ordered, and their OCI tags.

Versions are ordered as PEP 440 says. Others are allowed and sort before all of PEP 440, among themselves by string.
``packaging`` is imported where it is needed: whoever only names a version does not pay for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from model_registry.errors import InvalidNameError
from model_registry.names import check_text, shown

if TYPE_CHECKING:
    from packaging.version import Version

MAX_VERSION_LENGTH = 120  # an OCI tag has at most 128 characters, of which "+" and "!" may add five

_FOREIGN = re.compile(r"[^A-Za-z0-9._+!-]")
_PARTS = r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*"
_GRAMMAR = re.compile(rf"(?:[0-9]+!)?{_PARTS}(?:\+{_PARTS})?")
_HINT = f"use at most {MAX_VERSION_LENGTH} letters and digits, joined by single . _ or -, such as '1.0.0' or '1.0+cpu'"
# OCI allows neither "+" nor "!" in a tag. Two hyphens and an "e" between them are free, since separators stand alone,
# and unlike "__" they are allowed in the names of an image layout too.
_LOCAL = "--"
_EPOCH = "--e--"


def check_version(value: object) -> str:
    """Return ``value`` if a version may be called so.

    :raises InvalidNameError: naming what is wrong and what is allowed.
    """
    if isinstance(value, str) and value.startswith("@"):
        raise _invalid(value, "'@' begins the name of an alias")
    version = check_text("version", value, MAX_VERSION_LENGTH, _FOREIGN, _HINT)
    if version.lower() == "latest":
        raise _invalid(version, "the word is reserved for the highest version")
    if not _GRAMMAR.fullmatch(version):
        raise _invalid(version, "each separator must stand alone, between letters or digits, with at most one '+'")
    return version


@lru_cache(maxsize=1024)
def sort_key(version: str) -> str:
    """An ASCII string that orders as the version does when compared character by character.

    Equal for equal versions (``1.0``, ``1.0.0``, ``v1.0``). A database must compare it by bytes: SQLite's default
    ``BINARY``, PostgreSQL's ``COLLATE "C"``.

    :param version: A version that ``check_version`` accepts.
    """
    parsed = _parse(version)
    return f"0{version}" if parsed is None else f"1{_pep440_key(parsed)}"


def is_prerelease(version: str) -> bool:
    """True for alpha, beta, candidate and development releases of PEP 440."""
    parsed = _parse(version)
    return parsed is not None and parsed.is_prerelease


def next_version(existing: Iterable[str]) -> str:
    """A version above all of ``existing``: ``1.0.0``, the release a pre-release leads to, or the next patch.

    :param existing: Versions of one model, in any order; those outside PEP 440 do not count.
    :raises InvalidNameError: if the next version would be too long for a version.
    """
    highest = max((parsed for version in existing if (parsed := _parse(version)) is not None), default=None)
    if highest is None:
        return "1.0.0"
    # The base of a development release of a post-release (1.0.post1.dev2) is below it.
    base = type(highest)(highest.base_version)
    return check_version(highest.base_version if base > highest else _next_patch(highest))


def oci_tag(version: str) -> str:
    """The OCI tag of a version, which may hold neither ``+`` nor ``!``: they become ``--`` and ``--e--``.

    No two versions share a tag, because other separators of a version stand alone.
    """
    return version.replace("+", _LOCAL).replace("!", _EPOCH)


def from_oci_tag(tag: str) -> str:
    """The version whose tag is ``tag``.

    :raises InvalidNameError: if it is the tag of no version.
    """
    epoch, found, rest = tag.partition(_EPOCH)
    if found and epoch.isdigit():
        return check_version(f"{epoch}!{rest.replace(_LOCAL, '+')}")
    return check_version(tag.replace(_LOCAL, "+"))


def _invalid(version: str, problem: str) -> InvalidNameError:
    return InvalidNameError(f"version {shown(version)}: {problem}", hint=_HINT, value=version)


def _parse(version: str) -> Version | None:
    from packaging.version import Version

    try:
        return Version(version)
    except ValueError:  # InvalidVersion, or Python's own refusal of numbers of thousands of digits
        return None


def _next_patch(version: Version) -> str:
    release = [*version.release, 0, 0][: max(3, len(version.release))]
    release[-1] += 1
    epoch = f"{version.epoch}!" if version.epoch else ""
    return epoch + ".".join(map(str, release))


def _pep440_key(version: Version) -> str:
    # Every piece is of fixed length or ends itself, so that comparing the whole compares piece by piece. "!" is below
    # "." and below every letter and digit: what ends first sorts first, as with tuples.
    release = "".join(f".{_number(n)}" for n in _without_trailing_zeros(version.release))
    local = "".join(map(_local_key, version.local.split("."))) if version.local else ""
    return f"{_number(version.epoch)}{release}!{_pre_key(version)}{_post_key(version)}{_dev_key(version)}{local}"


def _number(n: int) -> str:
    # At most 120 digits, so two hexadecimal digits hold their count.
    digits = str(n)
    return f"{len(digits):02x}{digits}"


def _without_trailing_zeros(release: tuple[int, ...]) -> tuple[int, ...]:
    while release and release[-1] == 0:
        release = release[:-1]
    return release


def _pre_key(version: Version) -> str:
    if version.pre is not None:
        letter, n = version.pre
        return f"1{letter[0]}{_number(n)}"  # a, b, r(c): already in order
    return "0" if version.post is None and version.dev is not None else "2"


def _post_key(version: Version) -> str:
    return "0" if version.post is None else f"1{_number(version.post)}"


def _dev_key(version: Version) -> str:
    return "1" if version.dev is None else f"0{_number(version.dev)}"


def _local_key(segment: str) -> str:
    return f"1{_number(int(segment))}" if segment.isdigit() else f"0{segment}!"
