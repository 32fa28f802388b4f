"""Checks of what a plugin tells about models, and of what it leaves to the caller."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from model_registry.operations import metadata
from model_registry.operations.stored import files_of
from model_registry.records import ModelMetadata
from model_registry.registry import ModelRegistry
from model_registry.testing.plugin_suite import PluginSuite, register
from model_registry.testing.samples import Sample

#: Something for every field that a caller may fill.
SAID: dict[str, Any] = {
    "model_type": "embedding",
    "description": "said by the caller",
    "author": "Ada",
    "license": "MIT",
    "tags": ["one", "two"],
    "framework": "the caller's",
    "training_framework": "another",
    "training_dataset": "numbers",
    "training_epochs": 3,
    "performance_metrics": {"accuracy": 0.5, "loss": 2},
    "parameters_count": 12345,
    "model_size_mb": 1.5,
    "input_shape": [None, 3],
    "output_shape": [None, "classes"],
    "compression_type": "fp16",
    "compression_ratio": 0.25,
    "original_size_mb": 6.0,
    "dependencies": ["something>=1"],
    "python_version": "3.10",
    "repository_url": "https://example.org/repository",
    "paper_url": "https://example.org/paper",
}
SAID_ELSE: dict[str, Any] = {"a key of nobody": {"nested": [1, None, "x", {"deep": True}]}, "another_key": 0.1}


class PluginMetadata(PluginSuite):
    """What the plugin tells is right and JSON; what the caller says stands."""

    def test_what_it_tells_is_metadata(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        """Fields of the right types, the rest of JSON types, the same after it was written and read."""
        entry = register(registry, sample, folder)
        document = metadata.write(entry.metadata, self.plugin_name, "1")
        assert metadata.read(document, what="the sample") == entry.metadata
        values = attrs.asdict(entry.metadata)
        assert json.loads(json.dumps(values)) == values

    def test_known_fields_are_right(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        told = attrs.asdict(register(registry, sample, folder).metadata)
        assert {key: told.get(key, told["extra"].get(key)) for key in sample.metadata} == dict(sample.metadata)

    def test_nothing_that_the_caller_says_is_lost(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        said = {key: value for key, value in {**SAID, **SAID_ELSE}.items() if key not in sample.options}
        register(registry, sample, folder, **said)
        reopened = self.open(registry.settings.path).resolve("sample")
        fields = {field.name for field in attrs.fields(ModelMetadata)}
        kept = {
            key: getattr(reopened.metadata, key) if key in fields else reopened.metadata.extra.get(key) for key in said
        }
        assert kept == said

    def test_the_tensors_it_tells_of_are_there(self, registry: ModelRegistry, folder: Path, sample: Sample) -> None:
        """Each once, within a member of the version; or the plugin tells of none."""
        entry = register(registry, sample, folder)
        told = registry._context.plugins.tensors(entry.metadata.format, files_of(registry._context, entry)) or ()
        sizes = {file.path: file.size for file in entry.files}
        assert len({tensor.name for tensor in told}) == len(told), "a name is told twice"
        for tensor in told:
            assert tensor.path in sizes, f"{tensor} is in no member"
            assert 0 <= tensor.offset <= tensor.offset + tensor.nbytes <= sizes[tensor.path], f"{tensor} is not there"
            assert (tensor.nbytes == 0) == (tensor.elements == 0), f"{tensor} has another size than its shape says"
