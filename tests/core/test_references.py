"""References name a version in one text."""

from __future__ import annotations

from typing import Any

import pytest

from model_registry import InvalidNameError, ModelNotFoundError, ModelRegistry, VersionNotFoundError
from model_registry.operations.references import entry_for, split_reference


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("m", ("m", "latest")),
        ("team/m:1.0", ("team/m", "1.0")),
        ("m:latest", ("m", "latest")),
        ("team/m@champion", ("team/m", "@champion")),
        ("m:@champion", ("m", "@champion")),
    ],
)
def test_the_parts_of_a_reference(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts


def test_the_entry_of_a_reference(registry: ModelRegistry) -> None:
    first, second = registry.register_model("m", b"x"), registry.register_model("m", b"y")
    context = registry._context
    assert entry_for(context, "m") == entry_for(context, "m:latest") == second
    assert entry_for(context, "M:1.0") == first
    assert entry_for(context, first) is first


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        ("n", ModelNotFoundError),
        ("m:2", VersionNotFoundError),
        ("m:", InvalidNameError),
        (":1", InvalidNameError),
        ("", InvalidNameError),
        ("a b", InvalidNameError),
        ("m:1:2", InvalidNameError),
        (None, InvalidNameError),
        (b"m", InvalidNameError),
    ],
)
def test_what_is_no_reference(registry: ModelRegistry, reference: Any, error: type[Exception]) -> None:
    registry.register_model("m", b"x")
    with pytest.raises(error):
        entry_for(registry._context, reference)
