"""What ``compare`` finds: how two versions differ, part by part. All records are immutable."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from model_registry.records import FileRecord, ModelEntry, TensorRecord


@frozen
class Change:
    """Something that two versions say differently.

    :param key: What it is: a field of the metadata, ``extra.<key>``, a path in the module tree.
    :param a: What the first version says, None if nothing; ``b`` is the second's.
    """

    key: str
    a: Any
    b: Any


@frozen
class MetricChange:
    """A metric that differs; ``delta`` is b - a, None unless both have it."""

    name: str
    a: float | None
    b: float | None
    delta: float | None


@frozen
class FileChange:
    """A file of either version, or of both.

    :param path: Its path; the one in the second version, if it was renamed.
    :param status: ``"same"`` (the same bytes), ``"changed"``, ``"renamed"`` (the same bytes under another path),
        ``"added"`` (only the second version has it) or ``"removed"`` (only the first).
    """

    path: str
    status: str
    a: FileRecord | None
    b: FileRecord | None


@frozen
class TensorChange:
    """A tensor of either version, or of both.

    :param name: Its name in the model.
    :param status: ``"identical"`` (every byte), ``"changed"``, ``"shape"`` or ``"dtype"`` (it has another one),
        ``"added"`` (only the second version has it) or ``"removed"`` (only the first).
    :param max_abs: The greatest absolute difference of two elements, if it was asked for and can be told. Two NaN
        differ by 0, a NaN and anything else by infinity.
    :param mean_abs: The mean of the absolute differences of all elements.
    """

    name: str
    status: str
    a: TensorRecord | None
    b: TensorRecord | None
    max_abs: float | None = None
    mean_abs: float | None = None


@frozen
class Comparison:
    """How the version ``b`` differs from the version ``a``.

    :param metadata: Fields that differ, but for name and version; ``extra`` key by key.
    :param metrics: Metrics that differ.
    :param environment: What differs of the surroundings in which they were registered.
    :param files: Every file, by path.
    :param tensors: Every tensor, in the order of the model; empty if they could not be compared.
    :param modules: Modules that differ, by path in the module tree; None on the side that has none there.
    :param notes: What could not be compared, and why; a line each.
    """

    a: ModelEntry
    b: ModelEntry
    metadata: tuple[Change, ...] = ()
    metrics: tuple[MetricChange, ...] = ()
    environment: tuple[Change, ...] = ()
    files: tuple[FileChange, ...] = ()
    tensors: tuple[TensorChange, ...] = ()
    modules: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether nothing differs but name, version, and where it was registered."""
        return not (
            self.metadata
            or self.metrics
            or self.modules
            or any(file.status != "same" for file in self.files)
            or any(tensor.status != "identical" for tensor in self.tensors)
        )
