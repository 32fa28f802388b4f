"""How far a client is behind, by given times and bytes."""

from __future__ import annotations

import pytest

from model_registry_server.listening.lag import Lag, longest_silence
from model_registry_server.transfer.pace import Pace

MIB = 1 << 20
#: A client may be behind by 4 MiB: by 2 MiB within its seconds, and by 2 MiB that do not show.
PACE = Pace(2.0, MIB)


def lag(pace: Pace = PACE, *, unsent: int) -> Lag:
    lag = Lag(pace)
    lag.begin(100.0, unsent)
    return lag


def test_who_takes_nothing_is_given_up_after_its_seconds_and_what_does_not_show() -> None:
    behind = lag(unsent=8 * MIB)
    assert behind.look(100.0, 8 * MIB) == longest_silence(PACE) == 4.0
    assert behind.look(103.0, 8 * MIB) == 1.0
    assert behind.look(104.0, 8 * MIB) == 0.0


def test_usually_that_is_half_an_hour() -> None:
    assert 34 * 60 < longest_silence(Pace(30.0, 1000.0)) < 36 * 60


def test_steps_of_megabytes_do_no_harm() -> None:
    behind, unsent = lag(unsent=100 * MIB), 100 * MIB
    for second in range(101, 131):
        if second % 3 == 0:
            unsent -= 3 * MIB
        assert behind.look(float(second), unsent) > 0


def test_being_ahead_earns_nothing() -> None:
    behind = lag(unsent=100 * MIB)
    assert behind.look(101.0, 10 * MIB) == 4.0
    assert behind.look(105.0, 10 * MIB) == 0.0


def test_what_is_missing_adds_up_over_many_pauses() -> None:
    """Each a second in which half of what is demanded is taken; what is between them does not count."""
    behind = Lag(PACE)
    left = []
    for number in range(8):
        behind.begin(100.0 * number, MIB)
        left.append(behind.look(100.0 * number + 1, MIB // 2))
    assert left == [3.5, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0]


def test_what_is_sent_meanwhile_was_not_given_back() -> None:
    behind = lag(unsent=MIB)
    assert behind.look(101.0, 5 * MIB) == 3.0
    assert behind.look(102.0, 4 * MIB) == 3.0


def test_if_any_number_of_bytes_may_pass_each_of_them_is_enough() -> None:
    pace = Pace(2.0, 0.0)
    silence = longest_silence(pace)
    behind = lag(pace, unsent=1000)
    assert behind.look(100.0 + silence - 1, 1000) == pytest.approx(1)
    assert behind.look(100.0 + silence - 1, 999) == silence
    assert behind.look(100.0 + 2 * silence, 999) < 0


def test_without_seconds_what_does_not_show_is_left() -> None:
    assert longest_silence(Pace(None, MIB)) == 2.0
