from __future__ import annotations

import pytest

import model_registry_server


@pytest.mark.parametrize("name", model_registry_server.__all__)
def test_what_the_package_offers_is_there(name: str) -> None:
    assert getattr(model_registry_server, name).__name__ == name
