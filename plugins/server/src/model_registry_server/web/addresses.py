"""Addresses of pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode


def model_url(name: str, **query: object) -> str:
    """The page of a model. A slash in its name is no slash of the path."""
    return with_query(f"/ui/models/{quote(name, safe='')}", query)


def version_url(name: str, version: str, **query: object) -> str:
    """The page of a version."""
    return with_query(f"/ui/models/{quote(name, safe='')}/versions/{quote(version, safe='')}", query)


def under_model(name: str, *parts: str, **query: object) -> str:
    """What belongs to a model, such as the address of a form."""
    return with_query(
        "/".join([f"/ui/models/{quote(name, safe='')}", *(quote(part, safe="") for part in parts)]), query
    )


def page_url(path: str, **query: object) -> str:
    """Any page, with what is asked of it."""
    return with_query(path, query)


def with_query(path: str, query: Mapping[str, object]) -> str:
    """An address with those parameters that are something."""
    said = {key: value for key, value in query.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(said)}" if said else path


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "model_url": model_url,
    "version_url": version_url,
    "under_model": under_model,
    "page_url": page_url,
    "with_query": with_query,
    "quoted": lambda text: quote(text, safe=""),
}
