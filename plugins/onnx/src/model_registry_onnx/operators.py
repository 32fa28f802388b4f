"""Operators: which domains a model uses, and which of them nobody knows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from model_registry_onnx.graphs import all_nodes

if TYPE_CHECKING:
    from onnx import ModelProto

STANDARD = "ai.onnx"
#: Domains of the standard, and of ONNX Runtime itself.
KNOWN = frozenset(
    {
        STANDARD,
        "ai.onnx.ml",
        "ai.onnx.preview",
        "ai.onnx.preview.training",
        "ai.onnx.training",
        "com.microsoft",
        "com.microsoft.nchwc",
        "com.ms.internal.nhwc",
    }
)


def count_operators(model: ModelProto) -> dict[str, dict[str, int]]:
    """How often each operator occurs, by domain, in all graphs."""
    counts: dict[str, Counter[str]] = {}
    for node in all_nodes(model):
        counts.setdefault(node.domain or STANDARD, Counter())[node.op_type] += 1
    return {domain: dict(sorted(counts[domain].items())) for domain in sorted(counts)}


def unknown_domains(model: ModelProto) -> list[str]:
    """Domains of operators that neither the standard, ONNX Runtime nor the model's own functions define."""
    own = {(function.domain or STANDARD, function.name) for function in model.functions}
    used = {(node.domain or STANDARD, node.op_type) for node in all_nodes(model)}
    return sorted({domain for domain, _ in used - own if domain not in KNOWN})
