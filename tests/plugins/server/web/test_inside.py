"""What is inside a version, as a tree to unfold: of modules, and of the nodes of a graph."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import httpx
import pytest
from running import serving

import model_registry_server.paths  # noqa: F401 - the convertors that the routes name
from model_registry import ModelRegistry
from model_registry_server.web.inside import MOST, Module, tree


def names(module: Module) -> dict[str, object]:
    return {name: names(part) for name, part in module.parts.items()}


def test_parts_are_below_what_they_are_parts_of() -> None:
    root = tree({"a.b": "B()", "": "Net()", "a": "A()", "c": "C()", "d.e": "E()"})
    assert root is not None
    assert root.line == "Net()"
    assert names(root) == {"a": {"b": {}}, "c": {}, "d": {"e": {}}}
    assert (root.parts["a"].line, root.parts["a"].size, root.size) == ("A()", 1, 5)


def test_of_more_parts_than_a_page_shows_the_deep_ones_are_left_out() -> None:
    modules = {"": "Net()"} | {
        path: "Part()" for number in range(500) for path in (f"layer{number}", f"layer{number}.a", f"layer{number}.a.b")
    }
    root = tree(modules)
    assert root is not None
    assert list(root.parts) == [f"layer{number}" for number in range(500)]
    assert root.size == MOST - 1


def test_a_version_that_tells_no_modules_has_no_tree() -> None:
    assert tree({}) is None


def test_the_graph_of_an_onnx_model_is_unfolded(tmp_path: Path) -> None:
    pytest.importorskip("model_registry_onnx", reason="needs the ONNX plugin")
    registry = ModelRegistry(tmp_path / "models")
    registry.register_model("net", _chain("Relu"))
    with serving(tmp_path / "models") as running, httpx.Client(base_url=running.url, timeout=60) as client:
        page = client.get("/ui/models/net/versions/1.0.0").text
        assert "/ui/models/net/versions/1.0.0/inside?fragment=true" in page
        inside = client.get("/ui/models/net/versions/1.0.0/inside?fragment=true")
    assert inside.status_code == 200
    text = unescape(inside.text)
    assert "graph(x float32[n, 4], opset=17) -> y float32[n, 4]" in text
    assert text.index("<b>layer</b>") < text.index("<b>0</b>") < text.index("<b>act</b> <code>Relu(x) -> ./act</code>")
    assert "scope(Relu)" in text


def _chain(operator: str) -> object:
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
    nodes = [
        helper.make_node(operator, ["x"], ["/layer.0/act"], "/layer.0/act"),
        helper.make_node("Exp", ["/layer.0/act"], ["y"], "/end"),
    ]
    graph = helper.make_graph(nodes, "net", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
