"""Large models of transformers and ONNX.

A model of transformers is registered against ``save_pretrained`` and one pass of SHA-256 over what that wrote, and
loaded against ``from_pretrained`` of a plain folder; an ONNX file against a copy and one pass of SHA-256. None of the
floors syncs; the registry does.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from measuring import Scale, paired
from onnx import TensorProto, helper, numpy_helper
from registering import hash_file
from table import Row, ratio
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from model_registry import ModelRegistry

TITLE = "Large models of transformers and ONNX"


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    logging.disable_progress_bar()
    yield from _transformers(folder, scale)
    yield from _onnx(folder, scale)


def _transformers(folder: Path, scale: Scale) -> Iterator[Row]:
    model, plain = language_model(scale.mebibytes), folder / "plain"
    registry = ModelRegistry(folder / "models", backup_enabled=False)

    def by_hand() -> None:
        model.save_pretrained(plain)
        for file in sorted(plain.iterdir()):
            hash_file(file)

    def forget() -> None:
        registry.remove_model("m")
        registry.collect_garbage(0)
        shutil.rmtree(plain, ignore_errors=True)

    found = paired(lambda: registry.register_model("m", model), by_hand, scale.pairs, after=forget)
    size = f"{scale.mebibytes} MiB"
    what = f"register a transformers model of {size} ÷ (`save_pretrained` + sha256)"
    yield ratio(what, found.ratio, 1.25, f"{found.ours:.2f} s")
    registry.register_model("m", model)
    model.save_pretrained(plain)
    registry.load_model("m")
    safe = {"local_files_only": True, "use_safetensors": True}
    found = paired(
        lambda: registry.load_model("m"), lambda: LlamaForCausalLM.from_pretrained(plain, **safe), 7 * scale.pairs
    )
    told = f"{found.ours * 1e3:.0f} ms"
    yield ratio("load it, verified before ÷ `from_pretrained` of a plain folder", found.ratio, 1.1, told)


def _onnx(folder: Path, scale: Scale) -> Iterator[Row]:
    source, copy = onnx_file(folder / "large.onnx", scale.mebibytes), folder / "copy.onnx"
    registry = ModelRegistry(folder / "graphs", backup_enabled=False)

    def by_hand() -> None:
        shutil.copyfile(source, copy)
        hash_file(copy)

    def forget() -> None:
        registry.remove_model("m")
        registry.collect_garbage(0)
        copy.unlink(missing_ok=True)

    found = paired(lambda: registry.register_model("m", source), by_hand, scale.pairs, after=forget)
    what = f"register an ONNX file of {scale.mebibytes} MiB ÷ (copy + sha256)"
    yield ratio(what, found.ratio, 1.25, f"{found.ours:.2f} s")


def language_model(mebibytes: int) -> Any:
    """A llama with random weights of about so many bytes: layers of 64 MiB, and a vocabulary of 16,000."""
    layers = max(1, (mebibytes - 126) // 64)
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=layers,
            num_attention_heads=8,
            num_key_value_heads=8,
            vocab_size=16_000,
        )
    ).eval()


def onnx_file(path: Path, mebibytes: int) -> Path:
    """Matrix products of 16 MiB each, in one file."""
    count, size = max(1, mebibytes // 16), 2048
    weights = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    tensors = [numpy_helper.from_array(weights + number, f"w{number}") for number in range(count)]
    nodes = [helper.make_node("MatMul", [f"h{i}", f"w{i}"], [f"h{i + 1}"]) for i in range(count)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name in ("h0", f"h{count}")]
    graph = helper.make_graph(nodes, "products", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(onnx.load(path, load_external_data=False))
    return path
