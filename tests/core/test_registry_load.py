"""Loading: what comes back, which version, with which options, and what is refused."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path

import pytest

from model_registry import (
    IntegrityError,
    InvalidOptionError,
    ModelLoader,
    ModelNotFoundError,
    ModelRegistry,
    UnsupportedFormatError,
    VersionNotFoundError,
)
from model_registry.files import StoredFiles


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
        UnsupportedFormatError, match=r"no plugin handles the format 'bytes'.*install the plugin that its authors name"
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


class _Folder(ModelLoader):
    """Keeps a folder, and gives an object that goes on reading from it."""

    class Model:
        def __init__(self, path: str) -> None:
            self.path = Path(path)

    def save(self, model: list[str], model_path: str, **kwargs: object) -> None:
        Path(model_path).mkdir()
        Path(model_path, "text").write_text(model[0])

    def load(self, model_path: str, **kwargs: object) -> Model:
        return self.Model(model_path)


def test_the_folder_of_a_loaded_model_lives_as_long_as_the_model(registry: ModelRegistry) -> None:
    registry.loaders["folder"] = _Folder()
    registry.register_model("m", ["words"], "folder")
    model, _ = registry.load_model("m")
    gc.collect()
    assert (model.path / "text").read_text() == "words"
    path = model.path
    del model
    gc.collect()
    assert not path.exists()


def test_a_folder_of_the_users_that_holds_one_called_model_is_loaded_whole(registry: ModelRegistry) -> None:
    registry.loaders["folder"] = _Folder()
    Path("mine/model").mkdir(parents=True)
    Path("mine/model/weights").write_text("w")
    Path("mine/config").write_text("c")
    registry.register_model("m", "mine", "folder")
    model, _ = registry.load_model("m")
    assert sorted(path.name for path in model.path.iterdir()) == ["config", "model"]


def test_what_was_removed_and_collected_while_it_loads_is_told_as_removed(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register_model("m", b"x", version="1")
    registry.register_model("m", b"y", version="2")
    other = ModelRegistry("models", backup_enabled=False)
    whole = StoredFiles.local

    def late(self: StoredFiles, path: str) -> Path:
        other.remove_model("m", "1")
        return whole(self, path)

    monkeypatch.setattr(StoredFiles, "local", late)
    with pytest.raises(VersionNotFoundError, match=r"model 'm' has no version '1' — it has 2$"):
        registry.load_model("m", "1")


def test_resolve_gives_the_entry_or_says_what_there_is(registry: ModelRegistry) -> None:
    entry = registry.register_model("m", b"x")
    assert registry.resolve("m") == registry.resolve("M", "1.0") == entry
    with pytest.raises(VersionNotFoundError, match=r"it has 1\.0\.0$"):
        registry.resolve("m", "2")


def test_an_entry_travels_to_another_process_and_still_knows_its_files(registry: ModelRegistry) -> None:
    entry = registry.register_model("m", b"x")
    arrived = pickle.loads(pickle.dumps(entry))
    assert arrived == entry
    assert arrived.files == entry.files
    assert arrived.verify_integrity()


def test_verifying_an_entry_names_the_file_that_changed(registry: ModelRegistry) -> None:
    entry = registry.register_model("m", b"x")
    entry.verify()
    blob = Path("models/blobs/sha256", entry.files[0].sha256)
    blob.chmod(0o600)
    blob.write_bytes(b"y")
    with pytest.raises(IntegrityError, match=rf"m:1\.0\.0: file '{entry.files[0].path}' was changed"):
        entry.verify()
