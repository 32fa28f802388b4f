"""Names in addresses: decoded once, so that a slash within a name is told from one between the parts of a path.

A model's name may hold slashes. ``/models/group%2Fdigits/download`` always means the model ``group/digits``;
``/models/group/digits/download`` does too, as long as no part of the name is the word of an operation.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from starlette.convertors import Convertor, register_url_convertor

from model_registry_server.security.refusals import App, Receive, Scope, Send, refuse_bad_request

#: Stands for a slash within one part of a path. No name may hold it, so nothing else can be meant.
_SLASH = "\x01"


class DecodedOnce:
    """ASGI middleware that decodes each part of the path by itself."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse a path that is no UTF-8 or holds control characters."""
        if scope["type"] == "http" and b"%" in (raw := scope.get("raw_path") or b""):
            try:
                parts = [unquote_to_bytes(part).decode() for part in raw.split(b"?")[0].split(b"/")]
            except UnicodeDecodeError:
                return await refuse_bad_request(send, "the path is no UTF-8", "encode names as UTF-8, then with %")
            if any(ord(letter) < 32 for part in parts for letter in part):
                return await refuse_bad_request(send, "the path holds control characters", "no name may")
            scope = {**scope, "path": "/".join(part.replace("/", _SLASH) for part in parts)}
        return await self._app(scope, receive, send)


#: What may follow a name. As the last part of a path, none of them belongs to the name.
OPERATIONS = (
    "aliases",
    "blobs",
    "compress",
    "convert",
    "description",
    "download",
    "export",
    "history",
    "inside",
    "lineage",
    "missing",
    "next-version",
    "parents",
    "plan",
    "receive",
    "recommend-compression",
    "register-from-hub",
    "restore",
    "restore-hot",
    "tags",
    "verify",
    "versions",
)
_LAST = "|".join(OPERATIONS)


class _Name(Convertor[str]):
    """A model's name, with slashes, in a path that goes on after it."""

    regex = ".+"

    def convert(self, value: str) -> str:
        return value.replace(_SLASH, "/")

    def to_string(self, value: str) -> str:
        return value.replace("/", "%2F")


class _WholeName(_Name):
    """A model's name at the end of a path: what looks like an operation is one, for which the method is wrong."""

    regex = f"(?!.*/(?:{_LAST})$)(?!.*/(?:aliases|blobs|tags)/[^/]+(?:/(?:undo|rollback))?$).+"


class _Part(_Name):
    """Any other name, which is one part of a path."""

    regex = "[^/]+"


register_url_convertor("model", _Name())
register_url_convertor("whole", _WholeName())
register_url_convertor("part", _Part())
