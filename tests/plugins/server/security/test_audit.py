"""The audit log only grows, and shows what was done to it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_registry import InvalidMetadataError, InvalidOptionError
from model_registry_server.security.audit import GENESIS, Audit
from model_registry_server.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path)


@pytest.fixture
def audit(state: State) -> Audit:
    return Audit(state)


@pytest.fixture
def filled(audit: Audit) -> Audit:
    audit.record("ada", "register", "Digits:1.0.0", {"size": 3, "tags": ["é"]}, "10.0.0.1")
    audit.record("bob", "remove", "digits:1.0.0")
    audit.record("ada", "register", "team-a/bert:1.0.0")
    audit.record("ada", "alias", "digits@champion")
    return audit


def tamper(state: State, *statements: str) -> None:
    """Change the file as somebody does who knows how."""
    with closing(sqlite3.connect(state.path)) as db:
        for name in ("UPDATE", "DELETE"):
            db.execute(f"DROP TRIGGER audit_no_{name}")
        for statement in statements:
            db.execute(statement)
        db.commit()


def subjects(audit: Audit, **criteria: object) -> list[str]:
    return [entry.subject for entry in audit.search(**criteria)]  # type: ignore[arg-type]


def test_an_entry_says_who_did_what_to_what_when_and_from_where(audit: Audit) -> None:
    before = datetime.now(timezone.utc)
    entry = audit.record("ada", "register", "digits:1.0.0", {"b": [1, None], "a": "é"}, "10.0.0.1")
    assert before <= entry.at <= datetime.now(timezone.utc)
    assert (entry.id, entry.actor, entry.action, entry.subject) == (1, "ada", "register", "digits:1.0.0")
    assert (entry.details, entry.address, entry.previous) == ({"b": [1, None], "a": "é"}, "10.0.0.1", GENESIS)
    assert audit.search() == [entry]
    assert audit.head() == entry.hash


def test_each_entry_holds_the_hash_of_the_one_before(filled: Audit) -> None:
    newest_first = filled.search()
    assert [entry.id for entry in newest_first] == [4, 3, 2, 1]
    for entry, earlier in pairwise(newest_first):
        assert entry.previous == earlier.hash
    assert filled.verify() is None


def test_an_empty_log_is_sound(audit: Audit) -> None:
    assert audit.head() == GENESIS
    assert audit.verify() is None
    assert audit.verify(GENESIS) is None


def test_entries_are_found_by_who_what_and_to_what(filled: Audit) -> None:
    assert subjects(filled, actor="bob") == ["digits:1.0.0"]
    assert subjects(filled, actor="ada", action="register") == ["team-a/bert:1.0.0", "Digits:1.0.0"]
    assert subjects(filled, subject="DIGITS") == ["digits@champion", "digits:1.0.0", "Digits:1.0.0"]
    assert subjects(filled, subject="digits:*") == ["digits:1.0.0", "Digits:1.0.0"]
    assert subjects(filled, subject="*/bert:?.0.0") == ["team-a/bert:1.0.0"]
    assert subjects(filled, subject="%") == []


def test_entries_are_found_by_when(filled: Audit) -> None:
    second = filled.search()[2]
    assert subjects(filled, since=second.at, until=second.at + timedelta(microseconds=1)) == ["digits:1.0.0"]
    assert subjects(filled, until=second.at) == ["Digits:1.0.0"]
    with pytest.raises(InvalidOptionError, match="has no time zone — use a datetime in UTC"):
        filled.search(since=datetime(2030, 1, 1))


def test_pages_follow_each_other(filled: Audit) -> None:
    first = filled.search(limit=3)
    assert [entry.id for entry in first] == [4, 3, 2]
    assert [entry.id for entry in filled.search(limit=3, before=first[-1].id)] == [1]
    with pytest.raises(InvalidOptionError, match="use 1 to 10,000"):
        filled.search(limit=0)


def test_entries_cannot_be_changed_or_removed_by_mistake(filled: Audit, state: State) -> None:
    for statement in ("UPDATE audit SET actor = 'eve'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"), state.writing() as db:
            db.execute(statement)
    assert filled.verify() is None


@pytest.mark.parametrize(
    "column", ["at = at + 1", "actor = 'eve'", "action = ''", "subject = 'x'", "details = '{}'", "address = 'x'"]
)
def test_an_entry_that_was_changed_is_found(filled: Audit, state: State, column: str) -> None:
    tamper(state, f"UPDATE audit SET {column} WHERE id = 1")
    problem = filled.verify()
    assert problem is not None
    assert (problem.id, problem.message) == (1, "entry 1 was changed")


def test_an_entry_whose_hash_was_made_to_fit_breaks_the_link_of_the_next(
    filled: Audit, state: State, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    forged = Audit(State(tmp_path / "other")).record("eve", "register", "Digits:1.0.0")
    at = (forged.at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
    facts = f"actor = 'eve', details = '{{}}', address = '', at = {at}, hash = '{forged.hash}'"
    tamper(state, f"UPDATE audit SET {facts} WHERE id = 1")
    problem = filled.verify()
    assert problem is not None
    assert (problem.id, problem.message) == (2, "entry 2 does not follow the one before it")


@pytest.mark.parametrize(
    ("statement", "place", "message"),
    [
        ("DELETE FROM audit WHERE id = 1", 1, "entry 1 is missing"),
        ("DELETE FROM audit WHERE id = 2", 2, "entry 2 is missing"),
        ("UPDATE audit SET previous = hash WHERE id = 3", 3, "entry 3 does not follow the one before it"),
        ("UPDATE audit SET hash = previous WHERE id = 2", 2, "entry 2 was changed"),
        ("UPDATE audit SET actor = x'00ff' WHERE id = 2", 2, "entry 2 was changed"),
    ],
)
def test_a_chain_that_was_broken_is_found(
    filled: Audit, state: State, statement: str, place: int, message: str
) -> None:
    tamper(state, statement)
    problem = filled.verify()
    assert problem is not None
    assert (problem.id, problem.message) == (place, message)


def test_an_entry_removed_with_those_after_it_moved_up_is_found(filled: Audit, state: State) -> None:
    tamper(state, "DELETE FROM audit WHERE id = 2", "UPDATE audit SET id = id - 1 WHERE id > 2")
    problem = filled.verify()
    assert problem is not None
    assert (problem.id, problem.message) == (2, "entry 2 does not follow the one before it")


def test_an_end_that_was_cut_off_is_found_by_a_head_noted_earlier(filled: Audit, state: State) -> None:
    head = filled.head()
    filled.record("bob", "restore", "digits:1.0.0")
    assert filled.verify(head) is None
    tamper(state, "DELETE FROM audit WHERE id >= 4")
    assert filled.verify() is None
    problem = filled.verify(head)
    assert problem is not None
    assert (problem.id, "cut off" in problem.message) == (4, True)


def test_several_processes_make_one_chain(state: State) -> None:
    audit = Audit(state)
    code = (
        "import sys; from pathlib import Path; from model_registry_server.state import State; "
        "from model_registry_server.security.audit import Audit; audit = Audit(State(Path(sys.argv[1])))\n"
        "for number in range(25): audit.record(sys.argv[2], 'count', str(number))"
    )
    names = ["a", "b", "c"]
    command = [sys.executable, "-c", code, str(state.folder.parent)]
    children = [subprocess.Popen([*command, name]) for name in names]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert audit.verify() is None
    for name in names:
        assert subjects(audit, actor=name) == [str(number) for number in reversed(range(25))]


def test_an_entry_within_a_transaction_is_undone_with_it(audit: Audit, state: State) -> None:
    def change_and_fail() -> None:
        with state.writing() as db:
            audit.append(db, "ada", "create", "x")
            raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        change_and_fail()
    assert audit.search() == []


def test_details_that_json_cannot_hold_are_refused(audit: Audit) -> None:
    for details in ({"a": float("nan")}, {"a": b""}):
        with pytest.raises(InvalidMetadataError, match="not representable as JSON"):
            audit.record("ada", "x", "y", details)
    assert audit.search() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(), max_size=20), min_size=4, max_size=4),
    details=st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3),
)
def test_whatever_is_written_down_the_chain_holds(audit: Audit, texts: list[str], details: dict[str, object]) -> None:
    actor, action, subject, address = texts
    entry = audit.record(actor, action, subject, details, address)
    assert audit.search(limit=1) == [entry]
    assert entry.details == details
    assert audit.verify() is None


def test_a_text_that_is_too_long_is_cut_and_one_that_utf_8_cannot_hold_is_escaped(audit: Audit) -> None:
    entry = audit.record("a\ud800", "x", "y" * 5000)
    assert entry.actor == "a\\ud800"
    assert len(entry.subject) == 1000
    assert audit.verify() is None
