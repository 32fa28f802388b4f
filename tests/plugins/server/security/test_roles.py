"""Roles include each other, and hold for the models whose names match."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry_server.security.roles import LOCAL, Caller, Role

roles = st.sampled_from(Role)


def caller(role: Role, *patterns: str) -> Caller:
    return Caller("ci", role, patterns, "0123abcd", "10.0.0.1")


def test_a_reader_is_less_than_a_writer_and_a_writer_less_than_an_admin() -> None:
    assert sorted([Role.ADMIN, Role.READER, Role.WRITER]) == [Role.READER, Role.WRITER, Role.ADMIN]
    for lower, higher in pairwise(Role):
        assert lower < higher
        assert lower <= higher
        assert higher > lower
        assert higher >= lower
        assert not higher < lower
        assert not higher <= lower


def test_a_role_is_the_word_that_people_write() -> None:
    assert Role("writer") is Role.WRITER
    assert f"{Role.ADMIN}" == "admin" == str(Role.ADMIN)


@given(have=roles, need=roles)
def test_a_role_includes_those_before_it_and_no_other(have: Role, need: Role) -> None:
    order = ["reader", "writer", "admin"]
    assert caller(have, "*").may(need, "m") == (order.index(have) >= order.index(need))


@pytest.mark.parametrize(
    ("pattern", "model", "allowed"),
    [
        ("*", "team-a/digits", True),
        ("team-a/*", "team-a/digits", True),
        ("team-a/*", "team-a/sub/digits", True),
        ("team-a/*", "team-b/digits", False),
        ("team-a/*", "team-a", False),
        ("digits", "digits", True),
        ("digits", "digits2", False),
        ("Digits", "dIGITS", True),
        ("bert-?", "bert-1", True),
        ("bert-[12]", "bert-3", False),
    ],
)
def test_a_role_holds_for_the_models_whose_names_match(pattern: str, model: str, allowed: bool) -> None:
    assert caller(Role.WRITER, "other", pattern).may(Role.READER, model) is allowed


def test_the_registry_as_a_whole_needs_the_role_alone() -> None:
    assert caller(Role.ADMIN, "team-a/*").may(Role.ADMIN)
    assert not caller(Role.READER, "*").may(Role.WRITER)


def test_who_has_the_pattern_of_all_models_sees_all() -> None:
    assert caller(Role.READER, "a", "*").sees_all
    assert not caller(Role.ADMIN, "a*").sees_all


def test_without_tokens_this_machine_may_do_everything() -> None:
    assert LOCAL.may(Role.ADMIN, "any/model")
    assert LOCAL.sees_all
