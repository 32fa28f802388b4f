"""What is said of a model that is uploaded: from the texts of a form to the keywords of ``register_model``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model_registry import InvalidNameError, InvalidOptionError

_JSON = ("performance_metrics", "metadata", "options", "input_shape", "output_shape", "parent")
_TRUE = ("1", "true", "yes", "on")


def keywords_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of ``register_model``: what a form says as texts becomes what it stands for."""
    given = {key: _value(key, value) for key, value in said.items() if value not in (None, "")}
    if not isinstance(given.get("name"), str):
        raise InvalidNameError("there is no name", hint="say what the model is to be called: name=…", value=None)
    metadata = given.pop("metadata", {})
    if "format" in given:
        given["model_format"] = given.pop("format")
    if "type" in given:
        given["model_type"] = given.pop("type")
    taken = {"path", "digests", "name", "model", "self", "weights_only", "example_inputs"} & metadata.keys()
    if taken:
        raise InvalidOptionError(f"{min(taken)!r} is no metadata", hint="leave it out", option=min(taken))
    return {**metadata, **given}


def _value(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if key in _JSON and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            hint = "give JSON"
            raise InvalidOptionError(f"{key}: {value[:100]!r} is no JSON", hint=hint, option=key) from error
    if key == "parent":
        return [value]
    if key == "tags":
        return [tag.strip() for tag in value.split(",") if tag.strip()]
    if key == "exist_ok":
        return value.lower() in _TRUE
    return value
