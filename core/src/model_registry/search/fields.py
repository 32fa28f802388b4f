"""The fields that a query can name: what kind of values each has, and whether one or several."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import frozen

from model_registry.search.tree import Field


class Kind(Enum):
    """A kind of values, and how people are told to write one."""

    TEXT = "a text in single quotes"
    VERSION = "a version in single quotes"
    NUMBER = "a number"
    SIZE = "a number of bytes, such as 100MB"
    TIME = "a time in single quotes, such as '2026-01-31' or '2026-01-31T12:00Z'"
    DIGEST = "64 hexadecimal digits in single quotes"
    ANY = "a text in single quotes, a number, true or false"


class Keys(Enum):
    """Whether keys follow a field's name."""

    NONE = "none"
    SOME = "one or none"
    ONE = "one"
    PATH = "one or more"


@frozen
class FieldSpec:
    """What is known of a field.

    :param many: A version can have several values of it.
    :param document: It is read from the metadata document, for no table has it.
    """

    kind: Kind
    many: bool = False
    keys: Keys = Keys.NONE
    document: bool = False


def _document(kind: Kind, *, many: bool = False, keys: Keys = Keys.NONE) -> FieldSpec:
    return FieldSpec(kind, many, keys, document=True)


FIELDS: Mapping[str, FieldSpec] = {
    "name": FieldSpec(Kind.TEXT),
    "version": FieldSpec(Kind.VERSION),
    "format": FieldSpec(Kind.TEXT),
    "model_type": FieldSpec(Kind.TEXT),
    "size": FieldSpec(Kind.SIZE),
    "registered_at": FieldSpec(Kind.TIME),
    "digest": FieldSpec(Kind.DIGEST),
    "description": FieldSpec(Kind.TEXT),
    "metrics": FieldSpec(Kind.NUMBER, keys=Keys.ONE),
    "tags": FieldSpec(Kind.TEXT, keys=Keys.SOME),
    "alias": FieldSpec(Kind.TEXT, many=True),
    "files.path": FieldSpec(Kind.TEXT, many=True),
    "files.size": FieldSpec(Kind.SIZE, many=True),
    "files.sha256": FieldSpec(Kind.DIGEST, many=True),
    "parents.relation": FieldSpec(Kind.TEXT, many=True),
    "parents.name": FieldSpec(Kind.TEXT, many=True),
    "parents.version": FieldSpec(Kind.TEXT, many=True),
    "parents.digest": FieldSpec(Kind.DIGEST, many=True),
    "author": _document(Kind.TEXT),
    "license": _document(Kind.TEXT),
    "framework": _document(Kind.TEXT),
    "training_framework": _document(Kind.TEXT),
    "training_dataset": _document(Kind.TEXT),
    "training_epochs": _document(Kind.NUMBER),
    "parameters_count": _document(Kind.NUMBER),
    "model_size_mb": _document(Kind.NUMBER),
    "input_shape": _document(Kind.ANY, many=True),
    "output_shape": _document(Kind.ANY, many=True),
    "compression_type": _document(Kind.TEXT),
    "compression_ratio": _document(Kind.NUMBER),
    "original_size_mb": _document(Kind.NUMBER),
    "dependencies": _document(Kind.TEXT, many=True),
    "python_version": _document(Kind.VERSION),
    "repository_url": _document(Kind.TEXT),
    "paper_url": _document(Kind.TEXT),
    "extra": _document(Kind.ANY, keys=Keys.PATH),
}
#: The first words of fields in two words.
GROUPS = frozenset(name.partition(".")[0] for name in FIELDS if "." in name)
#: Other words for them.
SYNONYMS: Mapping[str, str] = {"type": "model_type", "performance_metrics": "metrics"}


def has_several(field: Field) -> bool:
    """Whether a version can have several values of a field. ``tags`` are the words, ``tags.key`` is one value."""
    return FIELDS[field.name].many or field == Field("tags")
