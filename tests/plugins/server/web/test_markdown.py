from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry_server.web.markdown import MOST_CHARACTERS, markdown

PIECES = st.sampled_from(
    [
        *("<script>", "</script>", "<img src=x onerror=alert(1)>", "[a](javascript:x)", "<svg onload=x>", "</p>", "a"),
        *("<a href='java\tscript:x'>", "<style>", "<iframe src=//h>", "<form action=/x>", "<b style='x'>", "&lt;"),
        *("<math><mtext><table><mglyph><style><!--", "<details open ontoggle=x>", "![i](http://h/x.png)"),
        *("`", "```", "\n", "\n\n", "# ", "> ", "* ", "<", ">", '"'),
    ]
)


class Seen(HTMLParser):
    """What a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


@given(st.lists(PIECES, max_size=12).map("".join))
def test_whatever_is_written_no_script_picture_form_or_style_comes_of_it(source: str) -> None:
    seen = Seen(markdown(source))
    assert not seen.tags & {
        "script",
        "img",
        "svg",
        "style",
        "iframe",
        "form",
        "input",
        "object",
        "math",
        "link",
        "base",
    }
    for name, value in seen.attributes:
        assert name in {"href", "title", "align", "colspan", "rowspan", "rel"}
        if name == "href":
            assert value is not None
            assert value.startswith(("http://", "https://", "mailto:"))


def test_ordinary_markdown_becomes_html_with_headings_below_those_of_the_page() -> None:
    html = markdown("# Title\n\nSome *words*.\n\n| a |\n|---|\n| 1 |\n")
    assert "<h3>Title</h3>" in html
    assert "<em>words</em>" in html
    assert "<td>1</td>" in html


def test_front_matter_is_left_out() -> None:
    assert markdown("---\nlicense: mit\n---\nHello") == "<p>Hello</p>\n"


def test_a_picture_of_another_host_becomes_its_words() -> None:
    html = markdown("![a <b>plot</b>](https://evil.example/x.png)")
    assert "evil.example" not in html
    assert "plot" in html


def test_a_link_tells_its_target_nothing() -> None:
    assert 'rel="noopener noreferrer nofollow"' in markdown("[x](https://example.org)")


@pytest.mark.parametrize("piece", ["[", "![", "<a ", "> ", "*", "`", "[a](", "| "])
def test_a_very_long_text_takes_no_long_time(piece: str) -> None:
    begun = time.process_time()
    markdown(piece * (2 * MOST_CHARACTERS // len(piece)))
    assert time.process_time() - begun < 8
