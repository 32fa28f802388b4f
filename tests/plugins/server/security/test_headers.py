"""Every response tells browsers to do no more with it than show it."""

from __future__ import annotations

import asyncio

from model_registry_server.security.headers import Headers
from model_registry_server.security.refusals import Message, Receive, Scope, Send

EXPECTED = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"x-frame-options": b"DENY",
}


def answer(*start: Message, kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        for message in start:
            await send(message)

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    asyncio.run(Headers(application)({"type": kind}, receive, send))
    return sent


def test_a_response_gets_them_all() -> None:
    body = {"type": "http.response.body", "body": b"x"}
    start, *rest = answer({"type": "http.response.start", "status": 200, "headers": [(b"etag", b"1")]}, body)
    assert start["status"] == 200
    assert dict(start["headers"]) == {b"etag": b"1", **EXPECTED}
    assert len(start["headers"]) == 7
    assert rest == [body]


def test_a_response_may_have_no_headers_of_its_own() -> None:
    assert dict(answer({"type": "http.response.start", "status": 204})[0]["headers"]) == EXPECTED


def test_what_a_response_says_itself_stays_and_is_not_repeated() -> None:
    own = [(b"content-security-policy", b"default-src 'self'"), (b"x-frame-options", b"SAMEORIGIN")]
    headers = answer({"type": "http.response.start", "status": 200, "headers": own})[0]["headers"]
    assert dict(headers) == {**EXPECTED, **dict(own)}
    assert len(headers) == 6


def test_the_list_of_a_response_that_is_sent_again_does_not_grow() -> None:
    shared: list[tuple[bytes, bytes]] = [(b"etag", b"1")]
    message = {"type": "http.response.start", "status": 200, "headers": shared}
    answer(message, message)
    assert shared == [(b"etag", b"1")]


def test_messages_that_are_no_response_pass_as_they_are() -> None:
    message = {"type": "lifespan.startup.complete"}
    assert answer(message, kind="lifespan") == [message]
