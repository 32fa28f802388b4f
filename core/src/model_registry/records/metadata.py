"""What is known of a version: what the caller said, and what the plugins found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from model_registry.vocabulary import CompressionType, ModelFormat, ModelType

MEGABYTE = 1_000_000


@frozen
class Parent:
    """What a version comes from.

    :param relation: ``"derived"``, ``"converted"``, ``"compressed"``, ``"adapter"``, ``"dataset"``, or another word.
    :param name: The parent's name: a model, or what has a name elsewhere, such as a dataset.
    :param version: Its version, if it has one.
    :param digest: SHA-256 of its manifest, 64 hex digits, if it is a version of a registry. By it the parent is known
        when it is gone, and found when it is in another registry.
    """

    relation: str
    name: str
    version: str | None = None
    digest: str | None = None

    @property
    def reference(self) -> str:
        """``name:version``, for people."""
        return self.name if self.version is None else f"{self.name}:{self.version}"


@frozen
class ModelMetadata:
    """What is known of one version. Part of the immutable manifest.

    Fields that the caller does not give are filled by the plugins where they can know them. Anything given that is no
    field here stays under ``extra``, of any JSON type, and comes back as it was.
    """

    name: str
    version: str
    format: ModelFormat
    model_type: ModelType = ModelType.CUSTOM
    description: str | None = None
    author: str | None = None
    license: str | None = None
    tags: Sequence[str] = field(factory=list)
    framework: str | None = None
    training_framework: str | None = None
    training_dataset: str | None = None
    training_epochs: int | None = None
    performance_metrics: Mapping[str, float] = field(factory=dict)
    parameters_count: int | None = None
    model_size_mb: float | None = None  # megabytes of 1,000,000 bytes
    input_shape: Sequence[Any] | None = None
    output_shape: Sequence[Any] | None = None
    compression_type: CompressionType | None = None
    compression_ratio: float | None = None  # compressed size / original size
    original_size_mb: float | None = None  # megabytes of 1,000,000 bytes
    dependencies: Sequence[str] = field(factory=list)
    python_version: str | None = None
    repository_url: str | None = None
    paper_url: str | None = None
    parents: Sequence[Parent] = field(factory=list)
    extra: Mapping[str, Any] = field(factory=dict)
