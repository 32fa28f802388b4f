"""Small models, made in the ways that models are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM_STATE = 0
SIZE = 640  # a square weight of 640² floats is a tensor of more than 1 MiB


def weights(*shape: int, seed: int = RANDOM_STATE) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) / 10


def value(name: str, *shape: int | str, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs, outputs, initializers=(), *, opset: int = 17, **more) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "main", inputs, outputs, list(initializers), doc_string=more.pop("doc_string", ""))
    opsets = [helper.make_opsetid("", opset), *more.pop("opsets", [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="zoo", **more)


def tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(array, name)


def mlp(seed: int = RANDOM_STATE, **more) -> onnx.ModelProto:
    """8 → 16 → 4, with a softmax."""
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], "first"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "w2"], ["l"], "second"),
        helper.make_node("Softmax", ["l"], ["probabilities"], "end"),
    ]
    initializers = [
        tensor("w1", weights(8, 16, seed=seed)),
        tensor("b1", weights(16, seed=seed)),
        tensor("w2", weights(16, 4, seed=seed)),
    ]
    return model(nodes, [value("x", "batch", 8)], [value("probabilities", "batch", 4)], initializers, **more)


def wide(changed: int = 0) -> onnx.ModelProto:
    """Three square products of 1.6 MB each, of which the last is another by ``changed``."""
    seeds = (1, 2, 3 + changed)
    names = ["x", "a", "b", "y"]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]], f"product{i}") for i in range(3)]
    initializers = [tensor(f"w{i}", weights(SIZE, SIZE, seed=seed)) for i, seed in enumerate(seeds)]
    return model(nodes, [value("x", "batch", SIZE)], [value("y", "batch", SIZE)], initializers)


def branching() -> onnx.ModelProto:
    """A weight inside the branch of an If, and one inside a Constant."""
    branches = [
        helper.make_graph(
            [helper.make_node("Mul", ["x", name], [f"{name}_out"])],
            name,
            [],
            [value(f"{name}_out", "n", 512)],
            [tensor(name, weights(512, seed=seed))],
        )
        for seed, name in enumerate(("then", "else"))
    ]
    nodes = [
        helper.make_node("Constant", [], ["c"], value=tensor("c", weights(512, seed=7))),
        helper.make_node("If", ["flag"], ["m"], then_branch=branches[0], else_branch=branches[1]),
        helper.make_node("Add", ["m", "c"], ["y"]),
    ]
    inputs = [value("flag", dtype=TensorProto.BOOL), value("x", "n", 512)]
    return model(nodes, inputs, [value("y", "n", 512)])


def with_external_data(folder: Path, source: onnx.ModelProto | None = None, location: str = "weights/all.bin") -> Path:
    """A file whose tensors of at least 100 bytes lie in another one."""
    copy = onnx.ModelProto()
    copy.CopyFrom(source or mlp())
    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(copy, folder / "net.onnx", save_as_external_data=True, location=location, size_threshold=100)
    return folder / "net.onnx"


def saved(folder: Path, source: onnx.ModelProto | None = None) -> Path:
    """A file of its own."""
    onnx.save(source or mlp(), folder / "net.onnx")
    return folder / "net.onnx"


def inputs(batch: int = 3) -> dict[str, np.ndarray]:
    return {"x": weights(batch, 8, seed=11)}
