"""Exporting: whole or not at all, and over nothing unless told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model_registry import (
    DestinationExistsError,
    InvalidOptionError,
    ModelRegistry,
    SourceNotFoundError,
    StorageError,
    UnsupportedFormatError,
)


@pytest.fixture
def filled(registry: ModelRegistry) -> ModelRegistry:
    registry.register_model("m", b"abcdef")
    registry.register_model("parts", b"abcdef", parts=2)
    return registry


def test_one_file_becomes_a_file_where_one_is_named(filled: ModelRegistry) -> None:
    assert filled.export_model("m", "latest", "out.bin") == "out.bin"
    assert Path("out.bin").read_bytes() == b"abcdef"
    assert os.access("out.bin", os.W_OK)


def test_several_become_a_folder(filled: ModelRegistry) -> None:
    filled.export_model("parts", "1.0.0", Path("out"))
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == {
        "part-0.bin": b"ace",
        "part-1.bin": b"bdf",
    }


def test_a_suffix_or_a_format_asks_for_a_conversion(filled: ModelRegistry) -> None:
    filled.export_model("m", "1.0.0", "out.loud")
    filled.export_model("m", "1.0.0", "other", "loud", marks=3)
    assert (Path("out.loud").read_bytes(), Path("other").read_bytes()) == (b"ABCDEF!", b"ABCDEF!!!")


def test_what_exists_is_kept_unless_told(filled: ModelRegistry) -> None:
    Path("out").write_text("mine")
    with pytest.raises(DestinationExistsError, match=r"^'out' exists — choose another path, or pass overwrite=True$"):
        filled.export_model("m", "1.0.0", "out")
    assert Path("out").read_text() == "mine"
    filled.export_model("m", "1.0.0", "out", "loud", overwrite=True)
    assert Path("out").read_bytes() == b"ABCDEF!"


@pytest.mark.parametrize(
    ("path", "format", "options", "error", "line"),
    [
        ("missing/out", None, {}, SourceNotFoundError, "there is no folder 'missing' to export to — make it first"),
        (
            "out",
            "onnx",
            {},
            UnsupportedFormatError,
            "m:1.0.0 (bytes) cannot be exported as 'onnx' — possible: bytes, loud",
        ),
        ("out", None, {"marks": 1}, InvalidOptionError, "exporting as it is in format 'bytes' knows no option 'marks'"),
        (
            "out",
            "loud",
            {"mark": 1},
            InvalidOptionError,
            "exporting to format 'loud' knows no option 'mark' — did you mean",
        ),
        ("out", "loud", {"marks": "x"}, RuntimeError, "plugin bytes (fake-bytes) failed in export: TypeError"),
    ],
)
def test_what_cannot_be_leaves_nothing(
    filled: ModelRegistry, path: str, format: str | None, options: dict[str, object], error: type[Exception], line: str
) -> None:
    before = sorted(os.listdir())
    with pytest.raises(error) as refusal:
        filled.export_model("m", "1.0.0", path, format, **options)
    assert line in str(refusal.value)
    assert sorted(os.listdir()) == before


def test_overwriting_replaces_an_export_and_never_anything_else(filled: ModelRegistry, tmp_path: Path) -> None:
    target = tmp_path / "home"
    filled.export_model("parts", "latest", target)
    filled.export_model("parts", "latest", target, overwrite=True)
    (target / "diary.txt").write_text("mine")
    with pytest.raises(DestinationExistsError, match=r"holds 'diary\.txt', which is not of this export"):
        filled.export_model("parts", "latest", target, overwrite=True)
    assert (target / "diary.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if "home" in path.name] == ["home"]


def test_a_suffix_that_nothing_writes_is_refused_rather_than_made_a_folder(filled: ModelRegistry) -> None:
    with pytest.raises(
        UnsupportedFormatError, match=r"no export of parts:1\.0\.0 \(bytes\) ends in '\.onnx'.*without a suffix"
    ):
        filled.export_model("parts", "latest", "out.onnx")
    assert not Path("out.onnx").exists()
    assert Path(filled.export_model("parts", "latest", "parts-1.0.0")).is_dir()


def test_a_folder_does_not_overwrite_a_file(filled: ModelRegistry) -> None:
    Path("notes").write_text("mine")
    with pytest.raises(DestinationExistsError, match=r"'notes' is a file, and this export is a folder"):
        filled.export_model("parts", "latest", "notes", overwrite=True)
    assert Path("notes").read_text() == "mine"


def test_the_registry_itself_is_no_destination(filled: ModelRegistry) -> None:
    before = Path("models/catalog.sqlite").read_bytes()
    with pytest.raises(StorageError, match="is inside the registry"):
        filled.export_model("m", "latest", "models/catalog.sqlite", "bytes", overwrite=True)
    assert Path("models/catalog.sqlite").read_bytes() == before
