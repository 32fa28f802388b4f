"""Making models smaller: what a plugin offers, and what it is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from model_registry.records.metadata import ModelMetadata


@frozen
class Compression:
    """A way to make models of some format smaller, by which their results change a little.

    :param type: The :class:`CompressionType`, or another word.
    :param format: The format of the version; that of the result is the same.
    :param options: Names of keyword arguments of ``compress_model`` that it understands.
    """

    type: str
    format: str
    options: frozenset[str] = frozenset()


@frozen
class CompressRequest:
    """What ``compress`` is asked to do.

    :param type: The type of compression.
    :param format: The format of the stored version.
    :param options: The keyword arguments that the :class:`Compression` names.
    :param metadata: The version's metadata.
    :param folder: An empty folder of its own, which lives until the result is stored.
    """

    type: str
    format: str
    options: Mapping[str, Any]
    metadata: ModelMetadata
    folder: Path
    _load: Callable[[], Any] = field(eq=False, repr=False, alias="load")

    def model(self) -> Any:
        """The model in memory, made anew by the plugin of its format, so that it may be changed."""
        return self._load()
