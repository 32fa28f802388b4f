"""What the OpenAPI document says beyond what the routes say of themselves: how they refuse, and examples of everything.

It is made when somebody asks for it. Each refusal stands in it once, and the routes refer to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from model_registry import ModelNotFoundError, StorageError, UnsupportedFormatError, VersionExistsError
from model_registry.errors import InvalidQueryError, ModelRegistryError
from model_registry_server.api.examples import NoExampleError, example_of
from model_registry_server.api.parameters import EXAMPLES
from model_registry_server.api.schemas import Problem
from model_registry_server.errors import (
    PROBLEM_TYPE,
    AuthenticationError,
    ForbiddenError,
    TooManyRequestsError,
    refusal_of_content,
)
from model_registry_server.problems import document_of
from model_registry_server.transfer.errors import InvalidBodyError, TooLargeError, TooSlowError

Document = dict[str, Any]

#: One for each status.
_REFUSALS: tuple[ModelRegistryError, ...] = (
    InvalidBodyError("the body is no JSON", hint="see /openapi.json"),
    AuthenticationError("a token is needed", hint="send one as «Authorization: Bearer …»"),
    ForbiddenError("ci is a reader; this takes a writer", hint="ask whoever runs the server for a token that may"),
    ModelNotFoundError("there is no model 'digit'", hint="did you mean 'digits'?", model="digit"),
    TooSlowError("nothing of the body came within 60 seconds", hint="try again", seconds=60),
    VersionExistsError("digits:1.0.0 is registered already", hint="register another version", model="digits"),
    TooLargeError("the body has more than 8,388,608 bytes", hint="send less", limit=8_388_608),
    UnsupportedFormatError("no plugin handles 'onnx'", hint="install model-registry-onnx", format="onnx"),
    InvalidQueryError("expected a value after «size >»", hint="such as 10 MB", query="size >", column=7),
    TooManyRequestsError("too many requests a minute", hint="wait 2 s", retry_after=2),
    StorageError("models: Input/output error", hint="nothing was changed; try again", path="models"),
)
_DESCRIPTIONS = {
    400: "What was sent cannot be read",
    401: "A token is needed",
    403: "The token does not allow this",
    404: "There is no such thing",
    408: "Nothing came in time",
    409: "It is there already, or was changed meanwhile",
    412: "The content is another one",
    413: "It is larger than it may be",
    415: "No plugin of the server handles the format",
    416: "There are no such bytes",
    422: "What was sent cannot be used; the detail says why",
    429: "Too many requests a minute",
    503: "Not ready",
}


class Described(FastAPI):
    """An application whose document is complete."""

    def openapi(self) -> Document:
        """The document, which is made once."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def _completed(document: Document) -> Document:
    schemas = document["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema()
    document["components"]["responses"] = dict(_responses())
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                parameter["example"] = _example_of_parameter(parameter, schemas)
            for content in _contents(operation):
                content["example"] = example_of(content["schema"], schemas)
            for status, response in operation["responses"].items():
                if "$ref" in response:
                    operation["responses"][status] = {"$ref": response["$ref"]}
    return document


def _example_of_parameter(parameter: Document, schemas: Document) -> Any:
    schema, name = parameter["schema"], parameter["name"]
    try:
        return example_of(schema, schemas)
    except NoExampleError:
        return True if schema.get("type") == "boolean" else EXAMPLES[name]


def _contents(operation: Document) -> Iterator[Document]:
    """What may be sent, and what is answered when all went well, by their media types."""
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()


def _responses() -> Iterator[tuple[str, Document]]:
    schema = {"$ref": "#/components/schemas/Problem"}
    for example in (*map(document_of, _REFUSALS), *map(refusal_of_content, (412, 416))):
        status = example["status"]
        content = {PROBLEM_TYPE: {"schema": schema, "example": example}}
        yield str(status), {"description": _DESCRIPTIONS[status], "content": content}
