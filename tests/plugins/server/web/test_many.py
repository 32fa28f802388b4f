"""Many models, and many versions of one: pages stay small, and all of it can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from grid_plugin import grid
from running import token

import model_registry_server.web as web_package
from model_registry import ModelRegistry
from model_registry_server.security.roles import LOCAL
from model_registry_server.web import grouping

MOST_BYTES = 200_000
STATIC = Path(web_package.__file__).parent / "static"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Path:
    """A registry with 103 versions of the model «long», and 101 other models."""
    folder, file = tmp_path_factory.mktemp("many") / "models", tmp_path_factory.mktemp("files") / "m.grid"
    file.write_bytes(grid())
    more = {"performance_metrics": {"accuracy": 0.5, "loss": 0.1, "f1": 0.3}, "tags": ["one", "two", "three"]}
    items = [{"name": "long", "model": file, "version": f"1.{number}", **more} for number in range(103)]
    items += [{"name": f"team-{n % 3}/m{n:03}", "model": file, "description": "x" * 200, **more} for n in range(101)]
    ModelRegistry(folder).register_many(items, progress=False).raise_for_failures()
    return folder


def test_every_model_is_listed_once_over_pages_that_stay_small(web: httpx.Client) -> None:
    path, names = "/ui/models", []
    while path:
        response = web.get(path)
        assert len(response.content) < MOST_BYTES
        names += re.findall(r"data-row>([^<]+)", response.text)
        more = re.findall(r'href="([^"]+)" data-more', response.text)
        path = more[0].replace("&amp;", "&") if more else ""
    assert len(names) == len(set(names)) == 102
    assert names == sorted(names)


def test_a_model_whose_pre_releases_are_later_than_its_latest_is_listed_once(tmp_path: Path, environ: object) -> None:
    file = tmp_path / "m.grid"
    file.write_bytes(grid())
    registry = ModelRegistry(tmp_path / "models")
    for name, version in (("a", "1.0"), ("a", "2.0rc1"), ("a", "2.0rc2"), ("b", "1.0"), ("b", "2.0rc1"), ("c", "1.0")):
        registry.register_model(name, file, version=version)
    pages, after = [], None
    for _ in range(4):
        page = grouping.models(registry, LOCAL, after, 1)
        pages += [entry.reference for entry in page.entries]
        after = page.after
        if after is None:
            break
    assert pages == ["a:1.0", "b:1.0", "c:1.0"]


def test_every_version_of_a_search_is_reached(web: httpx.Client) -> None:
    path, found = "/ui/models?q=name+%3D+%27long%27+order+by+version", []
    while path:
        page = web.get(path).text
        found += re.findall(r'class="version" href="[^"]+">([^<]+)', page)
        more = re.findall(r'href="([^"]+)" data-more', page)
        path = more[0].replace("&amp;", "&") if more else ""
    assert found == [f"1.{number}" for number in range(103)]


def test_older_versions_of_a_model_are_on_further_pages(web: httpx.Client) -> None:
    response = web.get("/ui/models/long")
    assert len(response.content) < MOST_BYTES
    newest = re.findall(r"data-row>([^<]+)", response.text)
    assert newest == [f"1.{number}" for number in range(102, 2, -1)]
    older = re.findall(r'href="([^"]+after=[^"]+)"', response.text)[0].replace("&amp;", "&")
    assert re.findall(r"data-row>([^<]+)", web.get(older).text) == [f"1.{number}" for number in range(2, -1, -1)]


def test_a_first_visit_takes_little_whatever_page_it_is(web: httpx.Client, folder: Path) -> None:
    registry = ModelRegistry(folder)
    for number in range(12):
        registry.set_alias("long", f"alias-{number}", f"1.{number * 3}")
    for path in ("/ui/models", "/ui/models/long", "/ui/models/long/versions/1.9"):
        page = web.get(path)
        assert page.headers["content-encoding"] == "gzip"
        assets = re.findall(r'(?:href|src)="(/ui/static/[^"]+)"', page.text)
        folder_of_scripts = assets[0].rpartition("/")[0]
        modules = [f"{folder_of_scripts}/{path.name}" for path in STATIC.glob("*.js")]
        taken = [page, *(web.get(address) for address in {*assets, *modules})]
        assert all(response.status_code == 200 for response in taken)
        assert sum(response.num_bytes_downloaded for response in taken) < 60_000
        assert len(page.content) < MOST_BYTES


def test_who_cannot_unpack_gets_pages_as_they_are(web: httpx.Client) -> None:
    style = re.findall(r'href="([^"]+/style.css)"', web.get("/ui/models").text)[0]
    for path in ("/ui/models", style):
        packed = web.get(path)
        assert "Accept-Encoding" in packed.headers["vary"]
        for accepted in ("identity", "gzip;q=0, identity"):
            plain = web.get(path, headers={"Accept-Encoding": accepted})
            assert "content-encoding" not in plain.headers
            assert plain.content == packed.content


def test_pages_of_a_search_are_full_and_end_where_what_one_may_see_ends(web: httpx.Client, folder: Path) -> None:
    secret = token(folder, "reader", "reader", "long")  # from now on, everybody needs one
    web.post("/ui/login", data={"token": secret})
    path, counts = "/ui/models?q=size+%3E+0+order+by+name", []
    while path:
        page = web.get(path).text
        counts.append(page.count("data-row>"))
        more = re.findall(r'href="([^"]+)" data-more', page)
        path = more[0].replace("&amp;", "&") if more else ""
    assert counts == [100, 3]
