"""The records: immutable, comparable, and readable by people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import attrs
import pytest

from model_registry import (
    CollectReport,
    Conversion,
    Detection,
    ExportRequest,
    FileRecord,
    Finding,
    FormatSpec,
    LoadedModel,
    LoadRequest,
    ModelEntry,
    ModelFormat,
    ModelMetadata,
    ModelType,
    PermissionRequiredError,
    PluginInfo,
    SaveRequest,
)

METADATA = ModelMetadata("m", "1.0", ModelFormat.CUSTOM)
ENTRY = ModelEntry(METADATA, "0" * 64, 1, datetime(2020, 1, 1, tzinfo=timezone.utc))
RECORDS = (
    CollectReport(),
    Conversion("a", "b", True),
    Detection("a"),
    ENTRY,
    ExportRequest("a", "b", "c", {}, METADATA),
    FileRecord("a", 1, "0" * 64, "x/y"),
    Finding("error", "code", "where", "message"),
    FormatSpec("a", "A"),
    LoadRequest("a", {}, METADATA),
    LoadedModel(1),
    METADATA,
    PluginInfo("a", "b", "1", "ready"),
    SaveRequest(1, "a", {}, METADATA),
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_never_changes(record: Any) -> None:
    for field in attrs.fields(type(record)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(record, field.name, None)
    with pytest.raises((AttributeError, TypeError)):
        record.misspelt = 1


def test_metadata_has_every_field_of_the_specification() -> None:
    said = """
        name version format model_type description author license tags training_framework training_dataset
        training_epochs performance_metrics parameters_count model_size_mb input_shape output_shape compression_type
        compression_ratio original_size_mb dependencies python_version repository_url paper_url
    """
    assert {*said.split()} <= {field.name for field in attrs.fields(ModelMetadata)}


def test_what_nobody_said_is_empty() -> None:
    assert METADATA.model_type == ModelType.CUSTOM
    assert (METADATA.description, METADATA.parameters_count, METADATA.input_shape) == (None, None, None)
    assert (METADATA.tags, METADATA.performance_metrics, METADATA.extra) == ([], {}, {})


def test_two_records_share_no_default() -> None:
    assert METADATA.extra is not ModelMetadata("n", "1.0", ModelFormat.CUSTOM).extra


def test_an_entry_has_shortcuts_to_what_people_ask_for() -> None:
    assert (ENTRY.name, ENTRY.version, ENTRY.reference) == ("m", "1.0", "m:1.0")


def test_a_loaded_model_unpacks_as_a_pair() -> None:
    loaded = LoadedModel("model", "tokenizer")
    assert isinstance(iter(loaded), Iterator)
    assert tuple(loaded) == ("model", "tokenizer")
    assert LoadedModel("model").tokenizer is None


@pytest.mark.parametrize(
    ("advice", "line"), [("", "m:1.0: it is gone"), ("register again", "m:1.0: it is gone — register again")]
)
def test_a_finding_is_one_line(advice: str, line: str) -> None:
    assert str(Finding("error", "blob-missing", "m:1.0", "it is gone", advice)) == line


class TestPermission:
    def test_is_refused_as_the_core_says(self) -> None:
        request = LoadRequest(
            "a", {}, METADATA, refuse=lambda action: PermissionRequiredError(f"{action} needs a word")
        )
        with pytest.raises(PermissionRequiredError, match=r"^jumping needs a word$"):
            request.require_code_permission("jumping")

    def test_that_was_given_is_not_asked_for_again(self) -> None:
        request = LoadRequest(
            "a", {}, METADATA, code_allowed=True, refuse=lambda action: PermissionRequiredError(action)
        )
        request.require_code_permission("jumping")
