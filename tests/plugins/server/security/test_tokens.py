"""Tokens: made once, checked at every request, refused from the moment they are revoked."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry import InvalidNameError, InvalidOptionError
from model_registry_server.security.roles import Role
from model_registry_server.security.tokens import Token, Tokens
from model_registry_server.state import State

START = datetime(2030, 1, 1, tzinfo=timezone.utc)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path)


@pytest.fixture
def tokens(state: State, clock: Clock) -> Iterator[Tokens]:
    tokens = Tokens(state, clock=clock)
    yield tokens
    tokens.close()


def elsewhere(folder: Path, statement: str) -> str:
    """Run a statement about ``tokens`` in another process."""
    head = "import sys; from pathlib import Path; from model_registry_server.state import State; "
    head += "from model_registry_server.security.tokens import Tokens; tokens = Tokens(State(Path(sys.argv[1]))); "
    command = [sys.executable, "-c", f"{head}print({statement})", str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_a_token_that_was_made_is_known(tokens: Tokens) -> None:
    text, token = tokens.create("ci", Role.WRITER, ("team-a/*", "digits"), START + timedelta(days=1))
    assert re.fullmatch(r"mr_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", text)
    assert token == Token(
        text[3:11], "ci", Role.WRITER, ("team-a/*", "digits"), START, expires_at=START + timedelta(days=1)
    )
    assert tokens.check(text) == token
    assert tokens.list()[0].name == "ci"


def test_a_token_says_who_calls(tokens: Tokens) -> None:
    _, token = tokens.create("ci", "writer", ("team-a/*",))
    caller = token.caller("10.0.0.1")
    assert (caller.name, caller.token_id, caller.address) == ("ci", token.id, "10.0.0.1")
    assert caller.may(Role.WRITER, "team-a/x")
    assert not caller.may(Role.WRITER, "team-b/x")


def test_the_secret_is_nowhere_in_the_file(tokens: Tokens, state: State) -> None:
    text, _ = tokens.create("ci", Role.READER)
    secret = text[12:]
    with closing(sqlite3.connect(state.path)) as db:
        dump = "\n".join(db.iterdump())
    stored = b"".join(path.read_bytes() for path in state.folder.iterdir())
    assert secret.encode() not in stored
    assert secret not in dump
    assert hashlib.sha256(secret.encode()).hexdigest() in dump


@given(st.data())
def test_any_change_of_a_token_makes_it_wrong(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    tokens = Tokens(State(tmp_path_factory.getbasetemp()))
    text, token = tokens.create(None, Role.READER)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda character: character != text[place]))
    assert tokens.check(text[:place] + other + text[place + 1 :]) is None
    assert tokens.check(text[:place]) is None
    assert tokens.check(text + other) is None
    tokens.close()
    assert tokens.revoke(token.id)


def test_the_secret_of_another_token_is_wrong(tokens: Tokens) -> None:
    (a, _), (b, _) = tokens.create("a", Role.READER), tokens.create("b", Role.ADMIN)
    assert tokens.check(b[:11] + a[11:]) is None


def test_an_id_that_nobody_has_is_wrong_even_with_a_secret_of_the_empty_digest(tokens: Tokens) -> None:
    assert tokens.check("mr_00000000_" + "A" * 43) is None


def test_a_token_that_was_revoked_is_refused_at_once(tokens: Tokens) -> None:
    text, token = tokens.create("ci", Role.ADMIN)
    assert tokens.check(text) is not None
    assert tokens.revoke(token.id) is True
    assert tokens.check(text) is None
    assert tokens.revoke(token.id) is False
    assert tokens.revoke("ffffffff") is False
    assert tokens.list()[0].revoked_at == START


def test_a_token_that_another_process_revoked_is_refused_within_a_second(tokens: Tokens, state: State) -> None:
    text, token = tokens.create("ci", Role.ADMIN)
    other = elsewhere(state.folder.parent, "tokens.create('other', 'reader')[0]")
    assert tokens.check(other) is not None
    assert tokens.check(text) is not None
    with state.writing() as db:  # what another process does: this object does not hear of it
        db.execute("UPDATE tokens SET revoked_at = 1 WHERE id = ?", (token.id,))
    assert elsewhere(state.folder.parent, f"tokens.revoke({other[3:11]!r})") == "True"
    time.sleep(1.0)
    assert tokens.check(text) is None
    assert tokens.check(other) is None


def test_a_token_is_good_until_it_expires(tokens: Tokens, clock: Clock) -> None:
    text, _ = tokens.create("ci", Role.READER, expires_at=START + timedelta(hours=1))
    clock.now = START + timedelta(minutes=59)
    assert tokens.check(text) is not None
    clock.now = START + timedelta(hours=1)
    assert tokens.check(text) is None


def test_when_a_token_was_used_is_noted_once_a_minute(tokens: Tokens, clock: Clock, state: State) -> None:
    text, _ = tokens.create("ci", Role.READER)
    seen = []
    for seconds in (10, 40, 69, 70, 100):
        clock.now = START + timedelta(seconds=seconds)
        tokens.check(text)
        tokens.close()
        used = Tokens(state).list()[0].last_used_at
        assert used is not None
        seen.append((used - START).total_seconds())
    assert seen == [10, 10, 10, 70, 70]


def test_a_token_that_cannot_be_noted_as_used_is_good_nevertheless(
    tokens: Tokens, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    text, _ = tokens.create("ci", Role.READER)
    with state.writing() as db:
        db.execute("CREATE TRIGGER broken BEFORE UPDATE ON tokens BEGIN SELECT missing_function(); END")
    assert tokens.check(text) is not None
    tokens.close()
    assert "could not be noted" in caplog.text


def test_a_name_is_free_again_only_when_its_token_is_revoked(tokens: Tokens) -> None:
    _, token = tokens.create("ci", Role.READER)
    with pytest.raises(InvalidNameError, match=r"there is a token named 'ci' already — revoke that one first"):
        tokens.create("ci", Role.WRITER)
    assert len(tokens.list()) == 1
    tokens.revoke(token.id)
    assert tokens.create("ci", Role.WRITER)[1].name == "ci"


def test_a_token_without_a_name_is_called_by_its_role_and_id(tokens: Tokens) -> None:
    _, token = tokens.create(None, Role.WRITER)
    assert token.name == f"writer-{token.id}"


@pytest.mark.parametrize("name", ["", " ", "a\n", "a" * 101, "\u202eci", 7])
def test_a_name_that_cannot_be_is_refused(tokens: Tokens, name: str) -> None:
    with pytest.raises(InvalidNameError, match=r"the name of a token cannot be .* — use 1 to 100 printable"):
        tokens.create(name, Role.READER)
    assert not tokens.any()


@pytest.mark.parametrize("pattern", ["", "a\0", "a" * 201])
def test_a_pattern_that_cannot_be_is_refused(tokens: Tokens, pattern: str) -> None:
    with pytest.raises(InvalidNameError, match=r"a pattern of a token cannot be .* — use 1 to 200 printable"):
        tokens.create("ci", Role.READER, ("*", pattern))


@pytest.mark.parametrize("pattern", ["bad name*", "team-a/", "/team-a/*", "team//*", "größe*", "m:1.0.0", "a,b", "m@*"])
def test_a_pattern_that_no_model_s_name_matches_is_refused(tokens: Tokens, pattern: str) -> None:
    with pytest.raises(InvalidNameError, match=r"no model can be called '.*' — use letters, digits"):
        tokens.create("ci", Role.READER, ("*", pattern))


@pytest.mark.parametrize("pattern", ["*", "Team-A/*", "team?/[!a-c]*", "*/x__y.z", "m"])
def test_what_a_pattern_may_be(tokens: Tokens, pattern: str) -> None:
    assert tokens.create("ci", Role.READER, (pattern,))[1].patterns == (pattern,)


def test_a_token_for_no_model_or_a_text_in_place_of_a_list_is_refused(tokens: Tokens) -> None:
    for patterns in ((), "team-a", ["a"] * 101):
        with pytest.raises(InvalidOptionError, match="give a list of 1 to 100"):
            tokens.create("ci", Role.READER, patterns)


def test_a_role_that_there_is_not_is_refused(tokens: Tokens) -> None:
    with pytest.raises(InvalidOptionError, match="there is no role 'root' — use one of reader, writer, admin"):
        tokens.create("ci", "root")


def test_an_end_that_is_past_or_without_a_time_zone_is_refused(tokens: Tokens) -> None:
    with pytest.raises(InvalidOptionError, match="which is past"):
        tokens.create("ci", Role.READER, expires_at=START)
    with pytest.raises(InvalidOptionError, match="without a time zone"):
        tokens.create("ci", Role.READER, expires_at=datetime(2031, 1, 1))


def test_a_token_that_was_ever_made_counts_though_it_is_revoked(tokens: Tokens, state: State) -> None:
    other = Tokens(state)
    assert not other.any()
    _, token = tokens.create("ci", Role.READER)
    tokens.revoke(token.id)
    assert other.any()
    assert Tokens(state).any()


def test_what_else_fails_leaves_no_token(tokens: Tokens) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no audit today")

    _, kept = tokens.create("kept", Role.READER)
    with pytest.raises(RuntimeError, match="no audit"):
        tokens.create("ci", Role.READER, also=fail)
    with pytest.raises(RuntimeError, match="no audit"):
        tokens.revoke(kept.id, also=fail)
    assert tokens.list() == [kept]
