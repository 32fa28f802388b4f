"""Templates: HTML in which every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import frozen
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from model_registry_server.security.roles import Caller, Role
from model_registry_server.web import addresses, formats
from model_registry_server.web.language import language_of
from model_registry_server.web.markdown import markdown
from model_registry_server.web.packing import is_worth_packing, pack
from model_registry_server.web.snippets import first_steps
from model_registry_server.web.static import asset
from model_registry_server.web.texts import TEXTS, text, word

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Language, Cookie, Accept-Encoding",
    # With «no-referrer», browsers send forms with «Origin: null», which nobody can tell from a foreign page.
    "Referrer-Policy": "same-origin",
}


@frozen
class View:
    """What every template knows.

    :param language: ``"en"`` or ``"zh"``.
    :param caller: Who asks; None if nobody knows.
    :param path: The page's address, to come back to, with its ``query``.
    :param server: The address by which the server was called.
    """

    language: str
    caller: Caller | None
    path: str
    query: Mapping[str, str]
    server: str = ""

    def t(self, key: str, /, **values: object) -> str:
        """A text in the reader's language."""
        return text(key, self.language, **values)

    def word(self, group: str, value: object) -> str:
        """What a value is called; the value itself if it has no name."""
        return word(group, str(value), self.language)

    def may_write(self, name: str | None = None) -> bool:
        """Whether the caller may change a model."""
        return self.caller is not None and self.caller.may(Role.WRITER, name)

    @property
    def done(self) -> str:
        """What the page that led here has done; empty for words that somebody else put into the address."""
        said = self.query.get("done", "")
        return said if f"done.{said}" in TEXTS else ""

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see tokens and the audit log."""
        return self.caller is not None and self.caller.may(Role.ADMIN) and self.caller.sees_all

    @property
    def sees_all(self) -> bool:
        """Whether the caller may see the registry as a whole."""
        return self.caller is not None and self.caller.sees_all


def render(request: Request, template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A page, or a part of one."""
    view = view_of(request)
    said = environment().get_template(template).render(view=view, t=view.t, word=view.word, **values)
    body = said.encode("utf-8", "replace")
    if is_worth_packing(request, body):
        return HTMLResponse(pack(body), status, {**_HEADERS, "Content-Encoding": "gzip"})
    return HTMLResponse(body, status, _HEADERS)


def view_of(request: Request) -> View:
    """What templates know of a request."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is not None and not caller.patterns:  # anybody, who may see nothing
        caller = None
    path = request.scope.get("raw_path", b"/ui").split(b"?")[0].decode("latin-1")
    return View(language_of(request), caller, path, dict(request.query_params), str(request.base_url).rstrip("/"))


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates, compiled when first used."""
    made = Environment(
        autoescape=True,
        auto_reload=False,
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    made.globals.update(asset=asset, first_steps=first_steps, markdown=markdown, Role=Role, **addresses.FUNCTIONS)
    made.tests["list"] = lambda value: isinstance(value, (list, tuple))
    made.filters.update(formats.FILTERS)
    return made
