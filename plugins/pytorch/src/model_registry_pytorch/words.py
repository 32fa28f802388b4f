"""Values of a record as text, in the way Python would write them. Nothing is decoded: no class is looked up."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_DEEPEST = 16  # what is nested deeper is shown as the record has it
_OPENED = {"tuple": "(", "size": "(", "set": "set(", "frozenset": "frozenset(", "slice": "slice(", "range": "range("}
_NAMED = frozenset({"dtype", "device", "memoryFormat", "function", "builtinClass", "float", "int"})


def value_text(value: Any, depth: int = 0) -> str:
    """A value of ``encode.py`` in one line."""
    if depth > _DEEPEST:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{_listed(value, depth)}]"
    if isinstance(value, dict) and len(value) == 1:
        (kind, content), *_ = value.items()
        return _of_kind(kind, content, depth)
    return repr(value)


def _of_kind(kind: str, content: Any, depth: int) -> str:
    if kind in _NAMED and isinstance(content, str):
        return content
    if kind in _OPENED and isinstance(content, list):
        return f"{_OPENED[kind]}{_listed(content, depth)})"
    if kind == "dict" and _is_pairs(content):
        pairs = (f"{value_text(key, depth + 1)}: {value_text(item, depth + 1)}" for key, item in content)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(content, dict) and {"module", "qualname"} == set(content):
        return f"{content['module']}.{content['qualname']}"
    return f"<{kind} {json.dumps(content, ensure_ascii=False)}>"


def _listed(items: list[Any], depth: int) -> str:
    return ", ".join(value_text(item, depth + 1) for item in items)


def _is_pairs(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in content)


def shortened(text: str, longest: int) -> str:
    """The text, or its start and a checksum: long texts that differ at the end are seen to differ."""
    if len(text) <= longest:
        return text
    checksum = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{text[:longest]}… ({len(text):,} characters, {checksum})"
