"""Whatever somebody wrote into the metadata of a version, its page is there, and shows it as text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from model_registry import ModelEntry, ModelRegistry
from model_registry_server.security.roles import LOCAL
from model_registry_server.web import formats
from model_registry_server.web.family import picture
from model_registry_server.web.rendering import View, environment
from model_registry_server.web.svg import plot

WORDS = st.sampled_from(
    (
        *(
            "from",
            "type",
            "steps",
            "parity",
            "outputs",
            "inputs",
            "operators",
            "latency_ms",
            "before",
            "name",
            "passed",
        ),
        *("conversion", "compression", "<script>", "reason", "max_abs", "shape", "dtype", "ai.onnx"),
    )
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4))
EXTRA = st.dictionaries(WORDS, JSON, max_size=5)


@pytest.fixture(scope="module")
def entry(folder: Path) -> ModelEntry:
    return ModelRegistry(folder).resolve("digits")


@settings(max_examples=150)
@given(extra=EXTRA, metrics=st.dictionaries(st.text(max_size=5), st.floats() | st.integers(), max_size=3))
def test_the_page_of_a_version_shows_any_metadata(entry: ModelEntry, extra: Any, metrics: Any) -> None:
    written = evolve(entry, metadata=evolve(entry.metadata, extra=extra, performance_metrics=metrics))
    lineage = {
        "relation": "",
        "name": "x",
        "version": "1",
        "digest": "0",
        "state": "visible",
        "parents": [],
        "children": [],
    }
    known = {"aliases": (), "tags": {}, "files": (), "provenance": extra, "environment": extra}
    page = _render("version.html", entry=written, known=known, extra=extra, facts=extra, family=picture(lineage))
    part = _render("parts/inside.html", entry=written, tree=None, layers=[], tensors=0, nbytes=0, modules=0, next=None)
    assert "<script>" not in page.partition("<main")[2]
    assert "<script>" not in part


def _render(template: str, **values: Any) -> str:
    view = View("zh", LOCAL, "/ui", {})
    rest: dict[str, Any] = {
        "card": None,
        "verified": None,
        "token_variable": None,
        "targets": [],
        "compressions": [],
        "snippets": {},
    }
    return environment().get_template(template).render(view=view, t=view.t, word=view.word, **rest, **values)


@given(st.floats() | st.integers(-(10**30), 10**30))
def test_any_number_is_written_in_few_characters(value: float) -> None:
    for write in (formats.number, formats.said, formats.short, formats.size):
        if math.isfinite(value) or write in (formats.number, formats.said):
            assert len(write(value)) < 60


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0 B"), (999, "999 B"), (1630224, "1.63 MB"), (999_600, "1 MB"), (2.5e12, "2.5 TB"), (None, "–")],
)
def test_sizes_are_told_in_powers_of_a_thousand(value: float | None, expected: str) -> None:
    assert formats.size(value) == expected


def test_one_value_is_drawn_in_the_middle() -> None:
    assert plot([("a", 1.0)], 100, 40).points[0].x == 50
