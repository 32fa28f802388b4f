"""Who may do what: every route declares it, and one that does not cannot be made.

::

    @router.delete("/models/{name:model}")
    @allow(Role.WRITER)
    def remove_model(request: Request, name: str) -> Response: ...

A route whose path has a ``name`` is about that model, and a token must be for models like it. One that is about several
asks :func:`require` itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote

from attrs import evolve, frozen
from fastapi import Request, Response
from fastapi.routing import APIRoute

from model_registry import ModelNotFoundError, ModelRegistryError
from model_registry_server.api.bodies import MOST_BYTES, bounded
from model_registry_server.api.noting import Noted, note_refusal, noted
from model_registry_server.errors import AuthenticationError, ForbiddenError, TooManyRequestsError
from model_registry_server.jobs.failures import WorkerError
from model_registry_server.security.limits import address_key
from model_registry_server.security.roles import LOCAL, Caller, Role
from model_registry_server.server import Server
from model_registry_server.transfer.errors import TooLargeError

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_MARK = "__permission__"
_LONGEST_ACTOR = 90
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@frozen
class Permission:
    """What a route demands.

    :param role: The role; None for a route that is open to everybody who reaches the server.
    :param everything: The role must hold for every model.
    :param changes: Whether it may change something, so that it belongs into the audit log.
    :param streams: It takes its body as it comes, of any size.
    """

    role: Role | None
    everything: bool = False
    changes: bool | None = None
    streams: bool = False


def allow(
    role: Role, *, everything: bool = False, changes: bool | None = None, streams: bool = False
) -> Callable[[Endpoint], Endpoint]:
    """Declare who may use a route.

    :param everything: Only tokens for every model.
    :param changes: Default: unless the method is GET.
    :param streams: It bounds its body itself.
    """
    return _marked(Permission(role, everything, changes, streams))


def allow_everybody() -> Callable[[Endpoint], Endpoint]:
    """Declare that a route is for everybody, with or without a token."""
    return _marked(Permission(None))


def _marked(permission: Permission) -> Callable[[Endpoint], Endpoint]:
    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _MARK, permission)
        return endpoint

    return mark


def permission_of(endpoint: object) -> Permission:
    """What a route's function declares.

    :raises TypeError: if it declares nothing: nobody may use such a route, so that there must be none.
    """
    found = getattr(endpoint, _MARK, None)
    if not isinstance(found, Permission):
        raise TypeError(f"{endpoint} declares no permission: decorate it with @allow")
    return found


class Route(APIRoute):
    """A route that lets nobody in but whom its function declares, and notes in the audit log what they changed."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.permission = permission_of(endpoint)
        super().__init__(path, endpoint, **options)

    def admit(self, server: Server, request: Request, *, counted: bool = True) -> Caller:
        """Find out who asks."""
        known: Caller | None = request.scope.get("caller")
        if known is not None:
            return known
        address = request.client.host if request.client else ""
        return admit(server, request.headers, address, needed=self.permission.role is not None, counted=counted)

    def admit_again(self, server: Server, request: Request) -> Caller:
        """Whether whoever asked would still be let in.

        :raises AuthenticationError: if not.
        """
        request.scope.pop("caller", None)
        return self.admit(server, request, counted=False)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        serve = super().get_route_handler()
        permission, action = self.permission, getattr(self.endpoint, "__name__", "")
        bodies = [param.field_info.annotation for param in self.dependant.body_params]
        most = max((getattr(body, "most_bytes", MOST_BYTES) for body in bodies), default=MOST_BYTES)

        async def handle(request: Request) -> Response:
            server = server_of(request)
            caller = request.state.caller = self.admit(server, request)
            request.state.admit = partial(self.admit_again, server, request)
            request.state.noted = _noted_for(request)
            if permission.streams or request.method in _SAFE:
                return await admitted(request, caller)
            with server.bodies.body(caller.taker) as take:
                return await admitted(bounded(request, server.options.pace, take, most), caller)

        async def admitted(request: Request, caller: Caller) -> Response:
            server = server_of(request)
            if permission.role is None:
                return await serve(request)
            changes = request.method not in _SAFE if permission.changes is None else permission.changes
            try:
                require(caller, permission.role, request.path_params.get("name"), everything=permission.everything)
            except ForbiddenError:
                if changes:
                    await note_refusal(server, request, caller, action)
                raise
            try:
                with server.registry.acting_as(actor_of(request)):
                    return await (noted(server, request, caller, action, serve) if changes else serve(request))
            except (ModelNotFoundError, WorkerError) as error:
                raise _without_names(error, caller) from error
            except TooLargeError as error:
                raise _without_room(error, caller) from error

        return handle


def server_of(request: Request) -> Server:
    """The server that a request came to."""
    server: Server = request.app.state.server
    return server


def caller_of(request: Request) -> Caller:
    """Whoever sent a request."""
    caller: Caller = request.state.caller
    return caller


def actor_of(request: Request) -> str:
    """Who is recorded for changes: the caller, and whom it says to act for, such as the person at a shared machine."""
    caller, said = caller_of(request), _acting_for(request)
    return f"{caller.name} ({said})" if said else caller.name


def _acting_for(request: Request) -> str:
    said = unquote(request.headers.get("x-model-registry-actor", ""))[:_LONGEST_ACTOR].strip()
    return said if said.isprintable() else ""


def _noted_for(request: Request) -> Noted:
    said = _acting_for(request)
    return Noted(acting_for=said) if said else Noted()


def owner_of(caller: Caller) -> str:
    """Whose uploads, jobs and streams are those of a caller, whomever it says to act for."""
    return caller.owner


def _needs_no_token(server: Server, headers: Mapping[str, str]) -> bool:
    """Whether a caller gets in without one."""
    return server.is_open and not (_was_passed_on(headers) or server.tokens.any())


def admit(
    server: Server, headers: Mapping[str, str], address: str, *, needed: bool = True, counted: bool = True
) -> Caller:
    """Find out who asks.

    Two questions go to the disk from here, on the event loop: which token it is, and whether there is any. Both take
    less than 50 µs (a thread would take longer), the first one twice a second for each token. They are reads of a
    SQLite file with a log (WAL), which wait for no writer, however long its transaction lasts.

    :param needed: False lets in also those without a token, as nobody in particular.
    :param counted: False for a caller that was let in before, and asks nothing new.
    :raises AuthenticationError: if a token is needed, or the one given is none.
    :raises TooManyRequestsError: if it asks too often.
    """
    kind, _, text = headers.get("authorization", "").partition(" ")
    if text:
        token = server.tokens.check(text.strip()) if kind.lower() == "bearer" else None
        if token is None:
            limit(server, address_key(address))  # whoever guesses is slowed down
            if _needs_no_token(server, headers):
                hint = "it has no tokens: send none"
                raise AuthenticationError("this server needs no token, and knows none", hint=hint, needed=False)
            raise AuthenticationError("the token is not valid", hint="it was revoked, ran out, or is mistyped")
        if counted:
            limit(server, token.id)
        return token.caller(address)
    if needed and counted:  # who only looks whether the server is well may do that as often as it wants
        limit(server, address_key(address))
    if _needs_no_token(server, headers):
        return evolve(LOCAL, address=address)
    if needed:
        hint = "send one as «Authorization: Bearer …»; «model-registry token create» makes one"
        raise AuthenticationError("a token is needed", hint=hint)
    return evolve(LOCAL, name="anybody", role=Role.READER, patterns=(), address=address)


def _was_passed_on(headers: Mapping[str, str]) -> bool:
    """Whether a proxy says that somebody else asks."""
    return any(name in headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))


def require(caller: Caller, role: Role, model: str | None = None, *, everything: bool = False) -> None:
    """:raises ForbiddenError: unless the caller has the role, for the model, or for every one."""
    if not caller.may(role):
        raise ForbiddenError(f"{caller.name} is {_a(caller.role)}; this takes {_a(role)}", hint=_MORE)
    if model is not None and not caller.may(role, model):
        raise ForbiddenError(f"{caller.name} may not use the model {model!r:.200}", hint=_MORE)
    if everything and not caller.sees_all:
        raise ForbiddenError(f"{caller.name} may not use every model, which this is about", hint=_MORE)


def _a(role: Role) -> str:
    return f"an {role}" if role is Role.ADMIN else f"a {role}"


_MORE = "ask whoever runs the server for a token that may"


def limit(server: Server, key: str) -> None:
    """Count a request.

    :raises TooManyRequestsError: if it is one too many.
    """
    wait = server.limits.take(key)
    if wait:
        hint = f"wait {math.ceil(wait)} s; rate_limit of [plugins.server] says how many"
        raise TooManyRequestsError("too many requests a minute", hint=hint, retry_after=math.ceil(wait))


def _without_room(error: TooLargeError, caller: Caller) -> TooLargeError:
    """An error that does not say how much room is left for all: it would tell whether others have the same bytes."""
    if caller.sees_all or error.facts.get("option") != "quota_mb":
        return error
    return TooLargeError("the registry has no room for this", hint=error.hint, option="quota_mb")


def _without_names(error: ModelNotFoundError | WorkerError, caller: Caller) -> ModelRegistryError:
    """An error that says what is not there, without what is: the caller may not see those others."""
    found = error.original() if isinstance(error, WorkerError) else error
    if caller.sees_all or not isinstance(found, ModelNotFoundError):
        return found
    facts: Mapping[str, Any] = found.facts
    return type(found)(found.message, **facts)
