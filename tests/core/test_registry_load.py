"""Loading: what comes back, which version, with which options, and what is refused."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from model_registry import (
    IntegrityError,
    InvalidOptionError,
    ModelNotFoundError,
    ModelRegistry,
    UnsupportedFormatError,
    VersionNotFoundError,
)


def test_a_model_comes_back_as_a_pair(registry: ModelRegistry) -> None:
    registry.register_model("m", b"abcdefg", parts=3, tokenizer="words")
    model, tokenizer = registry.load_model("m", "1.0.0")
    assert (model, tokenizer) == (b"abcdefg", "words")


def test_a_model_without_tokenizer_has_none_and_knows_its_entry(registry: ModelRegistry) -> None:
    entry = registry.register_model("m", b"x")
    loaded = registry.load_model("m")
    assert (loaded.model, loaded.tokenizer, loaded.entry) == (b"x", None, entry)
