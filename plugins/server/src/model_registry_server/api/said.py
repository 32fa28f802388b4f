"""What is said of a model that is uploaded: from the texts of a form to the keywords of ``register_model``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from attrs import fields

from model_registry import InvalidNameError, InvalidOptionError, ModelMetadata
from model_registry_server.api import schemas
from model_registry_server.jobs.failures import WorkerError

_JSON = ("performance_metrics", "metadata", "options", "input_shape", "output_shape", "parent")
_OBJECTS = ("performance_metrics", "metadata", "options")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
#: What the server says itself, or nobody may by a request.
_OURS = frozenset({"path", "digests", "model", "self", "weights_only", "example_inputs"})
_PARENT = frozenset({"relation", "name", "version", "digest"})
_KNOWN = frozenset(
    {"format", "type", "model_format", "parent", "exist_ok", "metadata", "options", "filename"}
    | {field.name for field in fields(ModelMetadata)}
)
#: How alike a name must be to one that is known, to be taken for it; from 0 to 1.
_ALIKE = 0.8
#: Characters of a name that is told again.
_LONGEST_TOLD = 100
#: Characters of a name that may be like one that is known.
_LONGEST_ALIKE = 40
#: What may be said, beside what is within it: each is a name to be searched for.
_MOST = 1000


def keywords_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of ``register_model``: what a form says as texts becomes what it stands for.

    :raises InvalidNameError: without a name.
    :raises InvalidOptionError: for what cannot be said, or not so, or seems misspelt: it would become metadata.
    """
    if len(said) > _MOST:
        _refuse("the fields", f"there are more than {_MOST:,}", "say the others by metadata={…}")
    for key in said:
        _require_no_slip(key)
    given = {key: _value(key, value) for key, value in said.items() if value not in (None, "")}
    if not isinstance(given.get("name"), str):
        raise InvalidNameError("there is no name", hint="say what the model is to be called: name=…", value=None)
    metadata = given.pop("metadata", {})
    for key in _OURS & (given.keys() | metadata.keys()) | ({"name"} & metadata.keys()):
        _refuse(key, "cannot be said so", "leave it out")
    for short, long in (("format", "model_format"), ("type", "model_type")):
        if short in given:
            given[long] = given.pop(short)
    for key in ("model_format", "model_type", "version"):
        if not isinstance(given.get(key, ""), str):
            _refuse(key, "is no text", "give a text")
    if "parent" in given or "parent" in metadata:
        given["parent"] = _parents(given.get("parent", metadata.pop("parent", None)))
    return {**metadata, **given}


def as_sent(error: WorkerError, root: Path) -> WorkerError:
    """An error of registering, in the words of the request: files by the names under which they came, and parameters.

    :param root: Where the files were laid out.
    """

    def reworded(text: str) -> str:
        text = text.replace(f"{root}/", "").replace(str(root), root.name)
        return re.sub(r"\bmodel_(format|type)\b", r"\1", text)

    facts = {key: reworded(fact) if isinstance(fact, str) else fact for key, fact in error.facts.items()}
    return type(error)(error.type, reworded(error.message), reworded(error.hint), facts)


def _require_no_slip(key: str) -> None:
    may_be_slip = key not in _KNOWN and len(key) <= _LONGEST_ALIKE
    near = get_close_matches(key, _KNOWN, n=1, cutoff=_ALIKE) if may_be_slip else []
    if near:
        meant = json.dumps({key: "…"}, ensure_ascii=False)
        _refuse(key, "is no field", f"did you mean {near[0]!r}? If it is your own, say metadata={meant}")


def _value(key: str, value: Any) -> Any:
    if isinstance(value, str):
        value = _of_text(key, value)
    if key in _OBJECTS and not isinstance(value, dict):
        _refuse(key, "is no JSON object", 'give one, such as {"accuracy": 0.98}')
    if isinstance(value, (dict, list)):
        try:
            schemas.shallow({"": value})
        except ValueError as error:
            _refuse(key, f"is {error}", "give it flatter")
    if key == "exist_ok" and not isinstance(value, bool):
        _refuse(key, "is neither true nor false", "give one of both")
    return value


def _of_text(key: str, text: str) -> Any:
    if key in _JSON and text[:1] in ("{", "["):
        try:
            return json.loads(text, parse_constant=_no_number, parse_float=_number)
        except (ValueError, RecursionError):
            _refuse(key, f"{text[:100]!r} is no JSON", "give JSON, whose numbers are finite")
    if key == "tags":
        return [tag.strip() for tag in text.split(",") if tag.strip()]
    if key == "exist_ok":
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else text
    return text


def _parents(given: Any) -> list[Any]:
    found = given if isinstance(given, list) else [given]
    for parent in found:
        record = isinstance(parent, dict) and {"relation", "name"} <= parent.keys() <= _PARENT
        if not (isinstance(parent, str) or (record and all(isinstance(v, str) or v is None for v in parent.values()))):
            _refuse("parent", "is none", 'give "name:version", or {"relation": …, "name": …}')
    return found


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _refuse(key: str, what: str, hint: str) -> NoReturn:
    key = key[:_LONGEST_TOLD]
    raise InvalidOptionError(f"{key}: {what}", hint=hint, option=key)
