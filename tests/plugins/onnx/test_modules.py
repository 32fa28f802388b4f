"""The graph as a tree: what is told of nodes, where they are put, and what two versions differ in."""

from __future__ import annotations

import time

import numpy as np
import onnx
import onnx_zoo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx_zoo import tensor, value, weights
from real_models import MAGIKA, SILERO

from model_registry import UnsafeModelError
from model_registry_onnx.modules import MOST_LINES, describe_modules


class Files(dict):
    """The files of a version, by path, as ``modules`` sees them."""

    def local(self, path):
        return self[path]

    def size(self, path):
        return self[path].stat().st_size


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("told")

    def tell(model):
        content = model if isinstance(model, bytes) else model.SerializeToString()
        (folder / "model.onnx").write_bytes(content)
        return describe_modules(Files({"model.onnx": folder / "model.onnx"}))

    return tell


def node(operator, takes, gives, name="", properties=(), **attributes):
    made = helper.make_node(operator, takes, gives, name, **attributes)
    for key, content in dict(properties).items():
        made.metadata_props.add(key=key, value=content)
    return made


def chain(*names, operators=("Relu",)):
    """Nodes one after the other, by their names."""
    nodes = [
        node(operators[number % len(operators)], [f"v{number}"], [f"v{number + 1}"], name)
        for number, name in enumerate(names)
    ]
    return onnx_zoo.model(nodes, [value("v0", "n", 4)], [value(f"v{len(names)}", "n", 4)])


def test_every_node_has_a_line_in_the_order_of_the_graph(registry) -> None:
    registry.register_model("m", onnx_zoo.mlp())
    assert list(registry.resolve("m").modules.items()) == [
        ("", "graph(x float32[batch, 8], opset=17) -> probabilities float32[batch, 4]"),
        ("first", "Gemm(x, w1 float32[8, 16], b1 float32[16]) -> h"),
        ("relu", "Relu(h) -> r"),
        ("second", "MatMul(r, w2 float32[16, 4]) -> l"),
        ("end", "Softmax(l) -> probabilities float32[batch, 4]"),
    ]


def test_names_with_slashes_are_paths_as_those_of_the_modules_that_were_exported(told) -> None:
    tree = told(chain("/layer.0/q/Relu", "/layer.0/q/Relu_1", "/layer.0/Exp", "/Tanh"))
    assert tree == {
        "": "graph(v0 float32[n, 4], opset=17) -> v4 float32[n, 4]",
        "layer": "scope()",
        "layer.0": "scope(Relu)",
        "layer.0.q": "scope(Relu × 2)",
        "layer.0.q.Relu": "Relu(v0) -> v1",
        "layer.0.q.Relu_1": "Relu(v1) -> v2",
        "layer.0.Exp": "Relu(v2) -> v3",
        "Tanh": "Relu(v3) -> v4 float32[n, 4]",
    }


def test_values_of_the_same_scope_are_told_from_there(told) -> None:
    nodes = [
        node("Relu", ["x"], ["/a/b/c/Relu_output_0"], "/a/b/c/Relu"),
        node("Exp", ["/a/b/c/Relu_output_0"], ["/a/b/Exp_output_0"], "/a/b/Exp"),
        node("Exp", ["/a/b/Exp_output_0"], ["y"], "/a/Exp"),
    ]
    tree = told(onnx_zoo.model(nodes, [value("x", 4)], [value("y", 4)]))
    assert tree["a.b.c.Relu"] == "Relu(x) -> ./Relu_output_0"
    assert tree["a.b.Exp"] == "Exp(./c/Relu_output_0) -> ./Exp_output_0"
    assert tree["a.Exp"] == "Exp(./b/Exp_output_0) -> y float32[4]"


def test_what_torchs_newer_exporter_says_of_modules_is_used(told) -> None:
    def made_in(*scopes, classes):
        return {"pkg.torch.onnx.name_scopes": repr(list(scopes)), "pkg.torch.onnx.class_hierarchy": repr(classes)}

    block, linear = "net.Block", "torch.nn.modules.linear.Linear"
    q = made_in("", "layer.0", "layer.0.q", "linear", classes=["net.Net", block, linear, "aten.linear.default"])
    add = made_in("", "layer.0", "add_7", classes=["net.Net", block, "aten.add.Tensor"])
    nodes = [
        node("MatMul", ["x", "layer.0.q.weight"], ["linear"], "node_MatMul_3", q),
        node("Add", ["linear", "x"], ["add_7"], "node_add_7", add),
        node("Exp", ["add_7"], ["y"], "mine", add),
    ]
    initializers = [tensor("layer.0.q.weight", weights(4, 4))]
    tree = told(onnx_zoo.model(nodes, [value("x", "n", 4)], [value("y", "n", 4)], initializers))
    assert tree == {
        "": "graph(x float32[n, 4], opset=17) -> y float32[n, 4]",
        "layer": "scope()",
        "layer.0": "net.Block(Add, Exp)",
        "layer.0.q": "torch.nn.modules.linear.Linear(MatMul)",
        "layer.0.q.MatMul": "MatMul(x, layer.0.q.weight float32[4, 4]) -> linear",
        "layer.0.Add": "Add(linear, x) -> add_7",
        "layer.0.mine": "Exp(add_7) -> y float32[n, 4]",
    }


def test_nodes_without_names_are_numbered_by_their_operator(told) -> None:
    tree = told(chain("", "", "", "", operators=("Relu", "Exp")))
    assert list(tree)[1:] == ["Relu", "Exp", "Relu_1", "Exp_1"]


def test_a_name_that_is_given_twice_or_made_up_by_another_node_is_told_once(told) -> None:
    tree = told(chain("", "Relu_1", "a", "a", "", "", "a/b", "a.b"))
    assert list(tree)[1:] == ["Relu", "Relu_1", "a", "a_1", "Relu_2", "Relu_3", "a.b", "a.b_1"]
    assert tree["a"] == "Relu(v2) -> v3"  # which is also the scope of a.b
    assert list(told(chain("", "Relu")))[1:] == ["Relu_1", "Relu"]


def test_a_name_longer_than_anybody_gives_is_shortened_and_still_tells_it_from_others(told) -> None:
    tree = told(chain("x" * 5000, "x" * 5000 + "y"))
    assert len(tree) == 3
    assert max(map(len, tree)) < 300


def test_attributes_are_told_by_name_whatever_their_order(told) -> None:
    given_attributes = {
        "whole": -3, "real": 0.1, "text": "mean", "wholes": [1, -1], "reals": [1.0, 2.5e-5], "texts": ["a", "b'"],
        "value": tensor("t", np.array([1.5, -0.0], np.float32)), "scalar": tensor("s", np.array(7, np.int64)),
    }  # fmt: skip
    made = node("Odd", ["x", "", "x"], ["y"], "n", domain="my.own", **given_attributes)
    graph = onnx_zoo.model([made], [value("x", 4)], [value("y", 4)])
    expected = (
        "my.own.Odd(x, –, x, real=0.1, reals=[1.0, 2.5e-05], scalar=int64[] 7, text='mean', texts=['a', \"b'\"], "
        "value=float32[2] [1.5, -0.0], whole=-3, wholes=[1, -1]) -> y float32[4]"
    )
    assert told(graph)["n"] == expected
    backwards = list(reversed(graph.graph.node[0].attribute))
    del graph.graph.node[0].attribute[:]
    graph.graph.node[0].attribute.extend(backwards)
    assert told(graph)["n"] == expected


def test_types_of_elements_are_told_by_their_names(told) -> None:
    nodes = [
        node("Cast", ["x"], ["h"], "c", to=TensorProto.INT64),
        node("Odd", ["h"], ["y"], "o", "", to=7, domain="my"),
    ]
    tree = told(onnx_zoo.model(nodes, [value("x", 4)], [value("y", 4)]))
    assert tree["c"] == "Cast(x, to=int64) -> h"
    assert tree["o"] == "my.Odd(h, to=7) -> y float32[4]"


def test_long_values_that_differ_at_their_end_look_different(told) -> None:
    def lines(last):
        made = node("Odd", ["x"], ["y"], "n", wholes=[0] * 300 + [last], text="x" * 300 + str(last))
        more = node("Odd", ["x"], ["z"], "m", wholes=[0] * 3000 + [last])
        array = tensor("c", np.arange(100) + last)
        constant = node("Constant", [], ["c"], "c", value=array)
        return told(onnx_zoo.model([made, more, constant], [value("x", 4)], [value("y", 4)]))

    one, other, same = lines(1), lines(2), lines(1)
    assert one == same
    assert [path for path in one if one[path] != other[path]] == ["n", "m", "c"]
    assert max(map(len, one.values())) < 400


def test_graphs_in_a_node_are_below_it(told) -> None:
    tree = told(onnx_zoo.branching())
    branches = ["If.else_branch", "If.else_branch.Mul", "If.then_branch", "If.then_branch.Mul"]
    assert list(tree) == ["", "Constant", "If", *branches, "Add"]
    assert tree["If"] == "If(flag) -> m"
    assert tree["If.then_branch"] == "graph() -> then_out float32[n, 512]"
    assert tree["If.then_branch.Mul"] == "Mul(x, then float32[512]) -> then_out float32[n, 512]"
    assert tree["Constant"].startswith("Constant(value=float32[512] #")


def test_a_branch_that_repeats_the_scope_around_it_is_no_deeper_for_that(told) -> None:
    inner = helper.make_graph([node("Mul", ["x", "w"], ["o"], "/dec/att/sub/Mul")], "g", [], [value("o", 4)])
    nodes = [node("If", ["f"], ["y"], "/dec/att/If", then_branch=inner, else_branch=inner)]
    inputs = [value("f", dtype=TensorProto.BOOL), value("x", 4)]
    tree = told(onnx_zoo.model(nodes, inputs, [value("y", 4)], [tensor("w", weights(4))]))
    assert tree["dec.att.If.then_branch.sub.Mul"] == "Mul(x, w float32[4]) -> o float32[4]"
    assert tree["dec.att.If.then_branch.sub"] == tree["dec.att.If.else_branch.sub"] == "scope(Mul)"


def function(name, *nodes):
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["X"], ["Y"], list(nodes), opsets, ["alpha"])


def calling(*functions):
    nodes = [node(functions[0].name, ["x"], ["y"], "call", domain="own", alpha=2.0)]
    return onnx_zoo.model(nodes, [value("x", 4)], [value("y", 4)], functions=functions)


def test_the_nodes_of_a_function_are_below_each_call_of_it(told) -> None:
    scaled = node("Elu", ["X"], ["h"])
    scaled.attribute.add(name="alpha", ref_attr_name="alpha", type=onnx.AttributeProto.FLOAT)
    tree = told(calling(function("twice", scaled, node("Exp", ["h"], ["Y"]))))
    assert list(tree.items())[1:] == [
        ("call", "own.twice(X=x, alpha=2.0) -> Y=y float32[4]"),
        ("call.Elu", "Elu(X, alpha=$alpha) -> h"),
        ("call.Exp", "Exp(h) -> Y"),
    ]


def test_a_function_that_calls_itself_is_told_once(told) -> None:
    tree = told(calling(function("round", node("round", ["X"], ["Y"], domain="own"))))
    assert list(tree) == ["", "call", "call.round"]


def test_functions_that_call_each_other_many_times_are_told_up_to_a_bound(told) -> None:
    functions = [
        function(f"f{depth}", *(node(f"f{depth + 1}", ["X"], ["Y"], domain="own") for _ in range(10)))
        for depth in range(10)
    ]
    tree = told(calling(*functions))
    assert len(tree) == MOST_LINES + 1
    assert tree["…"] == "what follows is not told"


def test_large_graphs_in_functions_that_are_called_many_times_are_read_once(told) -> None:
    values = [value(f"a_long_name_of_an_input_{number}", 4) for number in range(1000)]
    branch = helper.make_graph([], "g", values, values)
    reads = function("reads", node("If", ["X"], ["Y"], then_branch=branch))
    calls = [function(f"c{depth}", *(node(f"c{depth + 1}", ["X"], ["Y"], domain="own") for _ in range(20)))
             for depth in range(3)]  # fmt: skip
    last = function("c3", node("reads", ["X"], ["Y"], domain="own"))
    begun = time.process_time()
    assert len(told(calling(*calls, last, reads))) == 2 + 20 + 20**2 + 4 * 20**3
    assert time.process_time() - begun < 5  # read at each call, it would be minutes


def test_graphs_nested_deeper_than_anybody_makes_them_are_told_up_to_a_bound(told) -> None:
    graph = helper.make_graph([node("Relu", ["x"], ["y"])], "g", [], [value("y", 4)])
    for _ in range(30):
        graph = helper.make_graph([node("If", ["f"], ["y"], then_branch=graph)], "g", [], [value("y", 4)])
    tree = told(helper.make_model(graph))
    assert 12 < len(tree) < 40
    assert next(reversed(tree)).endswith(".…")


def test_of_several_graphs_each_is_below_its_name(registry, tmp_path) -> None:
    for name, made in (("encoder", onnx_zoo.mlp()), ("decoder.v2", chain("a/b"))):
        onnx.save(made, tmp_path / f"{name}.onnx")
    registry.register_model("m", tmp_path)
    tree = registry.resolve("m").modules
    assert tree[""] == "graphs(decoder.v2, encoder)"
    assert tree["encoder"].startswith("graph(x float32[batch, 8]")
    assert tree["encoder.relu"] == "Relu(h) -> r"
    assert tree["decoder/v2.a.b"] == "Relu(v0) -> v1 float32[n, 4]"


def test_the_runtimes_own_format_tells_nothing(registry, tmp_path) -> None:
    registry.register_model("m", onnx_zoo.mlp())
    registry.export_model("m", "1.0.0", tmp_path / "net.ort", "ort")
    assert registry.register_model("o", tmp_path / "net.ort").modules == {}


def test_versions_of_which_one_node_changed_differ_in_its_line(registry) -> None:
    names = [f"/layer.{number}/att/Relu" for number in range(20)]
    before, after = chain(*names), chain(*names)
    after.graph.node[7].op_type = "Elu"
    after.graph.node[7].attribute.append(helper.make_attribute("alpha", 0.5))
    compared = registry.compare(registry.register_model("m", before), registry.register_model("m", after))
    assert [(change.key, change.a, change.b) for change in compared.modules] == [
        ("layer.7.att", "scope(Relu)", "scope(Elu)"),
        ("layer.7.att.Relu", "Relu(v7) -> v8", "Elu(v7, alpha=0.5) -> v8"),
    ]


def test_a_node_more_is_one_line_more_in_its_scope(registry) -> None:
    before, after = chain("/a/b/Relu", "/a/Exp"), chain("/a/b/Relu", "/a/Exp")
    after.graph.node.append(node("Tanh", ["v1"], ["unused"], "/a/b/Tanh"))
    compared = registry.compare(registry.register_model("m", before), registry.register_model("m", after))
    assert [(change.key, change.a, change.b) for change in compared.modules] == [
        ("a.b", "scope(Relu)", "scope(Relu, Tanh)"),
        ("a.b.Tanh", None, "Tanh(v1) -> unused"),
    ]


def test_other_weights_are_no_other_graph(registry) -> None:
    first, other = (registry.register_model("m", onnx_zoo.mlp(seed=seed)) for seed in (1, 2))
    compared = registry.compare(first, other)
    assert compared.modules == ()
    assert compared.notes == ()


def test_it_does_not_matter_where_the_values_of_a_constant_lie(told, tmp_path) -> None:
    onnx.save(
        onnx_zoo.branching(), tmp_path / "net.onnx",
        save_as_external_data=True, location="all.bin", size_threshold=100, convert_attribute=True,
    )  # fmt: skip
    assert (tmp_path / "all.bin").stat().st_size > 2048
    apart = Files({path.name: path for path in tmp_path.iterdir()})
    assert describe_modules(apart) == told(onnx_zoo.branching())
    (tmp_path / "all.bin").write_bytes(bytes((tmp_path / "all.bin").stat().st_size))
    changed = told(onnx_zoo.branching()).items() ^ describe_modules(apart).items()
    assert {path for path, _ in changed} == {"Constant"}


def test_sizes_and_axes_are_told_with_their_values(told) -> None:
    nodes = [node("Reshape", ["x", "shape"], ["y"], "n")]
    graph = onnx_zoo.model(
        nodes, [value("x", 4)], [value("y", 2, 2)], [helper.make_tensor("shape", TensorProto.INT64, [2], [2, -1])]
    )
    assert told(graph)["n"] == "Reshape(x, shape int64[2] [2, -1]) -> y float32[2, 2]"
    graph.graph.initializer[0].CopyFrom(tensor("shape", np.array([2, -1])))  # the same as bytes
    assert told(graph)["n"] == "Reshape(x, shape int64[2] [2, -1]) -> y float32[2, 2]"


NAMES = st.one_of(st.text(max_size=12), st.sampled_from(["", "a", "a/b", "a.b", "a/b/c", "a_1", "/", "...", "Relu"]))


@given(st.lists(NAMES, max_size=12))
def test_whatever_the_names_each_node_has_one_line_and_equal_graphs_are_equal(told, names) -> None:
    graph = chain(*names)
    tree = told(graph)
    lines = [line for line in tree.values() if "->" in line and line.startswith("Relu(")]
    assert sorted(lines) == sorted(
        f"Relu(v{number}) -> v{number + 1}" + " float32[n, 4]" * (number + 1 == len(names))
        for number in range(len(names))
    )
    assert all(text.isprintable() for item in tree.items() for text in item)
    assert told(graph) == tree


@given(st.lists(st.tuples(st.text(max_size=300), st.text(max_size=300), st.text(max_size=40)), min_size=1, max_size=4))
def test_whatever_texts_a_graph_has_lines_stay_short_and_printable(told, texts) -> None:
    nodes = [node(one, [other], [more], one, domain=more, **{"k" + more: other}) for one, other, more in texts]
    tree = told(onnx_zoo.model(nodes, [value(texts[0][1], texts[0][2] or "d")], [value(texts[0][2], 4)]))
    assert all(text.isprintable() and len(text) < 1200 for item in tree.items() for text in item)


@given(st.data())
def test_a_file_that_was_changed_is_told_or_refused(told, data) -> None:
    content = bytearray(data.draw(st.sampled_from(DAMAGED)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        tree = told(bytes(content))
    except UnsafeModelError:
        return
    assert all(text.isprintable() for item in tree.items() for text in item)


DAMAGED = [
    onnx_zoo.mlp().SerializeToString(),
    chain("/layer.0/q/Relu", "", "a").SerializeToString(),
    calling(function("f", node("Exp", ["X"], ["Y"], wholes=[1, 2], reals=[0.5]))).SerializeToString(),
    onnx_zoo.branching().SerializeToString()[-600:],
]


def test_a_tensor_of_more_dimensions_than_any_has_is_refused(told) -> None:
    graph = onnx_zoo.mlp()
    graph.graph.initializer[0].dims.extend([1 << 62] * 100)
    with pytest.raises(UnsafeModelError, match="more than 64 dimensions"):
        told(graph)


def test_a_graph_of_ten_thousand_nodes_takes_no_time(told) -> None:
    graph = chain(*(f"/layer.{number // 10}/part/Relu_{number}" for number in range(10_000)))
    begun = time.process_time()
    assert len(told(graph)) == 1 + 10_000 + 1 + 2 * 1000
    assert time.process_time() - begun < 3  # a tenth of it here


REAL = [path for path in (MAGIKA, *SILERO) if path.exists()]


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_every_node_of_a_real_model_is_told(registry, path) -> None:
    tree = registry.register_model("m", path).modules
    made = onnx.load(path)
    operators = {item.op_type for item in nodes_of(made.graph)}
    told_nodes = [line for line in tree.values() if line.partition("(")[0] in operators]
    assert len(told_nodes) == len(list(nodes_of(made.graph)))
    parents = {name.rpartition(".")[0] for name in tree}
    assert parents <= tree.keys()


def nodes_of(graph):
    for item in graph.node:
        yield item
        for attribute in item.attribute:
            if attribute.HasField("g"):
                yield from nodes_of(attribute.g)
