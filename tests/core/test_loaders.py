"""Custom loaders: a format of one's own, set on one registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from model_registry import (
    InvalidMetadataError,
    InvalidOptionError,
    LoadedModel,
    ModelFormat,
    ModelLoader,
    ModelRegistry,
    UnsupportedFormatError,
    UnsupportedModelError,
)


class Text(ModelLoader):
    """Models that are texts, in a file, or in a folder with ``folder=True``."""

    def load(self, model_path: str, *, upper: bool = False) -> str:
        path = Path(model_path)
        text = (
            "|".join(f"{file.name}={file.read_text()}" for file in sorted(path.rglob("*.txt")))
            if path.is_dir()
            else path.read_text()
        )
        return text.upper() if upper else text

    def save(self, model: object, model_path: str, *, folder: bool = False) -> None:
        path = Path(model_path)
        if folder:
            path.mkdir()
            path /= "text.txt"
        path.write_text(str(model))

    def get_metadata(self, model: object, model_path: str | None = None) -> Mapping[str, Any]:
        return {"framework": "text", "letters": len(str(model)), "is_file": Path(str(model_path)).is_file()}

    def supported_formats(self) -> Iterable[str]:
        return [ModelFormat.CUSTOM]


@pytest.fixture
def texts(alone: Path) -> ModelRegistry:
    registry = ModelRegistry("models")
    registry.loaders[ModelFormat.CUSTOM] = Text()
    return registry


def test_a_loader_stores_and_loads(texts: ModelRegistry) -> None:
    entry = texts.register_model("m", 12345, ModelFormat.CUSTOM)
    assert tuple(texts.load_model("m")) == ("12345", None)
    assert entry.metadata.framework == "text"
    assert entry.metadata.extra == {"letters": 5, "is_file": True}
    assert entry.verify_integrity()


def test_a_loader_may_write_a_folder_and_has_options_of_its_own(texts: ModelRegistry) -> None:
    entry = texts.register_model("m", 7, "custom", folder=True)
    assert [file.path for file in entry.files] == ["saved-by-loader/text.txt"]
    assert texts.load_model("m", upper=True).model == "TEXT.TXT=7"


def test_an_option_that_it_does_not_know_is_told_with_the_nearest(texts: ModelRegistry) -> None:
    texts.register_model("m", 1, "custom")
    with pytest.raises(
        InvalidOptionError, match=r"^loading format 'custom' knows no option 'uper' — did you mean 'upper'\?$"
    ):
        texts.load_model("m", uper=True)


def test_a_file_is_kept_as_it_is(texts: ModelRegistry) -> None:
    Path("my.txt").write_text("mine")
    entry = texts.register_model("m", Path("my.txt"), "custom")
    assert [file.path for file in entry.files] == ["my.txt"]
    assert texts.load_model("m").model == "mine"


def test_a_folder_is_kept_as_it_is(texts: ModelRegistry) -> None:
    Path("mine/sub").mkdir(parents=True)
    Path("mine/sub/a.txt").write_text("1")
    Path("mine/b.txt").write_text("2")
    entry = texts.register_model("m", "mine", "custom")
    assert [file.path for file in entry.files] == ["b.txt", "sub/a.txt"]
    assert texts.load_model("m").model == "b.txt=2|a.txt=1"


def test_another_registry_does_not_know_it(texts: ModelRegistry) -> None:
    texts.register_model("m", 1, "custom")
    hint = r"install the plugin that its authors name, or set registry.loaders\['custom'\]$"
    with pytest.raises(UnsupportedFormatError, match=hint):
        ModelRegistry("models").load_model("m")


def test_a_loader_goes_before_the_plugin_that_owns_the_format(registry: ModelRegistry) -> None:
    registry.loaders["bytes"] = Text()
    registry.register_model("m", 1, "bytes")
    assert registry.load_model("m").model == "1"
    registry.loaders["bytes"] = Text()  # replaces the first
    assert (len(registry.loaders), list(registry.loaders)) == (1, ["bytes"])
    del registry.loaders["bytes"]
    registry.register_model("n", b"x", "bytes")
    assert registry.load_model("n").model == b"x"


def test_a_format_is_gone_with_its_loader(texts: ModelRegistry) -> None:
    del texts.loaders["custom"]
    assert "custom" not in texts.formats()
    assert len(texts.loaders) == 0
    with pytest.raises(KeyError):
        texts.loaders["custom"]


@pytest.mark.parametrize("wrong", [Text, None, "text"])
def test_what_is_no_loader_is_refused(texts: ModelRegistry, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^loaders\['custom'\] takes an instance of ModelLoader, not "):
        texts.loaders["custom"] = wrong


def test_a_loader_that_writes_nothing_is_told(texts: ModelRegistry) -> None:
    class Idle(Text):
        def save(self, model: object, model_path: str, **kwargs: object) -> None:
            return None

    texts.loaders["idle"] = Idle()
    with pytest.raises(
        UnsupportedModelError, match=r"^Idle.save wrote nothing to its model_path — write a file or a folder"
    ):
        texts.register_model("m", 1, "idle")
    assert texts.list_models() == []


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), KeyError("mine"), ValueError("mine")])
def test_errors_of_a_loader_are_the_callers_own(texts: ModelRegistry, error: Exception) -> None:
    class Failing(Text):
        def save(self, model: object, model_path: str) -> None:
            raise error

        def load(self, model_path: str) -> str:
            raise error

    texts.register_model("m", 1, "custom")
    texts.loaders["custom"] = Failing()
    for use in (lambda: texts.register_model("n", 1, "custom"), lambda: texts.load_model("m")):
        with pytest.raises(type(error)) as raised:
            use()
        assert raised.value is error
    assert [entry.name for entry in texts.list_models()] == ["m"]


def test_metadata_that_json_cannot_hold_is_refused(texts: ModelRegistry) -> None:
    class Odd(Text):
        def get_metadata(self, model: object, model_path: str | None = None) -> Mapping[str, Any]:
            return {"layers": (1, 2)}

    texts.loaders["custom"] = Odd()
    with pytest.raises(InvalidMetadataError, match="metadata 'layers'"):
        texts.register_model("m", 1, "custom")


def test_a_loader_may_give_a_tokenizer_too(texts: ModelRegistry) -> None:
    class Pair(Text):
        def load(self, model_path: str) -> LoadedModel:  # type: ignore[override]
            return LoadedModel("model", "tokenizer")

    texts.register_model("m", 1, "custom")
    texts.loaders["custom"] = Pair()
    model, tokenizer = texts.load_model("m")
    assert (model, tokenizer) == ("model", "tokenizer")
