"""Mistakes in a webhook are told when it is made."""

from __future__ import annotations

import re

import pytest

from model_registry import InvalidOptionError
from model_registry.catalog import actions
from model_registry_server.webhooks.checks import ACTIONS, checked_events, checked_models, checked_url

HOSTS = ("ci.example.com", "*.hooks.example", "10.0.0.7")


@pytest.mark.parametrize(
    "url",
    [
        "https://ci.example.com/hook?x=1",
        "http://ci.example.com:8080/",
        "https://CI.example.com/",
        "https://a.b.hooks.example",
        "https://10.0.0.7/",
    ],
)
def test_hosts_of_the_option_may_be_called(url: str) -> None:
    assert checked_url(url, HOSTS).lower().startswith(url.lower())


@pytest.mark.parametrize(
    "url",
    ["https://example.com/", "https://ci.example.com.evil.example/", "https://hooks.example", "http://127.0.0.1/"],
)
def test_other_hosts_are_refused_with_the_option_that_lists_them(url: str) -> None:
    with pytest.raises(InvalidOptionError, match=r"may not call — .*webhook_hosts of \[plugins.server\]"):
        checked_url(url, HOSTS)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://ci.example.com/", "no address of the web"),
        ("ci.example.com/hook", "no address of the web"),
        ("https:///hook", "no address of the web"),
        ("file:///etc/passwd", "no address of the web"),
        ("https://me:secret@ci.example.com/", "holds a password"),
        ("https://ci.example.com@evil.example/", "holds a password"),
        ("https://ci.example.com/#part", "cannot be sent"),
        ("https://ci.example.com/" + "x" * 2000, "cannot be sent"),
        ("https://ci.example.com/\n", "is no URL"),
        ("https://[::1/", "is no URL"),
        ("https://cı.example.com/", "may not call"),
    ],
)
def test_what_cannot_be_called_is_refused(url: str, problem: str) -> None:
    with pytest.raises(InvalidOptionError, match=re.escape(problem)) as caught:
        checked_url(url, HOSTS)
    assert "secret" not in str(caught.value)


def test_without_the_option_nothing_may_be_called() -> None:
    with pytest.raises(InvalidOptionError, match="webhook_hosts"):
        checked_url("https://ci.example.com/", ())


def test_the_actions_are_those_of_the_history() -> None:
    known = {value for name, value in vars(actions).items() if name.isupper() and isinstance(value, str)}
    assert set(ACTIONS) == known


def test_events_are_actions_or_patterns_of_them() -> None:
    assert checked_events(["registered", "alias-*", "*", "registered"]) == ("registered", "alias-*", "*")
    with pytest.raises(InvalidOptionError, match="did you mean 'registered'"):
        checked_events(["register"])
    with pytest.raises(InvalidOptionError, match=r"no event 'zzz' — use .*alias-set"):
        checked_events(["zzz"])


def test_lists_have_an_end() -> None:
    for check in (checked_events, checked_models):
        for wrong in ([], ["*"] * 101, [""], [" "], ["*" * 201], ["a\nb"]):
            with pytest.raises(InvalidOptionError):
                check(wrong)
