"""Examples that are made of those of the parts: a body's of its fields', a list's of its items'.

So each thing has its example where it is declared, and what is made of several things needs none of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]


class NoExampleError(LookupError):
    """Something that is needed has no example."""


class _CircleError(LookupError):
    """A schema is within itself."""


def example_of(schema: Schema, known: Mapping[str, Schema]) -> Any:
    """An example of what a JSON schema describes. Fields that may be left out, and have none, are left out.

    :param known: The schemas to which it refers, by name.
    :raises NoExampleError: if something that is needed has none.
    """
    return _example(schema, known, ())


def json_of(model: type[BaseModel]) -> str:
    """The example of a body, as it is sent."""
    schema = model.model_json_schema()
    return json.dumps(example_of(schema, schema.get("$defs", {})), ensure_ascii=False)


def _example(schema: Schema, known: Mapping[str, Schema], within: tuple[str, ...]) -> Any:
    for key in ("examples", "enum"):
        if key in schema:
            return schema[key][0]
    if "const" in schema:
        return schema["const"]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in within:
            raise _CircleError(name)
        return _example(known[name], known, (*within, name))
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], known, within)
    if "properties" in schema:
        return dict(_fields(schema, known, within))
    if "items" in schema:
        return list(_items(schema["items"], known, within))
    raise NoExampleError(f"there is no example of {dict(schema)}")


def _fields(schema: Schema, known: Mapping[str, Schema], within: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, field in schema["properties"].items():
        try:
            yield name, _example(field, known, within)
        except NoExampleError:
            if name in schema.get("required", ()):
                raise


def _items(schema: Schema, known: Mapping[str, Schema], within: tuple[str, ...]) -> Iterator[Any]:
    try:
        yield _example(schema, known, within)
    except _CircleError:
        return
