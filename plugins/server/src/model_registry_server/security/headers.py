"""Headers that tell browsers to do no more with an answer than show it."""

from __future__ import annotations

from model_registry_server.security.refusals import App, Message, Receive, Scope, Send

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


class Headers:
    """ASGI middleware that adds them to every response, but for those that a response has already.

    Pages say in a ``Content-Security-Policy`` of their own what they may load.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                names = {name for name, _ in own}  # ASGI has them in lower case
                message = {**message, "headers": own + [pair for pair in _HEADERS if pair[0] not in names]}
            await send(message)

        return await self._app(scope, receive, send_with_headers)
