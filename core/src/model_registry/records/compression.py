"""Making models smaller: what a plugin offers, and what it is asked to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

from model_registry.records.entry import ModelEntry
from model_registry.records.metadata import ModelMetadata

#: Sizes that differ by less count as the same.
_AS_SMALL = 1.02


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


@frozen
class CompressionTrial:
    """What came of a way to make a version smaller.

    :param type: The :class:`CompressionType`.
    :param ratio: Its bytes ÷ those of the version; None if nothing came of it.
    :param size_mb: Megabytes.
    :param cosine: That of the outputs with those of the version: the least of all outputs and runs. None if nothing
        could be run.
    :param max_abs: The greatest absolute difference of two elements.
    :param latency_ms: How long a run takes.
    :param metric: What ``evaluate`` gave.
    :param problem: Why it is not acceptable; empty if it is.
    """

    type: str
    ratio: float | None = None
    size_mb: float | None = None
    cosine: float | None = None
    max_abs: float | None = None
    latency_ms: float | None = None
    metric: float | None = None
    problem: str = ""


@frozen
class CompressionReport:
    """What can be made of a version, and what each costs: the smallest first, and what came to nothing last.

    ``str()`` of it is a table.

    :param reference: The version.
    :param size_mb: Megabytes of it, ``latency_ms`` and ``metric`` as for the trials.
    :param kept: The version that was registered, if that was asked for.
    """

    reference: str
    size_mb: float
    latency_ms: float | None
    metric: float | None
    trials: Sequence[CompressionTrial]
    kept: ModelEntry | None = None

    @property
    def recommended(self) -> CompressionTrial | None:
        """The smallest that is acceptable; of those within a fiftieth of it, the fastest. None if none is."""
        acceptable = [trial for trial in self.trials if not trial.problem and trial.ratio is not None]
        least = min((trial.ratio or 0.0 for trial in acceptable), default=0.0)
        small = [trial for trial in acceptable if (trial.ratio or 0.0) <= least * _AS_SMALL]
        return min(small, key=lambda trial: trial.latency_ms or 0.0, default=None)

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """The table's columns and cells. A column that nothing is known of is left out."""
        columns = {
            "type": ["as it is", *(trial.type for trial in self.trials)],
            "MB": _numbers([self.size_mb, *(trial.size_mb for trial in self.trials)], ".2f"),
            "ratio": _numbers([1.0, *(trial.ratio for trial in self.trials)], ".3f"),
            "cosine": _numbers([1.0, *(trial.cosine for trial in self.trials)], ".6f"),
            "difference": _numbers([0.0, *(trial.max_abs for trial in self.trials)], ".2e"),
            "ms": _numbers([self.latency_ms, *(trial.latency_ms for trial in self.trials)], ".2f"),
            "metric": _numbers([self.metric, *(trial.metric for trial in self.trials)], ".4f"),
            "": ["", *(self._verdict(trial) for trial in self.trials)],
        }
        shown = {name: cells for name, cells in columns.items() if not name or any(cells)}
        return list(shown), [list(row) for row in zip(*shown.values(), strict=True)]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        best = self.recommended
        return {
            "version": self.reference,
            "size_mb": self.size_mb,
            "latency_ms": self.latency_ms,
            "metric": self.metric,
            "trials": [
                {name: str(value) if value == math.inf else value for name, value in asdict(trial).items()}
                for trial in self.trials
            ],
            "recommended": None if best is None else best.type,
            "kept": None if self.kept is None else self.kept.reference,
        }

    def _verdict(self, trial: CompressionTrial) -> str:
        return trial.problem or ("recommended" if trial is self.recommended else "")

    def __str__(self) -> str:
        columns, rows = self.rows()
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        lines = (
            "  ".join(
                cell.ljust(width) if place in (0, len(widths) - 1) else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in (columns, *rows)
        )
        return "\n".join(line.rstrip() for line in lines)


def _numbers(values: Sequence[float | None], format: str) -> list[str]:
    return ["" if value is None else f"{value:{format}}" for value in values]
