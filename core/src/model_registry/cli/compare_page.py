"""The page of a comparison: what ``model-registry compare`` prints for people. Only what differs is on it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from model_registry.cli.screen import Screen
from model_registry.cli.text import plural, shape_text, size_text, value_text
from model_registry.comparison import Change, Comparison, FileChange, MetricChange, TensorChange
from model_registry.records import Parent

Row = TypeVar("Row")

#: Rows of one table; --json gives them all.
_MOST_ROWS = 40
_LONGEST = 120  # characters of one value
#: In which order the kinds of change are told.
_ORDER = ("changed", "shape", "dtype", "renamed", "added", "removed", "identical", "same")
_WORDS = {"shape": "other shape", "dtype": "other dtype", "same": "the same"}


def compare_page(comparison: Comparison, screen: Screen) -> None:
    """Print it."""
    sides = (comparison.a.reference, comparison.b.reference)
    screen.title(" → ".join(sides), "nothing differs" if comparison.identical else "")
    _changes(screen, "Metadata", ("field", *sides), comparison.metadata)
    _metrics(screen, sides, comparison.metrics)
    _changes(screen, "Environment", ("what", *sides), comparison.environment)
    _files(screen, comparison.files)
    _modules(screen, comparison.modules)
    _tensors(screen, comparison.tensors)
    if comparison.notes:
        screen.heading("Notes")
        for note in comparison.notes:
            screen.line(note)


def _changes(screen: Screen, title: str, columns: Sequence[str], changes: Sequence[Change]) -> None:
    if changes:
        screen.heading(title)
        rows = [(change.key, _said(change.a), _said(change.b)) for change in changes]
        _table(screen, columns, rows)


def _said(value: object) -> str:
    if isinstance(value, (list, tuple)):
        value = [f"{item.reference} ({item.relation})" if isinstance(item, Parent) else item for item in value]
    return "–" if value is None else value_text(value, _LONGEST)


def _metrics(screen: Screen, sides: Sequence[str], changes: Sequence[MetricChange]) -> None:
    if changes:
        screen.heading("Metrics")
        rows = [(change.name, _number(change.a), _number(change.b), _delta(change.delta)) for change in changes]
        _table(screen, ("metric", *sides, "change"), rows, numbers=sides)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _delta(delta: float | None) -> str:
    if delta is None:
        return ""
    return f"{'▲' if delta > 0 else '▼'} {delta:+.4g}"


def _files(screen: Screen, files: Sequence[FileChange]) -> None:
    if differing := [file for file in files if file.status != "same"]:
        screen.heading("Files")
        screen.line(_counts((file.status for file in files), "file"))
        rows = [(file.status, _size(file), _path(file)) for file in _ordered(differing, lambda file: file.status)]
        _table(screen, ("", "size", "path"), rows, numbers=("size",))


def _size(file: FileChange) -> str:
    sizes = dict.fromkeys(size_text(record.size) for record in (file.a, file.b) if record is not None)
    return " → ".join(sizes)


def _path(file: FileChange) -> str:
    return f"{file.a.path} → {file.path}" if file.a is not None and file.status == "renamed" else file.path


def _modules(screen: Screen, changes: Sequence[Change]) -> None:
    """A changed module takes two lines, one below the other, where what differs is seen."""
    if changes:
        screen.heading("Modules")
        rows: list[tuple[str, str, str]] = []
        for change in changes:
            path = change.key or "(the model)"
            if change.a is None or change.b is None:
                rows.append(("added", path, change.b) if change.a is None else ("removed", path, change.a))
            else:
                rows += [("changed", path, change.a), ("", "", f"→ {change.b}")]
        _table(screen, ("", "path", "module"), rows)


def _tensors(screen: Screen, tensors: Sequence[TensorChange]) -> None:
    differing = [tensor for tensor in tensors if tensor.status != "identical"]
    if not differing:
        return
    screen.heading("Tensors")
    screen.line(_counts((tensor.status for tensor in tensors), "tensor"))
    measured = any(tensor.max_abs is not None for tensor in differing)
    columns = ("", *(("max", "mean") if measured else ()), "shape", "dtype", "tensor")
    differing.sort(key=_smallness)
    rows = [_row(tensor, measured) for tensor in _ordered(differing, lambda tensor: tensor.status)]
    _table(screen, columns, rows, numbers=("max", "mean"))


def _smallness(tensor: TensorChange) -> tuple[float, int]:
    """Sorts what differs most to the front and, where that is not known, what is largest."""
    record = tensor.b or tensor.a
    return -(tensor.max_abs or 0.0), -(0 if record is None else record.nbytes)


def _row(tensor: TensorChange, measured: bool) -> tuple[str, ...]:
    sides = [record for record in (tensor.a, tensor.b) if record is not None]
    shape = " → ".join(dict.fromkeys(shape_text(record.shape) for record in sides))
    dtype = " → ".join(dict.fromkeys(record.dtype for record in sides))
    numbers = (_amount(tensor.max_abs), _amount(tensor.mean_abs)) if measured else ()
    return (_WORDS.get(tensor.status, tensor.status), *numbers, shape, dtype, tensor.name)


def _amount(value: float | None) -> str:
    return "" if value is None else "∞" if math.isinf(value) else f"{value:.3g}"


def _counts(statuses: Iterable[str], noun: str) -> str:
    """``5 tensors: 2 changed, 3 identical``"""
    counts = Counter(statuses)
    parts = [f"{counts[status]:,} {_WORDS.get(status, status)}" for status in _ORDER if counts[status]]
    return f"{plural(counts.total(), noun)}: {', '.join(parts)}"


def _ordered(rows: Iterable[Row], status: Callable[[Row], str]) -> list[Row]:
    return sorted(rows, key=lambda row: _ORDER.index(status(row)))


def _table(screen: Screen, columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()) -> None:
    screen.table(columns, rows[:_MOST_ROWS], numbers=numbers)
    if len(rows) > _MOST_ROWS:
        screen.line(f"… and {plural(len(rows) - _MOST_ROWS, 'row')} more; --json gives them all")
