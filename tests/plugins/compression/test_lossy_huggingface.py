"""Models of transformers in a shorter type, with their tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_registry import CompressionType, ModelRegistry, UnsupportedFormatError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("model_registry_huggingface")


@pytest.mark.parametrize(
    ("kind", "dtype", "cosine"),
    [(CompressionType.FP16, torch.float16, 0.9999), (CompressionType.BF16, torch.bfloat16, 0.999)],
)
def test_a_cast_halves_it(tmp_path: Path, kind: str, dtype: torch.dtype, cosine: float) -> None:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128
    )
    registry = ModelRegistry(tmp_path)
    source = registry.register_model("m", transformers.BertModel(config).eval(), version="1")
    made = registry.compress_model("m", "1", kind, min_cosine=cosine)
    assert made.metadata.compression_ratio == pytest.approx(made.size / source.size)
    assert made.size / source.size < 0.55
    assert {out["name"] for out in made.metadata.extra["compression"]["parity"]["outputs"]} >= {"last_hidden_state"}
    loaded = registry.load_model("m", made.version).model
    assert loaded.dtype == dtype
    assert type(loaded) is transformers.BertModel
    with pytest.raises(UnsupportedFormatError, match="no installed plugin makes huggingface smaller by 'low_rank'"):
        registry.compress_model("m", "1", CompressionType.LOW_RANK)
