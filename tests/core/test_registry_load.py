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


def test_no_version_means_the_latest(registry: ModelRegistry) -> None:
    for version in ("1.10", "1.9", "2.0rc1", "zzz"):
        registry.register_model("m", version.encode(), version=version)
    assert registry.load_model("m").model == registry.load_model("M", "latest").model == b"1.10"
    assert registry.load_model("m", "1.9.0").model == b"1.9"


def test_options_are_the_formats(registry: ModelRegistry) -> None:
    registry.register_model("m", b"x")
    assert registry.load_model("m", upper=True).model == b"X"
    with pytest.raises(
        InvalidOptionError, match=r"^loading format 'bytes' knows no option 'uper' — did you mean 'upper'\?$"
    ):
        registry.load_model("m", uper=True)


def test_a_name_nearly_right_is_told(registry: ModelRegistry) -> None:
    registry.register_model("digits", b"x")
    with pytest.raises(ModelNotFoundError, match=r"^there is no model 'digit' — did you mean 'digits'\?$"):
        registry.load_model("digit")
    with pytest.raises(VersionNotFoundError, match=r"^model 'digits' has no version '3' — it has 1\.0\.0$"):
        registry.load_model("digits", "3")


def test_without_its_plugin_a_model_says_what_to_install(registry: ModelRegistry) -> None:
    registry.register_model("m", b"x")
    with pytest.raises(
        UnsupportedFormatError, match=r"no plugin handles the format 'bytes'.*such as model-registry-bytes"
    ):
        ModelRegistry("models", disabled_plugins=["bytes"]).load_model("m")


def test_changed_bytes_are_refused_even_after_a_good_load(registry: ModelRegistry) -> None:
    path = Path("models/blobs/sha256", registry.register_model("m", b"abc").files[0].sha256)
    assert registry.load_model("m").model == b"abc"
    path.chmod(0o644)
    path.write_bytes(b"abX")
    with pytest.raises(
        IntegrityError, match=r"^m:1\.0\.0: file 'part-0\.bin' was changed on disk \(blobs/sha256/"
    ) as refusal:
        registry.load_model("m")
    assert refusal.value.path == "part-0.bin"


def test_a_temporary_model_is_let_go(registry: ModelRegistry) -> None:
    registry.register_model("m", b"x")
    gc.collect()
    with registry.temporary_model("m", upper=True) as loaded:
        assert loaded.model == b"X"
    with pytest.raises(RuntimeError, match="mine"), registry.temporary_model("m"):
        raise RuntimeError("mine")
