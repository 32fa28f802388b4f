"""What is remembered of versions that were read, by themselves or with all others."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from model_registry_server.security import moments
from model_registry_server.state import State
from model_registry_server.watching.verified import Verified

BEFORE = moments.now() - timedelta(minutes=1)


@pytest.fixture
def verified(tmp_path: Path) -> Verified:
    return Verified(State(tmp_path))


def is_intact(verified: Verified, digest: str) -> bool | None:
    found = verified.last(digest)
    return None if found is None else found.intact


def test_many_are_noted_at_once(verified: Verified) -> None:
    verified.note_all({"a": True, "b": False}, since=BEFORE)
    assert [is_intact(verified, digest) for digest in "abc"] == [True, False, None]
    found = verified.last("a")
    assert found is not None
    assert found.at == BEFORE
    verified.note_all({"a": False, "b": True}, since=BEFORE + timedelta(seconds=1))
    assert [is_intact(verified, digest) for digest in "ab"] == [False, True]


@pytest.mark.parametrize(
    ("by_itself", "with_all", "told"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_what_was_read_by_itself_while_all_were_read_is_intact_only_if_both_say_so(
    verified: Verified, by_itself: bool, with_all: bool, told: bool
) -> None:
    verified.note("a", intact=by_itself)
    verified.note_all({"a": with_all}, since=BEFORE)
    assert is_intact(verified, "a") is told


def test_what_is_read_by_itself_later_counts(verified: Verified) -> None:
    verified.note_all({"a": False, "b": True}, since=BEFORE)
    verified.note("a", intact=True)
    verified.note("b", intact=False)
    assert [is_intact(verified, digest) for digest in "ab"] == [True, False]


def test_nothing_is_noted_if_not_all_can_be(verified: Verified) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        verified.note_all({"a": True, "b": None}, since=BEFORE)  # type: ignore[dict-item]
    assert is_intact(verified, "a") is None
