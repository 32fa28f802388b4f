"""What a module record from outside may name, looked at before it is stored: torch is at hand then, and nothing runs.

Classes are left to loading: which of them a process offers is known only there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_registry import UnsafeModelError
from model_registry_pytorch import functions
from model_registry_pytorch import record as records


def require_known_functions(text: bytes) -> None:
    """:raises UnsafeModelError: for a record that is not sound, or names a function that records may not name."""
    record = records.decode(text)
    values = [record.value, *(value for module in record.modules for value in module.attributes.values())]
    for name in _function_names(values):
        if name not in functions.by_name():
            raise UnsafeModelError(
                f"module.json names the function {name!r}, which records may not name",
                hint="register the model again from its source",
                path="module.json",
            )


def _function_names(values: list[Any]) -> Iterator[Any]:
    """The functions named anywhere in encoded values, without recursion: they come from outside."""
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if set(value) == {"function"} and isinstance(value["function"], str):
                yield value["function"]
            pending += value.values()
        elif isinstance(value, list):
            pending += value
