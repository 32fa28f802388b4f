"""Metadata: from keywords to a checked record, from there to the canonical document of the manifest, and back."""

from __future__ import annotations

import logging
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from model_registry import canonical_json
from model_registry.digests import is_sha256
from model_registry.errors import InvalidMetadataError, UnsafeModelError
from model_registry.names import check_line, check_model_name, shown
from model_registry.records import MEGABYTE, ModelMetadata, Parent
from model_registry.versions import check_version
from model_registry.vocabulary import CompressionType, ModelFormat, ModelType

logger = logging.getLogger("model_registry")

SCHEMA_VERSION = 1
#: JSON values of deeper nesting than this are refused: they would not come back on every parser.
_DEEPEST = 64
_RELATION = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
_LONGEST_PARENT = 300


def build(name: str, version: str, format: str, given: Mapping[str, Any]) -> ModelMetadata:
    """A record of what the caller said. Keywords that are no field go to ``extra``.

    :raises InvalidMetadataError: naming the first field of the wrong type.
    """
    values = {key: _CHECKS[key](key, value) for key, value in given.items() if key in _CHECKS and value is not None}
    more = {key: value for key, value in given.items() if key not in _CHECKS and key != "extra"}
    extra = {**_extra(given.get("extra") or {}), **_extra(more)}
    _warn_of_typing_errors(more)
    return ModelMetadata(name=name, version=version, format=ModelFormat(format), extra=extra, **values)


def complete(metadata: ModelMetadata, told: Mapping[str, Any], size: int, *, said_type: bool = False) -> ModelMetadata:
    """Fill what the caller left open with what the plugins found in the files (of ``size`` bytes).

    :param said_type: The caller said what the model is for, be it the default.
    """
    found = {"model_size_mb": size / MEGABYTE, **told}
    fields = {
        key: _CHECKS[key](key, value)
        for key, value in found.items()
        if key in _CHECKS and value is not None and _is_unsaid(metadata, key, said_type)
    }
    more = {key: value for key, value in found.items() if key not in _CHECKS}
    for key, value in more.items():
        _require_json(value, f"a plugin's metadata {key!r}")
    return attrs.evolve(metadata, **fields, extra={**more, **metadata.extra})


def write(metadata: ModelMetadata, plugin: str, plugin_version: str) -> bytes:
    """The canonical metadata document of a version."""
    said = {
        field.name: value
        for field in attrs.fields(ModelMetadata)
        if (value := getattr(metadata, field.name)) not in _EMPTY or field.name == "model_type"
    }
    if metadata.parents:
        said["parents"] = [
            attrs.asdict(parent, filter=lambda _, value: value is not None) for parent in metadata.parents
        ]
    writer = {"plugin": plugin, "version": plugin_version}
    return canonical_json.dump({"schemaVersion": SCHEMA_VERSION, "metadata": said, "writer": writer})


def read(document: str | bytes, *, what: str) -> ModelMetadata:
    """Parse a metadata document.

    :raises UnsafeModelError: if it is not one, or of a newer schema.
    """
    content = canonical_json.load(document, what=f"metadata of {what}")
    try:
        if content["schemaVersion"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {content['schemaVersion']}; upgrade model-registry-core")
        fields = dict(content["metadata"])
        return ModelMetadata(**{key: _STORED_CHECKS[key](key, value) for key, value in fields.items()})
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing, or unknown" if isinstance(error, KeyError) else f"{error}"
        raise UnsafeModelError(f"metadata of {what} cannot be read: {reason:.200}", path=what) from error


def check_parent(parent: Parent) -> Parent:
    """Return a parent that can be kept.

    :raises InvalidMetadataError: naming what is wrong.
    """
    if not isinstance(parent.relation, str) or not _RELATION.fullmatch(parent.relation):
        hint = "use a word such as 'derived', 'converted', 'compressed', 'adapter' or 'dataset'"
        raise InvalidMetadataError(f"the relation {shown(parent.relation)} is none", hint=hint, field="parent")
    check_line("a parent's relation", parent.relation, _LONGEST_PARENT)
    if not check_line("a parent's name", parent.name, _LONGEST_PARENT):
        raise InvalidMetadataError("a parent's name is empty", hint="say what it is called", field="parent")
    if parent.version is not None:
        check_line("a parent's version", parent.version, _LONGEST_PARENT)
    if parent.digest is not None and not is_sha256(parent.digest):
        hint = "give 64 lower-case hex digits"
        raise InvalidMetadataError(f"a parent's digest is {shown(parent.digest)}", hint=hint, field="parent")
    return parent


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(field, "text", value)
    return str(value)


def _texts(field: str, value: Any) -> list[str]:
    if isinstance(value, str) or not _is_sequence(value) or not all(isinstance(item, str) for item in value):
        raise _wrong(field, "a list of texts", value)
    return [str(item) for item in value]


def _count(field: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
        raise _wrong(field, "a whole number, 0 or more", value)
    return operator.index(value)


def _number(field: str, value: Any) -> float:
    """A finite number. Numbers of numpy and torch are taken for what they are worth."""
    if isinstance(value, (str, bytes)):
        raise _wrong(field, "a number", value)
    if isinstance(value, int):  # also bool: a metric may be True
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:  # the last is what torch raises
        raise _wrong(field, "a number", value) from error
    if not math.isfinite(number):
        raise InvalidMetadataError(f"{field} is {number}, which JSON cannot hold", hint="leave it out", field=field)
    return number


def _metrics(field: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise _wrong(field, "a mapping of names to numbers", value)
    return {_text(f"a name in {field}", name): _number(f"{field}[{name!r}]", number) for name, number in value.items()}


def _shape(field: str, value: Any) -> list[Any]:
    if isinstance(value, str) or not _is_sequence(value):
        raise _wrong(field, "a list of sizes", value)
    shape = list(value)
    _require_json(shape, field)
    return shape


def _parents(field: str, value: Any) -> list[Parent]:
    if not isinstance(value, list):
        raise _wrong(field, "a list of parents", value)
    return [check_parent(Parent(**item)) for item in value]


def _extra(values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise _wrong("extra", "a mapping of names to values", values)
    for key, value in values.items():
        _require_json(value, f"extra {key!r}")
    return dict(values)


def _warn_of_typing_errors(more: Mapping[str, Any]) -> None:
    """Anything may be metadata, so what looks like a field is kept, and told."""
    if not more:
        return
    from difflib import get_close_matches

    for key in more:
        near = get_close_matches(key, _CHECKS, n=1, cutoff=0.85)
        if near:
            logger.warning("%r is kept under extra; did you mean the field %r?", key, near[0])


def _one_of(vocabulary: Callable[[str], str]) -> Callable[[str, Any], str]:
    return lambda field, value: vocabulary(_text(field, value))


_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "model_type": _one_of(ModelType),
    "description": _text,
    "author": _text,
    "license": _text,
    "tags": _texts,
    "framework": _text,
    "training_framework": _text,
    "training_dataset": _text,
    "training_epochs": _count,
    "performance_metrics": _metrics,
    "parameters_count": _count,
    "model_size_mb": _number,
    "input_shape": _shape,
    "output_shape": _shape,
    "compression_type": _one_of(CompressionType),
    "compression_ratio": _number,
    "original_size_mb": _number,
    "dependencies": _texts,
    "python_version": _text,
    "repository_url": _text,
    "paper_url": _text,
}
_EMPTY: tuple[Any, ...] = (None, (), [], {})
#: A document is checked again when it is read: whoever wrote the registry may have written anything.
_STORED_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    **_CHECKS,
    "name": lambda field, value: check_model_name(value),
    "version": lambda field, value: check_version(value),
    "format": _one_of(ModelFormat),
    "parents": _parents,
    "extra": lambda field, value: _extra(value),
}


def _is_unsaid(metadata: ModelMetadata, field: str, said_type: bool) -> bool:
    """Whether the caller did not say it: a plugin may then tell."""
    value = getattr(metadata, field)
    return (value == ModelType.CUSTOM and not said_type) if field == "model_type" else value in _EMPTY


def _is_sequence(value: Any) -> bool:
    return hasattr(value, "__iter__") and hasattr(value, "__len__") and not isinstance(value, (Mapping, bytes))


def _wrong(field: str, expected: str, value: Any) -> InvalidMetadataError:
    return InvalidMetadataError(
        f"{field} is {_shown(value)}, a {type(value).__name__}", hint=f"give {expected}", field=field
    )


def _require_json(value: Any, what: str, depth: int = 0) -> None:
    """:raises InvalidMetadataError: unless the value would come back from JSON as it is."""
    if depth > _DEEPEST:
        raise InvalidMetadataError(f"{what} is nested more than {_DEEPEST} deep", hint="make it flatter", field=what)
    if value is None or type(value) in (bool, int, str):
        return
    if type(value) is float and math.isfinite(value):
        return
    if type(value) is list:
        for item in value:
            _require_json(item, what, depth + 1)
    elif type(value) is dict and all(type(key) is str for key in value):
        for item in value.values():
            _require_json(item, what, depth + 1)
    else:
        raise InvalidMetadataError(
            f"{what} holds {_shown(value)} ({type(value).__name__}), which JSON would not give back as it is",
            hint="use None, bool, int, finite float, str, list or a dict with text keys",
            field=what,
        )


def _shown(value: Any) -> str:
    """The start of a value's ``repr``, in one line: arrays and tensors print several."""
    return "".join(character if character.isprintable() else " " for character in repr(value)[:80])
