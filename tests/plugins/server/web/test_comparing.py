"""The page that sets versions beside each other."""

from __future__ import annotations

import re
from html import unescape

import httpx
from hypothesis import given
from hypothesis import strategies as st

import model_registry_server.paths  # noqa: F401 - the convertors that the routes name
from model_registry_server.web.comparing import MOST
from model_registry_server.web.svg import measures

VALUES = st.lists(st.none() | st.floats() | st.integers(-(10**12), 10**12), min_size=1, max_size=6)


@given(VALUES)
def test_bars_lie_within_their_room_and_on_the_side_of_their_sign(values: list[float | None]) -> None:
    for measure in measures(values):
        assert -1e-9 <= measure.start <= measure.start + measure.length <= 1 + 1e-9
        if measure.value is not None and measure.length:
            zero = measure.zero or 0.0
            below = measure.start + measure.length <= zero + 1e-9
            assert below if measure.value < 0 else measure.start >= zero - 1e-9


def test_bars_are_as_long_as_the_values() -> None:
    lengths = [measure.length for measure in measures([-1, 3, None, 0])]
    assert lengths == [0.25, 0.75, 0.0, 0.0]
    assert measures([1.0, 2.0])[0].zero is None


def test_of_many_tensors_each_page_says_which_and_leads_to_the_others(web: httpx.Client) -> None:
    path, names = "/ui/compare?a=team/ranker:0.1&b=wide&c=digits", []
    said = []
    for _ in range(3):
        page = unescape(web.get(path).text)
        pair = page.partition('id="h-pair-1"')[2].partition("</section>")[0]
        names += re.findall(r'<th scope="row" class="path">(block[^<]+|layer[^<]+)</th>', pair)
        said += re.findall(r"(\d+)–(\d+) of ([\d,]+) that differ", pair)
        links = re.findall(r'href="([^"]+)">Next<', pair)
        path = links[0]
    assert said == [("1", "300", "10,002"), ("301", "600", "10,002"), ("601", "900", "10,002")]
    assert len(names) == len(set(names)) == 3 * MOST
    assert "c=" not in path  # the others have pages of their own
    assert "from=300" in re.findall(r'href="([^"]+)">Previous<', pair)[0]
    few = web.get("/ui/compare", params={"a": "digits:1.0.0", "b": "digits:1.1.0"}).text
    assert "that differ" not in few


def test_the_last_page_leads_no_further_and_one_behind_it_says_so(web: httpx.Client) -> None:
    asked = {"a": "team/ranker:0.1", "b": "wide"}
    last = web.get("/ui/compare", params={**asked, "from": 9900}).text
    assert "9901–10002 of 10,002" in last
    assert ">Next<" not in last
    behind = web.get("/ui/compare", params={**asked, "from": 20_000}).text
    assert "Only 10,002 differ." in behind
