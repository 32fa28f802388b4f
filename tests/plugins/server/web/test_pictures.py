from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from model_registry_server.web.family import GAP_X, MOST_BESIDE, WIDTH, picture
from model_registry_server.web.svg import plot, treemap

AREA = 1000 * 400


@given(st.lists(st.floats(1, 1e12), min_size=1, max_size=40))
def test_the_areas_of_a_treemap_are_as_the_values(values: list[float]) -> None:
    pairs = [(str(place), value) for place, value in enumerate(sorted(values, reverse=True))]
    total = sum(values)
    for tile in treemap(pairs, 1000, 400):
        assert -1 <= tile.x <= 1001
        assert -1 <= tile.y <= 401
        expected = tile.value / total
        rounding = 0.1 * (tile.width + tile.height) / AREA
        assert (
            tile.width * tile.height / AREA
            <= expected / (sum(v for v in values if v * AREA > 9 * total) / total) + rounding
        )


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30))
def test_a_plot_lies_within_its_picture_whatever_the_values(values: list[float]) -> None:
    made = plot([(str(place), value) for place, value in enumerate(values)], 100, 40, left=10, pad=4)
    assert all(0 <= point.x <= 100 and 0 <= point.y <= 40 for point in made.points)


def test_a_higher_value_is_drawn_higher_up() -> None:
    low, high = plot([("a", 0.1), ("b", 0.9)], 100, 40).points
    assert high.y < low.y
    assert low.x < high.x


def node(name: str | None, relation: str = "derived", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1",
        "digest": name,
        "state": "visible",
        "relation": relation,
        "parents": [],
        "children": [],
        **more,
    }


def test_parents_are_drawn_on_the_left_and_children_on_the_right() -> None:
    root = node("m", parents=[node("base")], children=[node("small", "compressed"), node("onnx", "converted")])
    made = picture(root)
    places = {box.name: box.x for box in made.boxes}
    assert places == {"m": WIDTH + GAP_X, "base": 0, "small": 2 * (WIDTH + GAP_X), "onnx": 2 * (WIDTH + GAP_X)}
    assert sorted(arrow.relation for arrow in made.arrows) == ["compressed", "converted", "derived"]
    assert [box.name for box in made.boxes if box.is_asked] == ["m"]


def test_a_version_that_is_reached_twice_is_drawn_once() -> None:
    made = picture(node("m", parents=[node("a", parents=[node("old")]), node("b", parents=[node("old")])]))
    assert sorted(box.name or "" for box in made.boxes) == ["a", "b", "m", "old"]
    assert len(made.arrows) == 4


def test_of_a_family_without_end_the_nearest_are_drawn() -> None:
    made = picture(node("m", children=[node(f"child{number}") for number in range(500)]))
    assert len(made.boxes) == 1 + MOST_BESIDE
    assert made.left_out == 500 - MOST_BESIDE


def test_hidden_versions_stand_for_themselves() -> None:
    made = picture(node("m", parents=[node(None, state="hidden"), node(None, state="hidden")]))
    assert len(made.boxes) == 3
