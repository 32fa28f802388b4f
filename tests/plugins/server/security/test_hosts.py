"""What a page of another site makes a browser send is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry_server.security.hosts import Hosts
from model_registry_server.security.refusals import Message, Receive, Scope, Send

ALLOWED = ("models.example.com", "*.Internal.test", "10.1.2.3", "2001:db8::7")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})


HOSTS = Hosts(application, ALLOWED, "/model-registry")


def ask(
    *headers: tuple[str, str],
    method: str = "GET",
    path: str = "/",
    kind: str = "http",
    at: tuple[str, int | None] = ("10.9.9.9", 8000),
) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    asyncio.run(HOSTS({"type": kind, "method": method, "path": path, "headers": raw, "server": at}, receive, send))
    return sent


def status(*headers: tuple[str, str], method: str = "GET", path: str = "/") -> int:
    code: int = ask(*headers, method=method, path=path)[0]["status"]
    return code


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1",
        "127.0.0.1:8000",
        "[::1]",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]:8000",
        "models.example.com",
        "Models.Example.COM.:443",
        "a.internal.test",
        "a.b.internal.test:1",
        "10.1.2.3:80",
        "[2001:DB8:0::7]:80",
    ],
)
def test_a_host_of_ours_is_served(host: str) -> None:
    assert status(("host", host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.test",
        "localhost.evil.test",
        "evil.test:127.0.0.1",
        "localhost@evil.test",
        "evil.test#localhost",
        "localhost:8000:8000",
        "localhost:",
        "localhost:123456",
        "localhost ",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "[::2]",
        "::1",
        "[localhost]",
        "example.com",
        "internal.test",
        ".internal.test",
        "eviLinternal.test",
        "*.internal.test",
        "localhost\xad",
    ],
)
def test_another_host_is_refused(host: str) -> None:
    assert status(("host", host)) == 421


@pytest.mark.parametrize(
    ("host", "at", "expected"),
    [
        ("10.9.9.9:8000", "10.9.9.9", 200),
        ("[2001:DB8:0::9]", "2001:db8::9", 200),
        ("10.9.9.8", "10.9.9.9", 421),  # another machine's
        ("evil.example", "10.9.9.9", 421),
        ("", "", 421),
    ],
)
def test_the_address_that_a_connection_came_to_is_a_name_of_ours(host: str, at: str, expected: int) -> None:
    assert ask(("host", host), at=(at, 8000))[0]["status"] == expected


def test_a_missing_or_repeated_host_is_refused() -> None:
    assert status() == 421
    assert status(("host", "localhost"), ("host", "localhost")) == 421
    assert status(("host", "localhost"), ("host", "evil.test")) == 421


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30))
def test_nothing_but_a_listed_name_is_served_however_it_is_written(host: str) -> None:
    name = host.lower().rpartition(":")[0] if ":" in host and not host.endswith("]") else host.lower()
    served = status(("host", host)) == 200
    if served:
        assert name.strip("[]").rstrip(".") in {"localhost", "127.0.0.1", "10.1.2.3"} or name.endswith(".internal.test")


def test_a_refusal_is_a_problem_document_that_says_what_to_do() -> None:
    start, body = ask(("host", "evil.test"))
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"application/problem+json"
    assert int(headers[b"content-length"]) == len(body["body"])
    document: dict[str, Any] = json.loads(body["body"])
    assert (document["status"], document["title"]) == (421, "Misdirected Request")
    assert "[plugins.server]" in document["hint"]
    assert document["facts"] == {"host": "evil.test", "option": "hosts"}


OURS = ("host", "models.example.com:8000")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.test",
        "http://evil.test:8000",
        "http://models.example.com",
        "http://models.example.com:8001",
        "http://a.models.example.com:8000",
        "http://models.example.com:8000@evil.test",
        "http://models.example.com:8000/",
        "file://models.example.com:8000",
        "models.example.com:8000",
    ],
)
def test_a_page_of_another_site_changes_nothing(method: str, origin: str) -> None:
    assert status(OURS, ("origin", origin), method=method) == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("models.example.com:8000", "http://models.example.com:8000"),
        ("models.example.com", "http://models.example.com"),
        ("models.example.com", "https://models.example.com"),
        ("models.example.com:443", "https://models.example.com"),
        ("models.example.com", "https://models.example.com:443"),
        ("MODELS.example.com", "http://models.EXAMPLE.com"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_page_of_our_own_is_served(host: str, origin: str) -> None:
    assert status(("host", host), ("origin", origin), method="POST") == 200


def test_the_default_port_is_that_of_the_origins_scheme() -> None:
    assert status(("host", "localhost:80"), ("origin", "https://localhost"), method="POST") == 403


def test_a_repeated_origin_is_foreign() -> None:
    ours = ("origin", "http://models.example.com:8000")
    assert status(OURS, ours, method="POST") == 200
    assert status(OURS, ours, ours, method="POST") == 403


@pytest.mark.parametrize(
    ("distance", "expected"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_without_an_origin_the_distance_that_the_browser_tells_decides(distance: str, expected: int) -> None:
    assert status(OURS, ("sec-fetch-site", distance), method="POST") == expected


def test_the_origin_counts_more_than_the_distance() -> None:
    assert status(OURS, ("origin", "http://evil.test"), ("sec-fetch-site", "same-origin"), method="POST") == 403


def test_reading_and_programs_that_are_no_browsers_need_no_origin() -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert status(OURS, ("origin", "http://evil.test"), method=method) == 200
    assert status(OURS, method="DELETE") == 200


NAVIGATES = (("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"))


@pytest.mark.parametrize(
    ("path", "how", "expected"),
    [
        ("/", NAVIGATES, 200),
        ("/ui/models/digits", NAVIGATES, 200),
        ("/ui/models/digits", (("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")), 403),
        ("/ui/models/digits", (("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")), 403),
        ("/ui/models/digits", (), 403),
        ("/model-registry/validate", NAVIGATES, 403),
        ("/model-registry/validate", (("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")), 403),
        ("/model-registry", NAVIGATES, 403),
    ],
)
@pytest.mark.parametrize("distance", ["cross-site", "same-site"])
def test_another_site_may_link_to_pages_and_no_more(
    distance: str, path: str, how: tuple[tuple[str, str], ...], expected: int
) -> None:
    for method in ("GET", "HEAD"):
        assert status(OURS, ("sec-fetch-site", distance), *how, method=method, path=path) == expected
    for nearer in ("none", "same-origin"):
        assert status(OURS, ("sec-fetch-site", nearer), *how, path=path) == 200
    assert status(OURS, *how, path=path) == 200


def test_a_distance_that_is_told_twice_is_far() -> None:
    near = ("sec-fetch-site", "none")
    assert status(OURS, near, near, path="/model-registry/validate") == 403


def test_web_sockets_are_refused() -> None:
    assert ask(OURS, kind="websocket") == [{"type": "websocket.close", "code": 1008}]


def test_the_server_may_tell_the_application_that_it_starts() -> None:
    assert ask(kind="lifespan")[1]["body"] == b"served"
