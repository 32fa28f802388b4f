"""Pages: who asks is known by a cookie, and an error is a page too."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from model_registry.errors import InvalidOptionError, ModelRegistryError
from model_registry_server import problems
from model_registry_server.api.bodies import BodyRefused
from model_registry_server.api.permission import Route, admit
from model_registry_server.errors import AuthenticationError
from model_registry_server.jobs.failures import WorkerError
from model_registry_server.security.roles import Caller
from model_registry_server.server import Server
from model_registry_server.transfer.errors import InvalidBodyError
from model_registry_server.transfer.sending import Sending
from model_registry_server.web.language import language_of
from model_registry_server.web.rendering import render
from model_registry_server.web.texts import text
from model_registry_server.web.troubles import Trouble, trouble_of

#: Holds the token. The API never looks at it, so no page elsewhere can use it there.
TOKEN_COOKIE = "token"  # noqa: S105 - a name
_OF_THE_BODY = ("content-length", "content-type")


class PageRoute(Route):
    """A route for browsers."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "include_in_schema": False})

    def admit(self, server: Server, request: Request, *, counted: bool = True) -> Caller:
        """Find out who asks, by the cookie unless there is a header."""
        needed = self.permission.role is not None
        address = request.client.host if request.client else ""
        # Where nobody needs a token, one that ran out must not be in the way of a new one.
        return admit(server, _with_token(request) if needed else {}, address, needed=needed, counted=counted)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        serve = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                answer = await serve(request)
            except ClientDisconnect:
                raise
            except Exception as error:
                return _told(request, error)
            return _Download(request, answer) if isinstance(answer, Sending) else answer

        return handle


class _Download(Response):
    """A page's download. Whether it may begin is known when it is sent; why not, is told by a page too."""

    def __init__(self, request: Request, sending: Sending) -> None:
        self._request = request
        self._sending = sending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._sending(scope, receive, send)
        except ModelRegistryError as error:  # raised only before anything is sent
            await _told(self._request, error)(scope, receive, send)


def wants_json(request: Request) -> bool:
    """Whether a script asks, which reads problem documents."""
    return request.headers.get("accept", "") == "application/json"


def is_local(path: str) -> bool:
    """Whether an address leads to a page of this server and nowhere else."""
    return path.startswith("/ui") and path.isprintable() and "\\" not in path and "//" not in path.partition("?")[0]


def see_other(path: str) -> Response:
    """Go on with another page, after a change."""
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": path})


def error_page(request: Request, error: ModelRegistryError) -> Response:
    """The page that says what went wrong, and what to do."""
    document = problems.of_error(error)
    status = problems.status_of(error)
    headers = {"Retry-After": document.headers["Retry-After"]} if "Retry-After" in document.headers else {}
    page = render(request, "error.html", status, trouble=trouble_of(error, language_of(request)), status=status)
    page.headers.update(headers)
    return page


def _with_token(request: Request) -> Mapping[str, str]:
    """The headers, as if the token of the cookie came among them."""
    token = request.cookies.get(TOKEN_COOKIE)
    if not token or "authorization" in request.headers:
        return request.headers
    return {"authorization": f"Bearer {token}"}


def _carried(error: Exception) -> Exception:
    """The error that was brought here within another one."""
    if isinstance(error, WorkerError):
        return error.original()
    return error.error if isinstance(error, BodyRefused) else error


def _told(request: Request, error: Exception) -> Response:
    """The answer that says what went wrong, to a script or to a person."""
    return _document_of(request, error) if wants_json(request) else _answer_to(request, error)


def _answer_to(request: Request, error: Exception) -> Response:
    if isinstance(error, AuthenticationError):
        return _to_login(request)
    error = _carried(error)
    if isinstance(error, (RequestValidationError, ValidationError)):
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())[:1000]
        error = InvalidOptionError(said, hint="go back, and correct it", option="")
    language = language_of(request)
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI cannot read a body
        error = InvalidBodyError(str(error.detail))
    if isinstance(error, ModelRegistryError):
        return error_page(request, error)
    if isinstance(error, HTTPException):
        nowhere = Trouble(text("no_such_page", language), text("no_such_page_hint", language))
        return render(request, "error.html", 404, trouble=nowhere, status=404)
    problems.unexpected(error)
    failed = Trouble(text("server_failed", language), text("server_failed_hint", language))
    return render(request, "error.html", 500, trouble=failed, status=500)


def _document_of(request: Request, error: Exception) -> Response:
    """The problem document for a script, with a title that its reader understands."""
    error = _carried(error)
    if not isinstance(error, ModelRegistryError):
        raise error
    document = {**problems.document_of(error), "title": trouble_of(error, language_of(request)).kind}
    headers = {key: value for key, value in problems.of_error(error).headers.items() if key not in _OF_THE_BODY}
    return problems.response(document, headers)


def _to_login(request: Request) -> Response:
    """Where a token is asked for; and back, if it was a page that was asked for."""
    if request.method != "GET":
        return see_other("/ui/login")
    raw = request.scope.get("raw_path", b"/ui").split(b"?")[0].decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    return see_other("/ui/login?next=" + quote(f"{raw}?{query}" if query else raw, safe="/"))
