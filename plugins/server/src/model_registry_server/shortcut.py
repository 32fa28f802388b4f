"""The short way to an answer that is kept: the caller is looked at as ever, but no route is searched for."""

from __future__ import annotations

from starlette.datastructures import Headers

from model_registry import ModelRegistryError
from model_registry_server.answers import question_of
from model_registry_server.api.permission import admit
from model_registry_server.api_path import API
from model_registry_server.problems import of_error
from model_registry_server.security.refusals import App, Receive, Scope, Send
from model_registry_server.server import Server


class Shortcut:
    """ASGI middleware that sends what is kept, and passes on everything else.

    An answer is kept for callers of the same rights, so whoever gets it here may have it.
    """

    def __init__(self, app: App, server: Server) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        is_api = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(f"{API}/")
        if not (is_api and self._server.answers.may_know(scope)):  # pages know their callers in another way
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        client = scope.get("client")
        try:
            caller = admit(self._server, headers, client[0] if client else "")
            kept = self._server.answers.find(question_of(scope, caller))
        except ModelRegistryError as error:
            return await of_error(error)(scope, receive, send)
        if kept is None:
            scope["caller"] = caller  # who was admitted once is not counted twice
            return await self._app(scope, receive, send)
        scope["route"] = kept.route
        scope.setdefault("state", {})["caller"] = caller
        return await kept.response(headers.get("if-none-match"))(scope, receive, send)
