"""Errors of a server, told by its client."""

from __future__ import annotations

from model_registry import UnsupportedFormatError
from model_registry_server.client.errors import error_of_job


def test_what_the_server_lacks_is_to_be_installed_there() -> None:
    document = {
        "type": "UnsupportedFormatError",
        "message": "no installed plugin compresses",
        "hint": "pip install model-registry-compression",
        "facts": {},
    }
    error = error_of_job(document, "http://models:8000")
    assert isinstance(error, UnsupportedFormatError)
    assert error.hint == "at the server: pip install model-registry-compression"


def test_other_advice_stays_as_it_is() -> None:
    document = {"type": "StorageError", "message": "full", "hint": "make room", "facts": {"path": "models"}}
    assert error_of_job(document, "http://models:8000").hint == "make room"
