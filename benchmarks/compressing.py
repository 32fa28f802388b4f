"""Smaller models: MiniLM's embeddings of eight texts, against those of the model as it is.

The cosine of a text is that of its two embeddings, each the mean of its tokens. ONNX Runtime's own quantization by
default stands beside ours, in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import onnxruntime
import torch
from families import FOLDER
from measuring import Scale, paired
from onnxruntime.quantization import QuantType, quantize_dynamic
from table import Row
from transformers import AutoTokenizer

from model_registry import CompressionType, ModelRegistry

TITLE = "Smaller models"
TEXTS = (
    "The registry keeps every version.",
    "A cat sat on the mat.",
    "How do I reset my password?",
    "Quantization makes models smaller.",
    "Paris is the capital of France.",
    "The stock fell by three percent.",
    "He plays the violin very well.",
    "Rain is expected tomorrow in the north.",
)
INT8, INT4, FP8 = (
    CompressionType.QUANTIZATION_INT8,
    CompressionType.QUANTIZATION_INT4,
    CompressionType.QUANTIZATION_FP8,
)
#: For each format, the types, the greatest ratio and the least cosine; None for what is only told.
WAYS: Mapping[str, list[tuple[str, float | None, float | None]]] = {
    "onnx": [(INT8, 0.26, 0.987), (CompressionType.FP16, 0.51, 0.9999), (FP8, 0.26, 0.987), (INT4, None, None)],
    "huggingface": [(INT8, 0.26, 0.987), (CompressionType.FP16, 0.51, 0.9999), (FP8, 0.26, 0.987), (INT4, None, None)],
}

Array = np.ndarray[Any, Any]
Embed = Callable[[], Array]


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    tokens = dict(AutoTokenizer.from_pretrained(FOLDER)(list(TEXTS), padding=True, return_tensors="np"))
    registry = ModelRegistry(folder / "models", backup_enabled=False)
    registry.register_model("huggingface", FOLDER, "huggingface", version="1", example_inputs=tokens)
    registry.convert("huggingface", "1", to="onnx", new_name="onnx", new_version="1")
    for name, ways in WAYS.items():
        original = _embedder(registry, name, "1", tokens)
        for kind, most, least in ways:
            made = registry.compress_model(name, "1", kind)
            found = _embedder(registry, name, made.version, tokens)
            size = made.metadata.compression_ratio or 1.0
            yield _bytes(f"MiniLM, {name}, {kind}: bytes ÷ as it is", size, most)
            yield _cosines(f"… embeddings of {len(TEXTS)} texts: least and mean cosine", original(), found(), least)
            took = paired(found, original, 3 * scale.pairs).ratio
            yield Row("… time of a run ÷ as it is", f"{took:.2f}")
    yield from _by_default(folder, registry, tokens)


def _by_default(folder: Path, registry: ModelRegistry, tokens: Mapping[str, Array]) -> Iterator[Row]:
    """What ``quantize_dynamic`` gives when nobody tells it more."""
    exported = Path(registry.export_model("onnx", "1", folder / "source"))
    source = next(exported.glob("*.onnx"))
    quantize_dynamic(source, folder / "default.onnx", weight_type=QuantType.QInt8)
    share = (folder / "default.onnx").stat().st_size / registry.resolve("onnx", "1").size
    yield _bytes("by `quantize_dynamic` as it is called by default: bytes ÷ as it is", share, None)
    sessions = (onnxruntime.InferenceSession(path) for path in (source, folder / "default.onnx"))
    original, found = (_pooled(_run(session, tokens), tokens) for session in sessions)
    yield _cosines("… embeddings: least and mean cosine", original, found, None)


def _embedder(registry: ModelRegistry, name: str, version: str, tokens: Mapping[str, Array]) -> Embed:
    model = registry.load_model(name, version).model
    if name == "onnx":
        return lambda: _pooled(_run(model, tokens), tokens)
    given = {key: torch.from_numpy(value) for key, value in tokens.items()}

    def embed() -> Array:
        with torch.no_grad():
            return _pooled(model(**given).last_hidden_state.float().numpy(), tokens)

    return embed


def _run(session: Any, tokens: Mapping[str, Array]) -> Array:
    known = {value.name for value in session.get_inputs()}
    [*outputs] = session.run(["last_hidden_state"], {key: value for key, value in tokens.items() if key in known})
    return np.asarray(outputs[0])


def _pooled(hidden: Array, tokens: Mapping[str, Array]) -> Array:
    mask = tokens["attention_mask"][..., None]
    pooled: Array = (hidden * mask).sum(1) / mask.sum(1)
    return pooled


def _bytes(what: str, figure: float, most: float | None) -> Row:
    return Row(what, f"{figure:.3f}") if most is None else Row(what, f"{figure:.3f}", f"≤ {most:g}", figure <= most)


def _cosines(what: str, original: Array, found: Array, least: float | None) -> Row:
    lengths = np.linalg.norm(original, axis=1) * np.linalg.norm(found, axis=1)
    cosines = [float(cosine) for cosine in (original * found).sum(1) / lengths]
    figure = f"{min(cosines):.4f}, {fmean(cosines):.4f}"
    return Row(what, figure) if least is None else Row(what, figure, f"≥ {least:g}", min(cosines) >= least)
