"""The pictures that stand on the pages: each is there, with a mark for everything that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from grid_plugin import grid
from running import serving

import model_registry_server.paths  # noqa: F401 - the convertors that the routes name
from model_registry import ModelRegistry
from model_registry_server.web.model import DRAWN

DIGITS = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]


def pictures(page: str, kind: str) -> list[str]:
    """The pictures of a kind, as they stand in a page; none of them holds another."""
    return re.findall(rf'<svg class="{kind}\b.*?</svg>', page, re.DOTALL)


def points(picture: str) -> list[str]:
    """The coordinates of its line."""
    return " ".join(re.findall(r'<polyline points="([^"]*)"', picture)).split()


def circles(picture: str) -> list[str]:
    return [f"{x},{y}" for x, y in re.findall(r'<circle cx="([^"]+)" cy="([^"]+)"', picture)]


def test_each_metric_of_the_table_has_a_line_with_a_point_for_each_version(web: httpx.Client) -> None:
    found = pictures(web.get("/ui/models/digits").text, "spark")
    assert [re.findall(r'aria-label="([^"]+)"', each) for each in found] == [["Trend of accuracy"], ["Trend of loss"]]
    for each in found:
        assert len(points(each)) == len(DIGITS)
        assert circles(each) == points(each)[-1:]


def test_a_chart_marks_each_version_and_leads_to_it(web: httpx.Client) -> None:
    (chart,) = pictures(web.get("/ui/models/digits", params={"metric": "accuracy"}).text, "chart")
    assert re.findall(r'<a href="/ui/models/digits/versions/([^"]+)"><title>([^<]+)<', chart) == [
        (version, f"{version}: {value}") for version, value in zip(DIGITS, (0.9, 0.92, 0.94, 0.96), strict=True)
    ]
    assert circles(chart) == points(chart)
    heights = [float(point.partition(",")[2]) for point in points(chart)]
    assert heights == sorted(heights, reverse=True)  # higher values stand higher up
    assert len(re.findall(r'<line class="grid"', chart)) >= 3


def test_the_lineage_has_a_box_for_each_version_and_an_arrow_for_each_relation(web: httpx.Client) -> None:
    for path in ("/ui/models/digits", "/ui/models/digits/versions/1.1.0"):
        (family,) = pictures(web.get(path).text, "family")
        assert sorted(re.findall(r"<title>digits:([^<]+)</title>", family)) == DIGITS
        assert len(re.findall(r"<rect ", family)) == len(DIGITS)
        assert len(re.findall(r'<path class="edge edge-derived" d="M[^"]+" marker-end', family)) == len(DIGITS) - 1
        assert family.count('class="box visible asked"') == 1


@pytest.mark.parametrize("shape", ["wide", "tall"])
def test_the_map_of_the_storage_has_a_tile_for_each_model_as_large_as_its_share(
    web: httpx.Client, folder: Path, shape: str
) -> None:
    page = unescape(web.get("/ui/storage").text)
    drawn = page.partition(f'<svg class="treemap {shape}"')[2].partition("</section>")[0].partition('class="treemap')[0]
    tile = r'<a href="[^"]+" aria-label="([^:"]+): [^"]+">\s*<svg x="[^"]+" y="[^"]+" width="([^"]+)" height="([^"]+)">'
    areas = {name: float(width) * float(height) for name, width, height in re.findall(tile, drawn)}
    entries = ModelRegistry(folder).list_models()
    sizes = {name: sum(entry.size for entry in entries if entry.name == name) for name in {e.name for e in entries}}
    assert areas.keys() == sizes.keys()
    assert drawn.count('class="tile ') == len(sizes)
    whole = sum(areas.values())
    for name, area in areas.items():
        assert area / whole == pytest.approx(sizes[name] / sum(sizes.values()), abs=0.01)


def test_the_storage_compares_what_is_said_with_what_is_stored(web: httpx.Client) -> None:
    widths = [
        float(re.findall(r'class="part" width="([^"]+)"', bar)[0])
        for bar in pictures(web.get("/ui/storage").text, "bar")
    ]
    assert len(widths) == 2
    assert max(widths) == 100
    assert min(widths) > 0


def test_each_metric_of_each_compared_version_has_a_bar_on_one_scale(web: httpx.Client) -> None:
    page = web.get("/ui/compare", params={"a": "digits:1.0.0", "b": "digits:1.3.0"}).text
    bars = re.findall(r'class="part" x="([^"]+)" width="([^"]+)"', "".join(pictures(page, "bar")))
    assert bars == [("0.00", "93.75"), ("0.00", "100.00"), ("0.00", "100.00"), ("0.00", "25.00")]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[httpx.Client]:
    """A model with two versions more than are drawn, and one with three."""
    folder, file = tmp_path_factory.mktemp("drawn") / "models", tmp_path_factory.mktemp("file") / "m.grid"
    file.write_bytes(grid())
    items = [
        {"name": "long", "model": file, "version": f"1.{number}", "performance_metrics": {"accuracy": number}}
        for number in range(DRAWN + 2)
    ]
    items += [
        {"name": "short", "model": file, "version": str(number), "performance_metrics": {"score": number - 2.0}}
        for number in (1, 2, 3)
    ]
    ModelRegistry(folder).register_many(items, progress=False).raise_for_failures()
    with serving(folder, environ=environ) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def test_of_more_versions_than_can_be_drawn_the_page_says_that_it_draws_the_newest(many: httpx.Client) -> None:
    page = many.get("/ui/models/long", headers={"Accept-Language": "en"}).text
    assert f"the newest {DRAWN} versions are drawn" in page
    (chart,) = pictures(page, "chart")
    assert re.findall(r"<title>1\.(\d+):", chart) == [str(number) for number in range(2, DRAWN + 2)]
    assert len(points(chart)) == DRAWN
    short = many.get("/ui/models/short", headers={"Accept-Language": "en"}).text
    assert "versions are drawn" not in short


def test_a_value_below_zero_is_drawn_to_the_other_side_of_zero(many: httpx.Client) -> None:
    page = many.get("/ui/compare", params={"a": "short:1", "b": "short:2", "c": "short:3"}).text
    drawn = pictures(page, "bar")
    assert [re.findall(r'class="part" x="([^"]+)" width="([^"]+)"', bar)[0] for bar in drawn] == [
        ("0.00", "50.00"),
        ("50.00", "0.00"),
        ("50.00", "50.00"),
    ]
    assert [re.findall(r'<line class="zero" x1="([^"]+)"', bar) for bar in drawn] == [["50.00"]] * 3
