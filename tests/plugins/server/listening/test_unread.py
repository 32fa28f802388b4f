"""How much of its answers a caller may leave unread."""

from __future__ import annotations

from model_registry_server.listening.unread import Unread


class Connection:
    """Remembers why it was given up."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def give_up(self, why: str) -> None:
        self.said.append(why)


def given_up(connections: list[Connection]) -> list[bool]:
    return [bool(each.said) for each in connections]


def connections(count: int) -> list[Connection]:
    return [Connection() for _ in range(count)]


def test_those_that_lay_longest_are_given_up() -> None:
    unread, held = Unread(1000), connections(4)
    for each in held[:3]:
        unread.hold("a", each, 300)
    assert given_up(held) == [False] * 4
    unread.hold("a", held[3], 700)
    assert given_up(held) == [True, True, False, False]
    assert held[0].said == ["its caller left more than 1,000 bytes of answers unread"]


def test_one_alone_may_be_larger_than_all_that_may_be() -> None:
    unread, held = Unread(1000), connections(2)
    unread.hold("a", held[0], 5000)
    assert given_up(held) == [False, False]
    unread.hold("a", held[1], 1)
    assert given_up(held) == [True, False]


def test_what_was_taken_counts_no_more() -> None:
    unread, held = Unread(1000), connections(3)
    for _ in range(10):
        unread.hold("a", held[0], 900)
        unread.release("a", held[0])
    unread.hold("a", held[1], 900)
    unread.release("a", held[0])
    assert given_up(held) == [False] * 3
    unread.hold("a", held[2], 200)
    assert given_up(held) == [False, True, False]


def test_what_is_held_anew_is_counted_once_and_lies_from_then_on() -> None:
    unread, held = Unread(1000), connections(3)
    unread.hold("a", held[0], 400)
    unread.hold("a", held[1], 400)
    unread.hold("a", held[0], 500)
    assert given_up(held) == [False] * 3
    unread.hold("a", held[2], 200)
    assert given_up(held) == [False, True, False]


def test_callers_are_in_nobodys_way() -> None:
    unread, held = Unread(1000), connections(4)
    for number, each in enumerate(held):
        unread.hold("ab"[number % 2], each, 500)
    assert given_up(held) == [False] * 4
    unread.release("b", held[0])  # it is of another one
    unread.hold("a", Connection(), 1)
    assert given_up(held) == [True, False, False, False]
