"""Which tensors of a comparison come first."""

from __future__ import annotations

import math

from model_registry import TensorChange, TensorRecord
from model_registry_server.jobs.comparing import by_change


def change(name: str, status: str, max_abs: float | None = None, nbytes: int = 4) -> TensorChange:
    side = TensorRecord(name, "uint8", (nbytes,), "model.safetensors", 0, nbytes)
    return TensorChange(
        name, status, None if status == "added" else side, None if status == "removed" else side, max_abs
    )


def test_what_changed_most_comes_first() -> None:
    changes = [
        change("same", "identical", 0.0),
        change("little", "changed", 0.01),
        change("unknown", "changed", None),
        change("much", "changed", 3.5),
        change("broken", "changed", math.inf),
        change("new", "added"),
        change("other", "shape"),
        change("gone", "removed"),
    ]
    names = [each.name for each in by_change(changes)]
    assert names == ["gone", "new", "other", "unknown", "broken", "much", "little"]


def test_of_those_of_which_nothing_is_known_the_largest_comes_first() -> None:
    changes = [change("small", "changed", nbytes=4), change("large", "changed", nbytes=400)]
    assert [each.name for each in by_change(changes)] == ["large", "small"]
