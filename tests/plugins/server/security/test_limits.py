"""A bucket for each caller."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry_server.security.limits import RateLimits, address_key


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_after_a_minutes_worth_the_next_has_to_wait_for_its_share() -> None:
    clock = Clock()
    limits = RateLimits(60, clock=clock)
    assert [limits.take("ci") for _ in range(60)] == [0.0] * 60
    assert limits.take("ci") == pytest.approx(1.0)
    clock.now += 0.25
    assert limits.take("ci") == pytest.approx(0.75)
    clock.now += 0.76
    assert limits.take("ci") == 0.0


def test_silence_saves_up_no_more_than_a_minutes_worth() -> None:
    clock = Clock()
    limits = RateLimits(5, clock=clock)
    limits.take("ci")
    clock.now += 3600
    assert [limits.take("ci") for _ in range(6)] == [0.0] * 5 + [pytest.approx(12.0)]


def test_callers_do_not_share_a_bucket() -> None:
    limits = RateLimits(1, clock=Clock())
    assert limits.take("a") == 0.0
    assert limits.take("b") == 0.0
    assert limits.take("a") > 0


def test_zero_is_any_number() -> None:
    limits = RateLimits(0)
    assert {limits.take("ci") for _ in range(1000)} == {0.0}
    assert len(limits) == 0


@given(per_minute=st.integers(1, 50), pauses=st.lists(st.floats(0, 10), max_size=150))
def test_no_stretch_of_time_lets_more_through_than_it_should(per_minute: int, pauses: list[float]) -> None:
    clock = Clock()
    limits = RateLimits(per_minute, clock=clock)
    passed = []
    for pause in pauses:
        clock.now += pause
        if limits.take("ci") == 0.0:
            passed.append(clock.now)
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= per_minute * (1 + (passed[last] - start) / 60) + 1e-6


@given(per_minute=st.integers(1, 1000), pauses=st.lists(st.floats(0, 3), min_size=1, max_size=50))
def test_who_waits_as_long_as_told_is_served(per_minute: int, pauses: list[float]) -> None:
    clock = Clock()
    limits = RateLimits(per_minute, clock=clock)
    for pause in pauses:
        clock.now += pause
        wait = limits.take("ci")
        if wait:
            clock.now += wait + 1e-6
            assert limits.take("ci") == 0.0


def test_only_so_many_callers_are_remembered_and_the_longest_silent_is_forgotten() -> None:
    limits = RateLimits(1, clock=Clock(), most_keys=3)
    for key in "abc":
        limits.take(key)
    assert limits.take("a") > 0  # so «b» is silent for longest
    limits.take("d")
    assert len(limits) == 3
    assert limits.take("a") > 0
    assert limits.take("b") == 0.0


def test_one_machine_is_one_key_whichever_of_its_addresses_it_uses() -> None:
    assert address_key("2001:db8:1:2:3::4") == address_key("2001:db8:1:2::ffff") != address_key("2001:db8:1:3::4")
    assert address_key("10.0.0.1") == address_key("::ffff:10.0.0.1") == "10.0.0.1"
    assert address_key("not:an:address") == "not:an:address"
