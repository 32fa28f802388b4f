"""Where a version was made: the interpreter, the packages that matter, the commit and the command.

A canonical JSON document that many versions share when it is equal. It lies beside a version and is no part of its
digest: the version's provenance record names it (see :mod:`model_registry.provenance`).
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from model_registry import canonical_json
from model_registry.environment import command, git
from model_registry.errors import UnsafeModelError

ENVIRONMENT_TYPE = "application/vnd.model-registry.environment.v1+json"
SCHEMA_VERSION = 1
#: Bytes of a document; ours have one or two thousand.
MOST_BYTES = 1 << 20


def capture(packages: Iterable[str]) -> bytes:
    """The document of this process, now. It never fails: what cannot be told is left open.

    :param packages: The distributions whose versions matter.
    """
    return canonical_json.dump(
        {
            "schemaVersion": SCHEMA_VERSION,
            **_interpreter(),
            "packages": {name: version for name in packages if (version := _version(name)) is not None},
            "git": git.state(),
            "command": command.command(),
        }
    )


@lru_cache(maxsize=1)
def _interpreter() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
    }


@lru_cache(maxsize=256)
def _version(distribution: str) -> str | None:
    """The version installed when it was first asked: what has been imported does not change afterwards."""
    from importlib_metadata import version

    try:
        return version(distribution)
    except Exception:  # not installed, or with a broken installation; registering goes on
        return None


def read(data: bytes, *, what: str) -> dict[str, Any]:
    """What a document says; nobody vouches for it.

    :returns: ``python``, ``implementation``, ``platform``, ``machine`` (texts), ``packages`` (versions by name),
        ``git`` (None, or ``commit`` and ``clean``) and ``command`` (words).
    :raises UnsafeModelError: if it is not such a document.
    """
    document = canonical_json.load(data, what=f"environment of {what}")
    try:
        if document.pop("schemaVersion") != SCHEMA_VERSION:
            raise ValueError("it has another schema version; upgrade model-registry-core")
        for key, is_right in _SHAPE.items():
            if not is_right(document[key]):
                raise ValueError(f"{key} is {document[key]!r:.50}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UnsafeModelError(f"environment of {what} cannot be read: {reason:.200}", path=what) from error
    found: dict[str, Any] = document
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_versions(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


def _is_git(value: Any) -> bool:
    return value is None or (_is_text(value["commit"]) and (value["clean"] is None or type(value["clean"]) is bool))


_SHAPE = {
    **dict.fromkeys(("python", "implementation", "platform", "machine"), _is_text),
    "packages": _is_versions,
    "git": _is_git,
    "command": _is_texts,
}
