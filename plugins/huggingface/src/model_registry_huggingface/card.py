"""The model card: a text with a head of YAML, as the hub writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_registry import VersionFiles
from model_registry_huggingface.layout import CARD

_MOST_BYTES = 1 << 20
_MOST_KEPT = 100_000


def read_card(files: VersionFiles) -> Mapping[str, Any]:
    """Fields of the metadata that the card tells: ``license``, ``languages``, ``base_model``, ``datasets``,
    ``card_tags`` and ``model_card``, the text itself without its head. A card that cannot be read tells only itself."""
    if CARD not in files or files.size(CARD) > _MOST_BYTES:
        return {}
    content = files.read(CARD).decode("utf-8", "replace")
    head = _head(content)
    told = {
        "license": _text(head.get("license_name")) or _text(head.get("license")),
        "languages": _texts(head.get("language")),
        "base_model": _texts(head.get("base_model")),
        "datasets": _texts(head.get("datasets")),
        "card_tags": _texts(head.get("tags")),
        "model_card": _body(content)[:_MOST_KEPT].strip() or None,
    }
    return {key: value for key, value in told.items() if value}


def _split(content: str) -> tuple[str, str]:
    """(head, body)"""
    if not content.startswith("---"):
        return "", content
    head, found, body = content[3:].partition("\n---")
    return (head, body.partition("\n")[2]) if found else ("", content)


def _head(content: str) -> Mapping[str, Any]:
    import yaml

    try:
        head = yaml.safe_load(_split(content)[0])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return head if isinstance(head, dict) else {}


def _body(content: str) -> str:
    return _split(content)[1]


def _text(value: Any) -> str | None:
    return str(value)[:200] if isinstance(value, (str, int, float)) else None


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [text for item in items[:1000] if (text := _text(item))]
