"""Markdown that somebody else wrote: made HTML, of which only what is harmless stays.

Pictures are left out, but for their words: one of another host would tell it who reads the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

MOST_CHARACTERS = 50_000

_TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "hr", "i", "kbd"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "li", "mark", "ol", "p", "pre", "q", "s", "small", "span", "strong", "sub"),
    *("summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "td": {"align", "colspan", "rowspan"}, "th": {"align", "colspan", "rowspan"}}
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
#: The page has headings of its own above these.
_DEEPER = 2


@lru_cache(maxsize=64)
def markdown(text: str) -> Markup:
    """The HTML of a text; of one that is very long, of its beginning."""
    body = _FRONT_MATTER.sub("", text[:MOST_CHARACTERS].replace("\r\n", "\n"), count=1)
    html = nh3.clean(
        _parser().render(body),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        url_relative="deny",
        strip_comments=True,
    )
    return Markup(html)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    made.core.ruler.push("deeper", _deepen)
    made.add_render_rule("image", _words)
    return made


def _deepen(state: Any) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + _DEEPER)}"


def _words(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Of a picture, what stands for it."""
    return str(Markup("<em>{}</em>").format(self.renderInlineAsText(tokens[index].children, options, env)))
